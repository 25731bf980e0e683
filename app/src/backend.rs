//! All that pages may ask of the server. Pages find it in the Leptos context as [`BackendRef`].

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::AppError;
use crate::types::{Analysis, AnalysisPage, DoctorReport, PoolKey, ServiceStatus, SetUp};

pub type BackendRef = Arc<dyn Backend>;

/// Reads behind the pages. Who asks is settled before: `user_id` is the signed-in caller's.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    fn status(&self) -> ServiceStatus;

    /// For admins: the keys with their labels and masks.
    fn keys(&self) -> Vec<PoolKey>;

    /// Models offered in the composer: the configured text model first, then the vision model when it differs.
    fn models(&self) -> Vec<String>;

    async fn analyses(&self, user_id: &str, cursor: Option<&str>) -> Result<AnalysisPage, AppError>;

    async fn analysis(&self, user_id: &str, id: &str) -> Result<Analysis, AppError>;

    async fn set_up(&self) -> Result<SetUp, AppError>;

    /// Whether the first admin can be made with the token of a set-up link.
    async fn set_up_link_is_good(&self, token: &str) -> Result<bool, AppError>;

    /// For admins: the debug report, with what its tests showed when they were last run.
    async fn doctor(&self) -> DoctorReport;

    /// Whether people may create accounts themselves.
    fn registration_open(&self) -> bool;

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
