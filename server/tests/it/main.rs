//! The server from outside: one binary, real sockets on loopback, the simulator as provider.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod accounts;
mod api;
mod bad_input;
mod cache;
mod calendar;
mod doctor;
mod failover;
mod faults;
mod keys;
mod notify;
mod pages;
mod process;
mod provider;
mod routes;
mod store_contract;
mod support;
mod tidy;
mod time;
mod usage;
mod waiting;
