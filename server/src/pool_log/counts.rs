//! The day's counts at a start. Counters are stored every half minute; what was counted since then stands in the usage events.

use std::collections::BTreeMap;

use pool::{Limits, ProjectId, Record, StoredMinute, Timestamp};

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

/// The same for the last minute. The cells exist: what was used in a minute was used today.
pub(super) fn resume_minute(records: &mut [Record], events: &[UsageCount], keys: &[StoredKey]) {
    for event in events.iter().filter(|event| is_charged(event)) {
        let Some(project) = project_of(event, keys) else {
            continue;
        };
        let cell = records.iter_mut().find_map(|record| match record {
            Record::Cell {
                project: of,
                model,
                minute,
                ..
            } if *of == project && *model == event.model => Some(minute),
            _ => None,
        });
        let Some(minute) = cell else { continue };
        let requests = u32::try_from(event.count).unwrap_or(u32::MAX);
        // What the pool itself stored is the better word, unless it is older.
        if minute.is_none_or(|minute| minute.last_at < event.last_at) {
            let known = minute.map_or(0, |minute| minute.requests);
            *minute = Some(StoredMinute {
                requests: requests.max(known),
                tokens: event.total_tokens,
                last_at: event.last_at,
            });
        }
    }
}

fn is_charged(event: &UsageCount) -> bool {
    event.kind == EventKind::Attempt && CHARGED.contains(&event.outcome.as_str())
}

fn project_of(event: &UsageCount, keys: &[StoredKey]) -> Option<ProjectId> {
    let key = keys.iter().find(|key| Some(key.id) == event.key_id)?;
    Some(crate::keys::pool_entry(key).project)
}

fn by_cell(events: &[UsageCount], keys: &[StoredKey]) -> BTreeMap<(ProjectId, String), u64> {
    let mut cells = BTreeMap::new();
    for event in events.iter().filter(|event| is_charged(event)) {
        if let Some(project) = project_of(event, keys) {
            *cells.entry((project, event.model.clone())).or_insert(0) += event.count;
        }
    }
    cells
}
