//! Use case: settings that admins change while the server runs.
//!
//! What is set here wins over file, environment and flags until it is taken back, also after a restart: it is stored first,
//! then the pool follows.

use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{EffectiveSetting, SettingSource};
use pool::{KeyId, Strategy};
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::config::{self, Config, Effective, ModelLimits, Source};
use crate::shared_pool::SharedPool;
use crate::store::{Result as StoreResult, Store};

/// Names in the store.
const STRATEGY: &str = "strategy";
const SWITCHED_TO: &str = "switched_to";
const LIMITS: &str = "limits";

/// The settings in effect, and the way to change some of them.
pub struct RuntimeSettings {
    store: Arc<dyn Store>,
    pool: SharedPool,
    effective: Vec<Effective>,
    strategy: Strategy,
    limits: Vec<ModelLimits>,
    /// Held over a whole change, so that the store and the pool follow two admins in the same order.
    made: Mutex<Made>,
}

/// What admins set.
#[derive(Debug, Default)]
struct Made {
    strategy: Option<Strategy>,
    /// In the grammar of `KEYPOOL_LIMITS`.
    limits: Option<String>,
}

/// What to change. The inner `None` goes back to what file, environment and flags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub strategy: Option<Option<String>>,
    pub limits: Option<Option<String>>,
}

impl RuntimeSettings {
    /// Reads what admins set before and applies it to a pool that has its keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(config: &Config, store: Arc<dyn Store>, pool: SharedPool) -> StoreResult<Self> {
        let stored = store.settings().await?;
        let find = |name: &str| stored.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let made = Made {
            strategy: find(STRATEGY).and_then(stored_strategy),
            limits: find(LIMITS).and_then(stored_limits),
        };
        if let Some(strategy) = made.strategy {
            pool.set_strategy(strategy);
        }
        if let (Some(Strategy::Sticky), Some(key)) = (made.strategy, find(SWITCHED_TO).and_then(Value::as_u64))
            && pool.switch_to(KeyId(key)).is_err()
        {
            info!("the key that an admin switched to is gone: the strategy sticky begins with the first");
        }
        let limits = made.limits.as_deref().and_then(|text| config::parse_limits(text).ok());
        apply_limits(&pool, limits.as_ref().unwrap_or(&config.limits));
        Ok(Self {
            store,
            pool,
            effective: config.effective.clone(),
            strategy: config.strategy,
            limits: config.limits.clone(),
            made: Mutex::new(made),
        })
    }

    /// Every setting that is no secret, in the order of the documentation.
    pub async fn list(&self) -> Vec<EffectiveSetting> {
        let made = self.made.lock().await;
        let plain = self.effective.iter().filter(|setting| !setting.secret);
        plain.map(|setting| self.in_effect(setting, &made)).collect()
    }

    /// Checks everything, then stores all of it, then applies it. A project that used up an earlier limit of the day rests on until the
    /// day ends or an admin resets it.
    ///
    /// # Errors
    /// `BAD_REQUEST` with the field at fault; what the store says when it cannot keep the change, of which nothing is then
    /// made.
    pub async fn change(&self, change: Change) -> Result<(), AppError> {
        let strategy = change.strategy.map(|name| name.map(check_strategy).transpose());
        let limits = change.limits.map(|text| text.map(check_limits).transpose());
        let (strategy, limits) = (strategy.transpose()?, limits.transpose()?);
        let mut made = self.made.lock().await;
        let mut kept = Vec::new();
        if let Some(strategy) = strategy {
            kept.push((STRATEGY, strategy.map(|strategy| strategy.name().into())));
            kept.push((SWITCHED_TO, None));
        }
        if let Some(limits) = &limits {
            kept.push((LIMITS, limits.as_ref().map(|(text, _)| text.clone().into())));
        }
        self.keep(kept).await?;
        if let Some(strategy) = strategy {
            made.strategy = strategy;
            let effective = strategy.unwrap_or(self.strategy);
            self.pool.set_strategy(effective);
            info!("an admin set the strategy: it is {} now", effective.name());
        }
        if let Some(limits) = limits {
            made.limits = limits.as_ref().map(|(text, _)| text.clone());
            apply_limits(&self.pool, limits.as_ref().map_or(&self.limits, |(_, limits)| limits));
            info!("an admin set the limits of the models");
        }
        Ok(())
    }

    /// The seed's `switchToKey`: the strategy is `sticky` on this key until an admin sets another.
    ///
    /// # Errors
    /// `NOT_FOUND` when the pool has no such key; what the store says.
    pub async fn switch_to(&self, key: KeyId) -> Result<(), AppError> {
        let no_such_key = || AppError::new(ErrorCode::NotFound, "There is no such key.");
        let mut made = self.made.lock().await;
        if !self.pool.snapshot().keys.iter().any(|view| view.key.id == key) {
            return Err(no_such_key());
        }
        self.keep(vec![
            (STRATEGY, Some(Strategy::Sticky.name().into())),
            (SWITCHED_TO, Some(key.0.into())),
        ])
        .await?;
        self.pool.switch_to(key).map_err(|_| no_such_key())?;
        made.strategy = Some(Strategy::Sticky);
        info!(
            key = key.0,
            "an admin switched to a key: the strategy is sticky until another is set"
        );
        Ok(())
    }

    async fn keep(&self, changes: Vec<(&str, Option<Value>)>) -> Result<(), AppError> {
        let changes = changes.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(self.store.save_settings(changes.collect()).await?)
    }

    fn in_effect(&self, setting: &Effective, made: &Made) -> EffectiveSetting {
        let console = match setting.name.as_str() {
            "KEYPOOL_STRATEGY" => Some(made.strategy.map(|strategy| strategy.name().to_owned())),
            "KEYPOOL_LIMITS" => Some(made.limits.clone()),
            _ => None,
        };
        let changeable = console.is_some();
        let console = console.flatten();
        EffectiveSetting {
            name: setting.name.clone(),
            source: match (&console, setting.source) {
                (Some(_), _) => SettingSource::Console,
                (None, source) => source_of(source),
            },
            value: console.or_else(|| self.configured(setting)),
            changeable,
            meaning: setting.meaning.to_owned(),
        }
    }

    /// A demo has a strategy of its own, whatever is set.
    fn configured(&self, setting: &Effective) -> Option<String> {
        match setting.name.as_str() {
            "KEYPOOL_STRATEGY" => Some(self.strategy.name().to_owned()),
            _ => setting.value.clone(),
        }
    }
}

fn apply_limits(pool: &SharedPool, limits: &[ModelLimits]) {
    let entries = limits
        .iter()
        .map(|entry| (entry.model.clone(), entry.tier, entry.limits));
    pool.set_limits(&entries.collect::<Vec<_>>());
}

fn source_of(source: Option<Source>) -> SettingSource {
    match source {
        None | Some(Source::Default) => SettingSource::Default,
        // Only secrets come from a file of their own, and they are not listed.
        Some(Source::File | Source::SecretFile) => SettingSource::File,
        Some(Source::Environment) => SettingSource::Environment,
        Some(Source::Flag) => SettingSource::Flag,
    }
}

fn check_strategy(name: String) -> Result<Strategy, AppError> {
    Strategy::named(&name).ok_or_else(|| {
        let names = Strategy::ALL.map(Strategy::name).join(", ");
        AppError::new(ErrorCode::BadRequest, format!("The strategy must be one of {names}.")).field("strategy")
    })
}

/// With the text it was read from.
fn check_limits(text: String) -> Result<(String, Vec<ModelLimits>), AppError> {
    let text = text.trim().to_owned();
    match config::parse_limits(&text) {
        Ok(limits) => Ok((text, limits)),
        Err(fault) => {
            let message = format!(
                "The limits cannot be read, {fault}. Write entries such as `gemini-2.5-flash free rpm=10 tpm=250000 rpd=250`, separated by `;`."
            );
            Err(AppError::new(ErrorCode::BadRequest, message).field("limits"))
        }
    }
}

/// A newer version may have stored what this one does not know: then the settings below it count.
fn stored_strategy(value: &Value) -> Option<Strategy> {
    let strategy = value.as_str().and_then(Strategy::named);
    if strategy.is_none() {
        warn!("the stored strategy is not known to this version: the configured one is used");
    }
    strategy
}

fn stored_limits(value: &Value) -> Option<String> {
    let limits = value.as_str().filter(|text| config::parse_limits(text).is_ok());
    if limits.is_none() {
        warn!("the stored limits are not known to this version: the configured ones are used");
    }
    limits.map(ToOwned::to_owned)
}
