//! Settings made at run time, notifications and their deliveries.

use pool::Timestamp;
use serde_json::json;
use server::store::{Cursor, Delivery, DeliveryState, Severity, Store, StoredNotification};

use super::{NOW, later};

fn notification(id: &str, created_at: Timestamp) -> StoredNotification {
    StoredNotification {
        id: id.to_owned(),
        created_at,
        kind: "service.down".into(),
        severity: Severity::Critical,
        title: format!("Title of {id}"),
        text: "Cause, effect, next step: 'quoted' \u{fc}".to_owned(),
        data: json!({ "totalKeys": 3, "reasons": { "invalid": 1 } }),
    }
}

fn channels(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn pending(id: &str, channel: &str, at: Timestamp) -> Delivery {
    Delivery {
        notification_id: id.to_owned(),
        channel: channel.to_owned(),
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: at,
        last_error: None,
        updated_at: at,
    }
}

pub(super) async fn a_setting_is_kept_replaced_and_removed(store: &dyn Store) {
    assert!(store.settings().await.unwrap().is_empty());
    let save = |name: &str, value| store.save_setting(name.to_owned(), value);
    save("strategy", Some(json!("sticky"))).await.unwrap();
    save("limits", Some(json!([{ "rpm": 10 }]))).await.unwrap();
    save("strategy", Some(json!("headroom"))).await.unwrap();
    let expected = [
        ("limits".to_owned(), json!([{ "rpm": 10 }])),
        ("strategy".to_owned(), json!("headroom")),
    ];
    assert_eq!(store.settings().await.unwrap(), expected);
    save("limits", None).await.unwrap();
    save("none", None).await.unwrap();
    assert_eq!(store.settings().await.unwrap(), expected[1..]);
    let together = vec![
        ("strategy".to_owned(), None),
        ("limits".to_owned(), Some(json!([{ "rpm": 10 }]))),
    ];
    store.save_settings(together).await.unwrap();
    assert_eq!(store.settings().await.unwrap(), expected[..1]);
}

pub(super) async fn a_notification_is_stored_once_with_a_delivery_a_channel(store: &dyn Store) {
    let made = notification("a", NOW);
    store
        .insert_notification(made.clone(), channels(&["webhook", "mail"]))
        .await
        .unwrap();
    let other_words = StoredNotification {
        title: "Another".to_owned(),
        ..made.clone()
    };
    store
        .insert_notification(other_words, channels(&["webhook", "pager"]))
        .await
        .unwrap();
    store
        .insert_notification(notification("quiet", later(1)), vec![])
        .await
        .unwrap();
    let items = store.notifications(None, 10).await.unwrap().items;
    assert_eq!(
        (items[0].notification.id.as_str(), items[0].deliveries.len()),
        ("quiet", 0)
    );
    assert_eq!(items[1].notification, made);
    assert_eq!(
        items[1].deliveries,
        [pending("a", "mail", NOW), pending("a", "webhook", NOW)]
    );
}

pub(super) async fn deliveries_are_due_by_channel_and_time_until_they_ended(store: &dyn Store) {
    for (id, at) in [("b", later(5)), ("a", NOW), ("c", later(9))] {
        store
            .insert_notification(notification(id, at), channels(&["webhook", "mail"]))
            .await
            .unwrap();
    }
    let due = async |at, limit| -> Vec<String> {
        let due = store.due_deliveries("webhook", at, limit).await.unwrap();
        assert!(due.iter().all(|due| due.delivery.channel == "webhook"));
        due.into_iter().map(|due| due.notification.id).collect()
    };
    assert_eq!(due(later(5), 10).await, ["a", "b"]);
    assert_eq!(due(later(5), 1).await, ["a"]);
    assert_eq!(store.next_delivery_at("webhook").await.unwrap(), Some(NOW));
    let tried = Delivery {
        attempts: 1,
        due_at: later(30),
        last_error: Some("no".to_owned()),
        updated_at: later(1),
        ..pending("a", "webhook", NOW)
    };
    assert!(store.save_delivery(tried.clone()).await.unwrap());
    assert_eq!(due(later(29), 10).await, ["b", "c"]);
    let again = store.due_deliveries("webhook", later(30), 10).await.unwrap();
    assert_eq!(again.last().unwrap().delivery, tried);
    for (id, state) in [("b", DeliveryState::Delivered), ("c", DeliveryState::Failed)] {
        let ended = Delivery {
            state,
            ..pending(id, "webhook", NOW)
        };
        assert!(store.save_delivery(ended).await.unwrap());
    }
    assert_eq!(due(later(29), 10).await, [""; 0]);
    assert_eq!(store.next_delivery_at("webhook").await.unwrap(), Some(later(30)));
    assert_eq!(store.next_delivery_at("mail").await.unwrap(), Some(NOW));
    assert_eq!(store.next_delivery_at("pager").await.unwrap(), None);
    assert!(!store.save_delivery(pending("none", "webhook", NOW)).await.unwrap());
}

pub(super) async fn notifications_come_in_pages_newest_first(store: &dyn Store) {
    for second in 0..5 {
        // Two at each instant: their ids order them.
        for id in ["a", "b"] {
            let made = notification(&format!("{second}{id}"), later(second));
            store.insert_notification(made, channels(&["mail"])).await.unwrap();
        }
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.notifications(cursor.as_ref(), 3).await.unwrap();
        assert!(page.items.iter().all(|item| item.deliveries.len() == 1));
        seen.extend(page.items.into_iter().map(|item| item.notification.id));
        match page.next_cursor {
            Some(next) => cursor = Some(Cursor::parse(&next).unwrap()),
            None => break,
        }
    }
    assert_eq!(seen, ["4b", "4a", "3b", "3a", "2b", "2a", "1b", "1a", "0b", "0a"]);
}

pub(super) async fn old_notifications_go_with_their_deliveries(store: &dyn Store) {
    for (id, at) in [("old", NOW), ("new", later(1))] {
        store
            .insert_notification(notification(id, at), channels(&["mail"]))
            .await
            .unwrap();
    }
    assert_eq!(store.delete_notifications(later(1)).await.unwrap(), 1);
    assert_eq!(store.delete_notifications(later(1)).await.unwrap(), 0);
    let left = store.notifications(None, 10).await.unwrap();
    assert_eq!(left.items.len(), 1);
    assert_eq!(left.items[0].notification.id, "new");
    assert_eq!(store.due_deliveries("mail", later(9), 10).await.unwrap().len(), 1);
}
