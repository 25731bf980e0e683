//! Limits: what has no room is not asked, and what nobody told is found out with one refused call.

use core::time::Duration;
use std::collections::VecDeque;

use pool::{
    CellState, Exhausted, Key, KeyId, Lease, Limit, LimitUnit, Limits, Notice, Outcome, Pace, Policy, ProjectId,
    Strategy, Timestamp, Want,
};

use crate::{DAY, MIDNIGHT, NOON, OK, Story, key, secs};

fn rpm(limit: u64) -> Limits {
    Limits {
        requests_per_minute: Some(limit),
        ..Limits::default()
    }
}

fn requests(value: u64) -> Option<Limit> {
    let unit = LimitUnit::Requests;
    Some(Limit { unit, value })
}

fn of_tokens(story: &mut Story, tokens: u64) -> Result<Lease, Exhausted> {
    let journey = story.pool.journey();
    let want = Want {
        model: story.model,
        tokens,
        journey: &journey,
        owner: None,
    };
    story.pool.acquire(&want, story.now, 7)
}

#[test]
fn a_cell_without_room_in_its_minute_rests_until_its_oldest_call_is_a_minute_old() {
    let mut story = Story::of(1);
    story.limit(rpm(2));
    story.call_of(1, &OK);
    story.pass(secs(20));
    let under_way = story.acquire().unwrap();
    let refused = story.acquire().unwrap_err();
    let oldest_leaves = NOON.plus(secs(60));
    assert_eq!(refused.retry_at, Some(oldest_leaves));
    assert_eq!(story.cell(1), CellState::Cooling { until: oldest_leaves });
    story.report(under_way, &OK);
    story.now = Timestamp::from_millis(oldest_leaves.as_millis() - 1);
    assert!(story.acquire().is_err());
    story.now = oldest_leaves;
    let lease = story.acquire().unwrap();
    assert!(!lease.facts().trial, "room is no rest");
    assert!(story.acquire().is_err());
}

#[test]
fn a_refund_makes_room_at_once() {
    let mut story = Story::of(1);
    story.limit(rpm(1));
    let lease = story.acquire().unwrap();
    assert_eq!(story.acquire().unwrap_err().retry_at, Some(NOON.plus(secs(1))), "soon");
    story.report(lease, &Outcome::Cancelled);
    assert!(story.acquire().is_ok());
}

#[test]
fn a_long_answer_uses_the_minute_in_which_it_was_accepted() {
    let mut story = Story::of(1);
    story.limit(rpm(1));
    let mut lease = story.acquire().unwrap();
    assert!(story.pool.accepted(&mut lease, story.now).is_empty());
    story.pass(secs(60));
    let second = story
        .acquire()
        .expect("the first is still being written, but counts no more");
    story.report(lease, &OK);
    story.report(second, &OK);
    assert!(story.acquire().is_err());
}

#[test]
fn a_trial_ends_when_the_provider_accepts_the_call() {
    let mut story = Story::of(1);
    story.call_of(1, &crate::MINUTE);
    story.pass(secs(60));
    let mut trial = story.acquire().unwrap();
    assert!(trial.facts().trial && story.acquire().is_err());
    let changes = story.pool.accepted(&mut trial, story.now);
    assert_eq!(changes.records.len(), 1, "the rest is over, also after a restart");
    assert!(story.acquire().is_ok());
    // Failing inside the stream rests it again.
    story.report(trial, &DAY);
    assert!(matches!(story.cell(1), CellState::Exhausted { .. }));
}

#[test]
fn a_call_with_many_tokens_waits_while_a_small_one_goes() {
    let mut story = Story::of(2);
    story.limit(Limits {
        tokens_per_minute: Some(1_000),
        ..Limits::default()
    });
    for _ in 0..2 {
        let lease = of_tokens(&mut story, 900).unwrap();
        story.report(lease, &Outcome::Success { tokens: 800 });
    }
    let refused = of_tokens(&mut story, 300).unwrap_err();
    assert_eq!(refused.retry_at, Some(NOON.plus(secs(60))));
    let small = of_tokens(&mut story, 200).unwrap();
    story.report(small, &OK);
    story.pass(secs(60));
    assert!(
        of_tokens(&mut story, 5_000).is_ok(),
        "larger than the limit: the provider decides"
    );
}

#[test]
fn the_last_call_of_the_day_spends_the_cell_without_a_refusal() {
    let mut story = Story::of(1);
    story.limit(Limits {
        requests_per_day: Some(3),
        ..Limits::default()
    });
    for _ in 0..2 {
        story.call_of(1, &OK);
    }
    let lease = story.lease_of(1);
    let notices = story.report(lease, &OK);
    assert!(matches!(notices[..], [Notice::Exhausted { until, .. }] if until > MIDNIGHT));
    assert!(story.acquire().unwrap_err().retry_at.unwrap() > MIDNIGHT);
    story.now = MIDNIGHT.plus(secs(120));
    assert!(story.acquire().is_ok());
}

#[test]
fn a_learned_limit_holds_for_a_day() {
    let mut story = Story::of(1);
    let limit = requests(2);
    story.call_of(
        1,
        &Outcome::MinuteQuota {
            retry_after: None,
            limit,
        },
    );
    story.pass(secs(60));
    for _ in 0..2 {
        story.call_of(1, &OK);
    }
    assert!(story.acquire().is_err(), "2 a minute");
    story.pass(secs(24 * 3_600));
    for _ in 0..5 {
        story.call_of(1, &OK);
    }
}

#[test]
fn so_many_calls_at_once_and_no_more() {
    let policy = Policy {
        usual_limits: &[],
        ..Policy::default()
    };
    let mut story = Story::under(policy, Strategy::Headroom, [key(1)]);
    story.limit(Limits {
        calls_at_once: Some(2),
        ..Limits::default()
    });
    let mut first = story.acquire().unwrap();
    let second = story.acquire().unwrap();
    assert!(story.acquire().is_err());
    // An accepted call is still under way.
    let _ = story.pool.accepted(&mut first, story.now);
    assert!(story.acquire().is_err());
    story.report(first, &OK);
    let third = story.acquire().unwrap();
    assert!(story.acquire().is_err());
    story.report(second, &OK);
    story.report(third, &OK);
    assert!(story.acquire().is_ok());
}

#[test]
fn a_cell_that_rests_by_our_own_count_is_free_when_the_limit_is_raised() {
    let per_day = |limit| Limits {
        requests_per_day: Some(limit),
        ..Limits::default()
    };
    let mut story = Story::of(2);
    story.limit(per_day(1));
    story.call_of(1, &OK);
    story.call_of(2, &DAY);
    assert!(story.acquire().is_err());
    story.limit(per_day(5));
    let lease = story.acquire().unwrap();
    assert_eq!(lease.key(), KeyId(1), "the provider itself said that 2 is spent");
}

/// A provider that counts a sliding minute, and answers with the limit.
struct Provider {
    limit: usize,
    minute: VecDeque<Timestamp>,
    refused: usize,
}

impl Provider {
    fn call(&mut self, now: Timestamp) -> Option<Outcome> {
        while self.minute.front().is_some_and(|at| now.since(*at) >= secs(60)) {
            self.minute.pop_front();
        }
        if self.minute.len() < self.limit {
            self.minute.push_back(now);
            return None;
        }
        self.refused += 1;
        let oldest = self.minute[0].plus(secs(60));
        Some(Outcome::MinuteQuota {
            retry_after: Some(oldest.since(now)),
            limit: requests(self.limit as u64),
        })
    }
}

/// 500 requests at once over 3 keys whose limit nobody knows; every tenth of a second what can start starts, and 300 ms later
/// the provider has decided.
fn burst(limit: usize, minutes: u64) -> (usize, Vec<usize>) {
    let mut story = Story::of(3);
    let mut providers: Vec<Provider> = (0..3)
        .map(|_| Provider {
            limit,
            minute: VecDeque::new(),
            refused: 0,
        })
        .collect();
    let mut waiting = 500;
    let mut under_way: VecDeque<(Timestamp, Lease)> = VecDeque::new();
    let mut served = 0;
    for _ in 0..minutes * 600 {
        while waiting > 0
            && let Ok(lease) = story.acquire()
        {
            waiting -= 1;
            under_way.push_back((story.now.plus(Duration::from_millis(300)), lease));
        }
        // What was sent together arrives in the reverse order.
        let arrived = under_way.iter().take_while(|(at, _)| *at <= story.now).count();
        for (_, mut lease) in under_way.drain(..arrived).rev() {
            let provider = &mut providers[lease.key().0 as usize - 1];
            if let Some(refused) = provider.call(story.now) {
                waiting += 1;
                story.report(lease, &refused);
            } else {
                served += 1;
                let _ = story.pool.accepted(&mut lease, story.now);
                story.report(lease, &OK);
            }
        }
        story.pass(Duration::from_millis(100));
    }
    (served, providers.into_iter().map(|provider| provider.refused).collect())
}

#[test]
fn a_burst_meets_an_unknown_limit_with_one_refusal_a_cell_and_then_none() {
    for limit in [2, 5, 10, 15, 30] {
        let (served, refused) = burst(limit, 5);
        assert!(
            refused.iter().all(|refused| *refused <= 1),
            "limit {limit}: {refused:?}"
        );
        let possible = (3 * limit * 5).min(500);
        assert!(served >= possible * 9 / 10, "limit {limit}: {served} of {possible}");
    }
}

#[test]
fn a_limit_of_an_unusual_size_costs_a_few_refusals_once() {
    let (_, refused) = burst(12, 5);
    assert!(refused.iter().all(|refused| *refused <= 4), "{refused:?}");
}

#[test]
fn a_key_keeps_its_pace_and_a_slow_call_blocks_nobody() {
    let policy = Policy {
        pace: Some(Pace {
            every: Duration::from_millis(100),
            burst: 3,
        }),
        usual_limits: &[],
        ..Policy::default()
    };
    let mut story = Story::under(policy, Strategy::Headroom, [key(1)]);
    let mut slow = vec![
        story.acquire().unwrap(),
        story.acquire().unwrap(),
        story.acquire().unwrap(),
    ];
    for tenth in 1..=5 {
        let refused = story.acquire().unwrap_err();
        assert_eq!(refused.retry_at, Some(NOON.plus(Duration::from_millis(100 * tenth))));
        story.now = refused.retry_at.unwrap();
        slow.push(story.acquire().unwrap());
    }
    for lease in slow {
        story.report(lease, &OK);
    }
    story.pass(secs(10));
    let after_a_pause = (0..10).take_while(|_| story.acquire().is_ok()).count();
    assert_eq!(after_a_pause, 3);
}

#[test]
fn a_pace_survives_a_clock_that_steps_back() {
    let policy = Policy {
        pace: Some(Pace {
            every: secs(1),
            burst: 1,
        }),
        ..Policy::default()
    };
    let mut story = Story::under(policy, Strategy::Headroom, [key(1)]);
    story.call_of(1, &OK);
    story.now = Timestamp::from_millis(NOON.as_millis() - 3_600_000);
    assert!(story.acquire().is_ok());
}

#[test]
fn a_minute_is_not_forgotten_by_a_restart() {
    let mut before = Story::of(1);
    let limit = requests(2);
    before.call_of(
        1,
        &Outcome::MinuteQuota {
            retry_after: Some(secs(1)),
            limit,
        },
    );
    before.pass(secs(2));
    before.call_of(1, &OK);
    before.call_of(1, &OK);
    let mut after = Story::of(1);
    after.now = before.now.plus(secs(5));
    after.pool.restore(before.pool.records(), after.now);
    assert_eq!(after.acquire().unwrap_err().retry_at, Some(before.now.plus(secs(60))));
    after.now = before.now.plus(secs(60));
    assert!(after.acquire().is_ok());
}

#[test]
fn projects_that_turn_out_to_be_one_are_counted_together() {
    let mut story = Story::of(2);
    story.limit(Limits {
        requests_per_day: Some(20),
        ..rpm(8)
    });
    for project in [1, 2, 1, 2, 1, 2, 1, 2] {
        story.call_of(project, &OK);
    }
    for id in [1, 2] {
        let joined = Key {
            project: ProjectId(50),
            ..key(id)
        };
        story.pool.upsert(joined, story.now);
    }
    let used = story.pool.snapshot(story.now).keys[0].cells[0].used;
    assert_eq!(
        (used.requests_minute, used.requests_today, used.tokens_minute),
        (8, 8, 720)
    );
    assert!(story.acquire().is_err(), "8 a minute");
    story.pass(secs(60));
    for _ in 0..8 {
        story.call_of(50, &OK);
    }
    assert!(story.acquire().is_err());
}

fn spent_together(counts: [u64; 2], limit: Option<Limit>) -> Vec<Notice> {
    let mut story = Story::of(2);
    let mut notices = Vec::new();
    for (project, count) in (1..).zip(counts) {
        for _ in 0..count {
            story.call_of(project, &OK);
        }
    }
    for project in [1, 2] {
        let lease = story.lease_of(project);
        notices = story.report(lease, &Outcome::DayQuota { limit });
        story.pass(secs(3));
    }
    notices.retain(|notice| matches!(notice, Notice::SuspectedSiblings { .. }));
    notices
}

#[test]
fn projects_that_spend_one_day_together_are_suspected_to_be_one() {
    let suspected = spent_together([6, 4], requests(10));
    let [Notice::SuspectedSiblings { first, second, .. }] = suspected[..] else {
        panic!("{suspected:?}");
    };
    assert_eq!((first, second), (ProjectId(1), ProjectId(2)));
    assert_eq!(spent_together([6, 4], None).len(), 1);
    assert_eq!(spent_together([10, 10], requests(10)), [], "each has used up its own");
}

#[test]
fn an_outage_gets_a_tenth_more_calls_than_there_are_requests_at_most() {
    for failure in [
        Outcome::Overload,
        Outcome::Server,
        Outcome::Transport,
        Outcome::Bare429,
        Outcome::Empty,
    ] {
        let mut story = Story::of(5);
        let (mut calls, requests) = (0, 400);
        for _ in 0..requests {
            calls += story.request(|_, _| failure.clone()).0.len();
            story.pass(secs(30));
        }
        assert!(
            calls * 10 <= requests * 11,
            "{failure:?}: {calls} calls for {requests} requests"
        );
    }
}

#[test]
fn a_provider_that_mostly_answers_is_always_asked_again() {
    let mut story = Story::of(3);
    let mut failed = 0;
    for request in 0..300 {
        let (_, outcome) = story.request(|_, attempt| {
            if request % 3 == 0 && attempt == 1 {
                Outcome::Server
            } else {
                OK
            }
        });
        failed += u32::from(outcome != Some(OK));
    }
    assert_eq!(failed, 0);
}

#[test]
fn a_refusal_never_says_now_while_nothing_can_be_leased() {
    let sibling = |id| Key {
        project: ProjectId(1),
        account: pool::AccountId(1),
        ..key(id)
    };
    let mut story = Story::with(Strategy::Headroom, [sibling(1), sibling(2)]);
    // One key rests by itself, the request has seen the other one fail.
    let resting = story.acquire().unwrap();
    let rests = resting.key();
    story.report(resting, &Outcome::Bare429);
    let mut journey = story.pool.journey();
    while let Ok(lease) = story.acquire_on(&journey, None) {
        let facts = lease.facts();
        assert_ne!(facts.key, rests);
        story.report(lease, &Outcome::Overload);
        let _ = journey.after(&facts, &Outcome::Overload, false, 0);
    }
    let refused = story.acquire_on(&journey, None).unwrap_err();
    assert!(refused.retry_at.is_none_or(|at| at > story.now), "{refused:?}");
}

#[test]
fn healthy_times_save_up_for_repetitions() {
    let mut story = Story::of(3);
    for _ in 0..100 {
        story.request(|_, _| OK);
    }
    let (keys, outcome) = story.request(|_, attempt| if attempt < 4 { Outcome::Overload } else { OK });
    assert_eq!((keys.len(), outcome), (4, Some(OK)));
}

#[test]
fn keys_of_two_tiers_have_limits_of_their_own() {
    let paid = Key {
        tier: pool::Tier::Paid,
        ..key(2)
    };
    let mut story = Story::with(Strategy::Headroom, [key(1), paid]);
    story.limit(rpm(1));
    let first = story.acquire().unwrap();
    assert_eq!(first.key(), KeyId(1), "free before paid");
    story.report(first, &OK);
    for _ in 0..5 {
        let lease = story.acquire().unwrap();
        assert_eq!(lease.key(), KeyId(2));
        story.report(lease, &OK);
    }
}

#[test]
fn minutes_that_pass_in_one_step_leave_room_for_as_many_calls_each() {
    let mut story = Story::of(1);
    let mut provider = Provider {
        limit: 10,
        minute: VecDeque::new(),
        refused: 0,
    };
    let mut served = Vec::new();
    for _ in 0..4 {
        let mut in_this_minute = 0;
        while let Ok(mut lease) = story.acquire() {
            if let Some(refused) = provider.call(story.now) {
                story.report(lease, &refused);
            } else {
                in_this_minute += 1;
                let _ = story.pool.accepted(&mut lease, story.now);
                story.report(lease, &OK);
            }
        }
        served.push(in_this_minute);
        story.pass(secs(62));
    }
    assert_eq!((served, provider.refused), (vec![10, 10, 10, 10], 1));
}
