//! A made-up history into a store.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use pool::Timestamp;

use super::Events;
use crate::analytics::{self, Stretch};
use crate::store::{Dimensions, EventKind, Result, Store, UsageEvent};

/// Groups on their way: one is made while another is written.
const GROUPS_MAX: usize = 2;

/// Whether anything was ever recorded, also when its events are gone and only their sums are left.
///
/// # Errors
/// When the store does not answer.
pub async fn has_usage(store: &dyn Store, now: Timestamp) -> Result<bool> {
    let ever = Stretch::until(Timestamp::from_millis(0), now);
    for kind in EventKind::ALL {
        let sums = analytics::sums(store, kind, ever, Dimensions::default()).await?;
        if sums.iter().any(|row| row.sums.count > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Appends all events, so many at once, and tells after each group how many there are by now. What was added stays when it
/// fails, or is dropped half way; the same events may be sent again.
///
/// # Errors
/// When the store does not take them.
pub async fn fill(store: &dyn Store, events: Events, at_once: usize, mut told: impl FnMut(u64)) -> Result<u64> {
    let groups = stream::iter(Groups { events, at_once });
    let append = |group: Vec<UsageEvent>| async move {
        let count = group.len() as u64;
        store.append_usage(group).await.map(|()| count)
    };
    let mut groups = groups.map(append).buffered(GROUPS_MAX);
    let mut filled = 0;
    while let Some(count) = groups.try_next().await? {
        filled += count;
        told(filled);
    }
    Ok(filled)
}

struct Groups {
    events: Events,
    at_once: usize,
}

impl Iterator for Groups {
    type Item = Vec<UsageEvent>;

    fn next(&mut self) -> Option<Vec<UsageEvent>> {
        let group: Vec<_> = self.events.by_ref().take(self.at_once.max(1)).collect();
        (!group.is_empty()).then_some(group)
    }
}
