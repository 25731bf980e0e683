//! The browser's entry: prepares the page for its islands, which are exported by [`app`].

#![cfg(target_arch = "wasm32")]

// Naming the crate is what links the islands' exports.
use app as _;
use leptos::prelude::hydrate_islands;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called once by each page's script, which then hydrates the islands one by one and marks the document.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    hydrate_islands();
}
