//! The one place that knows where a request can carry a credential.

use app::error::{AppError, ErrorCode};
use axum::http::{HeaderMap, HeaderName, Uri, header};
use secrecy::{ExposeSecret, SecretString};

use crate::api_tokens;

/// Headers in which SDKs send their key: Google's and Anthropic's.
const KEY_HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-api-key"),
];
/// The parameter in which Google's REST examples send theirs.
const KEY_PARAMETER: &str = "key";

/// The token a request carries, wherever it stands; the browser's cookie is not looked at.
///
/// # Errors
/// `UNAUTHENTICATED` for two that differ, because nobody could tell whose request it is, and for one that cannot be read.
pub(super) fn token(headers: &HeaderMap, uri: &Uri) -> Result<Option<SecretString>, AppError> {
    let mut found: Option<SecretString> = None;
    for token in of_headers(headers)?.into_iter().chain(of_query(uri)) {
        match &found {
            None => found = Some(token),
            Some(first) if first.expose_secret() == token.expose_secret() => {}
            Some(_) => return Err(two()),
        }
    }
    Ok(found)
}

/// What is said to a request with two different credentials.
pub(super) fn two() -> AppError {
    AppError::new(
        ErrorCode::Unauthenticated,
        "The request carries two different credentials: send one.",
    )
}

fn of_headers(headers: &HeaderMap) -> Result<Vec<SecretString>, AppError> {
    let mut tokens = Vec::new();
    for value in headers.get_all(header::AUTHORIZATION) {
        let bearer = value
            .to_str()
            .ok()
            .and_then(bearer)
            .ok_or_else(|| unreadable("Authorization", "`Bearer …`"))?;
        tokens.push(bearer.into());
    }
    for name in &KEY_HEADERS {
        for value in headers.get_all(name) {
            let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
            tokens.push(text.ok_or_else(|| unreadable(name.as_str(), "an API token"))?.into());
        }
    }
    Ok(tokens)
}

/// API tokens only, and not for what admins do: an address is written into the logs of every proxy on the way. Pages take none,
/// because theirs is shown, stored and sent on.
fn of_query(uri: &Uri) -> Vec<SecretString> {
    if !uri.path().starts_with("/api/") || uri.path().starts_with("/api/admin/") {
        return Vec::new();
    }
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    pairs
        .into_iter()
        .filter(|(name, token)| name == KEY_PARAMETER && token.starts_with(api_tokens::PREFIX))
        .map(|(_, token)| token.into())
        .collect()
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unreadable(place: &str, what: &str) -> AppError {
    AppError::new(
        ErrorCode::Unauthenticated,
        format!("The header {place} cannot be read: it must hold {what}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(uri: &str, headers: &[(&'static str, &str)]) -> Result<Option<String>, ErrorCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        token(&map, &uri.parse().unwrap())
            .map(|token| token.map(|token| token.expose_secret().to_owned()))
            .map_err(|error| error.code)
    }

    #[test]
    fn a_token_is_found_wherever_a_program_puts_it() {
        for (uri, headers) in [
            ("/api/x", &[("authorization", "Bearer kp_a")][..]),
            ("/api/x", &[("authorization", "bearer  kp_a ")]),
            ("/api/x", &[("x-goog-api-key", "kp_a")]),
            ("/api/x", &[("x-api-key", "kp_a")]),
            ("/api/x?alt=sse&key=kp_a", &[]),
            ("/api/x?key=kp%5Fa", &[]),
            (
                "/api/x?key=kp_a",
                &[("authorization", "Bearer kp_a"), ("x-api-key", "kp_a")],
            ),
        ] {
            assert_eq!(found(uri, headers), Ok(Some("kp_a".to_owned())), "{uri} {headers:?}");
        }
        assert_eq!(found("/api/x?keys=kp_a", &[("cookie", "keypool_session=a")]), Ok(None));
        assert_eq!(
            found("/history?key=kp_a", &[]),
            Ok(None),
            "pages take none from their address"
        );
        assert_eq!(found("/api/admin/keys?key=kp_a", &[]), Ok(None), "nor what admins do");
        assert_eq!(found("/api/x?key=eyJhbGciOi", &[]), Ok(None), "nor other tokens");
    }

    #[test]
    fn two_that_differ_and_one_that_cannot_be_read_are_refused() {
        for (uri, headers) in [
            ("/api/x?key=kp_a", &[("x-api-key", "kp_b")][..]),
            ("/api/x?key=kp_a&key=kp_b", &[]),
            ("/api/x", &[("x-goog-api-key", "kp_a"), ("x-api-key", "kp_b")]),
            (
                "/api/x",
                &[("authorization", "Bearer kp_a"), ("authorization", "Bearer kp_b")],
            ),
            ("/api/x", &[("authorization", "Basic a2V5")]),
            ("/api/x", &[("authorization", "Bearer")]),
            ("/api/x", &[("authorization", "Bearer ")]),
            ("/api/x", &[("authorization", "kp_a")]),
            ("/api/x", &[("x-api-key", "")]),
            ("/api/x", &[("x-api-key", "kp_\u{e9}")]),
        ] {
            assert_eq!(
                found(uri, headers),
                Err(ErrorCode::Unauthenticated),
                "{uri} {headers:?}"
            );
        }
    }
}
