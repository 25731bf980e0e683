//! Parts that pages and islands are made of.

mod icon;
mod pill;

#[cfg(not(target_arch = "wasm32"))]
mod chart;
#[cfg(not(target_arch = "wasm32"))]
mod form;
#[cfg(not(target_arch = "wasm32"))]
mod frame;
#[cfg(not(target_arch = "wasm32"))]
mod header;
#[cfg(not(target_arch = "wasm32"))]
mod heat_table;
#[cfg(not(target_arch = "wasm32"))]
mod nav;
#[cfg(not(target_arch = "wasm32"))]
mod qr;
#[cfg(not(target_arch = "wasm32"))]
mod recent_alerts;
#[cfg(not(target_arch = "wasm32"))]
mod region;
#[cfg(not(target_arch = "wasm32"))]
mod tabs;
#[cfg(not(target_arch = "wasm32"))]
mod waterfall;
#[cfg(not(target_arch = "wasm32"))]
mod when;

pub use icon::Icon;
pub use pill::{AnalysisPill, LevelPill, Pill, cell_look, key_look, level_look};

#[cfg(not(target_arch = "wasm32"))]
pub use chart::Chart;
#[cfg(not(target_arch = "wasm32"))]
pub use form::{Choice, Confirm, Field, Once, RefusedSummary};
#[cfg(not(target_arch = "wasm32"))]
pub use frame::{CardFrame, Frame};
#[cfg(not(target_arch = "wasm32"))]
pub use heat_table::{HeatCell, HeatTable};
#[cfg(not(target_arch = "wasm32"))]
pub use nav::Place;
#[cfg(not(target_arch = "wasm32"))]
pub use qr::QrCode;
#[cfg(not(target_arch = "wasm32"))]
pub use recent_alerts::{IncidentPill, RecentAlerts, SeverityPill};
#[cfg(not(target_arch = "wasm32"))]
pub use region::{Region, RegionError};
#[cfg(not(target_arch = "wasm32"))]
pub use tabs::{AccountTab, AccountTabs};
#[cfg(not(target_arch = "wasm32"))]
pub use waterfall::{Call, Waterfall};
#[cfg(not(target_arch = "wasm32"))]
pub use when::{When, when};
