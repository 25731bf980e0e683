//! The state of the pool in a word.

use pool::{KeyId, Outcome, Verdict};

use crate::{DAY, MINUTE, OK, Story, secs};

#[test]
fn verdicts_say_what_is_the_matter() {
    let mut story = Story::of(0);
    assert_eq!(story.acquire().unwrap_err().verdict, Verdict::NoKeys);

    let mut story = Story::of(3);
    assert_eq!(story.verdict(), Verdict::Serving);
    story.call_of(1, &DAY);
    assert_eq!(story.verdict(), Verdict::Serving);
    story.call_of(2, &MINUTE);
    story.call_of(3, &Outcome::InvalidKey);
    let refused = story.acquire().unwrap_err();
    assert_eq!(refused.verdict, Verdict::PartlySpent);
    let counts = refused.counts;
    assert_eq!(
        (counts.total, counts.spent, counts.cooling, counts.suspect),
        (3, 1, 1, 1)
    );

    let mut story = Story::of(2);
    story.call_of(1, &MINUTE);
    story.call_of(2, &Outcome::Billing);
    assert_eq!(story.acquire().unwrap_err().verdict, Verdict::Mixed);

    let mut story = Story::of(3);
    story.call_of(1, &Outcome::ZeroLimit);
    story.call_of(2, &DAY);
    let _changes = story.pool.set_enabled(KeyId(3), false, story.now);
    assert_eq!(
        story.acquire().unwrap_err().verdict,
        Verdict::AllSpent,
        "who has no quota cannot spend it"
    );

    let mut story = Story::of(2);
    story.call_of(1, &Outcome::ModelGone);
    let refused = story.acquire().unwrap_err();
    assert_eq!(refused.verdict, Verdict::ProviderDown);
    assert_eq!(refused.retry_at, Some(story.now.plus(secs(3_600))));
}

#[test]
fn a_model_nobody_has_is_no_part_of_the_overall_verdict() {
    let mut story = Story::of(1);
    story.call_of(1, &DAY);
    let invented = story.pool.model("no-such-model").unwrap();
    assert_eq!(story.pool.verdict(Some(invented), story.now).0, Verdict::Serving);
    assert_eq!(story.pool.verdict(None, story.now).0, Verdict::AllSpent);
}

#[test]
fn a_new_request_is_told_when_to_come_without_asking_for_a_lease() {
    let mut story = Story::of(2);
    assert_eq!(story.pool.retry_at(story.model, story.now), None, "now");
    story.call_of(1, &MINUTE);
    assert_eq!(
        story.pool.retry_at(story.model, story.now),
        None,
        "the other key is ready"
    );
    story.call_of(2, &DAY);
    let back = story.now.plus(secs(60));
    assert_eq!(story.pool.retry_at(story.model, story.now), Some(back));
    let refused = story.acquire().unwrap_err();
    assert_eq!(refused.retry_at, Some(back), "a request hears the same");

    let before = story.pool.snapshot(story.now);
    assert_eq!(story.pool.retry_at(story.model, back), None, "the rest is over");
    assert_eq!(story.pool.snapshot(story.now), before, "asking begins no trial");

    story.now = back;
    let trial = story.acquire().unwrap();
    assert_eq!(
        story.pool.retry_at(story.model, story.now),
        Some(story.now.plus(secs(1))),
        "the trial is under way"
    );
    story.report(trial, &Outcome::ModelGone);
    let hidden_until = story.now.plus(secs(3_600));
    assert_eq!(story.pool.retry_at(story.model, story.now), Some(hidden_until));

    let mut story = Story::of(1);
    story.call_of(1, &Outcome::InvalidKey);
    assert_eq!(
        story.pool.retry_at(story.model, story.now),
        None,
        "only a probe can help"
    );
}

#[test]
fn kept_counts_follow_calls_time_and_a_clock_that_steps_back() {
    let mut story = Story::of(3);
    story.call_of(1, &MINUTE);
    let available = |story: &mut Story| story.pool.verdict(Some(story.model), story.now).1.available;
    assert_eq!(available(&mut story), 2);
    story.call_of(2, &OK);
    assert_eq!(available(&mut story), 2);
    story.call_of(2, &Outcome::InvalidKey);
    assert_eq!(available(&mut story), 1);
    story.pass(secs(60));
    assert_eq!(available(&mut story), 2, "the rest is over, though no call has seen it");
    story.now = crate::NOON;
    assert_eq!(available(&mut story), 1, "it is not over yet");
    story.pool.remove(KeyId(3));
    assert_eq!(available(&mut story), 0);
}
