//! What the browser sees: wire types, pages and islands.
//!
//! Pages are rendered on the server only; the interactive parts are islands, compiled for the browser too. So a page works
//! without script, and the browser loads no more than the islands and the types they share with the server.

#![expect(
    unreachable_pub,
    reason = "`#[component]` repeats each function as `pub` under a hidden name, whatever its own visibility"
)]
// A page's type nests as deep as its elements.
#![recursion_limit = "256"]

pub mod components;
pub mod error;
pub mod image_type;
pub mod islands;
pub mod text;
pub mod types;

#[cfg(not(target_arch = "wasm32"))]
pub mod backend;
#[cfg(not(target_arch = "wasm32"))]
pub mod charts;
#[cfg(not(target_arch = "wasm32"))]
pub mod context;
#[cfg(not(target_arch = "wasm32"))]
mod document;
#[cfg(not(target_arch = "wasm32"))]
pub mod done;
#[cfg(not(target_arch = "wasm32"))]
pub mod markdown;
#[cfg(not(target_arch = "wasm32"))]
pub mod pages;

#[cfg(not(target_arch = "wasm32"))]
pub use document::{App, PageStatus, shell};
