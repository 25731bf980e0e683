//! What people do to keys, each act with its entry in the audit log.

use std::sync::Arc;

use app::error::AppError;
use app::types::{ImportReport, ImportResult, KeyImport, KeyPatch, KeyTier, NewKey};
use pool::{KeyId, Tier};
use serde_json::{Value, json};

use super::{Added, Keys};
use crate::audit::{Actor, Audit};
use crate::keyring::KeyFacts;

/// The keys in the hands of somebody. Every act goes on to its end and into the log, also when whoever asked goes away.
///
/// Errors are those of [`Keys`], and those of [`Audit::record`] when the log does not take the entry.
pub struct ManagedKeys {
    pub keys: Arc<Keys>,
    pub audit: Audit,
    pub actor: Actor,
}

impl ManagedKeys {
    /// # Errors
    /// As [`Keys::add`].
    pub async fn add(self, new: NewKey) -> Result<Added, AppError> {
        let audit = self.audit.clone();
        let act = async move {
            let added = self.keys.add(new).await?;
            let facts = self.keys.numbered(added.number)?;
            self.record("key.add", &target(facts.id), None, Some(shown(&facts)))
                .await?;
            Ok(added)
        };
        audit.act(act).await
    }

    /// # Errors
    /// As [`Keys::import`].
    pub async fn import(self, import: KeyImport) -> Result<ImportReport, AppError> {
        let (audit, tier) = (self.audit.clone(), import.tier.map(tier_of));
        let act = async move {
            let report = self.keys.import(import).await?;
            let added = report.lines.iter().filter(|line| line.result == ImportResult::Added);
            let after = json!({
                "keyNumbers": added.filter_map(|line| line.key_number).collect::<Vec<_>>(),
                "duplicates": report.duplicates,
                "refused": report.refused,
                "tier": tier.map(tier_word),
            });
            self.record("key.import", "keys", None, Some(after)).await?;
            Ok(report)
        };
        audit.act(act).await
    }

    /// # Errors
    /// As [`Keys::update`].
    pub async fn update(self, id: &str, patch: KeyPatch) -> Result<(), AppError> {
        let (key, keys) = (self.keys.facts(id)?.id, Arc::clone(&self.keys));
        let change = async move { keys.update(&key.to_string(), patch).await };
        self.change("key.update", key, change).await
    }

    /// # Errors
    /// As [`Keys::set_enabled`].
    pub async fn set_enabled(self, id: &str, enabled: bool, force: bool) -> Result<(), AppError> {
        let (key, keys) = (self.keys.facts(id)?.id, Arc::clone(&self.keys));
        let action = if enabled { "key.enable" } else { "key.disable" };
        let change = async move { keys.set_enabled(&key.to_string(), enabled, force).await };
        self.change(action, key, change).await
    }

    /// # Errors
    /// As [`Keys::delete`].
    pub async fn delete(self, id: &str, force: bool) -> Result<(), AppError> {
        let (key, keys) = (self.keys.facts(id)?.id, Arc::clone(&self.keys));
        let change = async move { keys.delete(&key.to_string(), force).await };
        self.change("key.delete", key, change).await
    }

    /// # Errors
    /// As [`Keys::reset`].
    pub async fn reset(self, id: &str, model: Option<String>) -> Result<(), AppError> {
        let (audit, key) = (self.audit.clone(), self.keys.facts(id)?);
        let act = async move {
            self.keys.reset(&key.id.to_string(), model.as_deref()).await?;
            let after = json!({ "keyNumber": key.number, "model": model });
            self.record("key.reset", &target(key.id), None, Some(after)).await
        };
        audit.act(act).await
    }

    /// # Errors
    /// As [`Keys::reset_quota`].
    pub async fn reset_quota(self, key_number: Option<u32>, model: Option<String>) -> Result<(), AppError> {
        let audit = self.audit.clone();
        let act = async move {
            self.keys.reset_quota(key_number, model.as_deref()).await?;
            let after = json!({ "keyNumber": key_number, "model": model });
            self.record("quota.reset", "keys", None, Some(after)).await
        };
        audit.act(act).await
    }

    /// # Errors
    /// As [`Keys::confirm_siblings`].
    pub async fn confirm_siblings(self, id: &str) -> Result<(), AppError> {
        let (audit, id) = (self.audit.clone(), id.to_owned());
        let act = async move {
            let proposed = self.proposed(&id).await;
            self.keys.confirm_siblings(&id).await?;
            self.record("siblings.confirm", &format!("siblings/{id}"), proposed, None)
                .await
        };
        audit.act(act).await
    }

    /// # Errors
    /// As [`Keys::dismiss_siblings`].
    pub async fn dismiss_siblings(self, id: &str) -> Result<(), AppError> {
        let (audit, id) = (self.audit.clone(), id.to_owned());
        let act = async move {
            let proposed = self.proposed(&id).await;
            self.keys.dismiss_siblings(&id).await?;
            self.record("siblings.dismiss", &format!("siblings/{id}"), proposed, None)
                .await
        };
        audit.act(act).await
    }

    /// A change of one key. One that failed half-way is in the log too: something is not as it was.
    async fn change(
        self,
        action: &'static str,
        key: KeyId,
        change: impl Future<Output = Result<(), AppError>> + Send + 'static,
    ) -> Result<(), AppError> {
        let audit = self.audit.clone();
        let act = async move {
            let facts = || self.keys.keyring.facts(key).as_ref().map(shown);
            let before = facts();
            let done = change.await;
            let after = facts();
            if done.is_ok() || before != after {
                self.record(action, &target(key), before, after).await?;
            }
            done
        };
        audit.act(act).await
    }

    async fn record(
        &self,
        action: &str,
        target: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), AppError> {
        self.audit.record(&self.actor, action, target, before, after).await
    }

    /// The keys of a proposal. One that cannot be read does not keep anybody from answering it.
    async fn proposed(&self, id: &str) -> Option<Value> {
        let all = self.keys.sibling_proposals().await.ok()?;
        let proposal = all.into_iter().find(|proposal| proposal.id == id)?;
        let numbers: Vec<u32> = proposal.keys.iter().map(|key| key.key_number).collect();
        Some(json!({ "keyNumbers": numbers, "model": proposal.model }))
    }
}

fn target(key: KeyId) -> String {
    format!("key/{key}")
}

/// What the log may hold of a key: its last four characters at most.
fn shown(facts: &KeyFacts) -> Value {
    json!({
        "keyNumber": facts.number,
        "label": facts.label,
        "mask": facts.mask,
        "origin": facts.origin,
        "project": facts.project,
        "account": facts.account,
        "tier": tier_word(facts.tier),
        "priority": facts.priority,
        "weight": facts.weight,
        "tags": facts.tags,
        "enabled": facts.enabled,
    })
}

fn tier_of(tier: KeyTier) -> Tier {
    match tier {
        KeyTier::Free => Tier::Free,
        KeyTier::Paid => Tier::Paid,
    }
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Free => "free",
        Tier::Paid => "paid",
    }
}
