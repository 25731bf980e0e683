//! What looks like a credential, whoever's it is.

use std::borrow::Cow;

use super::HIDDEN;

/// How a kind of credential begins, and how many more characters it has at least.
struct Shape {
    start: &'static str,
    more_min: usize,
    /// Of its characters after the start, beside letters, digits, `-` and `_`.
    more_characters: &'static [u8],
}

const SHAPES: [Shape; 4] = [
    // Google's keys: 39 characters.
    Shape {
        start: "AIza",
        more_min: 35,
        more_characters: b"",
    },
    // Google's newer ones: 53.
    Shape {
        start: "AQ.",
        more_min: 20,
        more_characters: b".",
    },
    // Our API tokens: 51.
    Shape {
        start: "kp_",
        more_min: 32,
        more_characters: b"",
    },
    // Secrets of webhooks: 24 bytes or more in base64.
    Shape {
        start: "whsec_",
        more_min: 24,
        more_characters: b"+/=",
    },
];
/// A JWT's header and claims both begin so: `{"` in base64.
const JSON_START: &str = "eyJ";

pub(super) fn hide(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut clean: Option<String> = None;
    let (mut at, mut kept_to) = (0, 0);
    while let Some(rest) = text.get(at..) {
        let Some(next) = rest.find(['A', 'k', 'w', 'e']) else {
            break;
        };
        at += next;
        match text.get(at..).map_or(0, credential_length) {
            0 => at += 1,
            length => {
                let clean = clean.get_or_insert_default();
                clean.push_str(text.get(kept_to..at).unwrap_or_default());
                clean.push_str(HIDDEN);
                at += length;
                kept_to = at;
            }
        }
    }
    match clean {
        None => text,
        Some(mut clean) => {
            clean.push_str(text.get(kept_to..).unwrap_or_default());
            Cow::Owned(clean)
        }
    }
}

/// In bytes; 0 when the text does not begin with a credential.
fn credential_length(text: &str) -> usize {
    for shape in &SHAPES {
        if let Some(more) = text.strip_prefix(shape.start) {
            let length = run(more, shape.more_characters);
            return if length >= shape.more_min {
                shape.start.len() + length
            } else {
                0
            };
        }
    }
    jwt_length(text).unwrap_or(0)
}

/// Header, claims and signature; the last may be cut.
fn jwt_length(text: &str) -> Option<usize> {
    let header = run(text.strip_prefix(JSON_START)?, b"") + JSON_START.len();
    let claims_at = header + 1;
    let claims = text.get(header..)?.strip_prefix('.')?.strip_prefix(JSON_START)?;
    let claims_end = claims_at + JSON_START.len() + run(claims, b"");
    let signature = text.get(claims_end..)?.strip_prefix('.')?;
    Some(claims_end + 1 + run(signature, b""))
}

/// How many of the first bytes are a credential's.
fn run(text: &str, more: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || more.contains(byte);
    text.bytes().take_while(|byte| is_part(byte)).count()
}
