//! The table of outcomes, row for row: what each outcome does to whom, from every state.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use core::time::Duration;

use pool::{
    AccountId, CellState, GateState, Key, KeyId, KeyPool, KeyState, Lease, ModelId, Outcome, Policy, ProjectId,
    Strategy, Tier, Timestamp, Want,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Noon, twelve hours before the next reset.
const NOON: Timestamp = Timestamp::from_millis(20_000 * DAY_MS + DAY_MS / 2);
const MIDNIGHT: Timestamp = Timestamp::from_millis(20_001 * DAY_MS);

fn next_reset(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis() / DAY_MS + 1) * DAY_MS)
}

/// Two keys of one project, a second project of the same account, and two strangers.
///
/// | key | project | account |
/// | --- | --- | --- |
/// | 1, 2 | 1 | 1 |
/// | 3 | 2 | 1 |
/// | 4 | 3 | 2 |
/// | 5 | 4 | 3 |
struct Bench {
    pool: KeyPool,
    model: ModelId,
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        let mut pool = KeyPool::new(Policy::default(), Strategy::Headroom, next_reset);
        let model = pool.model("flash").unwrap();
        for (id, project, account) in [(1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 2), (5, 4, 3)] {
            let key = Key {
                id: KeyId(id),
                number: u32::try_from(id).unwrap(),
                project: ProjectId(project),
                account: AccountId(account),
                tier: Tier::Free,
                priority: 0,
                enabled: true,
            };
            pool.upsert(key, NOON);
        }
        Self { pool, model, now: NOON }
    }

    fn pass(&mut self, secs: u64) {
        self.now = self.now.plus(Duration::from_secs(secs));
    }

    /// A call with the first usable key of a project.
    fn lease_of(&mut self, project: u64) -> Lease {
        let journey = self.pool.journey();
        let want = Want {
            model: self.model,
            tokens: 100,
            journey: &journey,
            owner: Some(ProjectId(project)),
        };
        self.pool.acquire(&want, self.now, 0).unwrap()
    }

    fn report(&mut self, lease: Lease, outcome: &Outcome) {
        let _changes = self.pool.report(lease, outcome, self.now);
    }

    fn call(&mut self, project: u64, outcome: &Outcome) {
        let lease = self.lease_of(project);
        self.report(lease, outcome);
    }

    fn secs_to(&self, until: Timestamp) -> u64 {
        until.since(self.now).as_secs()
    }

    /// One key in a word: `ready`, `cooling 60`, `suspect 0`, …; a day's rest up to the reset and its jitter is `spent`.
    fn key(&self, key: u64) -> String {
        let snapshot = self.pool.snapshot(self.now);
        let view = snapshot.keys.iter().find(|view| view.key.id == KeyId(key)).unwrap();
        let seconds = match view.state {
            KeyState::Ready => None,
            KeyState::Suspect { probe_at }
            | KeyState::Invalid { probe_at }
            | KeyState::NeedsSetup { probe_at }
            | KeyState::NoCredit { probe_at } => Some(self.secs_to(probe_at)),
            KeyState::SpendLimited { until } => Some(self.secs_to(until)),
            KeyState::Revoked | KeyState::Disabled => return view.state.name().into(),
        };
        if let Some(seconds) = seconds {
            return format!("{} {seconds}", view.state.name());
        }
        let Some(cell) = view.cells.first() else {
            return "ready".into();
        };
        match cell.state {
            CellState::Ready | CellState::Trial | CellState::Busy => cell.state.name().into(),
            CellState::Exhausted { until } if (30..=120).contains(&until.since(next_reset(self.now)).as_secs()) => {
                "spent".into()
            }
            CellState::Cooling { until } | CellState::Exhausted { until } | CellState::NotEntitled { until } => {
                format!("{} {}", cell.state.name(), self.secs_to(until))
            }
        }
    }

    /// What stands before every key: empty if nothing does.
    fn gates(&self) -> String {
        let snapshot = self.pool.snapshot(self.now);
        let model = &snapshot.models[0];
        let gates = [
            ("hidden", model.hidden),
            ("breaker", model.breaker),
            ("provider", snapshot.provider),
        ];
        let shut = gates.iter().filter_map(|(name, gate)| match gate {
            GateState::Open => None,
            GateState::Trial => Some(format!("{name} trial")),
            GateState::Closed { until } => Some(format!("{name} {}", self.secs_to(*until))),
        });
        shut.collect::<Vec<_>>().join(", ")
    }
}

fn minute(advice_secs: u64) -> Outcome {
    Outcome::MinuteQuota {
        retry_after: Some(Duration::from_secs(advice_secs)),
        limit: None,
    }
}

const DAY: Outcome = Outcome::DayQuota { limit: None };
const MINUTE: Outcome = Outcome::MinuteQuota {
    retry_after: None,
    limit: None,
};

/// Every outcome there is. The match keeps the list whole: a new outcome does not compile before it is named here.
fn all_outcomes() -> Vec<Outcome> {
    let all = vec![
        Outcome::Success { tokens: 90 },
        Outcome::Blocked { tokens: 90 },
        Outcome::InvalidKey,
        Outcome::Revoked { whole_project: false },
        Outcome::Revoked { whole_project: true },
        Outcome::KeyConfig { whole_project: false },
        Outcome::KeyConfig { whole_project: true },
        Outcome::Billing,
        Outcome::Region,
        Outcome::ZeroLimit,
        DAY,
        MINUTE,
        Outcome::Spend,
        Outcome::Bare429,
        Outcome::ModelGone,
        Outcome::FileForeign,
        Outcome::CallerFault,
        Outcome::Overload,
        Outcome::Server,
        Outcome::Transport,
        Outcome::Empty,
        Outcome::Truncated,
        Outcome::Cancelled,
        Outcome::Unknown,
    ];
    for outcome in &all {
        match outcome {
            Outcome::Success { .. } | Outcome::Blocked { .. } | Outcome::InvalidKey | Outcome::Revoked { .. } => {}
            Outcome::KeyConfig { .. } | Outcome::Billing | Outcome::Region | Outcome::ZeroLimit => {}
            Outcome::DayQuota { .. } | Outcome::MinuteQuota { .. } | Outcome::Spend | Outcome::Bare429 => {}
            Outcome::ModelGone | Outcome::FileForeign | Outcome::CallerFault | Outcome::Overload => {}
            Outcome::Server | Outcome::Transport | Outcome::Empty | Outcome::Truncated => {}
            Outcome::Cancelled | Outcome::Unknown => {}
        }
    }
    all
}

/// One call with key 1, and what becomes of: key 1; its sibling; a key of the same account; a stranger; everybody.
const SCOPES: &str = "
outcome               | key 1              | sibling            | account          | stranger | gates
success               | ready              | ready              | ready            | ready    |
blocked               | ready              | ready              | ready            | ready    |
invalid_key           | suspect 0          | ready              | ready            | ready    |
revoked               | revoked            | ready              | ready            | ready    |
revoked of project    | revoked            | revoked            | ready            | ready    |
key_config            | needs_setup 300    | ready              | ready            | ready    |
key_config of project | needs_setup 300    | needs_setup 300    | ready            | ready    |
billing               | no_credit 3600     | no_credit 3600     | no_credit 3600   | ready    |
region                | ready              | ready              | ready            | ready    |
zero_limit            | not_entitled 86400 | not_entitled 86400 | ready            | ready    |
day_quota             | spent              | spent              | ready            | ready    |
minute_quota          | cooling 60         | cooling 60         | ready            | ready    |
spend                 | spend_limited 60   | spend_limited 60   | spend_limited 60 | ready    |
bare_429              | cooling 5          | ready              | ready            | ready    |
model_gone            | ready              | ready              | ready            | ready    | hidden 3600
file_foreign          | ready              | ready              | ready            | ready    |
caller_fault          | ready              | ready              | ready            | ready    |
overload              | ready              | ready              | ready            | ready    |
server                | ready              | ready              | ready            | ready    |
transport             | ready              | ready              | ready            | ready    |
empty                 | ready              | ready              | ready            | ready    |
truncated             | ready              | ready              | ready            | ready    |
cancelled             | ready              | ready              | ready            | ready    |
unknown               | ready              | ready              | ready            | ready    |
";

#[test]
fn an_outcome_reaches_whom_it_concerns_and_nobody_else() {
    let rows: Vec<Vec<&str>> = rows(SCOPES);
    assert_eq!(rows.len(), all_outcomes().len());
    for (row, outcome) in rows.iter().zip(all_outcomes()) {
        let mut bench = Bench::new();
        bench.call(1, &outcome);
        let seen = [bench.key(1), bench.key(2), bench.key(3), bench.key(4), bench.gates()];
        assert_eq!(row[0], name(&outcome));
        assert_eq!(row[1..], seen, "{outcome:?}");
    }
}

/// A row of cells for each outcome, without the heading.
fn rows(table: &str) -> Vec<Vec<&str>> {
    let lines = table.trim().lines().skip(1);
    lines.map(|row| row.split('|').map(str::trim).collect()).collect()
}

#[track_caller]
fn check_minute_rest(advice: Option<u64>, expected: &str) {
    let mut bench = Bench::new();
    let retry_after = advice.map(Duration::from_secs);
    bench.call(
        1,
        &Outcome::MinuteQuota {
            retry_after,
            limit: None,
        },
    );
    assert_eq!(bench.key(1), expected);
}

#[test]
fn a_minute_rest_follows_the_advice_within_bounds() {
    check_minute_rest(None, "cooling 60");
    check_minute_rest(Some(30), "cooling 31");
    check_minute_rest(Some(0), "cooling 2");
    check_minute_rest(Some(86_400), "cooling 300");
    check_minute_rest(Some(u64::MAX), "cooling 300");
}

/// A state of things with a call of key 1 under way.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Nothing happened before.
    Ready,
    /// The cell has rested for its minute.
    Trial,
    /// The cell has rested for its day; it is the next day.
    DayTrial,
    /// The key has rested on the model.
    BareTrial,
    /// The account has rested.
    SpendTrial,
    /// The model was hidden for an hour.
    HiddenTrial,
    /// The model's breaker lets one call through.
    HalfOpen,
    /// The provider refused everybody and now one call is let through.
    StormTrial,
    /// Since the call began, another one found the minute used up, for 300 s.
    LateCooling,
    /// Since the call began, another one found the day used up.
    LateSpent,
}

fn from(state: From) -> (Bench, Lease) {
    let mut bench = Bench::new();
    match state {
        From::Ready => {}
        From::Trial => {
            bench.call(1, &MINUTE);
            bench.pass(60);
        }
        From::DayTrial => {
            bench.call(1, &DAY);
            bench.now = MIDNIGHT.plus(Duration::from_secs(120));
        }
        From::BareTrial => {
            bench.call(1, &Outcome::Bare429);
            // The sibling rests longer, so that key 1 is the one that tries.
            bench.call(1, &Outcome::InvalidKey);
            bench.pass(5);
        }
        From::SpendTrial => {
            bench.call(1, &Outcome::Spend);
            bench.pass(60);
        }
        From::HiddenTrial => {
            bench.call(1, &Outcome::ModelGone);
            bench.pass(3_600);
        }
        From::HalfOpen => {
            for _ in 0..5 {
                bench.call(1, &Outcome::Overload);
            }
            bench.pass(5);
        }
        From::StormTrial => {
            for project in [2, 3, 4] {
                bench.call(project, &Outcome::Bare429);
            }
            bench.pass(5);
        }
        From::LateCooling | From::LateSpent => {
            let late = bench.lease_of(1);
            let other = bench.lease_of(1);
            let outcome = if matches!(state, From::LateSpent) {
                DAY
            } else {
                minute(299)
            };
            bench.report(other, &outcome);
            return (bench, late);
        }
    }
    let lease = bench.lease_of(1);
    assert_eq!(lease.key(), KeyId(1));
    (bench, lease)
}

/// An outcome's name in the tables below.
fn name(outcome: &Outcome) -> String {
    let of_project = matches!(
        outcome,
        Outcome::Revoked { whole_project: true } | Outcome::KeyConfig { whole_project: true }
    );
    format!("{}{}", outcome.name(), if of_project { " of project" } else { "" })
}

/// Every outcome against every column of a table; `columns` gives the states in the table's order.
#[track_caller]
fn check_table(table: &str, columns: &[From], check: fn(From, &Outcome, &str)) {
    let rows = rows(table);
    let outcomes = all_outcomes();
    assert_eq!(rows.len(), outcomes.len(), "a row for each outcome");
    for (row, outcome) in rows.iter().zip(&outcomes) {
        assert_eq!(row[0], name(outcome));
        assert_eq!(row.len(), columns.len() + 1, "{row:?}");
        for (state, expected) in columns.iter().zip(&row[1..]) {
            check(*state, outcome, expected);
        }
    }
}

/// Key 1 after the call ends.
const KEYS: &str = "
outcome               | ready              | trial              | day trial          | bare trial         | spend trial        | late, cooling      | late, spent
success               | ready              | ready              | ready              | ready              | ready              | cooling 300        | spent
blocked               | ready              | ready              | ready              | ready              | ready              | cooling 300        | spent
invalid_key           | suspect 0          | suspect 0          | suspect 0          | suspect 0          | suspect 0          | suspect 0          | suspect 0
revoked               | revoked            | revoked            | revoked            | revoked            | revoked            | revoked            | revoked
revoked of project    | revoked            | revoked            | revoked            | revoked            | revoked            | revoked            | revoked
key_config            | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300
key_config of project | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300    | needs_setup 300
billing               | no_credit 3600     | no_credit 3600     | no_credit 3600     | no_credit 3600     | no_credit 3600     | no_credit 3600     | no_credit 3600
region                | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
zero_limit            | not_entitled 86400 | not_entitled 86400 | not_entitled 86400 | not_entitled 86400 | not_entitled 86400 | not_entitled 86400 | not_entitled 86400
day_quota             | spent              | spent              | exhausted 300      | spent              | spent              | spent              | spent
minute_quota          | cooling 60         | cooling 60         | cooling 60         | cooling 60         | cooling 60         | cooling 300        | spent
spend                 | spend_limited 60   | spend_limited 60   | spend_limited 60   | spend_limited 60   | spend_limited 120  | spend_limited 60   | spend_limited 60
bare_429              | cooling 5          | cooling 5          | cooling 5          | cooling 15         | cooling 5          | cooling 300        | spent
model_gone            | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
file_foreign          | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
caller_fault          | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
overload              | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
server                | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
transport             | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
empty                 | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
truncated             | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
cancelled             | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
unknown               | ready              | trial              | trial              | trial              | trial              | cooling 300        | spent
";

#[test]
fn every_outcome_leads_a_key_out_of_every_state() {
    let columns = [
        From::Ready,
        From::Trial,
        From::DayTrial,
        From::BareTrial,
        From::SpendTrial,
        From::LateCooling,
        From::LateSpent,
    ];
    check_table(KEYS, &columns, |state, outcome, expected| {
        let (mut bench, lease) = from(state);
        bench.report(lease, outcome);
        assert_eq!(bench.key(1), expected, "{outcome:?} from {state:?}");
    });
}

/// What stands before every key after the call ends.
const GATES: &str = "
outcome               | hidden trial | half open                  | storm trial
success               | open         | open                       | open
blocked               | open         | open                       | open
invalid_key           | hidden trial | breaker trial              | provider trial
revoked               | hidden trial | breaker trial              | provider trial
revoked of project    | hidden trial | breaker trial              | provider trial
key_config            | hidden trial | breaker trial              | provider trial
key_config of project | hidden trial | breaker trial              | provider trial
billing               | hidden trial | breaker trial              | provider trial
region                | hidden trial | breaker trial              | provider trial
zero_limit            | hidden trial | breaker trial              | provider trial
day_quota             | hidden trial | breaker trial              | provider trial
minute_quota          | hidden trial | breaker trial              | provider trial
spend                 | hidden trial | breaker trial              | provider trial
bare_429              | hidden trial | breaker trial              | provider 10
model_gone            | hidden 3600  | hidden 3600, breaker trial | hidden 3600, provider trial
file_foreign          | hidden trial | breaker trial              | provider trial
caller_fault          | hidden trial | breaker trial              | provider trial
overload              | hidden trial | breaker 10                 | provider trial
server                | hidden trial | breaker 10                 | provider trial
transport             | hidden trial | breaker 10                 | provider trial
empty                 | hidden trial | breaker trial              | provider trial
truncated             | hidden trial | breaker trial              | provider trial
cancelled             | hidden trial | breaker trial              | provider trial
unknown               | hidden trial | breaker trial              | provider trial
";

#[test]
fn every_outcome_leads_a_gate_out_of_its_trial() {
    check_table(
        GATES,
        &[From::HiddenTrial, From::HalfOpen, From::StormTrial],
        |state, outcome, expected| {
            let (mut bench, lease) = from(state);
            bench.report(lease, outcome);
            let gates = bench.gates();
            let seen = if gates.is_empty() { "open" } else { &gates };
            assert_eq!(seen, expected, "{outcome:?} from {state:?}");
        },
    );
}

/// Waits of one thing that fails again at every trial.
#[track_caller]
fn check_growth(outcome: &Outcome, seen: fn(&Bench) -> String, expected: &[&str]) {
    let mut bench = Bench::new();
    for _ in 0..5 {
        // A breaker opens at the fifth failure: the first wait is the subject here.
        if seen(&bench).ends_with("ready") || seen(&bench).is_empty() {
            bench.call(1, outcome);
        }
    }
    for (index, expected) in expected.iter().enumerate() {
        assert_eq!(seen(&bench), *expected, "wait {index} after {outcome:?}");
        let secs: u64 = expected.split(' ').next_back().unwrap().parse().unwrap();
        bench.pass(secs);
        let journey = bench.pool.journey();
        let want = Want {
            model: bench.model,
            tokens: 1,
            journey: &journey,
            owner: Some(ProjectId(1)),
        };
        let trial = bench.pool.acquire(&want, bench.now, 0).unwrap();
        let busy = bench.pool.acquire(&want, bench.now, 0);
        // The sibling of a key that rests alone may go on.
        if *outcome != Outcome::Bare429 {
            assert_eq!(
                busy.unwrap_err().retry_at,
                Some(bench.now.plus(Duration::from_secs(1))),
                "one trial at a time"
            );
        }
        bench.report(trial, outcome);
    }
}

#[test]
fn rests_grow_while_trials_fail() {
    let key = |bench: &Bench| bench.key(1);
    let gates = |bench: &Bench| bench.gates();
    let spend = [
        "spend_limited 60",
        "spend_limited 120",
        "spend_limited 240",
        "spend_limited 480",
        "spend_limited 600",
        "spend_limited 600",
    ];
    check_growth(&Outcome::Spend, key, &spend);
    let breaker = [
        "breaker 5",
        "breaker 10",
        "breaker 20",
        "breaker 40",
        "breaker 60",
        "breaker 60",
    ];
    check_growth(&Outcome::Overload, gates, &breaker);
    check_growth(&Outcome::Transport, gates, &breaker);
    check_growth(&MINUTE, key, &["cooling 60", "cooling 60", "cooling 60"]);
}

#[test]
fn a_key_refused_without_detail_rests_longer_each_time() {
    let mut bench = Bench::new();
    // The sibling is out of the way, and the other projects keep one key's refusal from being everybody's.
    let _changes = bench.pool.set_enabled(KeyId(2), false, bench.now);
    for expected in ["cooling 5", "cooling 15", "cooling 60", "cooling 300", "cooling 300"] {
        bench.call(1, &Outcome::Bare429);
        assert_eq!(bench.key(1), expected);
        let secs: u64 = expected.split(' ').next_back().unwrap().parse().unwrap();
        bench.pass(secs);
    }
    bench.call(1, &Outcome::Success { tokens: 1 });
    bench.call(1, &Outcome::Bare429);
    assert_eq!(bench.key(1), "cooling 5", "a success starts afresh");
}

/// One probe of key 1 that was refused as invalid before.
#[track_caller]
fn check_probe(outcome: &Outcome, expected: &str) {
    let mut bench = Bench::new();
    bench.call(1, &Outcome::InvalidKey);
    assert_eq!(bench.pool.probes_due(bench.now), [KeyId(1)]);
    let _changes = bench.pool.report_probe(KeyId(1), outcome, bench.now);
    assert_eq!(bench.key(1), expected, "{outcome:?}");
}

#[test]
fn a_probe_decides_about_a_key_in_doubt() {
    check_probe(&Outcome::Success { tokens: 0 }, "ready");
    check_probe(&Outcome::ModelGone, "ready");
    check_probe(&DAY, "ready");
    check_probe(&MINUTE, "ready");
    check_probe(&Outcome::InvalidKey, "invalid 21600");
    check_probe(&Outcome::Revoked { whole_project: false }, "revoked");
    check_probe(&Outcome::Revoked { whole_project: true }, "revoked");
    check_probe(&Outcome::KeyConfig { whole_project: false }, "needs_setup 300");
    check_probe(&Outcome::Billing, "no_credit 3600");
    for nothing_learned in [
        Outcome::Transport,
        Outcome::Overload,
        Outcome::Server,
        Outcome::Cancelled,
        Outcome::Unknown,
    ] {
        check_probe(&nothing_learned, "suspect 60");
    }
}
