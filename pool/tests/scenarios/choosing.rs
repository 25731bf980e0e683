//! Which key goes next, and what counts.

use core::time::Duration;

use pool::{Key, KeyId, Limit, LimitUnit, Outcome, Strategy, Tier};

use crate::{DAY, MINUTE, OK, Story, key, secs};

#[test]
fn sticky_stays_until_its_key_fails_then_takes_the_next_by_number() {
    let mut story = Story::with(Strategy::Sticky, (1..=4).map(key));
    let used = |story: &mut Story, outcome: &Outcome| {
        let lease = story.acquire().unwrap();
        let key = lease.key().0;
        story.report(lease, outcome);
        key
    };
    assert_eq!((used(&mut story, &OK), used(&mut story, &OK)), (1, 1));
    assert_eq!(used(&mut story, &DAY), 1);
    assert_eq!((used(&mut story, &OK), used(&mut story, &MINUTE)), (2, 2));
    assert_eq!(used(&mut story, &OK), 3);
    story.pass(secs(120));
    assert_eq!(used(&mut story, &OK), 3, "it stays, though 2 has returned");
    assert_eq!(story.pool.snapshot(story.now).current, Some(KeyId(3)));
    story.pool.switch_to(KeyId(4)).unwrap();
    assert_eq!(used(&mut story, &Outcome::Revoked { whole_project: false }), 4);
    assert_eq!(used(&mut story, &OK), 2, "after the last the first again; 1 is spent");
    story.pool.remove(KeyId(2));
    assert_eq!(used(&mut story, &OK), 3);
    assert!(story.pool.switch_to(KeyId(99)).is_err());
}

#[test]
fn a_request_that_left_the_sticky_key_does_not_move_it_for_others() {
    let mut story = Story::with(Strategy::Sticky, (1..=2).map(key));
    let (calls, _) = story.request(|_, _| Outcome::Overload);
    assert_eq!(calls, [1, 1, 1, 2]);
    assert_eq!(story.acquire().unwrap().key(), KeyId(1));
}

#[test]
fn free_keys_go_before_paid_ones_and_high_priority_before_low() {
    let keys = [
        Key {
            tier: Tier::Paid,
            priority: 9,
            ..key(1)
        },
        Key { priority: -1, ..key(2) },
        Key { priority: 5, ..key(3) },
    ];
    for strategy in [Strategy::Headroom, Strategy::Sticky] {
        let mut story = Story::with(strategy, keys.clone());
        let mut order = Vec::new();
        while let Ok(lease) = story.acquire() {
            order.push(lease.key().0);
            story.report(lease, &DAY);
        }
        assert_eq!(order, [3, 2, 1], "{strategy:?}");
    }
}

#[test]
fn headroom_prefers_the_project_with_more_quota_left() {
    let mut story = Story::of(2);
    let limit = Some(Limit {
        unit: LimitUnit::Requests,
        value: 10,
    });
    // Both learn the same limit; one of them is used more.
    for project in [1, 2] {
        story.call_of(
            project,
            &Outcome::MinuteQuota {
                retry_after: None,
                limit,
            },
        );
    }
    story.pass(secs(61));
    for _ in 0..5 {
        story.call_of(1, &OK);
    }
    story.call_of(2, &OK);
    for _ in 0..4 {
        let lease = story.acquire().unwrap();
        assert_eq!(lease.key(), KeyId(2), "reservations count too");
        drop(lease);
    }
    let view = &story.pool.snapshot(story.now).keys[0].cells[0];
    assert_eq!(view.limits.requests_per_minute, Some(10));
    assert_eq!((view.used.requests_minute, view.headroom_ppm), (5, 500_000));
}

#[test]
fn equal_projects_share_the_load() {
    let mut story = Story::of(5);
    for _ in 0..1_000 {
        let lease = story.acquire().unwrap();
        story.report(lease, &OK);
        story.pass(Duration::from_millis(10));
    }
    for view in story.pool.snapshot(story.now).keys {
        assert!(
            (150..=250).contains(&view.successes),
            "{} calls of 1,000",
            view.successes
        );
    }
}

#[test]
fn what_was_not_charged_is_refunded() {
    let mut story = Story::of(1);
    let view = |story: &Story| story.pool.snapshot(story.now).keys[0].cells[0].clone();
    let lease = story.lease_of(1);
    assert_eq!((view(&story).in_flight, view(&story).used.tokens_minute), (1, 100));
    story.report(lease, &Outcome::Cancelled);
    assert_eq!((view(&story).in_flight, view(&story).used.tokens_minute), (0, 0));
    story.call_of(1, &Outcome::Empty);
    assert_eq!(
        view(&story).used.requests_today,
        1,
        "an answer without content was still served"
    );
}

#[test]
fn the_same_calls_with_the_same_chance_choose_the_same_keys() {
    let run = || {
        let mut story = Story::of(50);
        let outcomes = [OK, OK, DAY, OK, MINUTE, Outcome::InvalidKey, OK, Outcome::Bare429];
        let mut keys = Vec::new();
        for outcome in outcomes.iter().cycle().take(300) {
            let Ok(lease) = story.acquire() else { break };
            keys.push(lease.key());
            story.report(lease, outcome);
            story.pass(secs(3));
        }
        keys
    };
    assert_eq!(run(), run());
}
