//! Every value that crosses the wire. Only serde, no `cfg`: the same shapes on both sides.
//!
//! JSON is camelCase. Instants are RFC 3339 strings in UTC, except the seed's `quotaResetTime`, which stays
//! milliseconds since the Unix epoch. What a page counts down is a duration, so a wrong clock in the browser does no harm.

mod account;
mod analysis;
mod keys;
mod service;

pub use account::{Credentials, Registration, Role, SetUp, SignedIn, User};
pub use analysis::{
    Analysis, AnalysisPage, AnalysisResult, AnalysisState, AnalysisSummary, AnalyzeRequest, Attempt, IMAGE_TYPES,
    IMAGES_BYTES_MAX, IMAGES_MAX, Image, Kind, PROMPT_CHARS_MAX, Phase, Progress, StreamEvent, TokenUsage,
    is_model_name,
};
pub use keys::{KeyOrigin, KeyTest, NewKey, PoolKey};
pub use service::{CellState, CellStatus, Component, KeyState, KeyStatus, Level, PublicStatus, ServiceStatus};
