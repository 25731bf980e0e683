//! All that pages may ask of the server. Pages find it in the Leptos context as [`BackendRef`].

mod usage;

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::AppError;
use crate::types::{
    Account, ActiveSession, Alerts, Analysis, AnalysisPage, ApiToken, AuditPage, AuditVerdict, DoctorReport, Incident,
    IncidentPage, Invitation, PoolKey, ServiceStatus, SetUp, TwoFactor, TwoFactorSecret,
};

pub use usage::{UsageBackend, UsageBackendRef};

pub type BackendRef = Arc<dyn Backend>;

/// Who may make an account of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayRegister {
    Anyone,
    /// Who has an admin's invitation.
    Invited,
    Nobody,
}

/// Which entries of the audit log to show; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    pub actor: Option<String>,
    /// How the action begins.
    pub action: Option<String>,
    pub target: Option<String>,
    pub cursor: Option<String>,
}

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

    /// Whether analyses are stored. Those of earlier days are shown in any case.
    fn history_is_kept(&self) -> bool {
        true
    }

    async fn set_up(&self) -> Result<SetUp, AppError>;

    /// Whether the first admin can be made with the token of a set-up link.
    async fn set_up_link_is_good(&self, token: &str) -> Result<bool, AppError>;

    /// For admins: the debug report, with what its tests showed when they were last run.
    async fn doctor(&self) -> DoctorReport;

    fn may_register(&self) -> MayRegister;

    /// Where the user is signed in; the session that the page is asked with is marked.
    async fn sessions(&self, user_id: &str) -> Result<Vec<ActiveSession>, AppError>;

    async fn two_factor(&self, user_id: &str) -> Result<TwoFactor, AppError>;

    /// A second factor whose set-up was begun and not finished.
    async fn pending_two_factor(&self, user_id: &str) -> Result<Option<TwoFactorSecret>, AppError>;

    async fn tokens(&self, user_id: &str) -> Result<Vec<ApiToken>, AppError>;

    /// What the token of an invitation's link is good for; `None` when for nothing any more.
    async fn invitation(&self, token: &str) -> Result<Option<Invitation>, AppError>;

    /// Whose password can be set with the token of a link; `None` when nobody's any more.
    async fn password_link_email(&self, token: &str) -> Result<Option<String>, AppError>;

    /// For admins.
    async fn accounts(&self) -> Result<Vec<Account>, AppError>;

    /// For admins.
    async fn account(&self, id: &str) -> Result<Account, AppError>;

    /// For admins: those that nobody used yet.
    async fn invitations(&self) -> Result<Vec<Invitation>, AppError>;

    /// For admins: what is wrong now, and the rules that say so.
    async fn alerts(&self) -> Result<Alerts, AppError>;

    /// For viewers too: the few alerts that one look is enough for, open ones first.
    async fn recent_alerts(&self) -> Result<Vec<Incident>, AppError>;

    /// For admins: all incidents, the one opened last first.
    async fn alert_history(&self, cursor: Option<&str>) -> Result<IncidentPage, AppError>;

    /// For admins, newest first.
    async fn audit_page(&self, query: &AuditQuery) -> Result<AuditPage, AppError>;

    /// For admins: goes through the whole audit log.
    async fn audit_verdict(&self) -> Result<AuditVerdict, AppError>;

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
