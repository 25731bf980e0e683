//! Failures that no key can help.

use core::time::Duration;

use pool::{CellState, GateState, Key, KeyId, KeyState, Notice, Outcome, Strategy, Tier, Verdict};

use crate::{OK, Story, key, secs};

#[test]
fn a_poisoned_prompt_sent_a_thousand_times_blames_nobody() {
    let mut story = Story::of(3);
    for _ in 0..1_000 {
        let (calls, last) = story.request(|_, _| Outcome::CallerFault);
        assert_eq!((calls.len(), last), (1, Some(Outcome::CallerFault)));
    }
    for _ in 0..1_000 {
        let (calls, _) = story.request(|_, _| Outcome::Blocked { tokens: 9 });
        assert_eq!(calls.len(), 1, "a blocked prompt is never repeated");
    }
    let snapshot = story.pool.snapshot(story.now);
    assert_eq!(snapshot.counts.available, 3);
    assert_eq!(snapshot.keys.iter().map(|view| view.failures).sum::<u64>(), 0);
    assert_eq!(snapshot.models[0].breaker, GateState::Open);
}

#[test]
fn a_storm_of_refusals_without_detail_blames_the_provider_and_no_key() {
    let mut story = Story::of(5);
    story.call_of(1, &Outcome::Bare429);
    story.call_of(2, &Outcome::Bare429);
    assert!(matches!(story.cell(1), CellState::Cooling { .. }));
    let third = story.lease_of(3);
    let notices = story.report(third, &Outcome::Bare429);
    let until = story.now.plus(secs(5));
    assert_eq!(notices, [Notice::ProviderRefuses { until }]);
    for key in 1..=3 {
        assert_eq!(story.cell(key), CellState::Ready, "key {key} is forgiven");
    }
    let refused = story.acquire().unwrap_err();
    assert_eq!(
        (refused.verdict, refused.retry_at),
        (Verdict::ProviderDown, Some(until))
    );
    story.pass(secs(5));
    let trial = story.acquire().unwrap();
    assert!(story.acquire().is_err(), "one call tries");
    story.report(trial, &OK);
    assert_eq!(story.pool.snapshot(story.now).provider, GateState::Open);
}

#[test]
fn refusals_far_apart_are_the_keys_own() {
    let mut story = Story::of(5);
    for project in 1..=5 {
        story.call_of(project, &Outcome::Bare429);
        story.pass(secs(6));
    }
    assert_eq!(story.pool.snapshot(story.now).provider, GateState::Open);
}

#[test]
fn an_outage_costs_few_calls_and_ends_by_itself() {
    let mut story = Story::of(5);
    let (mut requests, mut calls) = (0, 0);
    for _ in 0..1_000 {
        requests += 1;
        calls += story.request(|_, _| Outcome::Server).0.len();
        story.pass(Duration::from_millis(100));
    }
    assert!(
        calls * 10 <= requests,
        "{calls} calls for {requests} requests in a total outage"
    );
    story.pass(secs(60));
    assert_eq!(story.request(|_, _| OK).1, Some(OK));
    assert_eq!(story.verdict(), Verdict::Serving);
    assert_eq!(
        story
            .pool
            .snapshot(story.now)
            .keys
            .iter()
            .filter(|view| view.state == KeyState::Ready)
            .count(),
        5
    );
}

#[test]
fn half_of_twenty_failures_open_a_breaker_that_five_in_a_row_would_not() {
    let mut story = Story::of(1);
    for _ in 0..9 {
        story.call_of(1, &Outcome::Server);
        story.call_of(1, &OK);
    }
    story.call_of(1, &OK);
    assert_eq!(story.pool.snapshot(story.now).models[0].breaker, GateState::Open);
    story.call_of(1, &Outcome::Server);
    let closed = GateState::Closed {
        until: story.now.plus(secs(5)),
    };
    assert_eq!(story.pool.snapshot(story.now).models[0].breaker, closed);
}

#[test]
fn a_location_refused_to_free_keys_gets_one_paid_key_or_none() {
    let paid = Key {
        tier: Tier::Paid,
        ..key(3)
    };
    let mut story = Story::with(Strategy::Headroom, [key(1), key(2), paid]);
    let (calls, last) = story.request(|key, _| if key == KeyId(3) { OK } else { Outcome::Region });
    assert_eq!((calls.len(), calls[1], last), (2, 3, Some(OK)));
    assert!(story.pool.snapshot(story.now).region_refused_since.is_some());
    let mut story = Story::of(3);
    assert_eq!(story.request(|_, _| Outcome::Region).0.len(), 1, "no paid key: stop");
}
