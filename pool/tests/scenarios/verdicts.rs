//! The state of the pool in a word.

use pool::{KeyId, Outcome, Verdict};

use crate::{DAY, MINUTE, Story, secs};

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
