//! Minutes and days of quota.

use core::time::Duration;

use pool::{AccountId, CellState, Key, KeyId, KeyPool, Limits, Policy, ProjectId, Strategy, Timestamp, Verdict, Want};

use crate::{DAY, MIDNIGHT, MINUTE, NOON, OK, Story, key, secs};

#[test]
fn a_spent_day_ends_at_midnight_and_a_little_later_for_each() {
    let mut story = Story::of(3);
    for project in 1..=3 {
        story.call_of(project, &DAY);
    }
    let refused = story.acquire().unwrap_err();
    assert_eq!(refused.verdict, Verdict::AllSpent);
    assert_eq!(refused.counts.spent, 3);
    let first = refused.retry_at.unwrap();
    assert!(
        first >= MIDNIGHT.plus(secs(30)) && first <= MIDNIGHT.plus(secs(120)),
        "{first:?}"
    );
    assert_eq!(story.pool.next_ready(story.now), Some(first));

    story.now = MIDNIGHT.plus(Duration::from_millis(29_999));
    assert!(story.acquire().is_err(), "not at midnight sharp");
    story.now = Timestamp::from_millis(first.as_millis() - 1);
    assert!(story.acquire().is_err());
    story.now = first;
    assert_eq!(story.verdict(), Verdict::Serving, "seen without anything having run");
    assert!(story.acquire().is_ok());

    let untils: Vec<_> = {
        story.now = MIDNIGHT;
        story
            .pool
            .snapshot(MIDNIGHT)
            .keys
            .iter()
            .filter_map(|view| view.cells[0].state.until())
            .collect()
    };
    assert!(
        untils.windows(2).any(|pair| pair[0] != pair[1]),
        "they do not return in one instant: {untils:?}"
    );
}

#[test]
fn a_day_of_23_or_25_hours_ends_when_the_calendar_says() {
    // A calendar whose day ends 25 hours after noon, as a caller's time zone might say.
    fn long_day(now: Timestamp) -> Timestamp {
        if now < NOON.plus(secs(25 * 3_600)) {
            NOON.plus(secs(25 * 3_600))
        } else {
            NOON.plus(secs(48 * 3_600))
        }
    }
    let mut pool = KeyPool::new(Policy::default(), Strategy::Headroom, long_day);
    let model = pool.model("flash").unwrap();
    pool.upsert(key(1), NOON);
    let journey = pool.journey();
    let want = Want {
        model,
        tokens: 1,
        journey: &journey,
        owner: None,
    };
    let lease = pool.acquire(&want, NOON, 0).unwrap();
    let _changes = pool.report(lease, &DAY, NOON);
    let retry_at = pool.acquire(&want, NOON, 0).unwrap_err().retry_at.unwrap();
    let after_reset = retry_at.since(NOON.plus(secs(25 * 3_600)));
    assert!(after_reset >= secs(30) && after_reset <= secs(120), "{after_reset:?}");
}

#[test]
fn a_cell_that_is_still_spent_after_midnight_is_asked_again_soon_not_tomorrow() {
    let mut story = Story::of(1);
    story.call_of(1, &DAY);
    story.now = MIDNIGHT.plus(secs(120));
    for minutes in [5, 10, 20, 40, 60, 60] {
        story.call_of(1, &DAY);
        assert_eq!(
            story.cell(1),
            CellState::Exhausted {
                until: story.now.plus(secs(minutes * 60))
            }
        );
        story.pass(secs(minutes * 60));
    }
    story.call_of(1, &OK);
    story.call_of(1, &DAY);
    let CellState::Exhausted { until } = story.cell(1) else {
        panic!("{:?}", story.cell(1))
    };
    assert!(
        until > MIDNIGHT.plus(secs(24 * 3_600)),
        "after a success the day counts anew"
    );
}

#[test]
fn an_answer_to_yesterdays_call_does_not_cost_today() {
    let mut story = Story::of(1);
    story.now = Timestamp::from_millis(MIDNIGHT.as_millis() - 2_000);
    let begun_yesterday = story.lease_of(1);
    story.pass(secs(5));
    story.report(begun_yesterday, &DAY);
    assert_eq!(
        story.cell(1),
        CellState::Exhausted {
            until: story.now.plus(secs(300))
        }
    );
}

#[test]
fn keys_of_one_project_cost_one_wasted_call_not_one_each() {
    let shared = (1..=4).map(|id| Key {
        project: ProjectId(7),
        account: AccountId(7),
        ..key(id)
    });
    let mut story = Story::with(Strategy::Headroom, shared.chain([key(5)]));
    let (calls, last) = story.request(|key, _| if key == KeyId(5) { OK } else { DAY });
    assert_eq!(last, Some(OK));
    assert!(calls.len() <= 2, "{calls:?}");
    let (calls, _) = story.request(|key, _| if key == KeyId(5) { OK } else { DAY });
    assert_eq!(calls, [5]);
}

#[test]
fn a_spent_model_leaves_the_keys_other_models_alone() {
    let mut story = Story::of(1);
    story.call_of(1, &DAY);
    let pro = story.pool.model("pro").unwrap();
    let journey = story.pool.journey();
    let want = Want {
        model: pro,
        tokens: 1,
        journey: &journey,
        owner: None,
    };
    let lease = story.pool.acquire(&want, story.now, 0).unwrap();
    assert!(story.pool.report(lease, &OK, story.now).is_empty());
    assert_eq!(story.pool.verdict(Some(pro), story.now).0, Verdict::Serving);
    assert_eq!(story.pool.verdict(Some(story.model), story.now).0, Verdict::AllSpent);
    assert_eq!(story.pool.verdict(None, story.now).0, Verdict::Serving);
}

#[test]
fn a_clock_that_was_ahead_leaves_no_rest_longer_than_one_that_begins_now() {
    let mut story = Story::of(3);
    let true_time = story.now;
    story.now = true_time.plus(secs(24 * 3_600));
    story.call_of(1, &DAY);
    story.call_of(2, &MINUTE);
    story.call_of(3, &pool::Outcome::Spend);
    story.now = true_time;
    assert!(story.acquire().is_err(), "they rest as if it had just been said");
    story.now = true_time.plus(secs(605));
    assert_eq!(story.key_state(3), pool::KeyState::Ready);
    assert!(story.acquire().is_ok());
    assert!(
        matches!(story.cell(1), CellState::Exhausted { until } if until > MIDNIGHT && until <= MIDNIGHT.plus(secs(120)))
    );
    story.now = MIDNIGHT.plus(secs(120));
    assert!(matches!(story.cell(1), CellState::Trial | CellState::Ready));
}

#[test]
fn a_spent_day_is_not_woken_by_a_clock_that_steps_back() {
    let mut story = Story::of(1);
    story.call_of(1, &DAY);
    for hours in [1, 5] {
        story.now = Timestamp::from_millis(story.now.as_millis() - hours * 3_600_000);
        assert!(story.acquire().is_err());
        story.now = NOON;
        assert!(story.acquire().is_err());
    }
    // A clock that was a day behind costs one call.
    story.now = Timestamp::from_millis(NOON.as_millis() - 24 * 3_600_000);
    assert!(story.acquire().is_err());
    story.now = NOON;
    story.call_of(1, &DAY);
    assert!(matches!(story.cell(1), CellState::Exhausted { until } if until > MIDNIGHT));
}

#[test]
fn a_reset_of_days_ago_does_not_shorten_todays_rest() {
    let mut story = Story::of(1);
    story.call_of(1, &DAY);
    story.pass(secs(3 * 24 * 3_600));
    story.call_of(1, &DAY);
    let midnight = MIDNIGHT.plus(secs(3 * 24 * 3_600));
    assert!(matches!(story.cell(1), CellState::Exhausted { until } if until > midnight));
}

#[test]
fn a_minute_slides_and_a_day_begins_at_the_reset() {
    let mut story = Story::of(1);
    story.limit(Limits {
        requests_per_day: Some(100),
        ..Limits::default()
    });
    let used = |story: &Story| story.pool.snapshot(story.now).keys[0].cells[0].used;
    for _ in 0..10 {
        story.call_of(1, &OK);
    }
    assert_eq!((used(&story).requests_minute, used(&story).tokens_minute), (10, 900));
    story.pass(secs(30));
    story.call_of(1, &OK);
    story.pass(secs(29));
    assert_eq!((used(&story).requests_minute, used(&story).tokens_minute), (11, 990));
    story.pass(secs(1));
    assert_eq!((used(&story).requests_minute, used(&story).tokens_minute), (1, 90));
    story.pass(secs(30));
    assert_eq!(used(&story).requests_minute, 0);
    assert_eq!((used(&story).requests_today, used(&story).tokens_today), (11, 990));
    story.now = MIDNIGHT;
    assert_eq!((used(&story).requests_today, used(&story).tokens_today), (0, 0));
}
