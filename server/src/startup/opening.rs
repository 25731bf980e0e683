//! The pool with its keys and what was known of them: for a server, and for the command line without one.

use std::sync::Arc;

use pool::{KeyPool, Policy};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::{StartError, audit_log, open_store, status_reader, unlock};
use crate::announcer::Announcer;
use crate::audit::Audit;
use crate::clock::{Clock, next_provider_midnight};
use crate::config::Config;
use crate::grouping::{self, Grouping, Hints};
use crate::keyring::{KeyFromEnvironment, Keyring};
use crate::keys::{self, Keys};
use crate::pool_log;
use crate::provider::Provider;
use crate::provider::gemini::{self, Gemini};
use crate::shared_pool::{LogEntry, SharedPool};
use crate::status::StatusReader;
use crate::store::{Store, StoreError};
use crate::vault::Vault;

/// The pool before its tasks run.
pub(super) struct Opened {
    pub(super) pool: SharedPool,
    pub(super) keys: Arc<Keys>,
    store: Arc<dyn Store>,
    log: UnboundedReceiver<LogEntry>,
    hints: Hints,
}

impl Opened {
    pub(super) async fn open(
        config: &Config,
        store: &Arc<dyn Store>,
        vault: &Vault,
        provider: Arc<dyn Provider>,
        clock: &Clock,
        is_demo: bool,
    ) -> Result<Self, StartError> {
        let (pool, keyring, log) = open_pool(config, Arc::clone(store), vault, clock, is_demo).await?;
        let (grouping, hints) = Grouping::new(Arc::clone(&keyring));
        let keys = Keys::new(
            pool.clone(),
            keyring,
            grouping,
            provider,
            Arc::clone(store),
            clock.clone(),
            config.text_model.clone(),
        );
        Ok(Self {
            pool,
            keys: Arc::new(keys),
            store: Arc::clone(store),
            log,
            hints,
        })
    }

    /// Starts what writes down what the pool learns, until `finish`.
    pub(super) fn start(self, tasks: &TaskTracker, announcer: Announcer, finish: &CancellationToken) {
        let tell = (announcer, self.keys.grouping.clone());
        tasks.spawn(pool_log::run(self.pool, self.log, self.store, tell, finish.clone()));
        tasks.spawn(grouping::run(self.keys, self.hints, finish.clone()));
    }
}

/// The keys without a server, for the command line.
pub struct OpenKeys {
    pub keys: Arc<Keys>,
    pub status: StatusReader,
    pub audit: Audit,
    pub(super) store: Arc<dyn Store>,
    pub(super) tasks: TaskTracker,
    pub(super) finish: CancellationToken,
}

/// # Errors
/// [`StartError`]; `InUse` while a server runs on the same data.
pub async fn open_keys(config: &Config) -> Result<OpenKeys, StartError> {
    let (clock, store) = (Clock::system(), open_store(config).await?);
    let provider = Arc::new(Gemini::new(&config.gemini_base_url, gemini::Limits::default())?);
    let vault = unlock(config, &store, &clock).await?;
    let opened = Opened::open(config, &store, &vault, provider, &clock, false).await?;
    let keys = Arc::clone(&opened.keys);
    let audit = audit_log(&store, &clock, keys.keyring.vault());
    let (tasks, finish) = (TaskTracker::new(), CancellationToken::new());
    // Whoever is at the command line sees what happens; the server that starts next tells the others.
    opened.start(&tasks, Announcer::new().0, &finish);
    let status = status_reader(config, &keys.pool, &clock, false);
    Ok(OpenKeys {
        keys,
        status,
        audit,
        store,
        tasks,
        finish,
    })
}

impl OpenKeys {
    /// Stores what is left.
    ///
    /// # Errors
    /// When the store does not close.
    pub async fn close(self) -> Result<(), StoreError> {
        self.finish.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.store.close().await
    }
}

type OpenPool = (
    SharedPool,
    Arc<Keyring>,
    tokio::sync::mpsc::UnboundedReceiver<crate::shared_pool::LogEntry>,
);

/// The keys and what was known of them when the last process ended.
async fn open_pool(
    config: &Config,
    store: Arc<dyn Store>,
    vault: &Vault,
    clock: &Clock,
    is_demo: bool,
) -> Result<OpenPool, StartError> {
    let environment = config
        .environment_keys
        .iter()
        .map(|(number, secret)| KeyFromEnvironment {
            number: *number,
            variable: format!("GOOGLE_AI_API_KEY_{number}"),
            secret: secret.clone(),
        })
        .collect();
    let (keyring, stored) = Keyring::open(Arc::clone(&store), vault.clone(), environment, clock.now()).await?;
    let policy = policy(config);
    let (pool, log) = SharedPool::new(
        KeyPool::new(policy, config.strategy, next_provider_midnight),
        clock.clone(),
    );
    for key in &stored {
        pool.upsert(keys::pool_entry(key));
    }
    // Callers may name others, but the pool knows a bounded number: these two are always among them.
    let known = [&config.text_model, &config.vision_model].map(|model| pool.model(model));
    debug_assert!(known.iter().all(Result::is_ok), "a new pool has room for two models");
    // A demo's provider begins anew with the process, and so does what is known of it.
    if !is_demo {
        pool.restore(pool_log::load(store.as_ref(), &stored, clock.now()).await?);
    }
    info!(keys = stored.len(), "the pool is ready with {} key(s)", stored.len());
    Ok((pool, Arc::new(keyring), log))
}

/// The product's rules, and the operator's pace. Where nobody may wait, no call is held up to find out a limit.
fn policy(config: &Config) -> Policy {
    let rules = Policy::default();
    let nobody_waits = config.queue.waiting_max == 0 || config.queue.wait_max.is_zero();
    Policy {
        pace: config.pace,
        usual_limits: if nobody_waits { &[] } else { rules.usual_limits },
        ..rules
    }
}
