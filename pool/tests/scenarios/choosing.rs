//! Which key goes next, and what counts.

use core::time::Duration;

use pool::{Key, KeyId, Limit, LimitUnit, Limits, Outcome, Strategy, Tier, Want};

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
    for strategy in Strategy::ALL {
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
    story.call_of(1, &OK);
    let lease = story.lease_of(1);
    assert_eq!((view(&story).in_flight, view(&story).used.tokens_minute), (1, 190));
    story.report(lease, &Outcome::Cancelled);
    assert_eq!((view(&story).in_flight, view(&story).used.tokens_minute), (0, 90));
    story.call_of(1, &Outcome::Empty);
    assert_eq!(
        view(&story).used.requests_today,
        2,
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

#[test]
fn peeking_names_the_key_that_a_lease_would_get_and_changes_nothing() {
    for strategy in Strategy::ALL {
        let mut story = Story::with(strategy, (1..=9).map(key));
        for chance in (0..40_u64).map(|nth| nth.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            let journey = story.pool.journey();
            let want = Want {
                model: story.model,
                tokens: 100,
                journey: &journey,
                owner: None,
            };
            let before = story.pool.snapshot(story.now);
            let place = story.pool.peek(&want, story.now, chance);
            let peeked = place.and_then(|place| story.pool.key_at(place));
            assert_eq!(story.pool.snapshot(story.now), before);
            let lease = story.pool.acquire(&want, story.now, chance);
            assert_eq!(peeked, lease.as_ref().ok().map(pool::Lease::key));
            let outcome = if chance % 3 == 0 { MINUTE } else { OK };
            if let Ok(lease) = lease {
                story.report(lease, &outcome);
            }
        }
    }
}

/// The share of 200 calls that project 1 of two gets, in per cent; the calls are counted nowhere.
fn share_of_first(story: &mut Story) -> u32 {
    let mut first = 0;
    for _ in 0..200 {
        let lease = story.acquire().unwrap();
        first += u32::from(lease.key() == KeyId(1));
        story.report(lease, &Outcome::Cancelled);
    }
    first / 2
}

#[test]
fn what_a_project_used_is_forgotten_with_the_minute_or_the_day_that_limits_it() {
    let per_minute = Limits {
        requests_per_minute: Some(100),
        ..Limits::default()
    };
    let per_day = Limits {
        requests_per_day: Some(100),
        ..Limits::default()
    };
    for (limits, minute_later) in [(per_minute, 30..=70), (per_day, 0..=0)] {
        let mut story = Story::of(2);
        story.limit(limits);
        for _ in 0..50 {
            story.call_of(1, &OK);
        }
        assert_eq!(share_of_first(&mut story), 0, "{limits:?}");
        story.pass(secs(180));
        let share = share_of_first(&mut story);
        assert!(minute_later.contains(&share), "{share} % under {limits:?}");
        story.now = crate::MIDNIGHT.plus(secs(60));
        let share = share_of_first(&mut story);
        assert!((30..=70).contains(&share), "{share} % on the next day under {limits:?}");
    }
}

#[test]
fn limits_that_change_count_from_the_next_call_on() {
    let mut story = Story::of(2);
    for _ in 0..50 {
        story.call_of(1, &OK);
    }
    story.call_of(2, &OK);
    story.pass(secs(180));
    let share = share_of_first(&mut story);
    assert!((30..=70).contains(&share), "{share} % without limits");
    let limits = Limits {
        requests_per_day: Some(100),
        ..Limits::default()
    };
    story.limit(limits);
    assert_eq!(share_of_first(&mut story), 0);
}
