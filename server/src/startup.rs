//! Puts the server together. The only file that names concrete adapters; used by `main` and by every test.

mod accounts;
mod auditing;
mod demo_data;
mod doctor;
mod listening;
mod lost;
mod opening;
mod restoring;
mod services;
mod store_wait;
mod storing;
mod telling;
mod unlocking;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::context::DemoAccount;
use app::error::AppError;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::accounts::Accounts;
use crate::accounts::tokens::WeakSecret;
use crate::alerts::Alerts;
use crate::analytics::Analytics;
use crate::api_tokens::ApiTokens;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{self, ServeLimits, Services, Serving};
use crate::idempotency::Idempotency;
use crate::keyring::KeyringError;
use crate::keyring::secrets_file::{SecretsFileError, load_or_create_secret};
use crate::keys::Keys;
use crate::notify::SetupError;
use crate::provider::Provider;
use crate::provider::gemini::{self, Gemini};
use crate::settings::RuntimeSettings;
use crate::shared_pool::SharedPool;
use crate::store::{Store, StoreError};
use crate::usage::Recorder;
use crate::vault::VaultError;
use crate::waiting::{self, WaitingRoom};
use crate::{housekeeping, pool_log, recovery, scrub, usage};
use accounts::first_admin;
use auditing::audit_log;
use demo_data::demo_history;
use listening::{listen, site};
use opening::Opened;
use services::{Surroundings, analysis_deps, analytics, services, status_reader};
use store_wait::open_store_in_time;
use storing::{OpenStore, open_spool, open_store};
use telling::Telling;
use unlocking::unlock;

pub use accounts::{OpenAccounts, open_accounts, operator_signer, set_up_url};
pub use auditing::{OpenAudit, open_audit};
pub use demo_data::{DemoStore, demo_models, open_for_demo_data};
pub use doctor::{OpenDoctor, doctor_of_mistakes, open_doctor};
pub use opening::{OpenKeys, open_keys};
pub use restoring::{BackupFacts, OpenBackups, RestoreError, Restored, open_backups, restore_backup, verify_backup};
pub use storing::{NoData, require_data};

const STORE_FILE: &str = "keypool.db";
const JWT_SECRET_FILE: &str = "jwt.secret";

/// What differs between a process and a test.
pub struct Options {
    pub config: Config,
    pub clock: Clock,
    pub limits: gemini::Limits,
    /// Of connections.
    pub serving: ServeLimits,
    /// All attempts of one analysis together.
    pub deadline: Duration,
    /// Accounts shown on the sign-in page; only with simulated answers.
    pub demo: Option<Vec<DemoAccount>>,
}

impl Options {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            clock: Clock::system(),
            limits: gemini::Limits::default(),
            serving: ServeLimits::default(),
            deadline: Duration::from_secs(300),
            demo: None,
        }
    }
}

/// Why the server does not start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("DATA_DIR {path} cannot be used: {reason}. Create it, or give this user the right to write there.")]
    DataDir { path: String, reason: std::io::ErrorKind },
    #[error(
        "{path} is missing or empty, but it was in use before: {traces} beside it say so. Nothing was changed. Restore a backup with \
         `keypool backup restore FILE`{aside}. To begin anew, without what was stored, move {traces} out of that folder, and keep \
         them: a backup opens with its master key only"
    )]
    Lost {
        path: String,
        /// Names of files.
        traces: String,
        /// What a restore that was cut short left to do instead.
        aside: String,
    },
    #[error(transparent)]
    Secret(#[from] SecretsFileError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    JwtSecret(#[from] WeakSecret),
    #[error("JWT_SECRET_PREVIOUS is none that Keypool ever took: {0}")]
    PreviousJwtSecret(WeakSecret),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("GOOGLE_AI_BASE_URL: {0}")]
    Provider(#[from] gemini::SetupError),
    #[error(transparent)]
    Notifications(#[from] SetupError),
    #[error("the first admin could not be created: {0}")]
    Admin(AppError),
    #[error("the browser half is not built: {0} has no manifest.json. Run `cargo xtask build`, or set SITE_DIR.")]
    Site(String),
    #[error("{address} is in use by another program: stop that program, or choose another PORT")]
    PortInUse { address: SocketAddr },
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        address: SocketAddr,
        reason: std::io::ErrorKind,
    },
}

/// Ready to run.
pub struct Server {
    serving: Serving,
    tasks: TaskTracker,
    ends: Ends,
    store: Arc<dyn Store>,
    audit: Audit,
    /// Token of the link on which the first admin is made; print it, never log it.
    pub set_up_token: Option<SecretString>,
    pub pool: SharedPool,
    pub analytics: Analytics,
    pub clock: Clock,
    pub address: SocketAddr,
    pub accounts: Arc<Accounts>,
}

/// A stop in three steps.
#[derive(Default)]
struct Ends {
    /// No new work.
    stop: CancellationToken,
    /// Answers under way end where they are.
    cut: CancellationToken,
    /// The last answers are out.
    finish: CancellationToken,
}

/// Opens everything, in the order in which one part needs another.
///
/// # Errors
/// [`StartError`].
pub async fn build(options: Options) -> Result<Server, StartError> {
    let Options {
        config,
        clock,
        limits,
        serving: serve_limits,
        deadline,
        demo,
    } = options;
    scrub::process().learn_settings(&config);
    warn_of_unused(&config);
    // Before anything else is touched: a second start must not disturb the first.
    let (listener, address) = listen(SocketAddr::new(config.host, config.port))?;
    let site = site(&config.site_dir)?;
    let (listener, store) = open_store_in_time(&config, listener, serve_limits).await?;
    let (vault, spool) = (unlock(&config, &store, &clock).await?, open_spool(&config)?);
    let accounts = Arc::new(accounts::accounts(&config, Arc::clone(&store), vault.clone(), &clock)?);
    let audit = audit_log(&store, &clock, &vault);
    let set_up_token = first_admin(&accounts, &audit, &config, &clock).await?;
    let provider: Arc<dyn Provider> = Arc::new(Gemini::new(&config.gemini_base_url, limits)?);
    let telling = Telling::new(&config, Arc::clone(&store), clock.clone())?;
    let opened = Opened::open(&config, &store, &vault, provider, &clock, demo.is_some()).await?;
    let (pool, keys) = (opened.pool.clone(), Arc::clone(&opened.keys));
    pool_log::prune(&pool, store.as_ref()).await?;
    store.abandon_all_idempotent().await?;
    let settings = RuntimeSettings::open(&config, Arc::clone(&store), pool.clone()).await?;

    let (tasks, ends) = (TaskTracker::new(), Ends::default());
    let (recorder, entries) = Recorder::new(config.analytics.recording, config.analytics.durability);
    let waiting = WaitingRoom::new(pool.clone(), clock.clone(), config.queue);
    let timing = (deadline, ends.cut.clone());
    let analysis = analysis_deps(&config, &keys, Arc::clone(&store), recorder, waiting.clone(), timing);
    let (records, analysis) = (analysis.history.records(), Arc::new(analysis));
    let watched = status_reader(&config, &pool, &clock, demo.is_some());
    let analytics = analytics(&analysis, watched.clone());
    let alerts = Alerts::open(analytics.clone(), telling.notifier.clone()).await?;
    let around = Surroundings {
        site,
        stop: ends.stop.clone(),
        settings,
        notifier: telling.notifier.clone(),
        analytics: analytics.clone(),
        alerts: alerts.clone(),
        idempotency: Idempotency::new(records, clock.clone(), tasks.clone(), ends.finish.clone()),
        tokens: ApiTokens::new(Arc::clone(&store), vault),
        audit: audit.clone(),
        demo: demo.clone(),
    };

    opened.start(&tasks, telling.announcer.clone(), &ends.finish);
    tasks.spawn(usage::run(entries, Arc::clone(&store), spool, ends.finish.clone()));
    start_workers(&tasks, &ends, &config, Arc::clone(&store), &keys, waiting);
    if demo.is_some() {
        tasks.spawn(demo_history(&config, &store, &clock, &ends.stop));
    }
    telling.start(&tasks, (watched, alerts), &keys, &ends.stop, &ends.finish);

    let services = services(&config, analysis, Arc::clone(&accounts), keys, around);
    Ok(Server {
        serving: serving(&config, listener, serve_limits, services),
        tasks,
        ends,
        store,
        audit,
        set_up_token,
        pool,
        analytics,
        clock,
        address,
        accounts,
    })
}

fn serving(config: &Config, listener: TcpListener, limits: ServeLimits, services: Services) -> Serving {
    Serving {
        listener,
        router: http::router(services),
        limits,
        bounds: config.connections,
        proxies: config.trusted_proxies.clone(),
    }
}

fn warn_of_unused(config: &Config) {
    for name in &config.unused {
        warn!("{name} is set but this version does not use it yet");
    }
}

/// What goes on beside requests.
fn start_workers(
    tasks: &TaskTracker,
    ends: &Ends,
    config: &Config,
    store: Arc<dyn Store>,
    keys: &Arc<Keys>,
    waiting: WaitingRoom,
) {
    let kept = housekeeping::Kept {
        analyses: config.history.retention,
        usage_events: config.analytics.retention,
    };
    tasks.spawn(housekeeping::run(store, keys.clock.clone(), kept, ends.stop.clone()));
    tasks.spawn(recovery::run(Arc::clone(keys), ends.stop.clone()));
    // Who waits for a key when the server is told to stop may still get one.
    tasks.spawn(waiting::run(waiting, ends.cut.clone()));
}

impl Server {
    /// Serves until `shutdown`, then lets the answers under way end and stores what is left.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        self.run_until(shutdown, std::future::pending()).await;
    }

    /// As [`Self::run`]; once `at_once` has come after `shutdown`, answers under way are cut.
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send, at_once: impl Future<Output = ()> + Send) {
        let Self {
            serving,
            tasks,
            ends: Ends { stop, cut, finish },
            store,
            audit,
            ..
        } = self;
        let (limits, drop_all) = (serving.limits, CancellationToken::new());
        let timing = async {
            shutdown.await;
            info!("stopping: answers under way may end");
            stop.cancel();
            let in_time = async {
                tokio::time::sleep(limits.answers).await;
                cut.cancel();
                tokio::time::sleep(limits.drain.saturating_sub(limits.answers)).await;
            };
            tokio::select! {
                () = in_time => {}
                () = at_once => warn!("stopping at once: answers under way are cut"),
            }
            drop_all.cancel();
            std::future::pending().await
        };
        tokio::select! {
            () = serving.run(stop.clone(), drop_all.clone()) => {}
            () = timing => {}
        }
        stop.cancel();
        cut.cancel();
        finish.cancel();
        tasks.close();
        tasks.wait().await;
        // An act that was begun ends with its entry.
        audit.finish().await;
        if let Err(error) = store.close().await {
            warn!(%error, "the store did not close cleanly");
        }
    }
}

/// The one set, else the one generated once into the data folder.
fn secret(
    set: &Option<SecretString>,
    data_dir: &Path,
    file: &str,
    bytes: usize,
) -> Result<SecretString, SecretsFileError> {
    set.clone()
        .map_or_else(|| load_or_create_secret(data_dir, file, bytes), Ok)
}
