//! The day's counts at a start. Counters are stored every half minute; what was counted since then stands in the usage events.

use std::collections::BTreeMap;

use pool::{Limits, ProjectId, Record, StoredMinute, Timestamp};

use crate::analytics::CHARGED;
use crate::store::{Rollup, StoredKey, UsageEvent};

/// Raises the counts of the records to those of the day's calls (by key, model and outcome), and adds records for cells
/// that have none yet.
pub(super) fn resume(records: &mut Vec<Record>, today: &[Rollup], keys: &[StoredKey], day_end: Timestamp) {
    for ((project, model), count) in by_cell(today, keys) {
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

/// The same for the calls of the last minute. The cells exist: what was used in a minute was used today.
pub(super) fn resume_minute(records: &mut [Record], calls: &[UsageEvent], keys: &[StoredKey]) {
    for ((project, of), used) in used_by_cell(calls, keys) {
        let cell = records.iter_mut().find_map(|record| match record {
            Record::Cell {
                project: named,
                model,
                minute,
                ..
            } if *named == project && *model == of => Some(minute),
            _ => None,
        });
        let Some(minute) = cell else { continue };
        // What the pool itself stored is the better word, unless it is older.
        if minute.is_none_or(|minute| minute.last_at < used.last_at) {
            let known = minute.map_or(0, |minute| minute.requests);
            *minute = Some(StoredMinute {
                requests: used.requests.max(known),
                ..used
            });
        }
    }
}

fn used_by_cell(calls: &[UsageEvent], keys: &[StoredKey]) -> BTreeMap<(ProjectId, String), StoredMinute> {
    let mut cells = BTreeMap::new();
    for call in calls.iter().filter(|call| CHARGED.contains(&call.outcome.as_ref())) {
        let Some(project) = project_of(call.key.as_ref().map(|key| key.id), keys) else {
            continue;
        };
        let used = cells.entry((project, call.model.clone())).or_insert(StoredMinute {
            requests: 0,
            tokens: 0,
            last_at: call.at,
        });
        used.requests = used.requests.saturating_add(1);
        used.tokens = used.tokens.saturating_add(call.total_tokens);
        used.last_at = used.last_at.max(call.at);
    }
    cells
}

fn project_of(key_id: Option<u64>, keys: &[StoredKey]) -> Option<ProjectId> {
    let key = keys.iter().find(|key| Some(key.id) == key_id)?;
    Some(crate::keys::pool_entry(key).project)
}

fn by_cell(rows: &[Rollup], keys: &[StoredKey]) -> BTreeMap<(ProjectId, String), u64> {
    let mut cells = BTreeMap::new();
    let is_charged = |row: &&Rollup| row.outcome.as_deref().is_some_and(|outcome| CHARGED.contains(&outcome));
    for row in rows.iter().filter(is_charged) {
        if let (Some(project), Some(model)) = (project_of(row.key_id, keys), &row.model) {
            *cells.entry((project, model.clone())).or_insert(0) += row.sums.count;
        }
    }
    cells
}
