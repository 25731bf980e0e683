//! E-mail addresses as identities.

use std::fmt;

use app::error::{AppError, ErrorCode};

/// RFC 5321, section 4.5.3.1 (and its erratum 1690).
const EMAIL_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;

/// An address, trimmed and in lower case: two that differ in case only are one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(String);

impl Email {
    /// Checks the shape only: whether mail arrives is known when it does.
    ///
    /// # Errors
    /// `BAD_REQUEST` on the field `email`.
    pub fn parse(text: &str) -> Result<Self, AppError> {
        let email = text.trim().to_lowercase();
        if is_address(&email) {
            Ok(Self(email))
        } else {
            Err(AppError::new(
                ErrorCode::BadRequest,
                "Give an e-mail address such as name@example.com.",
            )
            .field("email"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `@`.
    pub(crate) fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(self.as_str(), |(local, _)| local)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let local_is_good = !local.is_empty()
        && local.len() <= LOCAL_BYTES_MAX
        && !local.chars().any(|c| {
            c.is_whitespace()
                || c.is_control()
                || matches!(c, '@' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\')
        })
        && local.split('.').all(|part| !part.is_empty());
    let label_is_good = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= EMAIL_BYTES_MAX && local_is_good && domain.split('.').all(label_is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let parsed = Email::parse(text);
        assert_eq!(parsed.as_ref().ok().map(Email::as_str), expected, "{text:?}");
        if let Err(error) = parsed {
            assert_eq!(
                (error.code, error.field.as_deref()),
                (ErrorCode::BadRequest, Some("email"))
            );
        }
    }

    #[test]
    fn an_address_is_trimmed_and_lower_cased() {
        check(" Ada.Lovelace+keys@Example.COM ", Some("ada.lovelace+keys@example.com"));
        check("admin@localhost", Some("admin@localhost"));
        check("jörg@bücher.example", Some("jörg@bücher.example"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@@example.com",
            "a b@example.com",
            "ada@exa mple.com",
            "ada@.com",
            "ada@example..com",
        ] {
            check(text, None);
        }
        for text in [
            "ada@-example.com",
            "ada\n@example.com",
            "<ada@example.com>",
            ".ada@example.com",
            "a..b@example.com",
            "ada@example.com\0",
        ] {
            check(text, None);
        }
        check(&format!("{}@example.com", "a".repeat(65)), None);
        check(&format!("ada@{}.com", "a.".repeat(130)), None);
    }
}
