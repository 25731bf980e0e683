//! The oracle itself must object: each rule is broken once by hand.

use std::time::Duration;

use pool::{AccountId, Key, KeyId, KeyPool, LeaseFacts, Outcome, Policy, ProjectId, Strategy, Tier, Timestamp};

use super::{Leased, Oracle, Tried};
use crate::plan::START_MS;
use crate::world::next_reset;

const NOON: Timestamp = Timestamp::from_millis(START_MS);

struct Scene {
    oracle: Oracle,
    facts: LeaseFacts,
    now: Timestamp,
}

impl Scene {
    /// One key; the lease's facts are a real pool's.
    fn new() -> Self {
        let key = Key {
            id: KeyId(1),
            number: 1,
            project: ProjectId(1),
            account: AccountId(1),
            tier: Tier::Free,
            priority: 0,
            weight: 1,
            enabled: true,
        };
        let mut pool = KeyPool::new(Policy::default(), Strategy::Headroom, next_reset);
        pool.upsert(key.clone(), NOON);
        let mut oracle = Oracle::new(Policy::default(), next_reset);
        oracle.upserted(&key);
        let (model, journey) = (pool.model("pro").unwrap(), pool.journey());
        let want = pool::Want {
            model,
            tokens: 100,
            journey: &journey,
            owner: None,
        };
        let facts = pool.acquire(&want, NOON, 0).unwrap().facts();
        Self {
            oracle,
            facts,
            now: NOON,
        }
    }

    fn pass(&mut self, secs: u64) {
        self.now = self.now.plus(Duration::from_secs(secs));
    }

    fn lease(&mut self, trial: bool) -> Result<Leased, &'static str> {
        let facts = LeaseFacts { trial, ..self.facts };
        let leased = self.oracle.leased(facts, 0, None, self.now);
        leased.map_err(|violation| violation.rule)
    }

    fn call(&mut self, outcome: &Outcome) {
        let leased = self.lease(false).unwrap();
        self.oracle.reported(leased, outcome, None, self.now);
    }
}

const EARLY: &str = "no call before the named instant";

#[test]
fn a_call_before_the_providers_advice_is_objected_to() {
    let mut scene = Scene::new();
    scene.call(&Outcome::MinuteQuota {
        retry_after: Some(Duration::from_secs(20)),
        limit: None,
    });
    scene.pass(19);
    assert_eq!(scene.lease(true).unwrap_err(), EARLY);
    scene.pass(1);
    assert!(scene.lease(true).is_ok());
}

#[test]
fn a_call_of_a_spent_day_is_objected_to_until_the_reset() {
    let mut scene = Scene::new();
    scene.call(&Outcome::DayQuota { limit: None });
    scene.pass(12 * 3_600 - 1);
    assert_eq!(scene.lease(true).unwrap_err(), EARLY);
    scene.pass(1);
    assert!(scene.lease(true).is_ok());
}

#[test]
fn a_second_trial_and_a_secret_one_are_objected_to() {
    let spent = Outcome::MinuteQuota {
        retry_after: None,
        limit: None,
    };
    let mut scene = Scene::new();
    scene.call(&spent);
    scene.pass(60);
    assert_eq!(
        scene.lease(false).unwrap_err(),
        "the first call after a rest is a trial"
    );
    assert!(scene.lease(true).is_ok());
    assert_eq!(scene.lease(true).unwrap_err(), "one trial at a time");
    scene.pass(15 * 60);
    assert!(scene.lease(true).is_ok(), "the first one counts as lost");
}

#[test]
fn a_call_with_a_bad_key_is_objected_to_until_somebody_helps() {
    let bad = "no call with a key known to be bad";
    let mut scene = Scene::new();
    scene.call(&Outcome::InvalidKey);
    assert_eq!(scene.lease(false).unwrap_err(), bad);
    scene
        .oracle
        .probed(KeyId(1), &Outcome::Success { tokens: 0 }, scene.now);
    scene.call(&Outcome::Revoked { whole_project: true });
    scene
        .oracle
        .probed(KeyId(1), &Outcome::Success { tokens: 0 }, scene.now);
    assert_eq!(
        scene.lease(false).unwrap_err(),
        bad,
        "a free call does not bring it back"
    );
    scene.oracle.enabled(KeyId(1), true, scene.now);
    assert!(scene.lease(false).is_ok());
    scene.oracle.enabled(KeyId(1), false, scene.now);
    assert_eq!(scene.lease(false).unwrap_err(), bad);
}

#[test]
fn a_healthy_key_left_over_is_objected_to() {
    let mut scene = Scene::new();
    let refused = |scene: &Scene, tried: &Tried| {
        let verdict = scene.oracle.refused(tried, 0, None, scene.now, |_| true);
        verdict.map_err(|violation| violation.rule)
    };
    let left_over = Err("no request fails while a healthy key is left over");
    assert_eq!(refused(&scene, &Tried::default()), left_over);
    let tried = Tried {
        keys: vec![KeyId(1)],
        ..Tried::default()
    };
    assert_eq!(refused(&scene, &tried), Ok(()), "it was tried");
    scene.call(&Outcome::Overload);
    scene.pass(120);
    assert_eq!(refused(&scene, &Tried::default()), Ok(()), "the model may be resting");
    scene.call(&Outcome::Success { tokens: 1 });
    assert_eq!(refused(&scene, &Tried::default()), Ok(()), "its minute may be full");
    scene.pass(120);
    assert_eq!(refused(&scene, &Tried::default()), left_over);
}
