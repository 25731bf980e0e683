//! Quota used up for a minute, for a day, or never given.

use core::time::Duration;

use super::{Call, KeyPool, cell_of, usage_of};
use crate::{
    cell::{Cell, DayContext},
    journey::scaled,
    outcome::{Limit, LimitUnit},
    pool::{Reach, Spent},
    record::{Changes, Notice, RestCause},
    rest::Serial,
    selection::remixed,
    time::Timestamp,
    usage::Usage,
};

/// Enough to find a pair.
const SPENT_MAX: usize = 8;

impl KeyPool {
    pub(super) fn zero_limit(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        let until = call.now.plus(self.policy.not_entitled);
        self.change_cell(call, changes, |cell, _, newest| {
            cell.rest(RestCause::NotEntitled, until, newest)
        })
    }

    /// The last call that the day's limit allows was charged: the next one would be refused.
    pub(super) fn day_by_count(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        let day_end = self.day_end;
        let Some(table) = self.tables.get_mut(call.lease.facts.model) else {
            return Reach::Nothing;
        };
        let tier = call.lease.facts.tier;
        let Some(usage) = table.usage(call.lease.cell).filter(|usage| usage.limited) else {
            return Reach::Nothing;
        };
        let limits = table.limits(usage, tier, call.now);
        if !usage.is_day_spent(&limits, day_end) {
            return Reach::Nothing;
        }
        let reach = self.day_quota(call, None, changes);
        let table = self.tables.get_mut(call.lease.facts.model);
        if let Some(cell) = table.and_then(|table| cell_of(table, call)) {
            cell.by_count = true;
        }
        reach
    }

    pub(super) fn day_quota(&mut self, call: &Call<'_>, limit: Option<Limit>, changes: &mut Changes) -> Reach {
        let reset = (self.next_reset)(call.now);
        let model_name = self
            .tables
            .get(call.lease.facts.model)
            .map_or("", |table| table.name.as_str());
        let day = DayContext {
            now: call.now,
            reset_of_call: (self.next_reset)(call.lease.facts.issued_at),
            reset,
            jitter: self.day_jitter(call.lease.facts.project.0, model_name, reset),
            again: self.policy.day_again,
        };
        let mut exhausted_until = None;
        let reach = self.change_cell(call, changes, |cell, usage, newest| {
            let learned = usage.learn_day(limit, day.now);
            let rested = cell.exhaust(day, call.lease.serial, newest);
            if rested {
                exhausted_until = cell.rest.resting_until();
            }
            learned || rested
        });
        if let Some(until) = exhausted_until {
            changes.notice(Notice::Exhausted {
                project: call.lease.facts.project,
                model: call.lease.facts.model,
                until,
            });
            self.suspect_siblings(call, limit, changes);
        }
        reach
    }

    /// Two projects whose day ends together may be one. A project that has used up the named limit by itself is not
    /// suspect: keys that are used evenly are spent together.
    fn suspect_siblings(&mut self, call: &Call<'_>, limit: Option<Limit>, changes: &mut Changes) {
        let (project, model, at) = (call.lease.facts.project, call.lease.facts.model, call.now);
        let table = self.tables.get_mut(model);
        let (requests, tokens) = table
            .and_then(|table| usage_of(table, call))
            .map_or((0, 0), |usage| usage.today());
        let by_itself = limit.is_some_and(|limit| {
            let used = match limit.unit {
                LimitUnit::Requests => requests,
                LimitUnit::Tokens => tokens,
            };
            used.saturating_mul(10) >= limit.value.saturating_mul(9)
        });
        let window = self.policy.sibling_window;
        self.spent
            .retain(|spent| at.since(spent.at) <= window && spent.at.since(at) <= window && spent.project != project);
        // A project that we have not used today may have been spent for hours.
        if by_itself || requests == 0 {
            return;
        }
        if let Some(first) = self.spent.iter().find(|spent| spent.model == model) {
            changes.notice(Notice::SuspectedSiblings {
                first: first.project,
                second: project,
                model,
            });
        }
        self.spent.push(Spent { at, project, model });
        if self.spent.len() > SPENT_MAX {
            self.spent.remove(0);
        }
    }

    pub(super) fn minute_quota(
        &mut self,
        call: &Call<'_>,
        retry_after: Option<Duration>,
        limit: Option<Limit>,
        changes: &mut Changes,
    ) -> Reach {
        let policy = &self.policy;
        let advised = retry_after.map_or(policy.minute_default, |advice| {
            advice.saturating_add(policy.minute_extra)
        });
        let now = call.now;
        let until = now.plus(advised.min(policy.minute_max).max(policy.minute_min));
        self.change_cell(call, changes, |cell, usage, newest| {
            usage.lower_success();
            let learned = usage.learn_minute(limit, now);
            cell.rest(RestCause::Cooling, until, newest) || learned
        })
    }

    /// Applies a change to the call's cell and records it if it says so.
    fn change_cell(
        &mut self,
        call: &Call<'_>,
        changes: &mut Changes,
        change: impl FnOnce(&mut Cell, &mut Usage, Serial) -> bool,
    ) -> Reach {
        let newest = self.serial;
        let Some(table) = self.tables.get_mut(call.lease.facts.model) else {
            return Reach::Nothing;
        };
        // A quota is counted on the model, so the model exists.
        table.in_use = true;
        if usage_of(table, call).is_none() {
            return Reach::Nothing;
        }
        let Some((cell, usage)) = table.cell_and_usage_mut(call.lease.cell) else {
            return Reach::Nothing;
        };
        if !change(cell, usage, newest) {
            return Reach::Nothing;
        }
        self.record_cell(call.lease.facts.model, call.lease.project_slot, changes);
        Reach::Cell(call.lease.project_slot)
    }

    /// The same project, model and day always wait the same; different ones spread.
    fn day_jitter(&self, project: u64, model: &str, reset: Timestamp) -> Duration {
        let named = model
            .bytes()
            .fold(project, |hash, byte| remixed(hash ^ u64::from(byte)));
        let (least, most) = (self.policy.day_jitter_min, self.policy.day_jitter_max);
        let span_ms = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
        least.saturating_add(Duration::from_millis(scaled(
            remixed(named ^ reset.as_millis()),
            span_ms.saturating_add(1),
        )))
    }
}
