//! The day's counts at a start. Counters are stored every half minute; what was counted since then stands in the usage events.

use std::collections::BTreeMap;

use pool::{Limits, ProjectId, Record, Timestamp};

use crate::store::{EventKind, StoredKey, UsageCount};

/// Outcomes that the provider charges for.
const CHARGED: [&str; 4] = ["success", "blocked", "empty", "truncated"];

/// Raises the counts of the records to those of the day's events, and adds records for cells that have none yet.
pub(super) fn resume(records: &mut Vec<Record>, events: &[UsageCount], keys: &[StoredKey], day_end: Timestamp) {
    for ((project, model), count) in by_cell(events, keys) {
        let known = records.iter_mut().find_map(|record| match record {
            Record::Cell {
                project: of,
                model: named,
                requests_today,
                day_end: until,
                ..
            } if *of == project && *named == model => Some((requests_today, until)),
            _ => None,
        });
        match known {
            Some((requests_today, until)) if *until == day_end => *requests_today = count.max(*requests_today),
            Some((requests_today, until)) => (*requests_today, *until) = (count, day_end),
            None => records.push(Record::Cell {
                project,
                model,
                rest: None,
                spent_until_reset: None,
                day_retries: 0,
                learned: Limits::default(),
                learned_at: day_end,
                minute: None,
                requests_today: count,
                tokens_today: 0,
                day_end,
            }),
        }
    }
}

fn by_cell(events: &[UsageCount], keys: &[StoredKey]) -> BTreeMap<(ProjectId, String), u64> {
    let mut cells = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| event.kind == EventKind::Attempt && CHARGED.contains(&event.outcome.as_str()))
    {
        let Some(key) = keys.iter().find(|key| Some(key.id) == event.key_id) else {
            continue;
        };
        *cells
            .entry((crate::keys::pool_entry(key).project, event.model.clone()))
            .or_insert(0) += event.count;
    }
    cells
}
