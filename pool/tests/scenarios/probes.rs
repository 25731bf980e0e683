//! Keys in doubt, and people who help.

use pool::{AccountId, CellState, Key, KeyId, KeyState, Notice, Outcome, ProjectId, Record, Scope, Strategy, Verdict};

use crate::{DAY, OK, Story, key, secs};

#[test]
fn an_account_without_credit_is_left_by_all_its_projects() {
    let broke = (1..=3).map(|id| Key {
        account: AccountId(1),
        ..key(id)
    });
    let mut story = Story::with(Strategy::Headroom, broke.chain([key(4)]));
    let (calls, _) = story.request(|key, _| if key == KeyId(4) { OK } else { Outcome::Billing });
    assert!(calls.len() <= 2, "{calls:?}");
    assert_eq!(story.request(|_, _| OK).0, [4]);
    // One key is probed for all three, hourly.
    assert_eq!(
        story.key_state(2),
        KeyState::NoCredit {
            probe_at: story.now.plus(secs(3_600))
        }
    );
    story.pass(secs(3_600));
    let probed = story.pool.probes_due(story.now);
    assert_eq!(probed.len(), 1);
    let _changes = story.pool.report_probe(probed[0], &OK, story.now);
    assert_eq!(story.key_state(2), KeyState::Ready);
    let trial = story.lease_of(2);
    let journey = story.pool.journey();
    assert!(
        trial.facts().trial && story.acquire_on(&journey, Some(3)).is_err(),
        "one paid call tries first"
    );
}

#[test]
fn a_suspect_key_is_probed_once_a_minute_at_most() {
    let mut story = Story::of(2);
    story.call_of(1, &Outcome::InvalidKey);
    assert_eq!(
        story.pool.next_ready(story.now),
        Some(story.now),
        "a probe is due at once"
    );
    assert_eq!(story.pool.probes_due(story.now), [KeyId(1)]);
    assert!(story.pool.probes_due(story.now).is_empty(), "named once");
    story.pass(secs(59));
    assert!(story.pool.probes_due(story.now).is_empty());
    story.pass(secs(1));
    assert_eq!(
        story.pool.probes_due(story.now),
        [KeyId(1)],
        "the answer was lost: again"
    );
    let changes = story.pool.report_probe(KeyId(1), &OK, story.now);
    assert_eq!(changes.notices, [Notice::KeyRecovered(KeyId(1))]);
    story.call_of(1, &Outcome::InvalidKey);
    assert!(story.pool.probes_due(story.now).is_empty(), "a minute has not passed");
    story.pass(secs(60));
    assert_eq!(story.pool.probes_due(story.now), [KeyId(1)]);
    let changes = story.pool.report_probe(KeyId(1), &Outcome::InvalidKey, story.now);
    assert_eq!(changes.notices, [Notice::KeyInvalid(KeyId(1))]);
    story.pass(secs(6 * 3_600));
    assert_eq!(story.pool.probes_due(story.now), [KeyId(1)]);
}

#[test]
fn a_key_to_be_set_up_is_probed_ever_more_rarely() {
    let mut story = Story::of(1);
    let outcome = Outcome::KeyConfig { whole_project: true };
    story.call_of(1, &outcome);
    for minutes in [5, 10, 20, 40, 80, 160, 320, 360, 360] {
        let probe_at = story.now.plus(secs(minutes * 60));
        assert_eq!(story.key_state(1), KeyState::NeedsSetup { probe_at });
        story.now = probe_at;
        assert_eq!(story.pool.probes_due(story.now), [KeyId(1)]);
        let _changes = story.pool.report_probe(KeyId(1), &outcome, story.now);
    }
    let _changes = story.pool.report_probe(KeyId(1), &OK, story.now);
    assert!(story.acquire().is_ok());
}

#[test]
fn a_revoked_key_returns_only_by_a_persons_act() {
    let mut story = Story::of(1);
    let lease = story.lease_of(1);
    let notices = story.report(lease, &Outcome::Revoked { whole_project: false });
    assert_eq!(notices, [Notice::KeyRevoked(KeyId(1))]);
    let _changes = story.pool.report_probe(KeyId(1), &OK, story.now);
    story.pass(secs(30 * 86_400));
    assert!(story.pool.probes_due(story.now).is_empty());
    assert_eq!(story.acquire().unwrap_err().verdict, Verdict::AllInvalid);
    let changes = story.pool.set_enabled(KeyId(1), true, story.now);
    assert_eq!(
        changes.records,
        [Record::Key {
            key: KeyId(1),
            fault: None
        }]
    );
    assert!(story.acquire().is_ok());
}

#[test]
fn a_persons_reset_clears_what_is_held_against_keys() {
    let mut story = Story::of(4);
    story.call_of(1, &DAY);
    story.call_of(2, &Outcome::InvalidKey);
    story.call_of(3, &Outcome::Billing);
    let _changes = story.pool.set_enabled(KeyId(4), false, story.now);
    let changes = story.pool.reinstate(Scope::Key(KeyId(1)), story.now);
    assert!(
        matches!(changes.records[..], [Record::Cell { rest: None, .. }]),
        "{changes:?}"
    );
    assert_eq!(story.pool.verdict(Some(story.model), story.now).1.available, 1);
    let changes = story.pool.reinstate(Scope::All, story.now);
    assert_eq!(changes.records.len(), 2);
    let counts = story.pool.verdict(Some(story.model), story.now).1;
    assert_eq!(
        (counts.available, counts.disabled),
        (3, 1),
        "a reset switches no key on"
    );

    story.call_of(1, &DAY);
    let cell = Scope::Cell {
        project: ProjectId(1),
        model: story.model,
    };
    assert_eq!(story.pool.reinstate(cell, story.now).records.len(), 1);
    assert_eq!(story.cell(1), CellState::Ready);
    assert!(
        story.pool.reinstate(Scope::All, story.now).is_empty(),
        "nothing is left to clear"
    );
}
