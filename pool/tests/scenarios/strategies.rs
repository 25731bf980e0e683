//! The five ways to choose: what each promises, and what all of them keep.

use pool::{AccountId, Journey, Key, KeyId, Outcome, Policy, ProjectId, Scope, Strategy, Tier};

use crate::{DAY, MINUTE, NOON, OK, Story, key, secs};

/// A whole call with the key that the strategy chooses.
pub(crate) fn used(story: &mut Story, outcome: &Outcome) -> u64 {
    let lease = story.acquire().unwrap();
    let key = lease.key().0;
    story.report(lease, outcome);
    key
}

/// One more attempt of a request. The key is healthy, but the request will not ask it again.
pub(crate) fn used_up(story: &mut Story, journey: &mut Journey) -> Option<u64> {
    let lease = story.acquire_on(journey, None).ok()?;
    let facts = lease.facts();
    story.report(lease, &Outcome::Cancelled);
    let _next = journey.after(&facts, &Outcome::InvalidKey, false, 0);
    Some(facts.key.0)
}

/// A request of any number of attempts.
fn patient() -> Policy {
    Policy {
        attempts_max: 1_000,
        ..Policy::default()
    }
}

#[test]
fn a_strategy_is_found_by_its_name() {
    for strategy in Strategy::ALL {
        assert_eq!(Strategy::named(strategy.name()), Some(strategy));
    }
    let names = Strategy::ALL.map(Strategy::name);
    assert_eq!(names, ["headroom", "sticky", "fill_first", "round_robin", "weighted"]);
    assert_eq!(Strategy::ALL[0], Strategy::default());
    assert_eq!(Strategy::named("random"), None);
}

#[test]
fn fill_first_takes_the_lowest_number_until_it_is_out_and_comes_back_to_it() {
    // Numbers run against the ids.
    let keys = (1..=4).map(|id| Key {
        number: 10 - u32::try_from(id).unwrap(),
        ..key(id)
    });
    let mut story = Story::with(Strategy::FillFirst, keys);
    for _ in 0..20 {
        assert_eq!(used(&mut story, &OK), 4);
    }
    assert_eq!((used(&mut story, &MINUTE), used(&mut story, &OK)), (4, 3));
    assert_eq!((used(&mut story, &DAY), used(&mut story, &OK)), (3, 2));
    story.pass(secs(61));
    assert_eq!((used(&mut story, &OK), used(&mut story, &OK)), (4, 4), "it returned");
    drop(story.pool.set_enabled(KeyId(4), false, story.now));
    assert_eq!(used(&mut story, &OK), 2);
    story.pool.remove(KeyId(2));
    assert_eq!((used(&mut story, &DAY), story.acquire().is_err()), (1, true));
}

#[test]
fn fill_first_goes_by_number_within_a_project_too() {
    let keys = [3, 1, 2].map(|id| Key {
        project: ProjectId(id % 2),
        ..key(id)
    });
    let mut story = Story::with(Strategy::FillFirst, keys);
    let mut journey = story.pool.journey();
    let order: Vec<_> = core::iter::from_fn(|| used_up(&mut story, &mut journey)).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn no_strategy_misses_a_key_that_the_request_may_use() {
    // Projects of three keys and of one, in four classes that cut through the projects.
    let keys = (1..=150_u64).map(|id| Key {
        project: ProjectId(if id <= 90 { id / 3 } else { id }),
        account: AccountId(if id <= 90 { id / 3 } else { id }),
        priority: i32::try_from(id % 4).unwrap(),
        weight: u32::try_from(id * id).unwrap(),
        ..key(id)
    });
    for strategy in Strategy::ALL {
        let mut story = Story::under(patient(), strategy, keys.clone());
        let mut journey = story.pool.journey();
        let mut used: Vec<_> = core::iter::from_fn(|| used_up(&mut story, &mut journey)).collect();
        used.sort_unstable();
        assert!(used.into_iter().eq(1..=150), "{strategy:?}");
        assert!(story.acquire().is_ok(), "{strategy:?}: only that request is at its end");
    }
}

#[test]
fn every_strategy_keeps_owner_same_key_tier_and_region() {
    let keys = (1..=6).map(|id| Key {
        tier: if id == 6 { Tier::Paid } else { Tier::Free },
        priority: i32::from(id == 5),
        ..key(id)
    });
    for strategy in Strategy::ALL {
        let mut story = Story::with(strategy, keys.clone());
        for _ in 0..3 {
            assert_eq!(
                story.lease_of(2).key(),
                KeyId(2),
                "{strategy:?}: the owner is the only choice"
            );
        }
        assert_eq!(used(&mut story, &OK), 5, "{strategy:?}");
        let (calls, _) = story.request(|_, _| Outcome::Overload);
        assert_eq!(calls[..3], [5, 5, 5], "{strategy:?}: the same key twice more");
        assert!(calls[3] < 5, "{strategy:?}: then one other of the same tier");
        drop(story.pool.reinstate(Scope::All, story.now));
        let (calls, _) = story.request(|_, attempt| if attempt == 1 { Outcome::Region } else { OK });
        assert_eq!(calls, [5, 6], "{strategy:?}: only a paid key can help");
    }
}

#[test]
fn a_strategy_is_changed_while_keys_rest_and_none_is_lost() {
    for from in Strategy::ALL {
        for to in Strategy::ALL {
            let keys = (1..=9_u64).map(|id| Key {
                project: ProjectId(id.div_ceil(2)),
                account: AccountId(id.div_ceil(2)),
                ..key(id)
            });
            let mut story = Story::with(from, keys);
            story.call_of(1, &MINUTE);
            story.call_of(2, &DAY);
            // One key of its project rests, the other does not.
            story.call_of(3, &Outcome::Bare429);
            story.pool.set_strategy(to);
            assert_eq!(story.pool.strategy(), to);
            let left = |story: &mut Story| {
                let mut keys = Vec::new();
                while let Ok(lease) = story.acquire() {
                    keys.push(lease.facts().project.0);
                    story.report(lease, &MINUTE);
                }
                keys.sort_unstable();
                keys
            };
            assert_eq!(left(&mut story), [3, 4, 5], "{from:?} to {to:?}");
            story.pool.set_strategy(from);
            story.pass(secs(61));
            assert_eq!(left(&mut story), [1, 3, 4, 5], "{from:?} to {to:?} and back");
        }
    }
}

#[test]
fn sticky_and_round_robin_each_remember_their_own_place() {
    let mut story = Story::with(Strategy::Sticky, (1..=5).map(key));
    story.pool.switch_to(KeyId(4)).unwrap();
    assert_eq!(used(&mut story, &OK), 4);
    story.pool.set_strategy(Strategy::RoundRobin);
    assert_eq!((used(&mut story, &OK), used(&mut story, &OK)), (1, 2));
    for strategy in [Strategy::Headroom, Strategy::FillFirst, Strategy::Weighted] {
        story.pool.set_strategy(strategy);
        used(&mut story, &OK);
    }
    story.pool.set_strategy(Strategy::Sticky);
    assert_eq!((used(&mut story, &OK), used(&mut story, &OK)), (4, 4));
    story.pool.set_strategy(Strategy::RoundRobin);
    assert_eq!((used(&mut story, &OK), used(&mut story, &OK)), (3, 4));
}

#[test]
fn every_strategy_serves_from_a_hundred_thousand_keys() {
    const KEYS: u64 = 100_000;
    let mut story = Story::of(KEYS);
    // All but the last five rest.
    for id in 1..=KEYS - 5 {
        drop(story.pool.set_enabled(KeyId(id), false, NOON));
    }
    for strategy in Strategy::ALL {
        story.pool.set_strategy(strategy);
        let keys: Vec<_> = (0..50).map(|_| used(&mut story, &OK)).collect();
        assert!(keys.iter().all(|key| *key > KEYS - 5), "{strategy:?}: {keys:?}");
    }
    for id in 1..=KEYS - 5 {
        drop(story.pool.set_enabled(KeyId(id), true, NOON));
    }
    // How many different keys a hundred calls go to; two of a hundred random ones are seldom the same.
    let cases = [
        (Strategy::FillFirst, 1..=1),
        (Strategy::RoundRobin, 100..=100),
        (Strategy::Weighted, 98..=100),
    ];
    for (strategy, expected) in cases {
        story.pool.set_strategy(strategy);
        let mut keys: Vec<_> = (0..100).map(|_| used(&mut story, &OK)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert!(expected.contains(&keys.len()), "{strategy:?}: {} keys", keys.len());
    }
}
