//! Records what happened without delaying it: a bounded queue, one task that hands groups to the store, a count of what was
//! dropped because the queue was full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Entries lost since the start because the queue was full.
    dropped: Arc<AtomicU64>,
    usage_on: bool,
}

impl Recorder {
    /// The receiver belongs to [`run`].
    pub fn new(usage_on: bool) -> (Self, mpsc::Receiver<Entry>) {
        let (queue, entries) = mpsc::channel(QUEUE_MAX);
        (
            Self {
                queue,
                dropped: Arc::default(),
                usage_on,
            },
            entries,
        )
    }

    pub fn record(&self, entry: Entry) {
        if matches!(entry, Entry::Usage(_)) && !self.usage_on {
            return;
        }
        if self.queue.try_send(entry).is_err() {
            let before = self.dropped.fetch_add(1, Ordering::Relaxed);
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
pub async fn run(mut entries: mpsc::Receiver<Entry>, store: Arc<dyn Store>, finish: CancellationToken) {
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
        if !events.is_empty()
            && let Err(error) = store.append_usage(events).await
        {
            error!(%error, "usage events could not be stored and are lost");
        }
    }
}
