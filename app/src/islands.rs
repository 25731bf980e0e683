//! The interactive parts of the pages, compiled for the browser and rendered first on the server.
//!
//! Each is a real form, link or text before it is hydrated. What only a browser can do is in modules for `wasm32`; an island
//! hands them its events, and on the server, where nobody clicks, the same functions have nothing to do.

#![cfg_attr(
    not(target_arch = "wasm32"),
    expect(
        dead_code,
        reason = "what happens after hydration is only reached in the browser; the wasm32 build warns of what is dead"
    )
)]

pub mod browser_zone;
pub mod composer;
pub mod copy_button;
pub mod delete_with_undo;
mod live;
pub mod live_banner;
pub mod live_region;
pub mod live_status;
mod sse;

#[cfg(target_arch = "wasm32")]
mod browser;

pub use browser_zone::BrowserZone;
pub use composer::{Composer, Draft};
pub use copy_button::CopyButton;
pub use delete_with_undo::DeleteWithUndo;
pub use live_banner::LiveBanner;
pub use live_region::LiveRegion;
pub use live_status::LiveStatus;
