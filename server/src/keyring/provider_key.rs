//! What can be a provider's key.

use app::error::{AppError, ErrorCode};
use secrecy::{ExposeSecret, SecretString};

/// Longest key taken, in characters; Google's have 39 to 53.
const KEY_CHARS_MAX: usize = 4096;
/// Below it, showing four characters would show too much of the key.
const MASKED_CHARS_MIN: usize = 16;
const PLACEHOLDER_STARTS: [&str; 8] = [
    "your-",
    "your_",
    "<your",
    "change-me",
    "changeme",
    "replace-",
    "replace_",
    "insert-",
];
const PLACEHOLDERS: [&str; 9] = [
    "placeholder",
    "example",
    "test",
    "todo",
    "none",
    "null",
    "undefined",
    "xxx",
    "api_key",
];

/// A provider's key, trimmed and known to fit into a header. Otherwise opaque: providers change their keys' shape.
#[derive(Debug, Clone)]
pub struct ProviderKey(SecretString);

/// Why a text is no key. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    #[error("the key is empty: paste the key from https://aistudio.google.com/apikey")]
    Empty,
    #[error("the key has more than {KEY_CHARS_MAX} characters: something else was pasted")]
    TooLong,
    #[error("the key holds spaces, line breaks or characters outside ASCII: copy it again, alone")]
    NotPrintable,
    #[error(
        "this is the placeholder of a sample file: put a real key from https://aistudio.google.com/apikey in its place"
    )]
    Placeholder,
}

impl From<KeyRefused> for AppError {
    fn from(refused: KeyRefused) -> Self {
        let mut message = refused.to_string();
        if let Some(first) = message.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        Self::new(ErrorCode::BadRequest, message + ".").field("key")
    }
}

impl ProviderKey {
    /// Takes a key as people paste it: with white space or quotes around it.
    ///
    /// # Errors
    /// See [`KeyRefused`].
    pub fn parse(pasted: &str) -> Result<Self, KeyRefused> {
        let key = pasted.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\u{feff}'));
        if key.is_empty() {
            return Err(KeyRefused::Empty);
        }
        if key.chars().count() > KEY_CHARS_MAX {
            return Err(KeyRefused::TooLong);
        }
        if !key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(KeyRefused::NotPrintable);
        }
        if is_placeholder(key) {
            return Err(KeyRefused::Placeholder);
        }
        Ok(Self(SecretString::from(key)))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn into_secret(self) -> SecretString {
        self.0
    }

    /// Whether it is unlike the keys Google gives out today (`AIza…`, `AQ.…`). A hint for people, no reason to refuse
    /// it.
    pub fn has_unusual_shape(&self) -> bool {
        let key = self.expose();
        !((key.starts_with("AIza") && key.len() == 39) || (key.starts_with("AQ.") && key.len() > 20))
    }

    /// The last four characters behind dots.
    pub fn mask(&self) -> String {
        let key = self.expose();
        let shown = if key.len() < MASKED_CHARS_MIN {
            ""
        } else {
            key.get(key.len() - 4..).unwrap_or_default()
        };
        format!("••••{shown}")
    }
}

fn is_placeholder(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let filler = lower.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    PLACEHOLDER_STARTS.iter().any(|start| lower.starts_with(start))
        || PLACEHOLDERS.contains(&filler)
        || lower.contains("your_api_key")
        || lower.contains("your-api-key")
        || filler.is_empty()
        || filler.bytes().all(|byte| byte == b'x')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pasted: &str, expected: Result<&str, KeyRefused>) {
        let parsed = ProviderKey::parse(pasted);
        assert_eq!(
            parsed.as_ref().map(ProviderKey::expose).map_err(|refused| *refused),
            expected,
            "{pasted:?}"
        );
    }

    #[test]
    fn a_pasted_key_loses_what_is_around_it() {
        check("AIzaSyA-canary_0", Ok("AIzaSyA-canary_0"));
        check("  \"AIzaSyA-canary_0\"\r\n", Ok("AIzaSyA-canary_0"));
        check("'opaque'", Ok("opaque"));
        check("\u{feff}AQ.Ab8RN6L", Ok("AQ.Ab8RN6L"));
        check(&"k".repeat(4096), Ok(&"k".repeat(4096)));
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_with_its_reason() {
        check("", Err(KeyRefused::Empty));
        check(" \"\" ", Err(KeyRefused::Empty));
        check("AIza SyA", Err(KeyRefused::NotPrintable));
        check("AIza\nSyA", Err(KeyRefused::NotPrintable));
        check("AIza\u{0}SyA", Err(KeyRefused::NotPrintable));
        check("AIzaSy…", Err(KeyRefused::NotPrintable));
        check(&"k".repeat(4097), Err(KeyRefused::TooLong));
        check("your-production-key-1", Err(KeyRefused::Placeholder));
        check("YOUR_API_KEY_HERE", Err(KeyRefused::Placeholder));
        check("<your key>", Err(KeyRefused::NotPrintable));
        check("<your-key>", Err(KeyRefused::Placeholder));
        check("xxxxxxxxxxxx", Err(KeyRefused::Placeholder));
        check("...", Err(KeyRefused::Placeholder));
    }

    #[test]
    fn the_mask_shows_the_end_of_a_long_key_only() {
        let mask = |key: &str| ProviderKey::parse(key).expect("a key").mask();
        assert_eq!(mask("AIzaSyA0123456789012345678901234567cafe"), "••••cafe");
        assert_eq!(mask("short-key"), "••••");
    }

    #[test]
    fn the_secret_is_not_in_its_debug_text() {
        let key = ProviderKey::parse("AIzaSyCANARY0123456789").expect("a key");
        assert!(!format!("{key:?}").contains("CANARY"));
    }
}
