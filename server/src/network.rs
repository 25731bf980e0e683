//! What an address says about who is behind it.

use std::net::IpAddr;

/// The address, or for IPv6 its /64: one subscriber has that many addresses to ask from.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}
