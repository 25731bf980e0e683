//! Where requests may go whose address somebody typed in: to the public internet, and to what the operator has opened.
//!
//! Three things are kept from being reached through us: other programs on this machine, neighbours in its network, and
//! the service of a cloud that hands out the machine's credentials. A name is looked up once, every address it leads to
//! must be allowed, and the connection goes to those addresses and no others: a name that changes its mind between
//! check and use gains nothing.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

/// Longest address taken, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// Why an address is refused. Does not repeat it: people put tokens into addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlFault {
    Malformed,
    TooLong,
    /// Neither https, nor http to a loopback address that is allowed.
    Scheme,
    /// A user name or a password in front of the host.
    Credentials,
    /// The host is an address that is neither public nor in an allowed network.
    Address,
}

impl UrlFault {
    /// What the address must be, to be written behind the name of its setting.
    pub fn must(self) -> &'static str {
        match self {
            Self::Malformed => "must be an address such as https://hooks.example.org/alerts",
            Self::TooLong => "must be an address of at most 2048 bytes",
            Self::Scheme => {
                "must be an https address; plain http is taken to a loopback address such as 127.0.0.1 only, and only when \
                 ENDPOINT_ALLOWED_NETWORKS has it"
            }
            Self::Credentials => "must have no user name and no password in the address",
            Self::Address => {
                "must lead to a public address; add the receiver's network to ENDPOINT_ALLOWED_NETWORKS to allow another one"
            }
        }
    }
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.must())
    }
}

impl Error for UrlFault {}

/// Checks all that can be known without a lookup. `networks`: what is allowed beside public addresses.
///
/// Every spelling of an address that URLs know (decimal, octal, hexadecimal, short, full width, with a dot at the end) is one
/// address once it is parsed.
///
/// # Errors
/// See [`UrlFault`].
pub fn check_url(text: &str, networks: &[IpNet]) -> Result<Url, UrlFault> {
    if text.len() > URL_BYTES_MAX {
        return Err(UrlFault::TooLong);
    }
    let url = Url::parse(text).map_err(|_| UrlFault::Malformed)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(UrlFault::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlFault::Credentials);
    }
    let address = match host(&url).ok_or(UrlFault::Malformed)? {
        Host::Address(address) => Some(address),
        Host::Name => None,
    };
    // A name is not taken with http: what it leads to is known later, when the scheme no longer is.
    if url.scheme() == "http" && !address.is_some_and(|address| address.is_loopback() && in_any(address, networks)) {
        return Err(UrlFault::Scheme);
    }
    if address.is_some_and(|address| !is_allowed(address, networks)) {
        return Err(UrlFault::Address);
    }
    Ok(url)
}

enum Host {
    Address(IpAddr),
    Name,
}

/// The connector looks names up and takes addresses as they are, so addresses are told from names as it does that.
fn host(url: &Url) -> Option<Host> {
    let text = url.host_str()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(text);
    // A name of the wrong shape may still be read as an address by whoever looks it up: `169.254.169.254..`.
    if bare.is_empty() || bare.starts_with('.') || bare.contains("..") {
        return None;
    }
    Some(bare.parse().map_or(Host::Name, Host::Address))
}

/// Whether requests may go there.
pub fn is_allowed(address: IpAddr, networks: &[IpNet]) -> bool {
    !is_cloud_metadata(address) && (is_public(address) || in_any(address, networks))
}

fn in_any(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Services of clouds that give a machine its credentials. No setting opens them: a network that contains one was meant for
/// something else.
fn is_cloud_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(
            v4.octets(),
            // AWS and most others, AWS's containers and EKS, Alibaba, Oracle, Azure.
            [169, 254, 169, 254]
                | [169, 254, 170, 2 | 23]
                | [100, 100, 100, 200]
                | [192, 0, 0, 192]
                | [168, 63, 129, 16]
        ),
        // An IPv4 address in another dress is the same machine.
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_cloud_metadata(IpAddr::V4(v4)),
            None => matches!(v6.segments(), [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23 | 0x254]),
        },
    }
}

/// The IPv4 address inside one that is mapped, compatible, or translated by NAT64.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = v6.segments();
    let is_dress = matches!(
        [a, b, c, d, e, f],
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, _, _, _]
    );
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    is_dress.then(|| Ipv4Addr::new(a, b, c, d))
}

/// Whether it is the address of one machine in the public internet, by IANA's registries of special addresses:
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        // This network; private; shared by a carrier's customers; loopback.
        [0 | 10 | 127, ..] | [100, 64..=127, ..]
        // Link-local; private.
        | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..]
        // Protocol assignments; 6to4 relays; documentation; benchmarks.
        | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..]
        // Azure's own, at every virtual machine of it.
        | [168, 63, 129, 16]
        // Multicast; reserved; broadcast.
        | [224..=255, ..]
    )
}

/// Global unicast is `2000::/3`. All else is unspecified, loopback, local, multicast, or an IPv4 address in another dress,
/// which would lead past the rules for IPv4.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Protocol assignments: Teredo, benchmarks, ORCHID.
        [0x2001, 0..=0x1ff, ..] => false,
        // Documentation.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // 6to4: an IPv4 address in another dress.
        [0x2002, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

/// Looks a name up: all its addresses.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Looks names up for a client, and gives it their addresses only when every one is allowed.
#[derive(Clone)]
pub struct GuardedResolver {
    networks: Arc<[IpNet]>,
    lookup: Lookup,
}

impl GuardedResolver {
    /// Asks the system. `networks`: what is allowed beside public addresses.
    pub fn new(networks: &[IpNet]) -> Self {
        Self::asking(
            networks,
            Arc::new(|name| {
                Box::pin(async move {
                    let found = tokio::net::lookup_host((name, 0)).await?;
                    Ok(found.map(|address| address.ip()).collect())
                })
            }),
        )
    }

    /// Asks `lookup`.
    pub fn asking(networks: &[IpNet], lookup: Lookup) -> Self {
        Self {
            networks: networks.into(),
            lookup,
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (networks, found) = (Arc::clone(&self.networks), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await?;
            // One is enough to refuse all: the client would try the next when the first does not answer.
            if !found.iter().all(|address| is_allowed(*address, &networks)) {
                return Err(AddressRefused.into());
            }
            // Port 0 becomes that of the address asked for.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// A name leads to an address that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name leads to an address that is not allowed")]
pub struct AddressRefused;

/// Whether a request failed because of [`AddressRefused`].
pub fn is_refused(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<AddressRefused>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A client for an address that [`check_url`] has passed: no redirects, which would lead past the check, and no proxy of the
/// environment, which would look the name up itself.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client(url: &Url, resolver: GuardedResolver, timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("keypool/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .https_only(url.scheme() == "https")
        .dns_resolver(Arc::new(resolver))
        .timeout(timeout)
        .build()
}

#[cfg(test)]
mod tests;
