//! The table of outcomes, row for row: what each outcome does to whom, from every state.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod durations;
mod scene;

use pool::Outcome;

use crate::scene::{From, Scene, all_outcomes, from};

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
        let mut scene = Scene::new();
        scene.call(1, &outcome);
        let seen = [scene.key(1), scene.key(2), scene.key(3), scene.key(4), scene.gates()];
        assert_eq!(row[0], name(&outcome));
        assert_eq!(row[1..], seen, "{outcome:?}");
    }
}

/// A row of cells for each outcome, without the heading.
fn rows(table: &str) -> Vec<Vec<&str>> {
    let lines = table.trim().lines().skip(1);
    lines.map(|row| row.split('|').map(str::trim).collect()).collect()
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
        let (mut scene, lease) = from(state);
        scene.report(lease, outcome);
        assert_eq!(scene.key(1), expected, "{outcome:?} from {state:?}");
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
            let (mut scene, lease) = from(state);
            scene.report(lease, outcome);
            let gates = scene.gates();
            let seen = if gates.is_empty() { "open" } else { &gates };
            assert_eq!(seen, expected, "{outcome:?} from {state:?}");
        },
    );
}
