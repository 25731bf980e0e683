//! What a caller is told when there is no answer. The first three keep the seed's words exactly, emoji and all: programs match on
//! them.

pub const QUOTA_EXCEEDED: &str =
    "AI service quota exceeded for today. Please try again tomorrow or contact support for higher limits.";
pub const PARTIAL_QUOTA: &str = "Some AI services are at capacity, but analysis should still work. If this persists, please try \
                                 again later.";
pub const INVALID_KEYS: &str = "AI service configuration error. Please contact support.";
pub const INVALID_KEYS_DETAILS: &str = "\u{1f511} ALL API KEYS INVALID: All configured API keys are invalid.";

pub fn quota_exceeded_details(keys: u32) -> String {
    format!("\u{1f6ab} ALL API QUOTA EXCEEDED: All {keys} Google AI API key(s) have reached their daily quota limit.")
}

pub fn partial_quota_details(spent: u32, total: u32, available: u32) -> String {
    format!(
        "\u{26a0}\u{fe0f} PARTIAL QUOTA EXCEEDED: {spent} of {total} API keys have exceeded quota. {available} key(s) still available."
    )
}

pub const NO_KEYS: &str = "No provider key is configured yet. An admin can add the first one on the set-up page or as \
                           GOOGLE_AI_API_KEY_1.";
pub const NO_CAPACITY: &str = "No key can take this request right now. Please try again shortly.";
pub const LINE_IS_FULL: &str = "Too many requests are waiting for a key right now. Please try again shortly.";
pub const PROVIDER_DOWN: &str = "The AI provider is not answering right now. Please try again in a moment.";
pub const PROVIDER_TROUBLE: &str = "The AI provider is having trouble. Please try again in a moment.";
pub const PROVIDER_SLOW: &str = "The AI provider did not answer in time. Please try again.";
pub const PROVIDER_GARBLED: &str = "The AI provider's answer could not be used. Please try again.";
pub const BROKE_OFF: &str = "The answer broke off before its end. What came so far is kept; try again for a whole one.";
pub const STOPS: &str = "The server restarts. Please try again in a few seconds.";
pub const STOPS_MIDWAY: &str =
    "The server restarts before the answer is whole. What came so far is kept; try again for a whole one.";
pub const BLOCKED: &str = "The provider declined to answer this request for safety reasons. Rephrase it and try again.";
pub const NOT_ACCEPTED: &str =
    "The provider does not accept this request as it is. Check the model, the options and the size of the input.";
pub const NO_SUCH_MODEL: &str = "The provider has no such model. Choose another one.";
pub const TOO_MANY_MODELS: &str = "Too many different models are in use right now. Use one that was used before.";
pub const FILE_GONE: &str = "The file is not there any more: upload it again.";
pub const REGION: &str = "The AI provider does not serve this server's location. Please contact support.";
