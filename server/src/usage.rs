//! Records what happened without delaying it: a bounded queue, one task that hands groups to the store, a count of what was
//! dropped because the queue was full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::history;
use crate::store::{Store, StoredAnalysis, UsageEvent};

/// Events that may wait; at 20,000 a second this is half a second of them.
const QUEUE_MAX: usize = 10_000;
/// Events handed to the store at once.
const GROUP_MAX: usize = 1_000;

/// Something to keep.
pub enum Entry {
    Usage(Box<UsageEvent>),
    /// An analysis whose caller does not wait for it to be stored.
    Analysis(Box<StoredAnalysis>),
}

/// Cheap to clone. When recording is switched off usage events are left out, the user's own history is not.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Entry>,
    recording: Recording,
    usage_on: bool,
}

/// How recording goes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    is_refused: AtomicBool,
}

impl Recording {
    /// Entries lost since the start: the queue was full, or the store refused them.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// The store refused what it was given last.
    pub fn is_refused(&self) -> bool {
        self.0.is_refused.load(Ordering::Relaxed)
    }

    /// How many there were before.
    fn drop_more(&self, count: usize) -> u64 {
        self.0.dropped.fetch_add(count as u64, Ordering::Relaxed)
    }
}

impl Recorder {
    /// The receiver belongs to [`run`].
    pub fn new(usage_on: bool) -> (Self, mpsc::Receiver<Entry>) {
        let (queue, entries) = mpsc::channel(QUEUE_MAX);
        (
            Self {
                queue,
                recording: Recording::default(),
                usage_on,
            },
            entries,
        )
    }

    pub fn recording(&self) -> Recording {
        self.recording.clone()
    }

    pub fn record(&self, entry: Entry) {
        if matches!(entry, Entry::Usage(_)) && !self.usage_on {
            return;
        }
        if self.queue.try_send(entry).is_err() {
            let before = self.recording.drop_more(1);
            // One line a thousand: whoever drops is busy enough.
            if before.is_multiple_of(1_000) {
                warn!(
                    dropped = before + 1,
                    "the store is too slow: usage events are being dropped"
                );
            }
        }
    }
}

/// Runs until `finish`; what is queued then is still stored.
pub async fn run(
    mut entries: mpsc::Receiver<Entry>,
    store: Arc<dyn Store>,
    recording: Recording,
    finish: CancellationToken,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        tokio::select! {
            biased;
            taken = entries.recv_many(&mut group, GROUP_MAX) => if taken == 0 { return },
            () = finish.cancelled(), if !entries.is_closed() => entries.close(),
        }
        let mut events = Vec::with_capacity(group.len());
        for entry in group.drain(..) {
            match entry {
                Entry::Usage(event) => events.push(*event),
                Entry::Analysis(analysis) => {
                    if let Err(error) = history::insert(store.as_ref(), *analysis).await {
                        warn!(%error, "an analysis could not be kept in its owner's history");
                    }
                }
            }
        }
        if events.is_empty() {
            continue;
        }
        let count = events.len();
        let appended = store.append_usage(events).await;
        recording.0.is_refused.store(appended.is_err(), Ordering::Relaxed);
        if let Err(error) = appended {
            recording.drop_more(count);
            error!(%error, count, "usage events could not be stored and are lost");
        }
    }
}
