//! Analyses of the last minutes, in memory, where no history is kept: a page that was sent to its answer finds it.

use std::sync::Arc;
use std::time::Duration;

use app::types::Analysis;
use moka::policy::EvictionPolicy;
use pool::Timestamp;

use crate::clock::Clock;
use crate::store::StoredAnalysis;

/// For reading an answer and coming back to it once.
const HELD_FOR: Duration = Duration::from_secs(10 * 60);
/// All together.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an entry costs besides its texts.
const ENTRY_BYTES: usize = 1024;

/// Whose and which.
type Place = (String, String);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Recent {
    held: moka::sync::Cache<Place, Held>,
    clock: Clock,
}

#[derive(Clone)]
struct Held {
    analysis: Arc<Analysis>,
    since: Timestamp,
}

impl Recent {
    pub(super) fn new(clock: Clock) -> Self {
        let held = moka::sync::Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(|_, held: &Held| weight(&held.analysis))
            // The bound on memory; whether an answer may still be given is decided by our own clock.
            .time_to_live(HELD_FOR)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { held, clock }
    }

    pub(super) fn hold(&self, stored: StoredAnalysis) {
        let place = (stored.user_id, stored.analysis.summary.id.clone());
        let (analysis, since) = (Arc::new(stored.analysis), self.clock.now());
        self.held.insert(place, Held { analysis, since });
    }

    /// Absent also when it is another user's.
    pub(super) fn get(&self, user_id: &str, id: &str) -> Option<Analysis> {
        let held = self.held.get(&place(user_id, id))?;
        (self.clock.now().since(held.since) < HELD_FOR).then(|| Analysis::clone(&held.analysis))
    }

    /// False when there was none of this user.
    pub(super) fn remove(&self, user_id: &str, id: &str) -> bool {
        self.held.remove(&place(user_id, id)).is_some()
    }

    pub(super) fn forget(&self, user_id: &str) {
        for (place, _) in self.held.iter().filter(|(place, _)| place.0 == user_id) {
            self.held.invalidate(place.as_ref());
        }
        self.held.run_pending_tasks();
    }
}

fn place(user_id: &str, id: &str) -> Place {
    (user_id.to_owned(), id.to_owned())
}

fn weight(analysis: &Analysis) -> u32 {
    let system = analysis.system.as_ref().map_or(0, String::len);
    let bytes = ENTRY_BYTES + analysis.prompt.len() + system + analysis.text.len();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
