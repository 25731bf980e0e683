//! What outlives a restart or a change of keys.

use pool::{AccountId, CellState, Key, KeyId, Limit, LimitUnit, Outcome, ProjectId};

use crate::{DAY, MIDNIGHT, OK, Story, key, secs};

#[test]
fn what_is_wrong_with_a_project_moves_with_its_last_key() {
    let mut story = Story::of(2);
    story.call_of(1, &Outcome::KeyConfig { whole_project: true });
    let moved = pool::Key {
        project: pool::ProjectId(77),
        ..crate::key(1)
    };
    story.pool.upsert(moved, story.now);
    assert!(matches!(story.key_state(1), pool::KeyState::NeedsSetup { .. }));
    story.pass(secs(300));
    assert_eq!(story.pool.probes_due(story.now), [KeyId(1)]);
    assert_eq!(story.pool.report_probe(KeyId(1), &OK, story.now).notices.len(), 1);
    assert_eq!(story.key_state(1), pool::KeyState::Ready);
}

#[test]
fn known_exhausted_cells_get_no_call_after_a_restart() {
    let mut before = Story::of(6);
    let limit = Some(Limit {
        unit: LimitUnit::Requests,
        value: 250,
    });
    before.call_of(1, &OK);
    before.call_of(1, &Outcome::DayQuota { limit });
    before.call_of(2, &Outcome::InvalidKey);
    before.call_of(3, &Outcome::Billing);
    before.call_of(4, &Outcome::Bare429);
    before.call_of(5, &OK);
    let mut after = Story::of(6);
    after.pool.restore(before.pool.records(), before.now);
    for key in 1..=6 {
        assert_eq!(after.key_state(key), before.key_state(key), "key {key}");
    }
    for key in [1, 4, 5] {
        assert_eq!(after.cell(key), before.cell(key), "key {key}");
    }
    let view = after.pool.snapshot(after.now).keys[0].cells[0].clone();
    assert_eq!((view.used.requests_today, view.limits.requests_per_day), (1, Some(250)));
    for _ in 0..20 {
        let lease = after.acquire().unwrap();
        let key = lease.key().0;
        assert!(key == 5 || key == 6, "key {key} is known to fail");
        after.report(lease, &OK);
    }
    assert_eq!(after.pool.probes_due(after.now), [KeyId(2)]);

    let mut next_day = Story::of(6);
    next_day.now = MIDNIGHT.plus(secs(120));
    next_day.pool.restore(before.pool.records(), next_day.now);
    assert_eq!(next_day.cell(1), CellState::Ready, "yesterday's exhaustion is stale");
    let view = next_day.pool.snapshot(next_day.now).keys[0].cells[0].clone();
    assert_eq!((view.used.requests_today, view.limits.requests_per_day), (0, Some(250)));
}

#[test]
fn a_plain_success_is_nothing_to_store() {
    let mut story = Story::of(1);
    let lease = story.acquire().unwrap();
    let changes = story.pool.report(lease, &OK, story.now);
    assert!(changes.is_empty() && changes.records.capacity() == 0 && changes.notices.capacity() == 0);
}

#[test]
fn a_key_found_to_share_a_project_brings_its_rest_along() {
    let mut story = Story::of(2);
    story.call_of(1, &DAY);
    let spent = story.cell(1);
    // The error revealed that both keys belong to project 2.
    story.pool.upsert(
        Key {
            project: ProjectId(2),
            account: AccountId(2),
            ..key(1)
        },
        story.now,
    );
    let lease = story.acquire();
    assert!(lease.is_err(), "no second wasted call");
    assert_eq!((story.cell(1), story.cell(2)), (spent, spent));
}
