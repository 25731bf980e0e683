//! `round_robin`: nobody is skipped, and nobody goes twice while another waits.

use std::collections::BTreeMap;

use pool::{Journey, Key, KeyId, Lease, Outcome, ProjectId, Strategy};
use proptest::{collection::vec, prelude::*, strategy::Strategy as Values};

use crate::{MINUTE, OK, Story, key, secs};

fn story(keys: u64) -> Story {
    Story::with(Strategy::RoundRobin, (1..=keys).map(key))
}

fn next(story: &mut Story, outcome: &Outcome) -> u64 {
    let lease = story.acquire().unwrap();
    let key = lease.key().0;
    story.report(lease, outcome);
    key
}

fn next_keys(story: &mut Story, count: usize) -> Vec<u64> {
    (0..count).map(|_| next(story, &OK)).collect()
}

/// The request will not ask this key again, though the key is healthy.
fn rule_out(story: &mut Story, journey: &mut Journey, lease: Lease) {
    let facts = lease.facts();
    story.report(lease, &Outcome::Cancelled);
    let _next = journey.after(&facts, &Outcome::InvalidKey, false, 0);
}

#[test]
fn every_key_goes_as_often_as_every_other() {
    for count in [1, 2, 3, 7, 50] {
        let mut story = story(count);
        for _ in 0..6 {
            let round = next_keys(&mut story, usize::try_from(count).unwrap());
            assert!(round.into_iter().eq(1..=count), "{count} keys");
        }
    }
}

#[test]
fn keys_of_one_project_take_turns_by_number_like_all_others() {
    let keys = (1..=6).map(|id| Key {
        project: ProjectId(id % 2),
        ..key(id)
    });
    let mut story = Story::with(Strategy::RoundRobin, keys);
    assert_eq!(next_keys(&mut story, 12), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
    drop(story.pool.set_enabled(KeyId(3), false, story.now));
    assert_eq!(next_keys(&mut story, 5), [1, 2, 4, 5, 6]);
}

#[test]
fn a_key_that_rested_goes_first_when_it_returns_and_only_once() {
    let mut story = story(5);
    assert_eq!(next_keys(&mut story, 2), [1, 2]);
    assert_eq!(next(&mut story, &MINUTE), 3);
    assert_eq!(next_keys(&mut story, 9), [4, 5, 1, 2, 4, 5, 1, 2, 4]);
    story.pass(secs(61));
    assert_eq!(next_keys(&mut story, 11), [3, 5, 1, 2, 4, 3, 5, 1, 2, 4, 3]);
}

#[test]
fn keys_that_come_and_go_disturb_nobody() {
    let mut story = story(4);
    assert_eq!(next_keys(&mut story, 2), [1, 2]);
    story.pool.remove(KeyId(2));
    story.pool.remove(KeyId(3));
    story.pool.upsert(key(7), story.now);
    assert_eq!(next_keys(&mut story, 4), [4, 7, 1, 4]);
    story.pool.upsert(key(3), story.now);
    assert_eq!(next_keys(&mut story, 5), [3, 7, 1, 4, 3]);
}

#[test]
fn a_key_that_only_one_request_must_not_use_goes_with_the_next_request() {
    let mut story = story(4);
    let mut journey = story.pool.journey();
    let lease = story.acquire_on(&journey, None).unwrap();
    assert_eq!(lease.key(), KeyId(1));
    assert_eq!(next_keys(&mut story, 3), [2, 3, 4]);
    rule_out(&mut story, &mut journey, lease);
    // It is the turn of 1, which this request may not use.
    let lease = story.acquire_on(&journey, None).unwrap();
    assert_eq!(lease.key(), KeyId(2));
    story.report(lease, &OK);
    assert_eq!(
        next_keys(&mut story, 7),
        [1, 3, 4, 2, 1, 3, 4],
        "next, and not twice while 2 waits"
    );
}

#[test]
fn a_key_that_was_passed_by_and_is_out_by_then_waits_for_its_return() {
    let mut story = story(3);
    let mut journey = story.pool.journey();
    let lease = story.acquire_on(&journey, None).unwrap();
    assert_eq!(next_keys(&mut story, 2), [2, 3]);
    rule_out(&mut story, &mut journey, lease);
    let lease = story.acquire_on(&journey, None).unwrap();
    assert_eq!(lease.key(), KeyId(2));
    story.report(lease, &OK);
    drop(story.pool.set_enabled(KeyId(1), false, story.now));
    assert_eq!(next_keys(&mut story, 3), [3, 2, 3]);
    drop(story.pool.set_enabled(KeyId(1), true, story.now));
    assert_eq!(next_keys(&mut story, 4), [1, 2, 3, 1]);
}

#[test]
fn an_owner_or_a_repetition_takes_no_turn() {
    let mut story = story(4);
    assert_eq!(next(&mut story, &OK), 1);
    story.call_of(4, &OK);
    story.call_of(2, &OK);
    assert_eq!(next(&mut story, &OK), 2);
    let (calls, _) = story.request(|_, attempt| if attempt < 3 { Outcome::Overload } else { OK });
    assert_eq!(calls, [3, 3, 3]);
    assert_eq!(next_keys(&mut story, 2), [4, 1]);
}

#[test]
fn each_class_and_each_model_has_its_own_turn() {
    let keys = (1..=5).map(|id| Key {
        priority: i32::from(id > 3),
        ..key(id)
    });
    let mut story = Story::with(Strategy::RoundRobin, keys);
    assert_eq!(next(&mut story, &OK), 4);
    assert_eq!((next(&mut story, &MINUTE), next(&mut story, &MINUTE)), (5, 4));
    assert_eq!(next_keys(&mut story, 2), [1, 2]);
    story.pass(secs(61));
    assert_eq!(next_keys(&mut story, 2), [5, 4]);
    assert_eq!((next(&mut story, &MINUTE), next(&mut story, &MINUTE)), (5, 4));
    assert_eq!(next_keys(&mut story, 2), [3, 1], "where the lower class was");

    let flash = story.model;
    story.model = story.pool.model("pro").unwrap();
    assert_eq!(
        next_keys(&mut story, 3),
        [4, 5, 4],
        "a rest for one model is none for another"
    );
    story.model = flash;
    assert_eq!(next_keys(&mut story, 2), [2, 3]);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Call(bool),
    Begin,
    /// The request goes on without the key it has.
    GoOn(usize),
    Pass(u64),
    Enable(u64, bool),
}

fn step() -> impl Values<Value = Step> {
    prop_oneof![
        8 => prop::bool::weighted(0.8).prop_map(Step::Call),
        3 => Just(Step::Begin),
        3 => any::<usize>().prop_map(Step::GoOn),
        2 => (1..90_u64).prop_map(Step::Pass),
        2 => (1..=7_u64, any::<bool>()).prop_map(|(id, enabled)| Step::Enable(id, enabled)),
    ]
}

/// For each key, the keys that went since it went itself or came back.
#[derive(Default)]
struct Waiting(BTreeMap<u64, Vec<u64>>);

impl Waiting {
    /// Usable keys begin to wait, others do so no more.
    fn look(&mut self, story: &Story) {
        for view in story.pool.snapshot(story.now).keys {
            let id = view.key.id.0;
            if story.is_usable(id) {
                self.0.entry(id).or_default();
            } else {
                self.0.remove(&id);
            }
        }
    }

    /// Nobody goes twice while a key waits that this request may use.
    fn went(&mut self, key: u64, may_use: impl Fn(u64) -> bool) -> Result<(), TestCaseError> {
        for (waiting, others) in &mut self.0 {
            let twice = *waiting != key && others.contains(&key);
            prop_assert!(!twice || !may_use(*waiting), "{key} went twice while {waiting} waited");
            others.push(key);
        }
        self.0.insert(key, Vec::new());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_goes_twice_while_another_waits(steps in vec(step(), 1..150)) {
        let mut story = story(7);
        let mut waiting = Waiting::default();
        let mut requests: Vec<(Journey, Option<Lease>, Vec<u64>)> = Vec::new();
        for step in steps {
            waiting.look(&story);
            match step {
                Step::Call(is_ok) => {
                    let Ok(lease) = story.acquire() else { continue };
                    waiting.went(lease.key().0, |_| true)?;
                    story.report(lease, if is_ok { &OK } else { &MINUTE });
                }
                Step::Begin => {
                    let journey = story.pool.journey();
                    let Ok(lease) = story.acquire() else { continue };
                    waiting.went(lease.key().0, |_| true)?;
                    requests.push((journey, Some(lease), Vec::new()));
                }
                Step::GoOn(nth) => {
                    let count = requests.len().max(1);
                    let Some((journey, kept, tried)) = requests.get_mut(nth % count) else { continue };
                    let Some(lease) = kept.take() else { continue };
                    tried.push(lease.key().0);
                    rule_out(&mut story, journey, lease);
                    waiting.look(&story);
                    let Ok(lease) = story.acquire_on(journey, None) else { continue };
                    prop_assert!(!tried.contains(&lease.key().0));
                    waiting.went(lease.key().0, |key| !tried.contains(&key))?;
                    *kept = Some(lease);
                }
                Step::Pass(by) => story.pass(secs(by)),
                Step::Enable(id, enabled) => drop(story.pool.set_enabled(KeyId(id), enabled, story.now)),
            }
        }
    }
}
