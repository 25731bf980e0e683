//! Runs operations in tasks of their own, each within a bound of time. The driver must not be dropped half way, so a task
//! goes on when whoever asked has left, or was told that it takes too long; closing the store waits for it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use mongodb::options::{Acknowledgment, ReadConcern, WriteConcern};
use mongodb::{Client, ClientSession, Database};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::access::Access;
use super::error::{Fault, Result};
use crate::store::{self, StoreError};

/// Operations under way; who comes then waits for room.
const UNDER_WAY_MAX: usize = 512;
/// How long whoever asked waits, room for it included.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// The same for what reads or removes very many documents.
const LONG_WAIT_MAX: Duration = Duration::from_secs(120);
/// What was broken off, and transactions that met another one, are tried again until then.
const RETRY_FOR: Duration = Duration::from_secs(8);
/// And so many times.
const TRIES_MAX: u32 = 200;
const PAUSE_MIN_MS: u64 = 5;
const PAUSE_MAX_MS: u64 = 250;
/// How long closing waits for what is under way.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(15);

pub(super) struct Runner {
    database: Database,
    tasks: TaskTracker,
    gate: Gate,
}

/// What lets operations in.
#[derive(Clone)]
pub(super) struct Gate(Arc<GateState>);

struct GateState {
    permits: Arc<Semaphore>,
    /// Why nothing is let in any more, when it is not that the store was closed.
    ended: OnceLock<StoreError>,
    /// Until when the database is ours.
    ours_until: Mutex<Instant>,
}

impl Gate {
    /// The database is ours until then at least.
    pub(super) fn open_until(&self, until: Instant) {
        *self.0.ours_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// From now on everything is refused with this.
    pub(super) fn end(&self, why: StoreError) {
        let _ = self.0.ended.set(why);
        self.0.permits.close();
    }

    async fn enter(&self) -> store::Result<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await;
        let permit = permit.map_err(|_| {
            let closed = || StoreError::Unavailable("the store is closed".to_owned());
            self.0.ended.get().cloned().unwrap_or_else(closed)
        })?;
        let ours_until = *self.0.ours_until.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() > ours_until {
            let text = "MongoDB was away for so long that another Keypool may have taken the database; that is being looked at";
            return Err(StoreError::Unavailable(text.to_owned()));
        }
        Ok(permit)
    }
}

impl Runner {
    /// Lets nothing in before [`Gate::open_until`].
    pub(super) fn new(database: Database) -> Self {
        let state = GateState {
            permits: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            ended: OnceLock::new(),
            ours_until: Mutex::new(Instant::now()),
        };
        Self {
            database,
            tasks: TaskTracker::new(),
            gate: Gate(Arc::new(state)),
        }
    }

    pub(super) fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Runs work that may be done twice with the same result: what reads, and what sets a value whatever it was. It is done
    /// again when a server broke it off; the driver tries once more by itself, but the next server may break off too.
    pub(super) async fn run<C, T, F>(&self, with: C, work: F) -> store::Result<T>
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Access, &'a C) -> BoxFuture<'a, Result<T>> + Send + Sync + 'static,
    {
        self.run_within(WAIT_MAX, with, work).await
    }

    /// The same for what may take long.
    pub(super) async fn run_long<C, T, F>(&self, with: C, work: F) -> store::Result<T>
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Access, &'a C) -> BoxFuture<'a, Result<T>> + Send + Sync + 'static,
    {
        self.run_within(LONG_WAIT_MAX, with, work).await
    }

    pub(super) async fn run_within<C, T, F>(&self, wait: Duration, with: C, work: F) -> store::Result<T>
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Access, &'a C) -> BoxFuture<'a, Result<T>> + Send + Sync + 'static,
    {
        let mut access = self.access();
        self.spawn(wait, async move { repeat(&mut access, &with, &work).await })
            .await
    }

    /// Runs work as one transaction: all of it or nothing, as if nobody else were at work on what it writes. It may run more
    /// than once. What it only reads others may change meanwhile: where its decision rests on a document, it writes it.
    pub(super) async fn transact<C, T, F>(&self, with: C, work: F) -> store::Result<T>
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a mut Access, &'a C) -> BoxFuture<'a, Result<T>> + Send + Sync + 'static,
    {
        let mut access = self.access();
        let whole = async move { transact(&mut access, &with, &work).await };
        self.spawn(WAIT_MAX, whole).await
    }

    pub(super) fn access(&self) -> Access {
        Access {
            database: self.database.clone(),
            session: None,
        }
    }

    async fn spawn<T: Send + 'static>(
        &self,
        wait: Duration,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> store::Result<T> {
        let answered = timeout(wait, async {
            let permit = self.gate.enter().await?;
            let task = self.tasks.spawn(async move {
                let done = work.await;
                drop(permit);
                done
            });
            let broken_off = |_| StoreError::Unavailable("an operation was broken off".to_owned());
            task.await.map_err(broken_off)?.map_err(StoreError::from)
        });
        let late = |_| StoreError::Unavailable(format!("MongoDB did not answer within {} s", wait.as_secs()));
        answered.await.map_err(late)?
    }

    /// Refuses what comes and waits for what is under way.
    pub(super) async fn close(&self) {
        self.gate.0.permits.close();
        self.tasks.close();
        if timeout(CLOSE_WAIT_MAX, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                operations = self.tasks.len(),
                "MongoDB does not answer: operations are left"
            );
        }
    }

    pub(super) fn client(&self) -> &Client {
        self.database.client()
    }
}

async fn repeat<C, T, F>(access: &mut Access, with: &C, work: &F) -> Result<T>
where
    F: for<'a> Fn(&'a mut Access, &'a C) -> BoxFuture<'a, Result<T>>,
{
    let mut tries = Tries::new();
    loop {
        match work(access, with).await {
            Err(fault) if fault.is_broken_off() && tries.another().await => {}
            done => return done,
        }
    }
}

/// Runs work as one transaction for those who have an [`Access`] of their own.
pub(super) async fn transact<C, T, F>(access: &mut Access, with: &C, work: &F) -> Result<T>
where
    F: for<'a> Fn(&'a mut Access, &'a C) -> BoxFuture<'a, Result<T>>,
{
    let mut tries = Tries::new();
    loop {
        match attempt(access, with, work, tries.until).await {
            Err(fault) if fault.is_transient() && tries.another().await => {}
            done => return done,
        }
    }
}

/// Bounded in time and in number.
struct Tries {
    until: Instant,
    done: u32,
}

impl Tries {
    fn new() -> Self {
        Self {
            until: Instant::now() + RETRY_FOR,
            done: 0,
        }
    }

    /// Whether there is another, after a pause: longer each time, and by chance, so that those who met do not meet again.
    async fn another(&mut self) -> bool {
        self.done += 1;
        if self.done >= TRIES_MAX || Instant::now() >= self.until {
            return false;
        }
        let longest = PAUSE_MIN_MS.saturating_mul(u64::from(self.done)).min(PAUSE_MAX_MS);
        tokio::time::sleep(Duration::from_millis(1 + rand::random::<u64>() % longest)).await;
        true
    }
}

async fn attempt<C, T, F>(access: &mut Access, with: &C, work: &F, until: Instant) -> Result<T>
where
    F: for<'a> Fn(&'a mut Access, &'a C) -> BoxFuture<'a, Result<T>>,
{
    let mut session = access.database.client().start_session().await?;
    session
        .start_transaction()
        .read_concern(ReadConcern::snapshot())
        .write_concern(confirmed())
        .await?;
    access.session = Some(session);
    let done = work(access, with).await;
    let Some(mut session) = access.session.take() else {
        return done;
    };
    match done {
        Ok(value) => commit(&mut session, until).await.map(|()| value),
        Err(failure) => {
            // That it cannot be taken back either changes nothing: the server does it by itself.
            let _ = session.abort_transaction().await;
            Err(failure)
        }
    }
}

async fn commit(session: &mut ClientSession, until: Instant) -> Result<()> {
    loop {
        let failure = match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            Err(error) => Fault::from(error),
        };
        if !failure.leaves_commit_open() || Instant::now() >= until {
            return Err(failure);
        }
        tokio::time::sleep(Duration::from_millis(PAUSE_MIN_MS)).await;
    }
}

/// On the disks of a majority.
pub(super) fn confirmed() -> WriteConcern {
    WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .build()
}
