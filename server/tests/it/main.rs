//! The server from outside: one binary, real sockets on loopback, the simulator as provider.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod accounts;
mod alerts;
mod analytics;
mod api;
mod audit;
mod backup;
mod bad_input;
mod cache;
mod calendar;
mod canary;
mod demo_data;
mod doctor;
mod failover;
mod faults;
mod fuzz_corpus;
mod headers;
mod idempotency;
mod keys;
mod limits;
mod mongo;
mod notify;
mod outbound;
mod pages;
mod privacy;
mod process;
mod provider;
mod routes;
mod scrub;
mod serving;
mod store_contract;
mod supply_chain;
mod support;
mod tidy;
mod time;
mod tokens;
mod usage;
mod vault;
mod waiting;
