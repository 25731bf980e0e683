use serde::{Deserialize, Serialize};

use crate::error::{AppError, ErrorCode};

/// Longest prompt taken, in characters.
pub const PROMPT_CHARS_MAX: usize = 100_000;
/// Most images in one request.
pub const IMAGES_MAX: usize = 16;
/// All images of one request together, decoded. With the longest prompt and system text they fit into a body of 20 MiB.
pub const IMAGES_BYTES_MAX: usize = 20_000_000;
/// What Gemini reads: <https://ai.google.dev/gemini-api/docs/image-understanding>.
pub const IMAGE_TYPES: [&str; 5] = ["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"];

/// Body of `POST /api/ai-analysis/analyze`, as JSON or as multipart with the same fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnalyzeRequest {
    pub prompt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Calls after the first one; the pool's own bound holds when it is smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Do not answer from the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<bool>,
}

/// One image, its bytes in base64 as the provider takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    pub mime_type: String,
    pub data: String,
}

impl AnalyzeRequest {
    /// What a form and the server both refuse, in words that say what to do. Image bytes are checked by the server.
    ///
    /// # Errors
    /// `BAD_REQUEST` naming the field, `UNSUPPORTED_MEDIA_TYPE` or `PAYLOAD_TOO_LARGE` for images.
    pub fn check(&self) -> Result<(), AppError> {
        let bad = |field: &str, message: &str| Err(AppError::new(ErrorCode::BadRequest, message).field(field));
        if self.prompt.trim().is_empty() {
            return bad("prompt", "The prompt is empty: write what should be analysed.");
        }
        let chars = self.prompt.chars().count();
        if chars > PROMPT_CHARS_MAX {
            return Err(AppError::new(
                ErrorCode::BadRequest,
                format!(
                    "The prompt has {chars} characters; at most {PROMPT_CHARS_MAX} are taken. Shorten it or split it."
                ),
            )
            .field("prompt"));
        }
        if self
            .system
            .as_ref()
            .is_some_and(|text| text.chars().count() > PROMPT_CHARS_MAX)
        {
            return bad(
                "system",
                "The system text is too long: at most 100000 characters are taken.",
            );
        }
        if self.temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
            return bad("temperature", "temperature must be a number from 0 to 2.");
        }
        if self
            .max_output_tokens
            .is_some_and(|value| !(1..=65_536).contains(&value))
        {
            return bad(
                "maxOutputTokens",
                "maxOutputTokens must be a whole number from 1 to 65536.",
            );
        }
        if self.max_retries.is_some_and(|value| value > 8) {
            return bad("maxRetries", "maxRetries must be a whole number from 0 to 8.");
        }
        if self.model.as_deref().is_some_and(|name| !is_model_name(name)) {
            return bad("model", "model must be a model's name such as gemini-2.5-flash.");
        }
        self.check_images()
    }

    fn check_images(&self) -> Result<(), AppError> {
        if self.images.len() > IMAGES_MAX {
            return Err(AppError::new(
                ErrorCode::BadRequest,
                format!("At most {IMAGES_MAX} images are taken at once."),
            )
            .field("images"));
        }
        if let Some(image) = self
            .images
            .iter()
            .find(|image| !IMAGE_TYPES.contains(&image.mime_type.as_str()))
        {
            let given: String = image.mime_type.chars().take(60).collect();
            return Err(AppError::new(
                ErrorCode::UnsupportedMediaType,
                format!("{given:?} is not an image type that can be analysed: use PNG, JPEG, WebP, HEIC or HEIF."),
            )
            .field("images"));
        }
        // Base64 has four characters for three bytes.
        let bytes: usize = self.images.iter().map(|image| image.data.len() / 4 * 3).sum();
        if bytes > IMAGES_BYTES_MAX {
            let message = "The images are larger than 20 MB together: send fewer or smaller ones.";
            return Err(AppError::new(ErrorCode::PayloadTooLarge, message).field("images"));
        }
        Ok(())
    }

    pub fn kind(&self) -> Kind {
        if self.images.is_empty() {
            Kind::Text
        } else {
            Kind::Image
        }
    }
}

/// Names as providers use them; they become part of a URL path.
pub fn is_model_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        && !name.starts_with('.')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Text,
    Image,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsage {
    pub prompt_tokens: u64,
    /// Visible output and thoughts: what the provider bills as output.
    pub output_tokens: u64,
    pub total_tokens: u64,
}

/// One call to the provider, in the order made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub key_number: u32,
    /// The outcome's name as the pool knows it, such as `success` or `day_quota`.
    pub outcome: String,
    pub ms: u64,
}

/// A served analysis: `data` of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisResult {
    pub id: String,
    pub text: String,
    pub model: String,
    /// The provider's word, such as `STOP` or `MAX_TOKENS`.
    pub finish_reason: String,
    pub usage: TokenUsage,
    pub cached: bool,
    /// Served although some keys are out of quota; `warning` says which.
    pub degraded: bool,
    pub warning: Option<String>,
    pub attempts: Vec<Attempt>,
    pub response_time_ms: u64,
}

/// How a stored analysis ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnalysisState {
    Complete,
    /// Some text came, then the provider broke off.
    Interrupted,
    /// No text came.
    Failed,
    /// The caller stopped it.
    Stopped,
}

/// A row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSummary {
    pub id: String,
    pub created_at: String,
    pub kind: Kind,
    /// First line of the prompt, at most 120 characters.
    pub title: String,
    pub state: AnalysisState,
    pub model: String,
    pub response_time_ms: u64,
}

/// One stored analysis, whole. Images are not kept, only how many there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    #[serde(flatten)]
    pub summary: AnalysisSummary,
    pub prompt: String,
    pub system: Option<String>,
    pub image_count: u32,
    pub text: String,
    pub finish_reason: Option<String>,
    pub usage: TokenUsage,
    pub attempts: Vec<Attempt>,
    /// Why it did not complete.
    pub error: Option<AppError>,
}

/// A page of the history, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisPage {
    pub items: Vec<AnalysisSummary>,
    /// Give it back as `?cursor=` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

/// What `POST …/analyze/stream` sends, each as a Server-Sent Event of the same name with the value as its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamEvent {
    Status(Progress),
    Delta { text: String },
    Done(Box<AnalysisResult>),
    Error(Box<AppError>),
}

/// Where a request stands, said in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub phase: Phase,
    /// For people, such as "Switched key after a day quota (2 of 3)".
    pub message: String,
    /// Different keys asked so far, this one included.
    pub attempt: u32,
    /// Keys configured.
    pub keys: u32,
    /// Place in the queue, the next one is 1; only while queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Until a key is expected; only while queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Waiting for a key.
    Queued,
    /// A call is under way.
    Trying,
    /// The last call failed; another key is asked.
    Switched,
    /// Text is coming.
    Writing,
}
