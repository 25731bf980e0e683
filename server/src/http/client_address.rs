//! Whose request it is, by address: the peer's, or what trusted proxies say of whom they speak for.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use super::AppState;
use super::connection::Connection;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Of the caller, as far as it is known for sure. In every request's extensions, and an extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAddress(pub IpAddr);

/// How the caller came to the proxy in front, as a trusted one says it; in the extensions when one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OuterScheme {
    Http,
    Https,
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The layer is around every route. Without a connection (in a test) all callers are one.
        let found = parts.extensions.get().copied();
        Ok(found.unwrap_or(Self(IpAddr::from([0, 0, 0, 0]))))
    }
}

/// Finds both out once a request.
pub(super) async fn find(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(Connection { peer, .. })) = request.extensions().get().copied() {
        let address = client(peer.ip(), request.headers(), &state.trusted_proxies);
        let scheme = outer_scheme(peer.ip(), request.headers(), &state.trusted_proxies);
        request.extensions_mut().insert(ClientAddress(address));
        if let Some(scheme) = scheme {
            request.extensions_mut().insert(scheme);
        }
    }
    next.run(request).await
}

/// Walks from the peer towards the caller for as long as the hops are trusted. Each hop wrote down whom it heard from, so what
/// stands left of the first that is not trusted may be made up.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let mut hop = peer.to_canonical();
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
            if !is_trusted(hop, proxies) {
                return hop;
            }
            match std::str::from_utf8(entry).ok().and_then(address) {
                Some(before) => hop = before,
                None => return hop,
            }
        }
    }
    hop
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim_matches([' ', '\t']);
    let bracketed = || {
        entry
            .strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<std::net::Ipv6Addr>()
            .ok()
    };
    let address = entry
        .parse::<IpAddr>()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
        .or_else(|| bracketed().map(IpAddr::from));
    address.map(|address| address.to_canonical())
}

/// As the proxy that we speak to says it: what it passed on of others stands left of that.
fn outer_scheme(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Option<OuterScheme> {
    if !is_trusted(peer.to_canonical(), proxies) {
        return None;
    }
    let line = headers.get_all(FORWARDED_PROTO).iter().next_back()?;
    match line.to_str().ok()?.rsplit(',').next()?.trim() {
        scheme if scheme.eq_ignore_ascii_case("https") => Some(OuterScheme::Https),
        scheme if scheme.eq_ignore_ascii_case("http") => Some(OuterScheme::Http),
        _ => None,
    }
}

fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, axum::http::HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn check(peer: &str, lines: &[&str], expected: &str) {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let bytes: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let found = client(peer.parse().unwrap(), &headers(FORWARDED_FOR, &bytes), &proxies);
        assert_eq!(found.to_string(), expected, "{peer} {lines:?}");
    }

    #[test]
    fn whom_a_stranger_claims_to_be_is_not_believed() {
        check("192.0.2.9", &[], "192.0.2.9");
        check("192.0.2.9", &["198.51.100.1"], "192.0.2.9");
        check("192.0.2.9", &["10.0.0.1"], "192.0.2.9");
        check("::ffff:192.0.2.9", &["198.51.100.1"], "192.0.2.9");
        check("2001:db8::9", &["198.51.100.1"], "2001:db8::9");
    }

    #[test]
    fn behind_proxies_the_rightmost_that_is_not_trusted_is_the_caller() {
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("fd00::1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.5, 198.51.100.1"], "198.51.100.1");
        check(
            "10.0.0.1",
            &["203.0.113.5,198.51.100.1,10.0.0.2,\t10.9.9.9"],
            "198.51.100.1",
        );
        check("10.0.0.1", &["203.0.113.5", "198.51.100.1", "10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1, 10.0.0.2", "10.0.0.3"], "198.51.100.1");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }

    #[test]
    fn addresses_are_read_however_proxies_write_them() {
        check("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        check("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1");
        check("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1");
        check("10.0.0.1", &["2001:DB8:0::1"], "2001:db8::1");
        check("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.5, ::ffff:10.0.0.2"], "203.0.113.5");
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_walk_at_the_last_trusted_hop() {
        for wrong in [
            "unknown",
            "_hidden",
            "",
            "198.51.100.1:port",
            "198.51.100",
            "[198.51.100.1]",
            "2001:db8::1]",
            "fe80::1%eth0",
            "198.51.100.1;10.0.0.1",
            "\"198.51.100.1\"",
            "localhost",
        ] {
            check("10.0.0.1", &[wrong], "10.0.0.1");
            check("10.0.0.1", &[&format!("203.0.113.5, {wrong}, 10.0.0.2")], "10.0.0.2");
        }
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let not_text = headers(FORWARDED_FOR, &[b"203.0.113.5, \xff, 10.0.0.2"]);
        let found = client("10.0.0.1".parse().unwrap(), &not_text, &proxies);
        assert_eq!(found.to_string(), "10.0.0.2");
    }

    #[test]
    fn the_scheme_is_what_a_trusted_proxy_says_last() {
        let proxies: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        for (peer, lines, expected) in [
            ("10.0.0.1", &["https"][..], Some(OuterScheme::Https)),
            ("10.0.0.1", &["HTTPS"], Some(OuterScheme::Https)),
            ("10.0.0.1", &["http"], Some(OuterScheme::Http)),
            ("10.0.0.1", &["https, http"], Some(OuterScheme::Http)),
            ("10.0.0.1", &["http", "https"], Some(OuterScheme::Https)),
            ("10.0.0.1", &["wss"], None),
            ("10.0.0.1", &[], None),
            ("192.0.2.9", &["https"], None),
        ] {
            let bytes: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            let found = outer_scheme(peer.parse().unwrap(), &headers(FORWARDED_PROTO, &bytes), &proxies);
            assert_eq!(found, expected, "{peer} {lines:?}");
        }
    }
}
