//! Incidents: one open a rule and subject, changed while open, told once, paged, pruned.

use server::store::{Acknowledgement, AlertSeverity, Cursor, IncidentChange, IncidentNews, Store, StoredIncident};

use super::{NOW, later};

fn incident(id: &str, subject: &str, second: u64) -> StoredIncident {
    StoredIncident {
        id: id.to_owned(),
        rule: "low_success_rate".into(),
        subject: subject.to_owned(),
        severity: AlertSeverity::Medium,
        escalated: false,
        message: format!("Message of {id}: 'quoted' \u{fc}"),
        baseline: None,
        opened_at: later(second),
        last_seen_at: later(second),
        acknowledged: None,
        silenced_until: None,
        resolved_at: None,
        untold: Some(IncidentNews::Opened),
    }
}

async fn current(store: &dyn Store) -> Vec<StoredIncident> {
    store.current_incidents().await.unwrap()
}

async fn insert(store: &dyn Store, incident: StoredIncident) -> bool {
    store.insert_incident(incident).await.unwrap()
}

async fn resolve(store: &dyn Store, id: &str, second: u64) -> bool {
    let change = IncidentChange {
        resolved_at: Some(later(second)),
        untold: Some(None),
        ..IncidentChange::default()
    };
    store.update_incident(id, change).await.unwrap()
}

pub(super) async fn an_incident_is_kept_as_it_was_and_open_once_a_rule_and_subject(store: &dyn Store) {
    let whole = StoredIncident {
        severity: AlertSeverity::Critical,
        escalated: true,
        baseline: Some(12.5),
        last_seen_at: later(5),
        acknowledged: Some(Acknowledgement {
            by: "u1".to_owned(),
            at: later(3),
        }),
        silenced_until: Some(later(90)),
        untold: Some(IncidentNews::Escalated),
        ..incident("b", "key/2", 2)
    };
    let first = incident("a", "key/1", 1);
    assert!(insert(store, whole.clone()).await);
    assert!(insert(store, first.clone()).await);
    assert!(!insert(store, incident("c", "key/2", 3)).await, "one is open");
    assert!(!insert(store, incident("a", "key/3", 3)).await, "the id is taken");
    assert_eq!(current(store).await, [first.clone(), whole.clone()]);
    let of_another_rule = StoredIncident {
        rule: "quota_exceeded".into(),
        ..incident("c", "key/2", 3)
    };
    assert!(insert(store, of_another_rule).await);
    assert!(resolve(store, "b", 9).await);
    assert!(
        insert(store, incident("d", "key/2", 10)).await,
        "the one before is over"
    );
    let ids: Vec<String> = current(store).await.into_iter().map(|found| found.id).collect();
    assert_eq!(ids, ["a", "c", "d"]);
}

pub(super) async fn a_change_of_an_incident_leaves_the_rest_of_it(store: &dyn Store) {
    let made = incident("a", "key/1", 1);
    assert!(insert(store, made.clone()).await);
    let changes = [
        IncidentChange {
            severity: Some(AlertSeverity::Critical),
            escalated: Some(true),
            ..IncidentChange::default()
        },
        IncidentChange {
            message: Some("Other words".to_owned()),
            last_seen_at: Some(later(30)),
            ..IncidentChange::default()
        },
        IncidentChange {
            acknowledged: Some(Acknowledgement {
                by: "u1".to_owned(),
                at: later(40),
            }),
            ..IncidentChange::default()
        },
        IncidentChange {
            silenced_until: Some(Some(later(99))),
            untold: Some(Some(IncidentNews::Escalated)),
            ..IncidentChange::default()
        },
        IncidentChange {
            silenced_until: Some(None),
            untold: Some(None),
            ..IncidentChange::default()
        },
    ];
    let mut expected = made;
    for change in changes {
        assert!(store.update_incident("a", change.clone()).await.unwrap());
        change.apply(&mut expected);
        assert_eq!(current(store).await, [expected.clone()]);
    }
    assert!(!store.update_incident("none", IncidentChange::default()).await.unwrap());
}

pub(super) async fn a_resolved_incident_is_not_changed_and_its_end_is_told_once(store: &dyn Store) {
    assert!(insert(store, incident("a", "key/1", 1)).await);
    let end = IncidentChange {
        resolved_at: Some(later(60)),
        untold: Some(Some(IncidentNews::Resolved)),
        ..IncidentChange::default()
    };
    assert!(store.update_incident("a", end).await.unwrap());
    assert!(!resolve(store, "a", 70).await, "it is over");
    let over = StoredIncident {
        resolved_at: Some(later(60)),
        untold: Some(IncidentNews::Resolved),
        ..incident("a", "key/1", 1)
    };
    assert_eq!(current(store).await, std::slice::from_ref(&over), "its end is untold");
    assert!(!store.note_incident_told("a", IncidentNews::Opened).await.unwrap());
    assert!(store.note_incident_told("a", IncidentNews::Resolved).await.unwrap());
    assert!(!store.note_incident_told("a", IncidentNews::Resolved).await.unwrap());
    assert!(!store.note_incident_told("none", IncidentNews::Resolved).await.unwrap());
    assert!(current(store).await.is_empty());
    let told = StoredIncident { untold: None, ..over };
    assert_eq!(store.incidents(None, 10).await.unwrap().items, [told]);
}

pub(super) async fn incidents_come_in_pages_newest_first(store: &dyn Store) {
    for second in 0..4 {
        // Two at each instant: their ids order them.
        for id in ["a", "b"] {
            let id = format!("{second}{id}");
            assert!(insert(store, incident(&id, &format!("key/{id}"), second)).await);
        }
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.incidents(cursor.as_ref(), 3).await.unwrap();
        seen.extend(page.items.into_iter().map(|incident| incident.id));
        let Some(next) = page.next_cursor else { break };
        cursor = Some(Cursor::parse(&next).unwrap());
    }
    assert_eq!(seen, ["3b", "3a", "2b", "2a", "1b", "1a", "0b", "0a"]);
    assert!(store.incidents(None, 8).await.unwrap().next_cursor.is_none());
}

pub(super) async fn old_incidents_go_and_open_ones_stay(store: &dyn Store) {
    for (id, ended) in [("a", Some(10)), ("b", Some(20)), ("c", None)] {
        assert!(insert(store, incident(id, &format!("key/{id}"), 0)).await);
        if let Some(second) = ended {
            assert!(resolve(store, id, second).await);
        }
    }
    assert_eq!(store.delete_incidents(NOW).await.unwrap(), 0);
    assert_eq!(store.delete_incidents(later(20)).await.unwrap(), 1);
    let left: Vec<String> = store
        .incidents(None, 10)
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|left| left.id)
        .collect();
    assert_eq!(left, ["c", "b"]);
}
