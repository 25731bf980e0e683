//! Answers what the pages ask, from the use cases.

use std::sync::Arc;

use app::backend::Backend;
use app::error::AppError;
use app::types::{Analysis, AnalysisPage, DoctorReport, PoolKey, ServiceStatus, SetUp};
use async_trait::async_trait;

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::doctor::Doctor;
use crate::history::{self, History};
use crate::keyring::Keyring;
use crate::keys;
use crate::status::StatusReader;

pub struct PageBackend {
    pub status: StatusReader,
    pub doctor: Arc<Doctor>,
    pub keyring: Arc<Keyring>,
    pub history: History,
    pub accounts: Arc<Accounts>,
    pub clock: Clock,
    pub registration_open: bool,
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

    fn registration_open(&self) -> bool {
        self.registration_open
    }
}
