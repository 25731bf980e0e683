//! Where the one who asks reaches this server: links are for them to hand on.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::AppState;
use super::client_address::OuterScheme;

/// Such as `https://keypool.example`. Empty when the caller names no host: links then begin at the server's root.
pub(super) struct BaseUrl(pub String);

impl FromRequestParts<AppState> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self(find(parts, state.secure_cookies)))
    }
}

/// HTTP/2 has the host in the request line, `:authority`; in HTTP/1 an absolute one there goes before the header, too.
fn find(parts: &Parts, is_secure: bool) -> String {
    let in_line = parts.uri.authority().map(|authority| authority.as_str());
    let in_header = || parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    // Also keeps out what is no host, such as `user@host`.
    let is_plain = |host: &&str| {
        !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    };
    let scheme = match parts.extensions.get::<OuterScheme>() {
        Some(OuterScheme::Https) => "https",
        Some(OuterScheme::Http) => "http",
        None if is_secure => "https",
        None => "http",
    };
    in_line
        .or_else(in_header)
        .filter(is_plain)
        .map(|host| format!("{scheme}://{host}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn check(target: &str, host: Option<&str>, scheme: Option<OuterScheme>, expected: &str) {
        let mut request = Request::builder().uri(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.extend(
            scheme
                .map(|scheme| {
                    let mut extensions = axum::http::Extensions::new();
                    extensions.insert(scheme);
                    extensions
                })
                .unwrap_or_default(),
        );
        assert_eq!(find(&parts, false), expected, "{target} {host:?} {scheme:?}");
    }

    #[test]
    fn the_host_is_in_the_line_or_in_the_header_and_a_trusted_proxy_says_the_scheme() {
        check("/a", Some("a.example:3000"), None, "http://a.example:3000");
        check("http://b.example/a", None, None, "http://b.example");
        check("http://[::1]:3000/a", None, None, "http://[::1]:3000");
        check("/a", Some("a.example"), Some(OuterScheme::Https), "https://a.example");
        check("/a", Some("a.example"), Some(OuterScheme::Http), "http://a.example");
        check("/a", Some("a.example/x?"), None, "");
        check("/a", None, None, "");
    }
}
