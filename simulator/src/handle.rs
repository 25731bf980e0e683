//! The handle: starts a simulator, tells it what to do, asks it what it saw.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::behaviour::Behaviour;
use crate::calls::Call;
use crate::connection::Connections;
use crate::http;
use crate::options::{Limits, Options};
use crate::script::Scripts;
use crate::state::{Shared, State};

/// How long [`Simulator::wait_for`] waits. Long enough for a busy machine, short enough to fail a test before its runner does.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A running simulator. It stops when dropped; [`Simulator::stop`] also waits until it has.
pub struct Simulator {
    shared: Arc<Shared>,
    addr: SocketAddr,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// [`Simulator::wait_for`] did not see its condition hold in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSeen {
    /// Calls kept when it gave up.
    pub calls: usize,
    /// Calls still open when it gave up.
    pub in_progress: usize,
}

impl fmt::Display for NotSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, in_progress } = self;
        write!(
            f,
            "the simulator did not see what was waited for within {WAIT_MAX:?} ({calls} calls, {in_progress} in progress)"
        )
    }
}

impl std::error::Error for NotSeen {}

impl Simulator {
    /// Starts listening; calls can be made once this returns.
    ///
    /// # Errors
    /// When the address cannot be bound, or [`Options::quota_zone`] is no zone of the IANA database.
    pub async fn start(options: Options) -> io::Result<Self> {
        let zone = jiff::tz::TimeZone::get(&options.quota_zone)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let listener = TcpListener::bind(options.addr).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options));
        shared.read(|state| state.quotas.set_zone(zone));

        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        let server = http::serve(
            Connections::new(listener, Arc::clone(&shared), stopping.clone()),
            Arc::clone(&shared),
            stopping.clone(),
        );
        tasks.spawn(server);
        tasks.close();
        Ok(Self {
            shared,
            addr,
            stopping,
            tasks,
        })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Scheme, host and port: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Adds behaviours to the queue of a key and a model, `"*"` being any. Each generating call takes the next one of the
    /// narrowest scope that has any; without one it gets the normal answer.
    pub fn script(&self, key: &str, model: &str, behaviours: Vec<Behaviour>) {
        self.shared.change(|state| state.script(key, model, behaviours));
    }

    /// What generating calls of a key and a model get whenever their queue is empty.
    pub fn always(&self, key: &str, model: &str, behaviour: Behaviour) {
        self.shared.change(|state| state.always(key, model, behaviour));
    }

    /// Forgets all scripts; calls under way keep theirs.
    pub fn clear_scripts(&self) {
        self.shared.change(|state| state.scripts = Scripts::default());
    }

    /// Makes a key known where [`Options::known_keys_only`] holds.
    pub fn add_key(&self, key: &str) {
        self.shared.change(|state| state.learn(key));
    }

    /// Makes a key unknown again, as if it had been deleted at the provider.
    pub fn remove_key(&self, key: &str) {
        self.shared.change(|state| state.known_keys.remove(key));
    }

    /// Puts a key into a project. Until then its project is its own and has the key's name.
    pub fn assign(&self, key: &str, project: &str) {
        self.shared.change(|state| state.assign(key, project));
    }

    /// Sets the quotas of a project for a model, `"*"` being any; the narrowest entry holds, as a whole.
    /// Requests count from the moment on when a limit applies to them.
    pub fn limit(&self, project: &str, model: &str, limits: Limits) {
        self.shared.change(|state| state.quotas.limit(project, model, limits));
    }

    /// The newest calls, oldest first, up to [`Options::calls_kept_max`]. Control calls are not among them.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.read(|state| state.calls.as_slice().to_vec())
    }

    /// How many calls a key ever made, probes included.
    pub fn call_count(&self, key: &str) -> usize {
        self.shared
            .read(|state| usize::try_from(state.calls.count(key)).unwrap_or(usize::MAX))
    }

    /// How many calls are being answered, or held open, now.
    pub fn in_progress(&self) -> usize {
        self.shared.read(|state| state.calls.in_progress())
    }

    /// How many connections are open now, idle ones included.
    pub fn connections(&self) -> usize {
        self.shared.read(|state| state.connections)
    }

    /// Waits until `condition` holds of [`Simulator::calls`]: for calls to come, to end, or to be left.
    ///
    /// # Errors
    /// [`NotSeen`] after ten seconds of real time.
    pub async fn wait_for(&self, condition: impl Fn(&[Call]) -> bool) -> Result<(), NotSeen> {
        self.wait(|state| condition(state.calls.as_slice())).await
    }

    /// Waits until so many connections are open.
    ///
    /// # Errors
    /// [`NotSeen`] after ten seconds of real time.
    pub async fn wait_for_connections(&self, count: usize) -> Result<(), NotSeen> {
        self.wait(|state| state.connections == count).await
    }

    async fn wait(&self, condition: impl Fn(&mut State) -> bool) -> Result<(), NotSeen> {
        let mut changes = self.shared.changes();
        let seen = async {
            while !self.shared.read(&condition) {
                // It cannot fail: the sender lives in `self`.
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        let waited = tokio::time::timeout(WAIT_MAX, seen).await;
        waited.map_err(|_| {
            self.shared.read(|state| NotSeen {
                calls: state.calls.as_slice().len(),
                in_progress: state.calls.in_progress(),
            })
        })
    }

    /// Moves the clock of quotas and of [`Call::at_ms`] to milliseconds since 1970, where it stands still; `None` is real time.
    /// Delays and pauses always pass in real time.
    pub fn set_now_ms(&self, now_ms: Option<u64>) {
        self.shared.change(|_| self.shared.clock.set_ms(now_ms));
    }

    /// Stops listening, drops open connections and waits until all is gone.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// Keys stay out of it.
impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

/// Runs a simulator until the future is dropped, for those who embed it as a task.
///
/// # Errors
/// As [`Simulator::start`].
pub async fn run(options: Options) -> io::Result<()> {
    let simulator = Simulator::start(options).await?;
    simulator.tasks.wait().await;
    Ok(())
}
