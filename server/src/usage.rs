//! Records what happened without delaying it: a bounded queue, one task that hands groups to the store, a count of what was
//! dropped because the queue was full.
//!
//! With [`Durability::Group`] events wait for a tenth of a second at most before they are handed over, so that a busy server writes
//! once for many. A group that finds the store away goes to the [`Spool`], where there is one with room, and is delivered
//! from there. Else it is tried again, under the same ids, until the store takes it: the queue fills meanwhile. Lost, and
//! counted, is what finds it full, what is of a kind that the store never takes, and what is left in memory five seconds after
//! the end of a process whose store is away. With [`Durability::Strict`] whoever made an event may wait until it is stored.

pub mod spool;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use app::types::Coverage;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::store::{Store, StoredAnalysis, UsageEvent};
use spool::Spool;
use writer::Writer;

/// Events that may wait; at 20,000 a second this is more than two seconds of them.
const QUEUE_MAX: usize = 50_000;
/// Events handed to the store at once.
const GROUP_MAX: usize = 2_000;
/// How long the first of a group waits for others. Far below the second of events that a crash may cost.
const LINGER: Duration = Duration::from_millis(100);

/// What a crash may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The events of a fraction of a second.
    Group,
    /// None, while the store works: an answer waits until its events are stored.
    Strict,
}

/// Something to keep.
pub enum Entry {
    Usage(Box<UsageEvent>),
    /// An analysis whose caller does not wait for it to be stored.
    Analysis(Box<StoredAnalysis>),
    /// Answered when everything recorded before it is stored, or given up.
    Flush(oneshot::Sender<()>),
}

/// Cheap to clone. When recording is switched off usage events are left out, the user's own history is not.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Entry>,
    counts: Arc<Counts>,
    usage_on: bool,
    durability: Durability,
}

#[derive(Default)]
struct Counts {
    /// Entries lost since the start because the queue was full or the process ended before the store took them.
    dropped: AtomicU64,
    /// Taken from the queue and not stored yet.
    in_hand: AtomicU64,
    /// On the disk and not stored yet.
    spooled: AtomicU64,
    /// Whether there is a group in hand that neither the store nor the disk takes.
    refuses: watch::Sender<bool>,
    /// Changes with each group that was stored.
    stored: watch::Sender<u64>,
}

/// What the recorder's task is to do.
pub struct Inbox {
    entries: mpsc::Receiver<Entry>,
    counts: Arc<Counts>,
    durability: Durability,
}

impl Recorder {
    /// The inbox belongs to [`run`].
    pub fn new(usage_on: bool, durability: Durability) -> (Self, Inbox) {
        let (queue, entries) = mpsc::channel(QUEUE_MAX);
        let counts = Arc::new(Counts::default());
        let recorder = Self {
            queue,
            counts: Arc::clone(&counts),
            usage_on,
            durability,
        };
        let inbox = Inbox {
            entries,
            counts,
            durability,
        };
        (recorder, inbox)
    }

    /// Never waits.
    pub fn record(&self, entry: Entry) {
        if matches!(entry, Entry::Usage(_)) && !self.usage_on {
            return;
        }
        if self.queue.try_send(entry).is_err() {
            let before = self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            // One line a thousand: whoever drops is busy enough.
            if before.is_multiple_of(1_000) {
                warn!(
                    dropped = before + 1,
                    "the store is too slow: usage events are being dropped"
                );
            }
        }
    }

    /// With [`Durability::Strict`] returns when everything recorded so far is stored or on the disk, or neither takes it: an
    /// answer does not wait for a store that is away. At once otherwise.
    pub async fn settled(&self) {
        if self.durability == Durability::Group || !self.usage_on {
            return;
        }
        let stored = async {
            let (stored, is_stored) = oneshot::channel();
            if self.queue.send(Entry::Flush(stored)).await.is_ok() {
                let _ = is_stored.await;
            }
        };
        let mut refuses = self.counts.refuses.subscribe();
        tokio::select! {
            // First, so that nobody takes a place in the line to wait in vain.
            biased;
            _ = refuses.wait_for(|refuses| *refuses) => {}
            () = stored => {}
        }
    }

    /// Whether what is stored is all that happened.
    pub fn coverage(&self) -> Coverage {
        let queued = self.queue.max_capacity() - self.queue.capacity();
        Coverage {
            recording: self.usage_on,
            dropped: self.counts.dropped.load(Ordering::Relaxed),
            waiting: self.counts.in_hand.load(Ordering::Relaxed)
                + self.counts.spooled.load(Ordering::Relaxed)
                + queued as u64,
        }
    }

    /// The store is away: it refused the events that it was handed last, which wait.
    pub fn is_refused(&self) -> bool {
        *self.counts.refuses.borrow()
    }

    /// Changes when events were stored.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.counts.stored.subscribe()
    }
}

/// Runs until `finish`; what is queued then is still stored, as far as the store takes it within five seconds, or kept in
/// the spool. A store that is somewhere else, and so may be away while this process works, has one.
pub async fn run(inbox: Inbox, store: Arc<dyn Store>, spool: Option<Spool>, finish: CancellationToken) {
    let Inbox {
        mut entries,
        counts,
        durability,
    } = inbox;
    let writer = Writer::new(counts, store, spool, finish.clone());
    let writing = async {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            tokio::select! {
                biased;
                taken = entries.recv_many(&mut group, GROUP_MAX) => if taken == 0 { return },
                () = finish.cancelled(), if !entries.is_closed() => entries.close(),
            }
            if durability == Durability::Group && !group.is_empty() {
                linger(&mut entries, &mut group, &finish).await;
            }
            writer.keep(&mut group).await;
        }
    };
    // What is not delivered by the end is there for the next start.
    tokio::select! {
        () = writing => {}
        () = writer.deliver() => {}
    }
}

/// Waits for more to write at once.
async fn linger(entries: &mut mpsc::Receiver<Entry>, group: &mut Vec<Entry>, finish: &CancellationToken) {
    let until = tokio::time::Instant::now() + LINGER;
    while group.len() < GROUP_MAX && !entries.is_closed() {
        let room = GROUP_MAX - group.len();
        tokio::select! {
            biased;
            () = finish.cancelled() => return,
            () = tokio::time::sleep_until(until) => return,
            taken = entries.recv_many(group, room) => if taken == 0 { return },
        }
    }
}
