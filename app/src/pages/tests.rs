//! Pages rendered whole, as the server does, against a backend that answers what a test says.

mod account;
mod accounts;
mod admin;
mod alerts;
mod analyses;
mod fixture;
mod service;
mod usage;
mod usage_fixture;
mod usage_overview;
mod usage_requests;
