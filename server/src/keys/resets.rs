//! A person's word over what the pool holds against keys.

use std::collections::BTreeSet;

use app::error::{AppError, ErrorCode};
use pool::{KeyId, ProjectId, Scope};
use tracing::info;

use super::Keys;
use crate::keyring::KeyFacts;

impl Keys {
    /// Takes the rests and faults of one key away, or of one model only.
    ///
    /// # Errors
    /// `NOT_FOUND` when no key has the id, or when the pool knows nothing of the key and the model.
    pub async fn reset(&self, id: &str, model: Option<&str>) -> Result<(), AppError> {
        let facts = self.facts(id)?;
        self.reset_key(&facts, model)?;
        self.pool.settled().await;
        Ok(())
    }

    /// The seed's `resetQuotaFlags`: of one key by its number, of one model, of both, or of everything.
    ///
    /// # Errors
    /// `NOT_FOUND` when no key has the number, or when the pool knows nothing of the model.
    pub async fn reset_quota(&self, key_number: Option<u32>, model: Option<&str>) -> Result<(), AppError> {
        match (key_number, model) {
            (Some(number), model) => self.reset_key(&self.numbered(number)?, model)?,
            (None, Some(model)) => self.reset_model(model)?,
            (None, None) => {
                self.pool.reinstate(Scope::All);
                info!("an admin reset the quota flags of all keys");
            }
        }
        self.pool.settled().await;
        Ok(())
    }

    fn reset_key(&self, facts: &KeyFacts, model: Option<&str>) -> Result<(), AppError> {
        let key_number = facts.number;
        match model {
            None => self.pool.reinstate(Scope::Key(facts.id)),
            Some(model) => {
                let unknown = || {
                    let message = format!("Key {key_number} was not used with this model: there is nothing to reset.");
                    AppError::new(ErrorCode::NotFound, message).field("model")
                };
                let projects = self.projects_with(model, |key| key == facts.id);
                let project = projects.first().ok_or_else(unknown)?;
                self.reset_cell(*project, model);
            }
        }
        info!(key_number, model, "an admin reset the quota flags of key {key_number}");
        Ok(())
    }

    fn reset_model(&self, model: &str) -> Result<(), AppError> {
        let projects = self.projects_with(model, |_| true);
        if projects.is_empty() {
            let message = "No key was used with this model: there is nothing to reset.";
            return Err(AppError::new(ErrorCode::NotFound, message).field("model"));
        }
        for project in projects {
            self.reset_cell(project, model);
        }
        info!(model, "an admin reset the quota flags of all keys for a model");
        Ok(())
    }

    fn reset_cell(&self, project: ProjectId, model: &str) {
        // The pool knows the model: it has just named it.
        if let Ok(model) = self.pool.model(model) {
            self.pool.reinstate(Scope::Cell { project, model });
        }
    }

    /// Projects of the wanted keys that were used with the model. Asked before the model is named to the pool, which keeps
    /// every name it is told.
    fn projects_with(&self, model: &str, wanted: impl Fn(KeyId) -> bool) -> BTreeSet<ProjectId> {
        let keys = self.pool.snapshot().keys.into_iter();
        keys.filter(|view| wanted(view.key.id) && view.cells.iter().any(|cell| cell.model == model))
            .map(|view| view.key.project)
            .collect()
    }
}
