//! What one request tries, and when it stops.

use core::time::Duration;

use pool::{KeyId, Next, Outcome, ProjectId, Verdict};

use crate::{DAY, MIDNIGHT, MINUTE, OK, Story, secs};

#[test]
fn healthy_keys_are_found_behind_spent_ones_up_to_the_bound() {
    let mut story = Story::of(8);
    let (calls, last) = story.request(|key, _| if key == KeyId(8) { OK } else { DAY });
    assert_eq!(last, Some(OK), "{calls:?}");
    let mut seen = calls.clone();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), calls.len(), "no project is asked twice: {calls:?}");

    let mut story = Story::of(20);
    let (calls, _) = story.request(|_, _| DAY);
    assert_eq!(calls.len(), 8);
}

#[test]
fn an_overloaded_model_is_asked_with_the_same_key_twice_then_with_one_other() {
    let mut story = Story::of(4);
    let (calls, _) = story.request(|_, _| Outcome::Overload);
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert!(
        calls[0] == calls[1] && calls[1] == calls[2] && calls[2] != calls[3],
        "{calls:?}"
    );

    let mut story = Story::of(4);
    let (calls, _) = story.request(|_, _| Outcome::Server);
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert!(calls[0] == calls[1] && calls[1] != calls[2], "{calls:?}");
}

/// What a request does after these outcomes, each of another key.
#[track_caller]
fn check_journey(outcomes: &[Outcome], sent_on: bool, expected: &[&str]) {
    let mut story = Story::of(9);
    let mut journey = story.pool.journey();
    let mut seen = Vec::new();
    for (project, outcome) in (1..).zip(outcomes) {
        let facts = story.lease_of(project).facts();
        // All of the chance there is: the longest wait.
        let next = journey.after(&facts, outcome, sent_on, u64::MAX);
        seen.push(match next {
            Next::Again { after, same_key: true } => format!("same {}", after.as_secs()),
            Next::Again { after, same_key: false } => format!("again {}", after.as_secs()),
            Next::FallbackModel => "fallback".into(),
            Next::Stop => "stop".into(),
        });
    }
    assert_eq!(seen, expected, "{outcomes:?}");
}

#[test]
fn the_next_step_follows_from_the_outcome() {
    for done in [
        OK,
        Outcome::Blocked { tokens: 1 },
        Outcome::Truncated,
        Outcome::Cancelled,
        Outcome::CallerFault,
    ] {
        check_journey(&[done], false, &["stop"]);
    }
    check_journey(&[Outcome::FileForeign], false, &["stop"]);
    check_journey(&[Outcome::Unknown], false, &["stop"]);
    check_journey(&[Outcome::ModelGone], false, &["fallback"]);
    for other_key in [
        DAY,
        MINUTE,
        Outcome::ZeroLimit,
        Outcome::Spend,
        Outcome::Billing,
        Outcome::InvalidKey,
    ] {
        check_journey(&[other_key], false, &["again 0"]);
    }
    for whole_project in [true, false] {
        check_journey(&[Outcome::Revoked { whole_project }], false, &["again 0"]);
        check_journey(&[Outcome::KeyConfig { whole_project }], false, &["again 0"]);
    }
    let (overload, server) = (Outcome::Overload, Outcome::Server);
    check_journey(
        &[overload.clone(), overload.clone(), overload.clone(), overload.clone()],
        false,
        &["same 1", "same 2", "again 0", "fallback"],
    );
    check_journey(
        &[server.clone(), server.clone(), server],
        false,
        &["same 1", "again 0", "fallback"],
    );
    let bare = Outcome::Bare429;
    check_journey(
        &[bare.clone(), bare.clone(), bare],
        false,
        &["again 0", "again 0", "stop"],
    );
    check_journey(&[Outcome::Transport, Outcome::Transport], false, &["again 0", "stop"]);
    check_journey(&[Outcome::Empty, Outcome::Empty], false, &["again 0", "stop"]);
    check_journey(&[Outcome::Region, Outcome::Region], false, &["again 0", "stop"]);
    check_journey(
        &vec![DAY; 8],
        false,
        &[
            "again 0", "again 0", "again 0", "again 0", "again 0", "again 0", "again 0", "stop",
        ],
    );
}

#[test]
fn nothing_is_repeated_once_content_was_sent_on() {
    for outcome in [
        Outcome::Overload,
        Outcome::Server,
        Outcome::Transport,
        Outcome::Empty,
        DAY,
        MINUTE,
        Outcome::ModelGone,
    ] {
        check_journey(&[outcome], true, &["stop"]);
    }
}

#[test]
fn waits_are_jittered_over_their_whole_length() {
    let mut story = Story::of(1);
    let facts = story.lease_of(1).facts();
    for (chance, expected_ms) in [(0, 0), (u64::MAX / 2, 500), (u64::MAX, 1_000)] {
        let mut journey = story.pool.journey();
        let next = journey.after(&facts, &Outcome::Overload, false, chance);
        assert_eq!(
            next,
            Next::Again {
                after: Duration::from_millis(expected_ms),
                same_key: true
            }
        );
    }
}

#[test]
fn the_only_key_is_waited_for_and_used_again() {
    let mut story = Story::of(1);
    let mut journey = story.pool.journey();
    let lease = story.acquire_on(&journey, None).unwrap();
    let facts = lease.facts();
    let outcome = Outcome::MinuteQuota {
        retry_after: Some(secs(10)),
        limit: None,
    };
    story.report(lease, &outcome);
    assert_eq!(
        journey.after(&facts, &outcome, false, 0),
        Next::Again {
            after: Duration::ZERO,
            same_key: false
        }
    );
    let refused = story.acquire_on(&journey, None).unwrap_err();
    assert_eq!(refused.retry_at, Some(story.now.plus(secs(11))));
    story.pass(secs(11));
    journey.waited();
    assert!(story.acquire_on(&journey, None).is_ok());
}

#[test]
fn a_day_quota_is_not_waited_for_by_the_same_request() {
    let mut story = Story::of(1);
    let mut journey = story.pool.journey();
    let lease = story.acquire_on(&journey, None).unwrap();
    let facts = lease.facts();
    story.report(lease, &DAY);
    let _next = journey.after(&facts, &DAY, false, 0);
    assert_eq!(story.acquire_on(&journey, None).unwrap_err().retry_at, None);
    assert!(
        story.acquire().unwrap_err().retry_at.is_some(),
        "another request is told when"
    );
}

#[test]
fn a_fallback_model_starts_with_all_projects_again() {
    let mut story = Story::of(2);
    let mut journey = story.pool.journey();
    for _ in 0..2 {
        let lease = story.acquire_on(&journey, None).unwrap();
        let facts = lease.facts();
        story.report(lease, &DAY);
        let _next = journey.after(&facts, &DAY, false, 0);
    }
    assert!(story.acquire_on(&journey, None).is_err());
    story.model = story.pool.model("lite").unwrap();
    assert!(story.acquire_on(&journey, None).is_ok());
}

#[test]
fn the_owner_of_a_file_is_the_only_choice() {
    let mut story = Story::of(3);
    for _ in 0..10 {
        let lease = story.lease_of(2);
        assert_eq!(lease.facts().project, ProjectId(2));
        story.report(lease, &OK);
    }
    story.call_of(2, &DAY);
    let journey = story.pool.journey();
    let refused = story.acquire_on(&journey, Some(2)).unwrap_err();
    assert_eq!(
        refused.verdict,
        Verdict::Mixed,
        "others are left, but not for this file"
    );
    assert!(refused.retry_at.unwrap() > MIDNIGHT);
    assert_eq!(story.acquire_on(&journey, Some(99)).unwrap_err().retry_at, None);
}
