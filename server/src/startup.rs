//! Puts the server together. The only file that names concrete adapters; used by `main` and by every test.

mod doctor;
mod opening;
mod telling;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::context::DemoAccount;
use app::error::AppError;
use leptos::config::LeptosOptions;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::accounts::tokens::WeakSecret;
use crate::accounts::{Accounts, TokenSigner};
use crate::analysis::Deps;
use crate::backend::PageBackend;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::history::History;
use crate::http::{self, Services, Site};
use crate::keyring::secrets_file::{SecretsFileError, load_or_create_secret};
use crate::keyring::{KeyringError, cipher::CipherError};
use crate::keys::Keys;
use crate::notify::{Notifier, SetupError};
use crate::performance::Performance;
use crate::private_files::make_private_dir;
use crate::provider::Provider;
use crate::provider::gemini::{self, Gemini};
use crate::sessions::Sessions;
use crate::settings::RuntimeSettings;
use crate::shared_pool::SharedPool;
use crate::status::StatusReader;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::usage::Recorder;
use crate::waiting::{self, WaitingRoom};
use crate::{housekeeping, pool_log, recovery, usage};
use opening::Opened;
use telling::Telling;

pub use opening::{OpenKeys, open_keys};

pub use doctor::{OpenDoctor, doctor_of_mistakes, open_doctor};

const STORE_FILE: &str = "keypool.db";
const JWT_SECRET_FILE: &str = "jwt.secret";
/// How long answers under way may go on after the server was told to stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(30);

/// What differs between a process and a test.
pub struct Options {
    pub config: Config,
    pub clock: Clock,
    pub limits: gemini::Limits,
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
    #[error(transparent)]
    Secret(#[from] SecretsFileError),
    #[error("KEYPOOL_MASTER_KEY: {0}")]
    MasterKey(#[from] CipherError),
    #[error(transparent)]
    JwtSecret(#[from] WeakSecret),
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
    listener: TcpListener,
    router: axum::Router,
    tasks: TaskTracker,
    /// No new work.
    stop: CancellationToken,
    /// The last answers are out.
    finish: CancellationToken,
    store: Arc<dyn Store>,
    /// Token of the link on which the first admin is made; print it, never log it.
    pub set_up_token: Option<SecretString>,
    pub pool: SharedPool,
    pub clock: Clock,
    pub address: SocketAddr,
    pub accounts: Arc<Accounts>,
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
        deadline,
        demo,
    } = options;
    // Before anything else is touched: a second start must not disturb the first.
    let (listener, address) = listen(SocketAddr::new(config.host, config.port)).await?;
    let site = site(&config.site_dir)?;
    let store = open_store(&config.data_dir).await?;
    let accounts = Arc::new(accounts(&config, Arc::clone(&store))?);
    let set_up_token = first_admin(&accounts, &config, &clock).await?;
    let provider: Arc<dyn Provider> = Arc::new(Gemini::new(&config.gemini_base_url, limits)?);
    let telling = Telling::new(&config, Arc::clone(&store), clock.clone())?;
    let opened = Opened::open(&config, &store, provider, &clock, demo.is_some()).await?;
    let (pool, keys) = (opened.pool.clone(), Arc::clone(&opened.keys));
    pool_log::prune(&pool, store.as_ref()).await?;
    let (recorder, entries) = Recorder::new(config.analytics);
    let waiting = WaitingRoom::new(pool.clone(), clock.clone(), config.queue);

    let tasks = TaskTracker::new();
    let (stop, finish) = (CancellationToken::new(), CancellationToken::new());
    opened.start(&tasks, telling.announcer.clone(), &finish);
    tasks.spawn(usage::run(entries, Arc::clone(&store), finish.clone()));
    tasks.spawn(housekeeping::run(Arc::clone(&store), clock.clone(), stop.clone()));
    tasks.spawn(recovery::run(Arc::clone(&keys), stop.clone()));
    tasks.spawn(waiting::run(waiting.clone(), stop.clone()));

    for name in &config.unused {
        warn!("{name} is set but this version does not use it yet");
    }
    let analysis = Arc::new(analysis_deps(
        &config,
        &keys,
        Arc::clone(&store),
        recorder,
        waiting,
        deadline,
    ));
    let settings = RuntimeSettings::open(&config, Arc::clone(&store), pool.clone()).await?;
    let notifier = telling.notifier.clone();
    let watched = status_reader(&config, &pool, &clock, demo.is_some());
    telling.start(&tasks, watched, &keys, &stop, &finish);
    let router = http::router(services(
        &config,
        analysis,
        Arc::clone(&accounts),
        keys,
        Surroundings {
            demo,
            site,
            stop: stop.clone(),
            settings,
            notifier,
        },
    ));
    Ok(Server {
        listener,
        router,
        tasks,
        stop,
        finish,
        store,
        set_up_token,
        pool,
        clock,
        address,
        accounts,
    })
}

fn analysis_deps(
    config: &Config,
    keys: &Keys,
    store: Arc<dyn Store>,
    recorder: Recorder,
    waiting: WaitingRoom,
    deadline: Duration,
) -> Deps {
    let clock = keys.clock.clone();
    Deps {
        pool: keys.pool.clone(),
        keyring: Arc::clone(&keys.keyring),
        provider: Arc::clone(&keys.provider),
        store,
        recorder,
        waiting,
        cache: Arc::new(Cache::new(config.cache, clock.clone())),
        performance: Arc::new(Performance::new(clock.now())),
        grouping: keys.grouping.clone(),
        clock,
        text_model: config.text_model.clone(),
        vision_model: config.vision_model.clone(),
        fallback_models: config.fallback_models.clone(),
        deadline,
    }
}

/// What pages and streams are told of the process around them.
struct Surroundings {
    demo: Option<Vec<DemoAccount>>,
    site: Site,
    stop: CancellationToken,
    settings: RuntimeSettings,
    notifier: Notifier,
}

fn status_reader(config: &Config, pool: &SharedPool, clock: &Clock, simulated: bool) -> StatusReader {
    StatusReader {
        pool: pool.clone(),
        clock: clock.clone(),
        text_model: config.text_model.clone(),
        vision_model: config.vision_model.clone(),
        fallback_models: config.fallback_models.clone(),
        queue: config.queue,
        simulated,
    }
}

fn services(
    config: &Config,
    analysis: Arc<Deps>,
    accounts: Arc<Accounts>,
    keys: Arc<Keys>,
    around: Surroundings,
) -> Services {
    let status = status_reader(config, &analysis.pool, &analysis.clock, around.demo.is_some());
    let history = History::new(Arc::clone(&analysis.store));
    let doctor = Arc::new(doctor::of_server(config, &analysis, &keys, &status));
    let backend = PageBackend {
        status: status.clone(),
        doctor: Arc::clone(&doctor),
        keyring: Arc::clone(&keys.keyring),
        history: history.clone(),
        accounts: Arc::clone(&accounts),
        clock: analysis.clock.clone(),
        registration_open: config.registration_open,
    };
    Services {
        accounts,
        keys,
        status,
        cache: Arc::clone(&analysis.cache),
        performance: Arc::clone(&analysis.performance),
        doctor,
        settings: around.settings,
        notifier: around.notifier,
        sessions: Sessions::new(Arc::clone(&analysis.store), analysis.clock.clone()),
        store: Arc::clone(&analysis.store),
        history,
        backend: Arc::new(backend),
        clock: analysis.clock.clone(),
        registration_open: config.registration_open,
        secure_cookies: config.production,
        demo: around.demo,
        site: around.site,
        stop: around.stop,
        analysis,
    }
}

/// The accounts without a server, for the command line.
pub struct OpenAccounts {
    pub accounts: Accounts,
    pub clock: Clock,
    pub store: Arc<dyn Store>,
}

/// Whether a store was made in the data folder before.
pub fn has_data(config: &Config) -> bool {
    config.data_dir.join(STORE_FILE).exists()
}

/// # Errors
/// [`StartError`]; `InUse` while a server runs on the same data.
pub async fn open_accounts(config: &Config) -> Result<OpenAccounts, StartError> {
    let store = open_store(&config.data_dir).await?;
    Ok(OpenAccounts {
        accounts: accounts(config, Arc::clone(&store))?,
        clock: Clock::system(),
        store,
    })
}

/// Signs the command line's tokens for the server that runs on this data; absent where none ever ran.
///
/// # Errors
/// A `JWT_SECRET` that cannot be used.
pub fn operator_signer(config: &Config) -> Result<Option<TokenSigner>, StartError> {
    if config.jwt_secret.is_none() && !config.data_dir.join(JWT_SECRET_FILE).exists() {
        return Ok(None);
    }
    signer(config).map(Some)
}

fn accounts(config: &Config, store: Arc<dyn Store>) -> Result<Accounts, StartError> {
    Ok(Accounts::new(store, signer(config)?))
}

fn signer(config: &Config) -> Result<TokenSigner, StartError> {
    let secret = secret(&config.jwt_secret, &config.data_dir, JWT_SECRET_FILE, 48)?;
    Ok(TokenSigner::new(&secret)?)
}

impl Server {
    /// Serves until `shutdown`, then lets the answers under way end and stores what is left.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let stop = self.stop.clone();
        let signal = async move {
            shutdown.await;
            info!("stopping: answers under way may end");
            stop.cancel();
        };
        let service = self.router.into_make_service_with_connect_info::<http::Connection>();
        let serving = axum::serve(http::Connections(self.listener), service)
            .with_graceful_shutdown(signal)
            .into_future();
        let cut = async {
            self.stop.cancelled().await;
            tokio::time::sleep(DRAIN_TIME_MAX).await;
        };
        let served = tokio::select! {
            served = serving => served,
            () = cut => {
                warn!("answers still under way after {} s are cut", DRAIN_TIME_MAX.as_secs());
                Ok(())
            }
        };
        self.stop.cancel();
        self.finish.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.store.close().await {
            warn!(%error, "the store did not close cleanly");
        }
        served
    }
}

/// The listener and where it is: port 0 becomes a free one.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortInUse { address },
        reason => StartError::Listen { address, reason },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The store with its version, for people.
fn engine() -> String {
    format!("SQLite {}", rusqlite::version())
}

async fn open_store(data_dir: &Path) -> Result<Arc<dyn Store>, StartError> {
    make_private_dir(data_dir).map_err(|error| StartError::DataDir {
        path: data_dir.display().to_string(),
        reason: error.kind(),
    })?;
    let path = data_dir.join(STORE_FILE);
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&path)).await;
    let store = opened.map_err(|_| StoreError::Unavailable("opening it was broken off".to_owned()))??;
    Ok(Arc::new(store))
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

async fn first_admin(accounts: &Accounts, config: &Config, clock: &Clock) -> Result<Option<SecretString>, StartError> {
    if let Some(admin) = &config.first_admin {
        if accounts
            .ensure_first_admin(&admin.email, &admin.password, clock.now())
            .await
            .map_err(StartError::Admin)?
        {
            info!("the first admin was created from the settings");
        }
        return Ok(None);
    }
    if accounts.has_admin().await.map_err(StartError::Admin)? {
        return Ok(None);
    }
    accounts
        .create_set_up_link(clock.now())
        .await
        .map(Some)
        .map_err(StartError::Admin)
}

/// Where the build put the browser half. Its folder's name carries a hash, so browsers may keep it for ever.
fn site(root: &Path) -> Result<Site, StartError> {
    let missing = || StartError::Site(root.display().to_string());
    let manifest = std::fs::read(root.join("manifest.json")).map_err(|_| missing())?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).map_err(|_| missing())?;
    let pkg_dir = manifest
        .get("pkgDir")
        .and_then(serde_json::Value::as_str)
        .ok_or_else(missing)?;
    let options = LeptosOptions::builder()
        .output_name("keypool")
        .site_root(root.display().to_string())
        .site_pkg_dir(pkg_dir.to_owned())
        .build();
    Ok(Site {
        root: root.to_owned(),
        options,
    })
}

/// The address people open to make the first admin.
pub fn set_up_url(address: SocketAddr, token: &SecretString) -> String {
    format!("http://{address}/set-up?token={}", token.expose_secret())
}
