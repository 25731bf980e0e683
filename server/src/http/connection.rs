//! Both ends of a connection, for what depends on where a request comes from.

use std::net::SocketAddr;

#[derive(Debug, Clone, Copy)]
pub struct Connection {
    pub peer: SocketAddr,
    /// Where the peer reached the server; absent when the connection is gone already.
    pub local: Option<SocketAddr>,
}

impl Connection {
    /// Over loopback, or from an address of this machine to the same address: packets with such a sender do not come in from
    /// a network.
    pub(super) fn is_of_this_machine(self) -> bool {
        let peer = self.peer.ip().to_canonical();
        peer.is_loopback() || self.local.is_some_and(|local| local.ip().to_canonical() == peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_comes_over_loopback_or_from_the_address_it_calls() {
        let table = [
            ("127.0.0.1:4000", "127.0.0.1:5000", true),
            ("127.8.8.8:4000", "127.0.0.1:5000", true),
            ("[::1]:4000", "[::1]:5000", true),
            ("[::ffff:127.0.0.1]:4000", "[::ffff:127.0.0.1]:5000", true),
            ("192.0.2.5:4000", "192.0.2.5:5000", true),
            ("[::ffff:192.0.2.5]:4000", "192.0.2.5:5000", true),
            ("192.0.2.1:4000", "192.0.2.5:5000", false),
            ("[2001:db8::1]:4000", "[2001:db8::5]:5000", false),
            ("[::ffff:192.0.2.1]:4000", "192.0.2.5:5000", false),
            ("0.0.0.0:4000", "192.0.2.5:5000", false),
        ];
        for (peer, local, expected) in table {
            let connection = Connection {
                peer: peer.parse().unwrap(),
                local: Some(local.parse().unwrap()),
            };
            assert_eq!(connection.is_of_this_machine(), expected, "{peer} to {local}");
        }
        let gone = Connection {
            peer: "192.0.2.5:4000".parse().unwrap(),
            local: None,
        };
        assert!(!gone.is_of_this_machine());
    }
}
