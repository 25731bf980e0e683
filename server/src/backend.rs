//! Answers what the pages ask, from the use cases.

mod usage;

use std::sync::Arc;

use app::backend::{AuditQuery, Backend, MayRegister};
use app::error::AppError;
use app::types::{
    Account, ActiveSession, Alerts as AlertsShown, Analysis, AnalysisPage, ApiToken, AuditPage, AuditVerdict,
    DoctorReport, Incident, IncidentPage, Invitation, PoolKey, ServiceStatus, SetUp, TwoFactor, TwoFactorSecret,
};
use async_trait::async_trait;

use crate::accounts::{Accounts, SignedInBy};
use crate::alerts::Alerts;
use crate::api_tokens::ApiTokens;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Registration;
use crate::doctor::Doctor;
use crate::history::{self, History};
use crate::keyring::Keyring;
use crate::keys;
use crate::status::StatusReader;
use crate::store::AuditFilter;

/// Incidents on one page of their history.
const ALERTS_PAGE_SIZE: u32 = 20;
/// Entries of the audit log on one page.
const AUDIT_PAGE_SIZE: u32 = 50;

#[derive(Clone)]
pub struct PageBackend {
    pub status: StatusReader,
    pub doctor: Arc<Doctor>,
    pub keyring: Arc<Keyring>,
    pub history: History,
    pub accounts: Arc<Accounts>,
    pub clock: Clock,
    pub tokens: Arc<ApiTokens>,
    pub audit: Audit,
    pub alerts: Alerts,
    /// By what whoever asks is signed in: that session is marked in the list of them.
    pub by: SignedInBy,
}

impl PageBackend {
    /// For one request.
    pub fn asked_by(&self, by: SignedInBy) -> Self {
        Self { by, ..self.clone() }
    }
}

#[async_trait]
impl Backend for PageBackend {
    fn status(&self) -> ServiceStatus {
        self.status.read()
    }

    fn keys(&self) -> Vec<PoolKey> {
        keys::list(&self.keyring, self.status.read())
    }

    fn models(&self) -> Vec<String> {
        let mut models = vec![self.status.text_model.clone(), self.status.vision_model.clone()];
        models.dedup();
        models
    }

    async fn analyses(&self, user_id: &str, cursor: Option<&str>) -> Result<AnalysisPage, AppError> {
        self.history.page(user_id, cursor, history::PAGE_SIZE).await
    }

    async fn analysis(&self, user_id: &str, id: &str) -> Result<Analysis, AppError> {
        self.history.load(user_id, id).await
    }

    fn history_is_kept(&self) -> bool {
        self.history.is_kept()
    }

    async fn set_up(&self) -> Result<SetUp, AppError> {
        Ok(SetUp {
            has_admin: self.accounts.has_admin().await?,
            has_key: !self.keyring.is_empty(),
        })
    }

    async fn set_up_link_is_good(&self, token: &str) -> Result<bool, AppError> {
        self.accounts.set_up_link_is_good(token, self.clock.now()).await
    }

    async fn doctor(&self) -> DoctorReport {
        self.doctor.report_with_last_tests().await
    }

    fn may_register(&self) -> MayRegister {
        match self.accounts.registration() {
            Registration::Open => MayRegister::Anyone,
            Registration::Invited => MayRegister::Invited,
            Registration::Closed => MayRegister::Nobody,
        }
    }

    async fn sessions(&self, user_id: &str) -> Result<Vec<ActiveSession>, AppError> {
        self.accounts.sessions(user_id, &self.by, self.clock.now()).await
    }

    async fn two_factor(&self, user_id: &str) -> Result<TwoFactor, AppError> {
        self.accounts.two_factor(user_id).await
    }

    async fn pending_two_factor(&self, user_id: &str) -> Result<Option<TwoFactorSecret>, AppError> {
        self.accounts.pending_two_factor(user_id, self.clock.now()).await
    }

    async fn tokens(&self, user_id: &str) -> Result<Vec<ApiToken>, AppError> {
        self.tokens.list(user_id, self.clock.now()).await
    }

    async fn invitation(&self, token: &str) -> Result<Option<Invitation>, AppError> {
        self.accounts.invitation(token, self.clock.now()).await
    }

    async fn password_link_email(&self, token: &str) -> Result<Option<String>, AppError> {
        self.accounts.password_link_email(token, self.clock.now()).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, AppError> {
        self.accounts.accounts().await
    }

    async fn account(&self, id: &str) -> Result<Account, AppError> {
        self.accounts.account(id).await
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, AppError> {
        self.accounts.invitations(self.clock.now()).await
    }

    async fn alerts(&self) -> Result<AlertsShown, AppError> {
        self.alerts.list().await
    }

    async fn recent_alerts(&self) -> Result<Vec<Incident>, AppError> {
        self.alerts.recent().await
    }

    async fn alert_history(&self, cursor: Option<&str>) -> Result<IncidentPage, AppError> {
        self.alerts.history(cursor, ALERTS_PAGE_SIZE).await
    }

    async fn audit_page(&self, query: &AuditQuery) -> Result<AuditPage, AppError> {
        let filter = AuditFilter {
            actor: query.actor.clone(),
            action: query.action.clone(),
            target: query.target.clone(),
        };
        self.audit.page(filter, query.cursor.as_deref(), AUDIT_PAGE_SIZE).await
    }

    async fn audit_verdict(&self) -> Result<AuditVerdict, AppError> {
        self.audit.verify().await
    }
}
