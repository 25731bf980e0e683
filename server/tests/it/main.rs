//! The server from outside: one binary, real sockets on loopback, the simulator as provider.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod provider;
mod store_contract;
