//! How long rests last, and what probes find.

use core::time::Duration;

use pool::{KeyId, Outcome, ProjectId, Want};

use crate::scene::{DAY, MINUTE, Scene};

#[track_caller]
fn check_minute_rest(advice: Option<u64>, expected: &str) {
    let mut scene = Scene::new();
    let retry_after = advice.map(Duration::from_secs);
    scene.call(
        1,
        &Outcome::MinuteQuota {
            retry_after,
            limit: None,
        },
    );
    assert_eq!(scene.key(1), expected);
}

#[test]
fn a_minute_rest_follows_the_advice_within_bounds() {
    check_minute_rest(None, "cooling 60");
    check_minute_rest(Some(30), "cooling 31");
    check_minute_rest(Some(0), "cooling 2");
    check_minute_rest(Some(86_400), "cooling 300");
    check_minute_rest(Some(u64::MAX), "cooling 300");
}

/// Waits of one thing that fails again at every trial.
#[track_caller]
fn check_growth(outcome: &Outcome, seen: fn(&Scene) -> String, expected: &[&str]) {
    let mut scene = Scene::new();
    for _ in 0..5 {
        // A breaker opens at the fifth failure: the first wait is the subject here.
        if seen(&scene).ends_with("ready") || seen(&scene).is_empty() {
            scene.call(1, outcome);
        }
    }
    for (index, expected) in expected.iter().enumerate() {
        assert_eq!(seen(&scene), *expected, "wait {index} after {outcome:?}");
        let secs: u64 = expected.split(' ').next_back().unwrap().parse().unwrap();
        scene.pass(secs);
        let journey = scene.pool.journey();
        let want = Want {
            model: scene.model,
            tokens: 1,
            journey: &journey,
            owner: Some(ProjectId(1)),
        };
        let trial = scene.pool.acquire(&want, scene.now, 0).unwrap();
        let busy = scene.pool.acquire(&want, scene.now, 0);
        // The sibling of a key that rests alone may go on.
        if *outcome != Outcome::Bare429 {
            assert_eq!(
                busy.unwrap_err().retry_at,
                Some(scene.now.plus(Duration::from_secs(1))),
                "one trial at a time"
            );
        }
        scene.report(trial, outcome);
    }
}

#[test]
fn rests_grow_while_trials_fail() {
    let key = |scene: &Scene| scene.key(1);
    let gates = |scene: &Scene| scene.gates();
    let spend = [
        "spend_limited 60",
        "spend_limited 120",
        "spend_limited 240",
        "spend_limited 480",
        "spend_limited 600",
        "spend_limited 600",
    ];
    check_growth(&Outcome::Spend, key, &spend);
    let breaker = [
        "breaker 5",
        "breaker 10",
        "breaker 20",
        "breaker 40",
        "breaker 60",
        "breaker 60",
    ];
    check_growth(&Outcome::Overload, gates, &breaker);
    check_growth(&Outcome::Transport, gates, &breaker);
    check_growth(&MINUTE, key, &["cooling 60", "cooling 60", "cooling 60"]);
}

#[test]
fn a_key_refused_without_detail_rests_longer_each_time() {
    let mut scene = Scene::new();
    // The sibling is out of the way, and the other projects keep one key's refusal from being everybody's.
    let _changes = scene.pool.set_enabled(KeyId(2), false, scene.now);
    for expected in ["cooling 5", "cooling 15", "cooling 60", "cooling 300", "cooling 300"] {
        scene.call(1, &Outcome::Bare429);
        assert_eq!(scene.key(1), expected);
        let secs: u64 = expected.split(' ').next_back().unwrap().parse().unwrap();
        scene.pass(secs);
    }
    scene.call(1, &Outcome::Success { tokens: 1 });
    scene.call(1, &Outcome::Bare429);
    assert_eq!(scene.key(1), "cooling 5", "a success starts afresh");
}

/// One probe of key 1 that was refused as invalid before.
#[track_caller]
fn check_probe(outcome: &Outcome, expected: &str) {
    let mut scene = Scene::new();
    scene.call(1, &Outcome::InvalidKey);
    assert_eq!(scene.pool.probes_due(scene.now), [KeyId(1)]);
    let _changes = scene.pool.report_probe(KeyId(1), outcome, scene.now);
    assert_eq!(scene.key(1), expected, "{outcome:?}");
}

#[test]
fn a_probe_decides_about_a_key_in_doubt() {
    check_probe(&Outcome::Success { tokens: 0 }, "ready");
    check_probe(&Outcome::ModelGone, "ready");
    check_probe(&DAY, "ready");
    check_probe(&MINUTE, "ready");
    check_probe(&Outcome::InvalidKey, "invalid 21600");
    check_probe(&Outcome::Revoked { whole_project: false }, "revoked");
    check_probe(&Outcome::Revoked { whole_project: true }, "revoked");
    check_probe(&Outcome::KeyConfig { whole_project: false }, "needs_setup 300");
    check_probe(&Outcome::Billing, "no_credit 3600");
    for nothing_learned in [
        Outcome::Transport,
        Outcome::Overload,
        Outcome::Server,
        Outcome::Cancelled,
        Outcome::Unknown,
    ] {
        check_probe(&nothing_learned, "suspect 60");
    }
}
