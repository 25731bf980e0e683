//! Two days of a pool in a moment: random faults of the provider, clocks that step, restarts and people, drawn from a seed.
//!
//! Safety mode holds at every event: what an answer or a person has forbidden does not happen. Liveness mode follows: when
//! the last fault is over, every healthy key serves again within the promised time. `KEYPOOL_SIM_SEEDS` says how many seeds
//! are tried, `KEYPOOL_SIM_SEED` tries only one; `cargo xtask simulate` sets them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod oracle;
mod plan;
mod provider;
mod random;
mod report;
mod shrink;
mod story;
mod world;

use std::collections::BTreeSet;
use std::mem::discriminant;

use plan::{HORIZON_MS, HOUR_MS, Item, Kind, Plan};
use pool::Outcome;
use report::Report;
use story::Violation;
use world::ExtraRule;

/// Enough for every run of the tests; more are tried before a release.
const SEEDS: u64 = 500;

#[test]
fn no_seed_breaks_a_promise() {
    let seeds = match setting("KEYPOOL_SIM_SEED") {
        Some(only) => only..only + 1,
        None => 0..setting("KEYPOOL_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let report = Report::of(seeds);
    report.print();
    assert!(report.first_failure.is_none(), "{}", report.first_failure.unwrap());
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to look for failures is no setting of the product"
)]
fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

#[test]
fn the_same_seed_is_the_same_trace() {
    let trace = |seed: u64, is_told: bool| {
        let (result, story) = world::run(&Plan::drawn(seed), is_told, None);
        (format!("{result:?}"), story.hash, story.events)
    };
    let traces: Vec<_> = (0..12).map(|seed| trace(seed, false)).collect();
    for (seed, before) in (0..).zip(&traces) {
        assert_eq!(*before, trace(seed, true), "seed {seed}");
    }
    let distinct: BTreeSet<String> = traces.iter().map(|(_, hash, _)| format!("{hash:?}")).collect();
    assert_eq!(distinct.len(), traces.len(), "different seeds differ");
}

#[test]
fn every_fault_is_drawn() {
    let mut kinds = Vec::new();
    for seed in 0..SEEDS {
        for item in Plan::drawn(seed).items {
            assert!(item.from_ms < HORIZON_MS && item.until_ms >= item.from_ms, "{item:?}");
            if !kinds.contains(&discriminant(&item.kind)) {
                kinds.push(discriminant(&item.kind));
            }
        }
    }
    assert_eq!(kinds.len(), plan::KINDS);
}

/// A promise that nobody gave, and that the provider breaks whenever a project has no quota for a model.
const NOBODY_LACKS_A_QUOTA: ExtraRule = |outcome| {
    if *outcome == Outcome::ZeroLimit {
        return Err(Violation::new("nobody lacks a quota", "a project does"));
    }
    Ok(())
};

#[test]
fn a_failing_seed_is_told_in_its_smallest_form() {
    let fails = |plan: &Plan| world::run(plan, false, Some(NOBODY_LACKS_A_QUOTA)).0.is_err();
    let plan = (0..).map(Plan::drawn).find(|plan| plan.items.len() > 15 && fails(plan));
    let smallest = shrink::smallest(&plan.unwrap(), &mut |plan| fails(plan));
    assert!(
        matches!(
            smallest.items[..],
            [Item {
                kind: Kind::ZeroLimit { .. },
                ..
            }]
        ),
        "{:?}",
        smallest.items
    );
    assert_eq!(smallest.secrets.iter().filter(|secret| secret.is_used).count(), 1);
    let text = report::story_of(&smallest, Some(NOBODY_LACKS_A_QUOTA)).unwrap();
    assert!(
        text.contains(&format!("seed {} breaks \"nobody lacks a quota\"", smallest.seed)),
        "{text}"
    );
    assert!(
        text.contains("1 items are needed") && text.contains("a promise is broken"),
        "{text}"
    );
}

#[test]
fn shrinking_keeps_what_is_needed_and_nothing_else() {
    let plan = (0..).map(Plan::drawn).find(|plan| plan.items.len() > 20).unwrap();
    let needed = [plan.items[3], plan.items[17]];
    let mut fails = |plan: &Plan| {
        let has = |needed: &Item| {
            let mut items = plan.items.iter();
            items.any(|item| (item.from_ms, item.kind) == (needed.from_ms, needed.kind))
        };
        needed.iter().all(has) && plan.horizon_ms > 40 * HOUR_MS
    };
    let smallest = shrink::smallest(&plan, &mut fails);
    let kinds: Vec<Kind> = smallest.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, needed.map(|item| item.kind));
    assert!(smallest.horizon_ms <= 40 * HOUR_MS + 2_000, "{}", smallest.horizon_ms);
}
