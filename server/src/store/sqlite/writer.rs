//! The one thread that writes, committing in groups: everything waiting goes into one transaction, so that a hundred
//! writers share one wait for the disk. Nobody is answered before the commit.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::file::{self, InstanceLock};
use crate::store::{Result, StoreError};

/// Commands waiting; who comes then waits for room.
const WAITING_MAX: usize = 4096;
/// Commands in one transaction, so that the first of them does not wait long for the last.
const GROUP_MAX: usize = 1024;

/// How long an erasure waits for readers, while other writes wait for it.
const ERASE_WAIT_MAX: Duration = Duration::from_secs(1);

enum Message {
    Run(Box<dyn Command>),
    Close(oneshot::Sender<()>),
}

/// A write and who waits for it.
trait Command: Send {
    fn run(&mut self, connection: &Connection);
    /// What it removes must be gone from the files, not only from the tables.
    fn erases(&self) -> bool;
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Pending<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    erases: bool,
    answer: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T> + Send> Command for Pending<T, F> {
    fn run(&mut self, connection: &Connection) {
        self.result = self.work.take().map(|work| in_savepoint(connection, work));
    }

    fn erases(&self) -> bool {
        self.erases
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { result, answer, .. } = *self;
        let not_run = || Err(StoreError::Unavailable("the write was not run".to_owned()));
        // Who asked may have gone; what was written stays.
        let _ = answer.send(committed.and_then(|()| result.unwrap_or_else(not_run)));
    }
}

/// Takes back what a failing command did, and nothing of the others.
fn in_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    connection.execute_batch("SAVEPOINT command")?;
    let result = work(connection);
    // After some errors (a full disk) SQLite has ended the transaction itself: then there is nothing to go back to.
    if !connection.is_autocommit() {
        connection.execute_batch(if result.is_ok() {
            "RELEASE command"
        } else {
            "ROLLBACK TO command; RELEASE command"
        })?;
    }
    result
}

pub(super) struct Writer {
    messages: Option<mpsc::Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    #[cfg(test)]
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(path: PathBuf, connection: Connection, lock: InstanceLock) -> Result<Self> {
        let (messages, waiting) = mpsc::channel(WAITING_MAX);
        let task = Task {
            path,
            connection: Some(connection),
            has_erased: false,
            commits: Arc::default(),
        };
        #[cfg(test)]
        let commits = Arc::clone(&task.commits);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let closed_by = task.serve(waiting);
                // Only now may another instance open the file.
                drop(lock);
                for caller in closed_by {
                    let _ = caller.send(());
                }
            })
            .map_err(|cause| StoreError::Unavailable(format!("the writer cannot start: {cause}")))?;
        Ok(Self {
            messages: Some(messages),
            thread: Some(thread),
            #[cfg(test)]
            commits,
        })
    }

    /// Runs the work in the next transaction and answers when that is on the disk.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.send(work, false).await
    }

    /// The same for work whose removed bytes must be gone: the write-ahead log is emptied behind it, for it keeps the pages as
    /// they were. A reader that takes longer than [`ERASE_WAIT_MAX`] delays that to a later commit.
    pub(super) async fn run_erasing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.send(work, true).await
    }

    async fn send<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        erases: bool,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let command = Box::new(Pending {
            work: Some(work),
            result: None,
            erases,
            answer,
        });
        let messages = self.messages.as_ref().ok_or_else(closed)?;
        messages.send(Message::Run(command)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Returns when everything accepted is written and the file is free.
    pub(super) async fn close(&self) {
        let (caller, closed) = oneshot::channel();
        if let Some(messages) = &self.messages
            && messages.send(Message::Close(caller)).await.is_ok()
        {
            let _ = closed.await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Task {
    path: PathBuf,
    /// Absent after a failure: what the failing one holds in memory is not to be trusted (a failed fsync is not
    /// repeated).
    connection: Option<Connection>,
    /// The write-ahead log still holds what was erased.
    has_erased: bool,
    commits: Arc<AtomicU64>,
}

impl Task {
    /// Returns who asked to close.
    fn serve(mut self, mut waiting: mpsc::Receiver<Message>) -> Vec<oneshot::Sender<()>> {
        let mut closed_by = Vec::new();
        while let Some(first) = waiting.blocking_recv() {
            let mut group = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Run(command) => group.push(command),
                    Message::Close(caller) => {
                        waiting.close();
                        closed_by.push(caller);
                    }
                }
                next = if group.len() < GROUP_MAX {
                    waiting.try_recv().ok()
                } else {
                    None
                };
            }
            self.commit(group);
        }
        if let Some(connection) = &self.connection
            && let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        {
            tracing::debug!(%error, "the write-ahead log stays for the next start");
        }
        tracing::debug!(
            commits = self.commits.load(Ordering::Relaxed),
            "the store's writer ends"
        );
        closed_by
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Command>>) {
        if group.is_empty() {
            return;
        }
        let committed = self.transact(&mut group);
        match &committed {
            Ok(()) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                self.empty_log(group.iter().any(|command| command.erases()));
            }
            Err(error) => {
                tracing::error!(%error, writes = group.len(), "the store could not commit; its file is opened again");
                self.connection = None;
            }
        }
        for command in group {
            command.answer(committed.clone());
        }
    }

    /// Waits for readers only where something was erased just now.
    fn empty_log(&mut self, erased_now: bool) {
        self.has_erased |= erased_now;
        let Some(connection) = self.connection.as_ref().filter(|_| self.has_erased) else {
            return;
        };
        let wait = if erased_now { ERASE_WAIT_MAX } else { Duration::ZERO };
        let emptied = connection
            .busy_timeout(wait)
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)));
        let restored = connection.busy_timeout(file::BUSY_TIMEOUT);
        match (emptied, restored) {
            (Ok(0), Ok(())) => self.has_erased = false,
            (Ok(_), Ok(())) => tracing::debug!("somebody reads: the write-ahead log is emptied after a later commit"),
            (Err(error), _) | (_, Err(error)) => tracing::warn!(%error, "the write-ahead log could not be emptied yet"),
        }
    }

    fn transact(&mut self, group: &mut [Box<dyn Command>]) -> Result<()> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => file::open_writer(&self.path)?,
        };
        let connection = self.connection.insert(connection);
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for command in group {
            command.run(connection);
            if connection.is_autocommit() {
                return Err(StoreError::Unavailable(
                    "the disk is full or failing: the transaction was taken back".to_owned(),
                ));
            }
        }
        Ok(connection.execute_batch("COMMIT")?)
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

#[cfg(test)]
mod tests;
