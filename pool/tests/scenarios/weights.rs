//! `weighted`: calls fall to the usable keys in proportion to their weights.

use std::collections::BTreeMap;

use pool::{AccountId, Key, KeyId, ProjectId, Strategy, Want};
use proptest::{collection::vec, prelude::*, strategy::Strategy as Values};

use crate::{
    DAY, MINUTE, OK, Story, key, secs,
    strategies::{used, used_up},
};

/// Which key `weighted` chooses at each point of the keys' total weight, counted per key.
fn shares(story: &Story, total: u64) -> Vec<(u64, u64)> {
    let journey = story.pool.journey();
    let want = Want {
        model: story.model,
        tokens: 100,
        journey: &journey,
        owner: None,
    };
    let mut shares = BTreeMap::new();
    for point in 0..total {
        let chance = (u128::from(point) << 64).div_ceil(u128::from(total));
        let place = story.pool.peek(&want, story.now, u64::try_from(chance).unwrap());
        let key = place.and_then(|place| story.pool.key_at(place)).unwrap();
        *shares.entry(key.0).or_default() += 1;
    }
    shares.into_iter().collect()
}

#[test]
fn weighted_shares_follow_the_weights() {
    // Weights, and the calls of 10,000 that each key gets.
    let cases: [(&[u32], &[u64]); 4] = [
        (&[1, 1, 1, 1], &[2_500, 2_500, 2_500, 2_500]),
        (&[1, 2, 3, 4], &[1_000, 2_000, 3_000, 4_000]),
        (&[0, 1, 8], &[1_000, 1_000, 8_000]),
        (&[u32::MAX, u32::MAX, 1], &[5_000, 5_000, 0]),
    ];
    for (weights, shares) in cases {
        let keys = (1..).zip(weights).map(|(id, &weight)| Key { weight, ..key(id) });
        let mut story = Story::with(Strategy::Weighted, keys);
        for _ in 0..10_000 {
            used(&mut story, &OK);
            story.pass(secs(1));
        }
        for (view, share) in story.pool.snapshot(story.now).keys.iter().zip(shares) {
            let (number, calls) = (view.key.number, view.successes);
            // Four standard deviations.
            assert!(
                calls.abs_diff(*share) <= 200,
                "{weights:?}: {calls} calls of key {number}"
            );
        }
    }
}

#[test]
fn a_weight_counts_for_usable_keys_only_and_from_the_next_call_on() {
    let weigh = |id: u64, weight: u32| Key {
        // Keys 3 and 4 share a project.
        project: ProjectId(id.min(3)),
        account: AccountId(id.min(3)),
        weight,
        ..key(id)
    };
    let mut story = Story::with(Strategy::Weighted, [weigh(1, 1), weigh(2, 2), weigh(3, 3), weigh(4, 4)]);
    assert_eq!(shares(&story, 10), [(1, 1), (2, 2), (3, 3), (4, 4)]);
    story.pool.upsert(weigh(1, 7), story.now);
    assert_eq!(shares(&story, 16), [(1, 7), (2, 2), (3, 3), (4, 4)]);
    story.call_of(1, &MINUTE);
    assert_eq!(shares(&story, 9), [(2, 2), (3, 3), (4, 4)]);
    drop(story.pool.set_enabled(KeyId(4), false, story.now));
    assert_eq!(shares(&story, 5), [(2, 2), (3, 3)]);
    let preferred = Key {
        priority: 1,
        ..weigh(2, 2)
    };
    story.pool.upsert(preferred, story.now);
    assert_eq!(
        shares(&story, 5),
        [(2, 5)],
        "the higher priority goes first, whatever its weight"
    );
    story.call_of(2, &DAY);
    story.pool.remove(KeyId(3));
    drop(story.pool.set_enabled(KeyId(4), true, story.now));
    assert_eq!(shares(&story, 4), [(4, 4)]);
}

#[test]
fn what_a_request_rules_out_leaves_the_other_weights_in_proportion() {
    let keys = [(1, 1), (2, 1_000_000), (3, 3), (4, 500_000), (5, 6)].map(|(id, weight)| Key { weight, ..key(id) });
    let mut story = Story::with(Strategy::Weighted, keys);
    let mut calls = [0; 6];
    for _ in 0..10_000 {
        let mut journey = story.pool.journey();
        while let Some(key) = used_up(&mut story, &mut journey) {
            // The heavy ones are ruled out, nearly always before the light ones.
            if [1, 3, 5].contains(&key) {
                calls[usize::try_from(key).unwrap()] += 1;
                break;
            }
        }
    }
    for (key, share) in [(1, 1_000), (3, 3_000), (5, 6_000_i32)] {
        assert!((calls[key] - share).abs() <= 200, "key {key}: {} calls", calls[key]);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Weigh(u64, u32),
    Remove(u64),
    Enable(u64, bool),
    Rest(u64),
    Pass(u64),
    Strategy(Strategy),
}

fn step() -> impl Values<Value = Step> {
    let id = || 1..=20_u64;
    let strategy = prop::sample::select(vec![Strategy::Weighted, Strategy::Weighted, Strategy::RoundRobin]);
    prop_oneof![
        4 => (id(), 0..6_u32).prop_map(|(id, weight)| Step::Weigh(id, weight)),
        1 => id().prop_map(Step::Remove),
        1 => (id(), any::<bool>()).prop_map(|(id, enabled)| Step::Enable(id, enabled)),
        3 => id().prop_map(Step::Rest),
        1 => (1..90_u64).prop_map(Step::Pass),
        1 => strategy.prop_map(Step::Strategy),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shares_are_exact_after_any_history(steps in vec(step(), 1..60)) {
        let mut story = Story::with(Strategy::Weighted, []);
        let mut weights = BTreeMap::new();
        for step in steps {
            match step {
                Step::Weigh(id, weight) => {
                    story.pool.upsert(Key { weight, ..key(id) }, story.now);
                    weights.insert(id, u64::from(weight.max(1)));
                }
                Step::Remove(id) => {
                    story.pool.remove(KeyId(id));
                    weights.remove(&id);
                }
                Step::Enable(id, enabled) => drop(story.pool.set_enabled(KeyId(id), enabled, story.now)),
                Step::Rest(id) => {
                    let journey = story.pool.journey();
                    if let Ok(lease) = story.acquire_on(&journey, Some(id)) {
                        story.report(lease, &MINUTE);
                    }
                }
                Step::Pass(by) => story.pass(secs(by)),
                Step::Strategy(strategy) => story.pool.set_strategy(strategy),
            }
        }
        story.pool.set_strategy(Strategy::Weighted);
        // What time alone has brought back is noticed by a call.
        if let Ok(lease) = story.acquire() {
            story.report(lease, &OK);
        }
        let usable = weights.into_iter().filter(|(id, _)| story.is_usable(*id));
        let expected: Vec<_> = usable.collect();
        let total = expected.iter().map(|(_, weight)| weight).sum();
        prop_assert_eq!(shares(&story, total), expected);
    }
}
