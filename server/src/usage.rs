//! Records what happened without delaying it: a bounded queue, one task that hands groups to the store, a count of what was
//! dropped because the queue was full.
//!
//! With [`Durability::Group`] events wait for a tenth of a second at most before they are handed over, so that a busy server writes
//! once for many. A group that the store refuses is tried again, under the same ids, until it takes it: the queue fills
//! meanwhile, and only what finds it full is lost, and counted. With [`Durability::Strict`] whoever made an event may wait
//! until it is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use app::types::Coverage;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::history;
use crate::store::{Store, StoreError, StoredAnalysis, UsageEvent};

/// Events that may wait; at 20,000 a second this is more than two seconds of them.
const QUEUE_MAX: usize = 50_000;
/// Events handed to the store at once.
const GROUP_MAX: usize = 2_000;
/// How long the first of a group waits for others. Far below the second of events that a crash may cost.
const LINGER: Duration = Duration::from_millis(100);
/// Between tries while the store refuses.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// At the end of the process, for a store that refuses.
const LAST_TRIES: u32 = 4;

/// What a crash may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The events of a fraction of a second.
    Group,
    /// None: an answer waits until its events are stored.
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
    /// Groups that the store refused since it last took one.
    refused: AtomicU64,
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

    /// With [`Durability::Strict`] returns when everything recorded so far is stored; at once otherwise.
    pub async fn settled(&self) {
        if self.durability == Durability::Group || !self.usage_on {
            return;
        }
        let (stored, is_stored) = oneshot::channel();
        if self.queue.send(Entry::Flush(stored)).await.is_ok() {
            let _ = is_stored.await;
        }
    }

    /// Whether what is stored is all that happened.
    pub fn coverage(&self) -> Coverage {
        let queued = self.queue.max_capacity() - self.queue.capacity();
        Coverage {
            recording: self.usage_on,
            dropped: self.counts.dropped.load(Ordering::Relaxed),
            waiting: self.counts.in_hand.load(Ordering::Relaxed) + queued as u64,
        }
    }

    /// Whether the store refuses what is handed to it.
    pub fn is_refused(&self) -> bool {
        self.counts.refused.load(Ordering::Relaxed) > 0
    }

    /// Changes when events were stored.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.counts.stored.subscribe()
    }
}

/// Runs until `finish`; what is queued then is still stored.
pub async fn run(inbox: Inbox, store: Arc<dyn Store>, finish: CancellationToken) {
    let Inbox {
        mut entries,
        counts,
        durability,
    } = inbox;
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
        keep(&mut group, &counts, store.as_ref(), &finish).await;
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

async fn keep(group: &mut Vec<Entry>, counts: &Counts, store: &dyn Store, finish: &CancellationToken) {
    let (mut events, mut flushed) = (Vec::with_capacity(group.len()), Vec::new());
    for entry in group.drain(..) {
        match entry {
            Entry::Usage(event) => events.push(*event),
            Entry::Analysis(analysis) => {
                if let Err(error) = history::insert(store, *analysis).await {
                    warn!(%error, "an analysis could not be kept in its owner's history");
                }
            }
            Entry::Flush(caller) => flushed.push(caller),
        }
    }
    if !events.is_empty() {
        append(events, counts, store, finish).await;
    }
    for caller in flushed {
        let _ = caller.send(());
    }
}

/// Until the store takes them: events that are sent again are stored once.
async fn append(events: Vec<UsageEvent>, counts: &Counts, store: &dyn Store, finish: &CancellationToken) {
    let count = events.len() as u64;
    counts.in_hand.store(count, Ordering::Relaxed);
    let mut tries_at_end = 0;
    loop {
        let error = match store.append_usage(events.clone()).await {
            Ok(()) => break,
            Err(error) => error,
        };
        let refused = counts.refused.fetch_add(1, Ordering::Relaxed);
        if refused == 0 {
            error!(%error, "usage events could not be stored; they are kept and tried again");
        }
        tries_at_end += u32::from(finish.is_cancelled());
        if tries_at_end >= LAST_TRIES || !matches!(error, StoreError::Unavailable(_)) {
            counts.dropped.fetch_add(count, Ordering::Relaxed);
            counts.in_hand.store(0, Ordering::Relaxed);
            return error!(%error, count, "usage events are lost");
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
    counts.in_hand.store(0, Ordering::Relaxed);
    if counts.refused.swap(0, Ordering::Relaxed) > 0 {
        info!(count, "usage events are stored again");
    }
    counts.stored.send_modify(|groups| *groups = groups.wrapping_add(1));
}
