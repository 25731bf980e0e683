use proptest::prelude::*;

use super::*;
use crate::alerts::tally::{Share, Tally};
use crate::alerts::{Measured, PoolFacts};
use crate::analytics::DryCell;
use crate::announcer::KeyFault;
use crate::store::{Rollup, Sums};

const START_MS: u64 = 1_768_478_400_000;

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(START_MS + second * 1000)
}

/// Incidents as a store would have them, and what became of them, in words.
struct World {
    evaluator: Evaluator,
    rules: Vec<Rule>,
    open: Vec<StoredIncident>,
    told: Vec<String>,
}

impl World {
    fn with(rules: Vec<Rule>) -> Self {
        Self {
            evaluator: Evaluator::default(),
            rules,
            open: Vec::new(),
            told: Vec::new(),
        }
    }

    fn of(id: RuleId) -> Self {
        Self::with(vec![Rule::usual(id)])
    }

    fn look(&mut self, facts: &Facts) -> &mut Self {
        for change in self.evaluator.judge(facts, &self.rules, &self.open) {
            self.told.push(word(&change, &self.open));
            if let Change::Open { .. } = change {
                let id = self.told.len().to_string();
                self.open.extend(change.opened(id));
            } else {
                let id = change.id().to_owned();
                let incident = self
                    .open
                    .iter_mut()
                    .find(|incident| incident.id == id)
                    .expect("an open one");
                change.applied().apply(incident);
                self.open.retain(|incident| incident.resolved_at.is_none());
            }
        }
        self
    }

    #[track_caller]
    fn tells(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.told), expected);
    }
}

fn word(change: &Change, open: &[StoredIncident]) -> String {
    let subject = |id: &str| {
        open.iter()
            .find(|incident| incident.id == id)
            .map(|incident| incident.subject.as_str())
    };
    match change {
        Change::Open { subject, severity, .. } => format!("open {subject} {}", severity.as_str()),
        Change::Update {
            id,
            severity,
            escalates,
            ..
        } => {
            let how = if *escalates { "escalate" } else { "update" };
            format!("{how} {} {}", subject(id).unwrap_or_default(), severity.as_str())
        }
        Change::Resolve { id, quietly, .. } => {
            let how = if *quietly { "resolve quietly" } else { "resolve" };
            format!("{how} {}", subject(id).unwrap_or_default())
        }
    }
}

fn pool(second: u64, spent: usize) -> Facts {
    Facts {
        now: at(second),
        pool: Some(PoolFacts {
            total: 3,
            spent,
            none_available: spent == 3,
            ..PoolFacts::default()
        }),
        ..Facts::default()
    }
}

fn unknown(second: u64) -> Facts {
    Facts {
        now: at(second),
        ..Facts::default()
    }
}

#[test]
fn an_incident_opens_once_when_it_has_held_and_ends_when_it_is_well_as_long() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world.look(&pool(0, 1)).look(&pool(15, 1)).look(&pool(29, 1)).tells(&[]);
    assert_eq!(world.evaluator.due_at(), Some(at(30)));
    world.look(&pool(30, 1)).tells(&["open pool medium"]);
    assert_eq!(world.open[0].message, "1 API key(s) have exceeded quota");
    world.look(&pool(45, 1)).look(&pool(60, 1)).tells(&[]);
    assert_eq!(world.evaluator.due_at(), None);
    world.look(&pool(75, 0)).look(&pool(104, 0)).tells(&[]);
    world.look(&pool(105, 0)).tells(&["resolve pool"]);
    world.look(&pool(120, 0)).look(&pool(500, 0)).tells(&[]);
}

#[test]
fn what_passes_within_the_hold_opens_nothing_and_ends_nothing() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world
        .look(&pool(0, 1))
        .look(&pool(20, 0))
        .look(&pool(25, 1))
        .look(&pool(54, 1))
        .tells(&[]);
    world.look(&pool(55, 1)).tells(&["open pool medium"]);
    world
        .look(&pool(60, 0))
        .look(&pool(80, 1))
        .look(&pool(85, 0))
        .look(&pool(114, 0))
        .tells(&[]);
}

#[test]
fn it_escalates_once_when_all_keys_are_spent_and_becomes_milder_without_a_word() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world.look(&pool(0, 1)).look(&pool(30, 1)).tells(&["open pool medium"]);
    // Another number is another message.
    world.look(&pool(40, 2)).tells(&["update pool medium"]);
    world.look(&pool(50, 3)).tells(&["update pool medium"]);
    world.look(&pool(79, 3)).tells(&[]);
    world.look(&pool(80, 3)).tells(&["escalate pool critical"]);
    assert_eq!(world.open[0].message, "3 API key(s) have exceeded quota");
    world.look(&pool(90, 2)).tells(&["update pool critical"]);
    world.look(&pool(120, 2)).tells(&["update pool medium"]);
    world
        .look(&pool(130, 3))
        .look(&pool(160, 3))
        .tells(&["update pool medium", "update pool critical"]);
    assert!(world.open[0].escalated);
}

#[test]
fn what_is_worst_at_once_opens_as_such() {
    let mut world = World::with(vec![
        Rule::usual(RuleId::QuotaExceeded),
        Rule::usual(RuleId::NoKeyAvailable),
    ]);
    world
        .look(&pool(0, 1))
        .look(&pool(20, 3))
        .look(&pool(30, 3))
        .tells(&["open pool critical"]);
    world.look(&pool(50, 3)).tells(&["open pool critical"]);
    assert_eq!(world.open[1].message, "No API keys available - service degraded");
    assert!(!world.open[0].escalated, "it began so");
}

#[test]
fn what_is_not_known_counts_for_neither() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world.look(&pool(0, 1)).look(&unknown(15)).look(&pool(30, 1)).tells(&[]);
    world.look(&pool(60, 1)).tells(&["open pool medium"]);
    world
        .look(&pool(70, 0))
        .look(&unknown(90))
        .look(&pool(101, 0))
        .tells(&[]);
    world.look(&unknown(5000)).tells(&[]);
    world.look(&pool(5010, 0)).look(&pool(5040, 0)).tells(&["resolve pool"]);
}

#[test]
fn one_that_a_person_ends_opens_again_when_its_cause_holds_on() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world
        .look(&pool(0, 1))
        .look(&pool(30, 1))
        .look(&pool(45, 1))
        .tells(&["open pool medium"]);
    world.open.clear();
    world.look(&pool(60, 1)).look(&pool(659, 1)).tells(&[]);
    world.look(&pool(660, 1)).tells(&["open pool medium"]);
    // At once after it opened, too.
    world.open.clear();
    world.look(&pool(700, 1)).look(&pool(1299, 1)).tells(&[]);
    world.look(&pool(1300, 1)).tells(&["open pool medium"]);
    // When it was well meanwhile, it is another one.
    world.open.clear();
    world
        .look(&pool(1310, 1))
        .look(&pool(1320, 0))
        .look(&pool(1330, 1))
        .look(&pool(1360, 1))
        .tells(&["open pool medium"]);
}

#[test]
fn what_comes_back_right_after_it_ended_waits_no_longer_than_usual() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world.look(&pool(0, 1)).look(&pool(30, 1)).tells(&["open pool medium"]);
    world.look(&pool(40, 0)).look(&pool(70, 0)).tells(&["resolve pool"]);
    world.look(&pool(71, 1)).look(&pool(100, 1)).tells(&[]);
    world.look(&pool(101, 1)).tells(&["open pool medium"]);
}

#[test]
fn a_rule_that_is_switched_off_ends_its_incidents_without_a_word_and_finds_nothing() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world.look(&pool(0, 1)).look(&pool(30, 1)).tells(&["open pool medium"]);
    world.rules[0].enabled = false;
    world.look(&pool(45, 1)).tells(&["resolve quietly pool"]);
    world.look(&pool(60, 3)).look(&pool(600, 3)).tells(&[]);
    world.rules[0] = Rule {
        threshold: Some(2.0),
        severity: AlertSeverity::Low,
        ..Rule::usual(RuleId::QuotaExceeded)
    };
    world.look(&pool(700, 1)).look(&pool(740, 1)).tells(&[]);
    world.look(&pool(800, 2)).look(&pool(830, 2)).tells(&["open pool low"]);
}

#[test]
fn a_clock_that_is_stepped_back_begins_anew() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world
        .look(&pool(10_000, 1))
        .look(&pool(20, 1))
        .look(&pool(49, 1))
        .tells(&[]);
    world.look(&pool(50, 1)).tells(&["open pool medium"]);
    world
        .look(&pool(9_000, 0))
        .look(&pool(60, 0))
        .look(&pool(89, 0))
        .tells(&[]);
    world.look(&pool(90, 0)).tells(&["resolve pool"]);
}

#[test]
fn a_long_incident_is_written_down_as_seen_now_and_then() {
    let mut world = World::of(RuleId::QuotaExceeded);
    world.look(&pool(0, 1)).look(&pool(30, 1)).tells(&["open pool medium"]);
    for second in (45..330).step_by(15) {
        world.look(&pool(second, 1)).tells(&[]);
    }
    world.look(&pool(330, 1)).tells(&["update pool medium"]);
    assert_eq!(world.open[0].last_seen_at, at(330));
}

#[test]
fn keys_that_need_a_person_are_incidents_of_their_own_at_once() {
    let faulty = |second, faults: &[(u32, KeyFault)], doubtful: &[u32]| Facts {
        pool: Some(PoolFacts {
            total: 3,
            faulty: faults.iter().copied().collect(),
            doubtful: doubtful.iter().copied().collect(),
            ..PoolFacts::default()
        }),
        ..unknown(second)
    };
    let mut world = World::of(RuleId::KeyNeedsPerson);
    world
        .look(&faulty(0, &[(1, KeyFault::Revoked), (2, KeyFault::NoCredit)], &[]))
        .tells(&["open key/1 critical", "open key/2 medium"]);
    assert_eq!(world.open[0].message, "Key 1 was revoked by the provider");
    // One that is being checked is neither.
    world.look(&faulty(15, &[(1, KeyFault::Revoked)], &[2])).tells(&[]);
    world
        .look(&faulty(30, &[(1, KeyFault::Revoked), (2, KeyFault::Invalid)], &[]))
        .tells(&["update key/2 medium"]);
    world
        .look(&faulty(45, &[], &[]))
        .tells(&["resolve key/1", "resolve key/2"]);
    world.look(&faulty(60, &[], &[3])).tells(&[]);
}

/// Calls by key with their successes.
fn calls(minute: u64, keys: &[(u32, u64, u64)]) -> Facts {
    let mut now = Tally::default();
    for (number, count, successes) in keys {
        now.keys.insert(
            *number,
            Share {
                count: *count,
                successes: *successes,
            },
        );
    }
    usage(RuleId::LowSuccessRate, minute, now, Tally::default())
}

fn usage(rule: RuleId, minute: u64, now: Tally, before: Tally) -> Facts {
    let until = at(minute * 60);
    Facts {
        // Looked at a little later.
        now: at(minute * 60 + 7),
        usage: [(rule, Measured { until, now, before })].into(),
        ..Facts::default()
    }
}

#[test]
fn a_keys_success_rate_is_low_over_enough_calls_only() {
    let mut world = World::of(RuleId::LowSuccessRate);
    let keys = [(1, 11, 8), (2, 10, 0), (3, 100, 80)];
    // The same minute, seen again, is no minute more.
    world.look(&calls(0, &keys)).look(&calls(0, &keys)).tells(&[]);
    world.look(&calls(1, &keys)).tells(&["open key/1 medium"]);
    assert_eq!(world.open[0].message, "API Key 1 has low success rate: 72.73%");
    assert_eq!(world.open[0].opened_at, at(60));
    // Too few to open are too few to end, unless all is well or nothing is left.
    world
        .look(&calls(2, &[(1, 5, 2)]))
        .look(&calls(9, &[(1, 5, 2)]))
        .tells(&[]);
    world
        .look(&calls(10, &[(1, 5, 4)]))
        .look(&calls(11, &[(1, 5, 4)]))
        .tells(&["resolve key/1"]);
    world
        .look(&calls(12, &keys))
        .look(&calls(13, &keys))
        .tells(&["open key/1 medium"]);
    world
        .look(&calls(14, &[]))
        .look(&calls(15, &[]))
        .tells(&["resolve key/1"]);
}

/// Requests with their successes, all of which took so many milliseconds.
fn requests(count: u64, successes: u64, ms: u64) -> Tally {
    let mut tally = Tally::default();
    let mut add = |count: u64, error: Option<&str>| {
        let mut row = Rollup {
            error_type: error.map(str::to_owned),
            sums: Sums {
                count,
                successes: if error.is_none() { count } else { 0 },
                ..Sums::default()
            },
            ..Rollup::default()
        };
        (0..count).for_each(|_| row.times.add(ms));
        tally.add_row(&row);
    };
    add(successes, None);
    add(count - successes, Some("timeout"));
    tally
}

#[test]
fn failures_jump_above_what_was_usual_and_stay_so_until_they_are_back() {
    let look = |minute, now: (u64, u64), before: (u64, u64)| {
        usage(
            RuleId::ErrorRateJump,
            minute,
            requests(now.0, now.1, 9),
            requests(before.0, before.1, 9),
        )
    };
    let mut world = World::of(RuleId::ErrorRateJump);
    // A usual share, too small a rise, too few requests, a rise above few requests that failed too.
    for (now, before) in [
        ((100, 60), (100, 60)),
        ((100, 81), (100, 100)),
        ((19, 0), (100, 100)),
        ((20, 12), (5, 2)),
    ] {
        world
            .look(&look(0, now, before))
            .look(&look(1, now, before))
            .look(&look(2, now, before))
            .tells(&[]);
    }
    world
        .look(&look(3, (100, 70), (100, 95)))
        .look(&look(4, (100, 70), (100, 95)))
        .tells(&["open requests medium"]);
    assert_eq!(
        world.open[0].message,
        "30% of requests failed in the last 15 min; 5% did before"
    );
    assert_eq!(world.open[0].baseline, Some(5.0));
    // What was jumped to has become what was before: it is still as bad as it was.
    world
        .look(&look(5, (100, 70), (100, 70)))
        .look(&look(25, (100, 70), (100, 70)))
        .tells(&["update requests medium"]);
    world
        .look(&look(26, (100, 80), (100, 70)))
        .look(&look(27, (100, 80), (100, 70)))
        .tells(&["resolve requests"]);
    // Everything fails, and there was nothing before.
    world
        .look(&look(40, (20, 0), (0, 0)))
        .look(&look(41, (20, 0), (0, 0)))
        .tells(&["open requests critical"]);
    world
        .look(&look(42, (0, 0), (20, 0)))
        .look(&look(43, (0, 0), (20, 0)))
        .tells(&["resolve requests"]);
}

#[test]
fn failures_escalate_when_half_of_all_requests_fail() {
    let look = |minute, successes| {
        usage(
            RuleId::ErrorRateJump,
            minute,
            requests(100, successes, 9),
            requests(100, 100, 9),
        )
    };
    let mut world = World::of(RuleId::ErrorRateJump);
    world
        .look(&look(0, 60))
        .look(&look(1, 60))
        .tells(&["open requests medium"]);
    world.look(&look(2, 50)).tells(&["update requests medium"]);
    world.look(&look(3, 50)).tells(&["escalate requests critical"]);
}

#[test]
fn answers_are_slow_by_what_was_usual_and_by_what_people_notice() {
    let look = |minute, now: (u64, u64), before: (u64, u64)| {
        let tally = |(count, ms)| requests(count, count, ms);
        usage(RuleId::LatencyJump, minute, tally(now), tally(before))
    };
    let mut world = World::of(RuleId::LatencyJump);
    for (now, before) in [
        ((50, 1_900), (50, 1_000)),
        ((50, 300), (50, 100)),
        ((19, 9_000), (50, 1_000)),
        ((50, 9_000), (19, 1_000)),
        ((50, 9_000), (0, 0)),
    ] {
        world
            .look(&look(0, now, before))
            .look(&look(1, now, before))
            .look(&look(2, now, before))
            .tells(&[]);
    }
    world
        .look(&look(3, (50, 4_000), (50, 1_000)))
        .look(&look(4, (50, 4_000), (50, 1_000)))
        .tells(&["open requests medium"]);
    let message = &world.open[0].message;
    assert!(
        message.starts_with("One request in 20 took 4.0 s or longer in the last 15 min; 1.0 s before"),
        "{message}"
    );
    world
        .look(&look(5, (50, 4_000), (50, 4_000)))
        .look(&look(6, (50, 4_000), (50, 4_000)))
        .tells(&[]);
    world
        .look(&look(7, (50, 1_200), (50, 4_000)))
        .look(&look(8, (50, 1_200), (50, 4_000)))
        .tells(&["resolve requests"]);
}

#[test]
fn a_quota_that_runs_dry_within_two_hours_is_an_incident_until_it_does_not() {
    let dry = |second, dry_at: Option<u64>| Facts {
        dry: Some(
            dry_at
                .map(|dry_at| DryCell {
                    project: "p1".to_owned(),
                    model: "gemini-2.5-flash".to_owned(),
                    key_numbers: vec![1, 4],
                    dry_at: at(dry_at),
                })
                .into_iter()
                .collect(),
        ),
        ..unknown(second)
    };
    let mut world = World::of(RuleId::ForecastDry);
    world.look(&dry(0, Some(7_300))).look(&dry(60, Some(7_300))).tells(&[]);
    world
        .look(&dry(120, Some(7_300)))
        .look(&dry(180, Some(7_300)))
        .tells(&["open cell/p1/gemini-2.5-flash medium"]);
    assert_eq!(
        world.open[0].message,
        "The day quota of gemini-2.5-flash for keys 1, 4 will be used up in 1 h 58 min (2026-01-15T14:01 UTC)"
    );
    world
        .look(&dry(240, Some(200)))
        .tells(&["update cell/p1/gemini-2.5-flash medium"]);
    assert_eq!(
        world.open[0].message,
        "The day quota of gemini-2.5-flash for keys 1, 4 is used up"
    );
    world
        .look(&dry(300, None))
        .look(&dry(360, None))
        .tells(&["resolve cell/p1/gemini-2.5-flash"]);
    // What is used up is the other rule's.
    world.look(&dry(420, Some(400))).look(&dry(600, Some(400))).tells(&[]);
}

#[test]
fn a_store_in_trouble_and_lost_events_are_incidents() {
    let look = |second, fails, dropped| Facts {
        store_fails: Some(fails),
        dropped: Some(dropped),
        ..unknown(second)
    };
    let mut world = World::with(vec![
        Rule::usual(RuleId::StoreTrouble),
        Rule::usual(RuleId::EventsDropped),
    ]);
    world
        .look(&look(0, true, 0))
        .look(&look(30, true, 7))
        .tells(&["open store critical"]);
    world.look(&look(60, false, 7)).tells(&["open usage medium"]);
    assert_eq!(world.open[1].message, "7 usage events were lost in the last 15 min");
    world
        .look(&look(90, false, 0))
        .look(&look(120, false, 0))
        .tells(&["resolve store", "resolve usage"]);
}

proptest! {
    /// Whatever the pool does, an incident is open once, opens only after its hold of being wrong without a break, and ends
    /// only after as long of being well.
    #[test]
    fn nothing_opens_or_ends_before_it_has_held(steps in prop::collection::vec((1..40_u64, 0..5_usize), 1..120)) {
        let mut world = World::of(RuleId::QuotaExceeded);
        let (mut second, mut since, mut was) = (0, 0, None);
        for (pause, spent) in steps {
            second += pause;
            // 4 stands for what is not known.
            let is = (spent < 4).then_some(spent > 0);
            if is != was || is.is_none() {
                (since, was) = (second, is);
            }
            let was_open = !world.open.is_empty();
            let facts = if spent < 4 { pool(second, spent) } else { unknown(second) };
            world.look(&facts);
            let is_open = !world.open.is_empty();
            let has_held = second - since >= 30;
            prop_assert!(world.open.len() <= 1);
            let expected = match is {
                Some(true) => was_open || has_held,
                Some(false) => was_open && !has_held,
                None => was_open,
            };
            prop_assert_eq!(is_open, expected, "at {} s, {:?} since {} s", second, is, since);
        }
    }
}
