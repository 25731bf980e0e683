//! Trials after rests, late answers, and clocks that step back.

use pool::{AccountId, CellState, Key, KeyId, Lease, Outcome, Policy, Strategy, Timestamp};

use crate::{DAY, HOUR_MS, MINUTE, NOON, OK, Story, key, secs};

#[test]
fn one_call_tries_after_a_rest_and_the_others_are_told_to_come_back() {
    let mut story = Story::of(1);
    story.call_of(1, &MINUTE);
    story.pass(secs(60));
    let trial = story.acquire().unwrap();
    assert!(trial.facts().trial);
    let refused = story.acquire().unwrap_err();
    assert_eq!(
        (refused.counts.busy, refused.retry_at),
        (1, Some(story.now.plus(secs(1))))
    );
    story.report(trial, &OK);
    let first = story.acquire().unwrap();
    let second = story.acquire().unwrap();
    assert!(!first.facts().trial && !second.facts().trial);
}

#[test]
fn an_abandoned_trial_makes_room_for_the_next() {
    let mut story = Story::of(1);
    story.call_of(1, &MINUTE);
    story.pass(secs(60));
    for _ in 0..3 {
        let trial = story.acquire().unwrap();
        assert!(trial.facts().trial);
        assert!(story.acquire().is_err());
        story.report(trial, &Outcome::Cancelled);
    }
    // A lease that never comes back blocks for a while, not for good.
    drop(story.acquire().unwrap());
    assert!(story.acquire().is_err());
    story.pass(Policy::default().trial_lost_after);
    assert!(story.acquire().is_ok());
}

#[test]
fn a_trial_of_an_account_survives_the_removal_of_its_key() {
    let pair = [
        key(1),
        Key {
            account: AccountId(1),
            ..key(2)
        },
    ];
    let mut story = Story::with(Strategy::Headroom, pair);
    story.call_of(1, &Outcome::Spend);
    story.pass(secs(60));
    let trial = story.lease_of(1);
    assert!(story.acquire().is_err(), "the whole account waits for the trial");
    story.pool.remove(KeyId(1));
    story.report(trial, &Outcome::Cancelled);
    assert_eq!(story.acquire().unwrap().key(), KeyId(2));
}

#[test]
fn a_late_answer_neither_ends_a_rest_nor_lengthens_the_next() {
    let policy = Policy {
        usual_limits: &[],
        ..Policy::default()
    };
    let mut story = Story::under(policy, Strategy::Headroom, (1..=4).map(key));
    let late_success = story.lease_of(1);
    let late_refusals: Vec<Lease> = (0..5).map(|_| story.lease_of(1)).collect();
    story.call_of(1, &Outcome::Bare429);
    let until = story.now.plus(secs(5));
    assert_eq!(story.cell(1), CellState::Cooling { until });
    story.pass(secs(1));
    story.report(late_success, &OK);
    assert_eq!(story.cell(1), CellState::Cooling { until });
    for refusal in late_refusals {
        story.report(refusal, &Outcome::Bare429);
    }
    assert_eq!(
        story.cell(1),
        CellState::Cooling {
            until: story.now.plus(secs(5))
        },
        "one failure, heard six times"
    );
    story.pass(secs(5));
    story.call_of(1, &Outcome::Bare429);
    assert_eq!(
        story.cell(1),
        CellState::Cooling {
            until: story.now.plus(secs(15))
        }
    );
}

#[test]
fn reports_about_forgotten_keys_are_harmless() {
    let mut story = Story::of(1);
    let (first, second) = (story.lease_of(1), story.lease_of(1));
    story.pool.remove(KeyId(1));
    story.report(first, &DAY);
    story.pool.upsert(key(2), story.now);
    story.report(second, &Outcome::InvalidKey);
    assert_eq!(story.acquire().unwrap().key(), KeyId(2));
    assert_eq!(story.pool.snapshot(story.now).keys[0].cells[0].in_flight, 1);
}

#[test]
fn a_clock_that_steps_back_shortens_no_rest_and_breaks_nothing() {
    let mut story = Story::of(2);
    story.call_of(1, &MINUTE);
    let until = story.now.plus(secs(60));
    let under_way = story.lease_of(2);
    story.now = Timestamp::from_millis(NOON.as_millis() - HOUR_MS);
    assert_eq!(story.cell(1), CellState::Cooling { until });
    story.report(under_way, &MINUTE);
    assert!(story.acquire().is_err());
    story.now = Timestamp::from_millis(0);
    let _snapshot = story.pool.snapshot(story.now);
    assert!(story.acquire().is_err());
    story.now = Timestamp::MAX;
    assert!(story.acquire().is_ok());
    let _snapshot = story.pool.snapshot(story.now);
}
