//! What pages read from a query and write into one.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::context::RefusedForm;

/// A value that a form carries on: what the refused form held, or what the query gives.
pub(super) fn carried(name: &str, refused: Option<&RefusedForm>) -> String {
    match refused {
        Some(refused) => refused.kept(name),
        None => use_query_map().read_untracked().get(name).unwrap_or_default(),
    }
}

/// `path?name=value`, the value whole whatever it holds; the path alone for an empty one.
pub(super) fn link(path: &str, name: &str, value: &str) -> String {
    if value.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{name}={}", encode(value))
    }
}

/// `path` with all of these in its query.
pub(super) fn link_all(path: &str, parts: &[(&str, String)]) -> String {
    let pairs: Vec<String> = parts
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    match pairs.as_slice() {
        [] => path.to_owned(),
        pairs => format!("{path}?{}", pairs.join("&")),
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut encoded, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
            encoded
        })
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn a_value_survives_the_query() {
        assert_eq!(link("/history", "cursor", "a-b_c.~9"), "/history?cursor=a-b_c.~9");
        assert_eq!(
            link("/history", "cursor", "a+b=/&é"),
            "/history?cursor=a%2Bb%3D%2F%26%C3%A9"
        );
        assert_eq!(link("/register", "next", ""), "/register");
    }
}
