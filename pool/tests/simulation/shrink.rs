//! Makes a failing plan smaller while it still breaks the same promise (delta debugging: Zeller and Hildebrandt,
//! "Simplifying and Isolating Failure-Inducing Input", 2002).

use crate::plan::{HOUR_MS, Plan, SECOND_MS};

/// Runs that one plan is worth.
const RUNS_MAX: u32 = 600;

/// The smallest plan found for which `fails` still holds, as it does for `plan`.
pub(crate) fn smallest(plan: &Plan, fails: &mut dyn FnMut(&Plan) -> bool) -> Plan {
    let mut runs = 0;
    let mut fails = |plan: &Plan| {
        runs += 1;
        runs <= RUNS_MAX && fails(plan)
    };
    let mut smallest = with_less_time(plan, &mut fails);
    loop {
        let before = smallest.items.len();
        smallest = with_fewer_items(smallest, &mut fails);
        smallest = with_fewer_keys(smallest, &mut fails);
        smallest = with_shorter_items(smallest, &mut fails);
        if smallest.items.len() == before {
            return with_less_time(&smallest, &mut fails);
        }
    }
}

fn with_less_time(plan: &Plan, fails: &mut dyn FnMut(&Plan) -> bool) -> Plan {
    let mut smallest = plan.clone();
    let mut step_ms = plan.horizon_ms / 2;
    while step_ms > SECOND_MS {
        let shorter = Plan {
            horizon_ms: smallest.horizon_ms.saturating_sub(step_ms),
            ..smallest.clone()
        };
        if shorter.horizon_ms > 0 && fails(&shorter) {
            smallest = shorter;
        } else {
            step_ms /= 2;
        }
    }
    smallest.items.retain(|item| item.from_ms < smallest.horizon_ms);
    // Items that never began draw nothing.
    if fails(&smallest) { smallest } else { plan.clone() }
}

fn with_fewer_items(plan: Plan, fails: &mut dyn FnMut(&Plan) -> bool) -> Plan {
    let mut smallest = plan;
    let mut chunk = smallest.items.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        while from < smallest.items.len() {
            let until = (from + chunk).min(smallest.items.len());
            let mut fewer = smallest.clone();
            fewer.items.drain(from..until);
            if fails(&fewer) {
                smallest = fewer;
            } else {
                from = until;
            }
        }
        if chunk == 1 {
            return smallest;
        }
        chunk = chunk.div_ceil(2);
    }
}

fn with_fewer_keys(plan: Plan, fails: &mut dyn FnMut(&Plan) -> bool) -> Plan {
    let mut smallest = plan;
    for secret in 0..smallest.secrets.len() {
        let mut fewer = smallest.clone();
        fewer.secrets[secret].is_used = false;
        if smallest.secrets[secret].is_used && fails(&fewer) {
            smallest = fewer;
        }
    }
    smallest
}

/// An item that need not last is easier to follow.
fn with_shorter_items(plan: Plan, fails: &mut dyn FnMut(&Plan) -> bool) -> Plan {
    let mut smallest = plan;
    for nth in 0..smallest.items.len() {
        let mut step_ms = HOUR_MS;
        while step_ms > SECOND_MS {
            let mut shorter = smallest.clone();
            let item = &mut shorter.items[nth];
            let lasts_ms = item.until_ms - item.from_ms;
            if item.until_ms < u64::MAX && lasts_ms > step_ms {
                item.until_ms -= step_ms;
                if fails(&shorter) {
                    smallest = shorter;
                    continue;
                }
            }
            step_ms /= 4;
        }
    }
    smallest
}
