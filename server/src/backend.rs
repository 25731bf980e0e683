//! Answers what the pages ask, from the use cases.

use std::sync::Arc;

use app::backend::Backend;
use app::error::AppError;
use app::types::{Analysis, AnalysisPage, PoolKey, ServiceStatus, SetUp};
use async_trait::async_trait;

use crate::history;
use crate::keyring::Keyring;
use crate::keys;
use crate::status::StatusReader;
use crate::store::Store;

pub struct PageBackend {
    pub status: StatusReader,
    pub keyring: Arc<Keyring>,
    pub store: Arc<dyn Store>,
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
        history::page(self.store.as_ref(), user_id, cursor, history::PAGE_SIZE).await
    }

    async fn analysis(&self, user_id: &str, id: &str) -> Result<Analysis, AppError> {
        history::load(self.store.as_ref(), user_id, id).await
    }

    async fn set_up(&self) -> Result<SetUp, AppError> {
        let has_admin = self.store.count_users(app::types::Role::Admin).await? > 0;
        Ok(SetUp {
            has_admin,
            has_key: !self.keyring.is_empty(),
        })
    }

    fn registration_open(&self) -> bool {
        self.registration_open
    }
}
