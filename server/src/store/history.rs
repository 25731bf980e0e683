//! Places in a list that is ordered by instant and id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pool::Timestamp;

/// The last row a caller has seen, opaque to it. Rows added or removed meanwhile do not shift the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub created_at: Timestamp,
    pub id: String,
}

impl Cursor {
    /// Reads what [`Cursor::encode`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        // Far above any cursor of ours, far below what would cost to decode.
        if text.len() > 256 {
            return None;
        }
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (created_at, id) = plain.split_once('.')?;
        let created_at = Timestamp::from_millis(created_at.parse().ok()?);
        (!id.is_empty()).then(|| Self {
            created_at,
            id: id.to_owned(),
        })
    }

    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.created_at.as_millis(), self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = Cursor {
            created_at: Timestamp::from_millis(1_700_000_000_123),
            id: "0190-a".to_owned(),
        };
        assert_eq!(Cursor::parse(&cursor.encode()), Some(cursor));
    }

    #[test]
    fn anything_else_is_no_cursor() {
        let tables = ["", "%", "MTIz", "LmFi", "YWJjLmRlZg", "MTIu"];
        for text in tables {
            assert_eq!(Cursor::parse(text), None, "{text:?}");
        }
        assert_eq!(Cursor::parse(&"A".repeat(300)), None);
    }
}
