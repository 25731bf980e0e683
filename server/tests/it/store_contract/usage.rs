//! Usage: events and their rollups.

use std::collections::BTreeMap;
use std::time::Duration;

use app::types::Role;
use pool::Timestamp;
use server::store::{
    Cursor, Dimensions, EventBounds, EventFilter, EventKey, EventKind, Level, Order, Piece, Rollup, RollupQuery, Store,
    Sums, UsageEvent,
};

use super::{NOW, later, user};

const MINUTE_MS: u64 = 60_000;
const WIDE: EventBounds = EventBounds {
    events_max: 10_000,
    looked_at_max: 10_000,
};

pub(super) fn event(id: &str, at: Timestamp, key: u32, outcome: &'static str) -> UsageEvent {
    UsageEvent {
        id: id.to_owned(),
        kind: EventKind::Attempt,
        at,
        request_id: "request-1".to_owned(),
        key: Some(EventKey {
            id: u64::from(key) + 100,
            number: key,
            project: Some("projects/1".to_owned()),
        }),
        attempts: 1,
        model: "gemini-2.5-flash".to_owned(),
        operation: "generateContentText".into(),
        surface: "api".into(),
        success: outcome == "success",
        outcome: outcome.into(),
        error_type: (outcome != "success").then(|| "quota".into()),
        response_time_ms: 250,
        first_token_ms: Some(100),
        prompt_tokens: 3,
        output_tokens: 4,
        cached_tokens: 0,
        thought_tokens: 0,
        total_tokens: 7,
        cached: false,
        user_id: Some("ada".to_owned()),
        token_id: None,
        user_agent: Some("test".to_owned()),
    }
}

/// The accounts of those who called in these tests.
async fn settle_callers(store: &dyn Store) {
    for id in ["ada", "user-1", "user-2"] {
        let email = format!("{id}@example.com");
        store.create_user(user(id, &email, Role::User)).await.unwrap();
    }
}

/// Every event, oldest first.
pub(super) async fn all(store: &dyn Store) -> Vec<UsageEvent> {
    let page = store
        .usage_events(EventFilter::default(), Order::OldestFirst, None, WIDE)
        .await
        .unwrap();
    assert_eq!(page.next, None);
    page.events
}

/// Some of everything, over three days.
fn history() -> Vec<UsageEvent> {
    let models = ["gemini-2.5-flash", "gemini-2.5-pro"];
    let ends = [
        ("success", None),
        ("day_quota", Some("quota")),
        ("server", Some("server_error")),
    ];
    (0..240_u64)
        .map(|number| {
            let (outcome, error_type) = ends[usize::try_from(number % 7 % 3).unwrap()];
            let kind = EventKind::ALL[usize::try_from(number % 2).unwrap()];
            let key = (number % 5 > 0).then(|| EventKey {
                id: number % 3 + 101,
                number: u32::try_from(number % 3).unwrap() + 1,
                project: (number % 3 > 0).then(|| format!("projects/{}", number % 3)),
            });
            UsageEvent {
                id: uuid(number),
                kind,
                at: NOW.plus(Duration::from_secs(number * 18 * 60 + number)),
                request_id: uuid(1_000 + number / 2),
                key,
                attempts: u32::try_from(number % 4).unwrap(),
                model: models[usize::try_from(number / 2 % 2).unwrap()].to_owned(),
                operation: ["generateContentText", "generateContentVision"][usize::try_from(number / 4 % 2).unwrap()]
                    .into(),
                success: error_type.is_none(),
                outcome: outcome.into(),
                error_type: error_type.map(Into::into),
                response_time_ms: number * number,
                first_token_ms: (number % 3 == 0).then_some(number),
                prompt_tokens: number,
                output_tokens: 2 * number,
                cached_tokens: number % 2,
                thought_tokens: number % 3,
                total_tokens: 3 * number,
                cached: number % 11 == 0,
                token_id: (number % 2 == 0).then(|| "token".to_owned()),
                user_id: (number % 3 > 0).then(|| format!("user-{}", number % 3)),
                ..event("", NOW, 1, "success")
            }
        })
        .collect()
}

fn uuid(number: u64) -> String {
    format!("0199aaaa-0000-7000-8000-{number:012}")
}

fn piece(level: Level, events: &[UsageEvent]) -> Piece {
    let first = events.iter().map(|event| event.at).min().unwrap();
    let last = events.iter().map(|event| event.at).max().unwrap();
    let end = level.start_of(last).plus(Duration::from_millis(level.ms()));
    Piece {
        level,
        from: level.start_of(first),
        to: end,
    }
}

pub(super) async fn usage_is_stored_once_however_often_it_is_sent(store: &dyn Store) {
    let events = || vec![event("1", NOW, 1, "success"), event("2", later(1), 1, "success")];
    store.append_usage(events()).await.unwrap();
    store
        .append_usage([events(), vec![event("3", later(2), 1, "success")]].concat())
        .await
        .unwrap();
    store.append_usage(vec![]).await.unwrap();
    assert_eq!(all(store).await.len(), 3);
    for level in Level::ALL {
        let found = store.usage_rollups(query(vec![piece(level, &events())])).await.unwrap();
        assert_eq!(found.len(), 1, "{level:?}");
        let row = &found[0];
        assert_eq!((row.sums.count, row.sums.total_tokens), (3, 21));
        assert_eq!((row.first_at, row.last_at), (NOW, later(2)));
    }
}

pub(super) async fn an_event_is_listed_as_it_was_appended(store: &dyn Store) {
    settle_callers(store).await;
    let events = history();
    store.append_usage(events.clone()).await.unwrap();
    assert_eq!(all(store).await, events);
    let mut newest = store
        .usage_events(EventFilter::default(), Order::NewestFirst, None, WIDE)
        .await
        .unwrap();
    newest.events.reverse();
    assert_eq!(newest.events, events);
}

pub(super) async fn the_last_events_of_a_deleted_user_are_nobodys(store: &dyn Store) {
    settle_callers(store).await;
    let asked = || event("1", NOW, 1, "success");
    store.append_usage(vec![asked()]).await.unwrap();
    assert!(store.delete_user("ada").await.unwrap());
    // One that ended later, and the other once more.
    store
        .append_usage(vec![asked(), event("2", later(1), 1, "success")])
        .await
        .unwrap();
    for event in all(store).await {
        assert_eq!((event.user_id, event.token_id, event.user_agent), (None, None, None));
    }
}

pub(super) async fn events_of_one_instant_are_paged_without_loss(store: &dyn Store) {
    settle_callers(store).await;
    let events: Vec<_> = (0..7).map(|number| event(&uuid(number), NOW, 1, "success")).collect();
    store.append_usage(events.clone()).await.unwrap();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (mut found, mut cursor) = (Vec::new(), None);
        for _ in 0..4 {
            let bounds = EventBounds {
                events_max: 2,
                looked_at_max: 100,
            };
            let page = store
                .usage_events(EventFilter::default(), order, cursor, bounds)
                .await
                .unwrap();
            found.extend(page.events);
            cursor = page.next;
        }
        assert_eq!(cursor, None, "{order:?}");
        if order == Order::NewestFirst {
            found.reverse();
        }
        assert_eq!(found, events, "{order:?}");
    }
}

/// What the filter lets through, and the same by hand.
async fn check_filter(store: &dyn Store, filter: EventFilter, wanted: impl Fn(&UsageEvent) -> bool) {
    let page = store
        .usage_events(filter.clone(), Order::OldestFirst, None, WIDE)
        .await
        .unwrap();
    let expected: Vec<_> = history().into_iter().filter(wanted).collect();
    assert_eq!(page.events, expected, "{filter:?}");
    assert_eq!(page.next, None);
}

pub(super) async fn events_are_filtered_by_all_that_is_asked(store: &dyn Store) {
    settle_callers(store).await;
    store.append_usage(history()).await.unwrap();
    let none = EventFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let (from, to) = (history()[20].at, history()[40].at);
    let stretch = EventFilter {
        from: Some(from),
        to: Some(to),
        ..none()
    };
    check_filter(store, stretch, |event| event.at >= from && event.at < to).await;
    let failed = EventFilter {
        kind: Some(EventKind::Attempt),
        success: Some(false),
        ..none()
    };
    check_filter(store, failed, |event| {
        event.kind == EventKind::Attempt && !event.success
    })
    .await;
    let key = EventFilter {
        key_number: Some(2),
        model: text("gemini-2.5-pro"),
        ..none()
    };
    check_filter(store, key, |event| {
        event.model == "gemini-2.5-pro" && event.key.as_ref().is_some_and(|key| key.number == 2)
    })
    .await;
    let words = EventFilter {
        operation: text("generateContentVision"),
        surface: text("api"),
        error_type: text("quota"),
        ..none()
    };
    check_filter(store, words, |event| {
        event.operation == "generateContentVision" && event.error_type.as_deref() == Some("quota")
    })
    .await;
    let caller = EventFilter {
        user_id: text("user-1"),
        token_id: text("token"),
        ..none()
    };
    check_filter(store, caller, |event| {
        event.user_id.as_deref() == Some("user-1") && event.token_id.is_some()
    })
    .await;
    let request = EventFilter {
        request_id: text(&uuid(1_003)),
        ..none()
    };
    check_filter(store, request, |event| event.request_id == uuid(1_003)).await;
    let unheard = EventFilter {
        model: text("never heard of"),
        ..none()
    };
    check_filter(store, unheard, |_| false).await;
    let nobody = EventFilter {
        user_id: text("nobody"),
        ..none()
    };
    check_filter(store, nobody, |_| false).await;
}

pub(super) async fn a_search_stops_where_it_has_looked_at_enough(store: &dyn Store) {
    settle_callers(store).await;
    let events: Vec<_> = (0..30)
        .map(|number| {
            event(
                &uuid(number),
                later(number),
                1,
                if number == 3 { "day_quota" } else { "success" },
            )
        })
        .collect();
    store.append_usage(events.clone()).await.unwrap();
    let filter = EventFilter {
        success: Some(false),
        ..EventFilter::default()
    };
    let bounds = EventBounds {
        events_max: 5,
        looked_at_max: 20,
    };
    let first = store
        .usage_events(filter.clone(), Order::NewestFirst, None, bounds)
        .await
        .unwrap();
    assert_eq!(first.events, []);
    let behind = Cursor {
        created_at: later(10),
        id: uuid(10),
    };
    assert_eq!(first.next, Some(behind));
    let second = store
        .usage_events(filter, Order::NewestFirst, first.next, bounds)
        .await
        .unwrap();
    assert_eq!((second.events, second.next), (vec![events[3].clone()], None));
}

fn query(pieces: Vec<Piece>) -> RollupQuery {
    RollupQuery {
        kind: EventKind::Attempt,
        pieces,
        key_number: None,
        model: None,
        by: Dimensions::default(),
        times: true,
    }
}

/// The answer by hand, from the events themselves.
fn by_hand(query: &RollupQuery) -> Vec<Rollup> {
    let mut groups: BTreeMap<_, Rollup> = BTreeMap::new();
    for event in history().into_iter().filter(|event| event.kind == query.kind) {
        let Some(piece) = query
            .pieces
            .iter()
            .find(|piece| piece.from <= event.at && event.at < piece.to)
        else {
            continue;
        };
        let number = event.key.as_ref().map(|key| key.number);
        if query.key_number.is_some_and(|wanted| number != Some(wanted))
            || query.model.as_ref().is_some_and(|wanted| *wanted != event.model)
        {
            continue;
        }
        let by = query.by;
        let start = by.start.then(|| piece.level.start_of(event.at));
        let key_number = number.filter(|_| by.key);
        let model = Some(event.model.clone()).filter(|_| by.model);
        let operation = Some(event.operation.to_string()).filter(|_| by.operation);
        let outcome = Some(event.outcome.to_string()).filter(|_| by.outcome);
        let error_type = event
            .error_type
            .as_ref()
            .map(ToString::to_string)
            .filter(|_| by.outcome);
        let place = (
            start,
            key_number,
            model.clone(),
            operation.clone(),
            outcome.clone(),
            error_type.clone(),
        );
        let row = groups.entry(place).or_insert_with(|| Rollup {
            start,
            key_id: key_number.map(|number| u64::from(number) + 100),
            key_number,
            model,
            operation,
            outcome,
            error_type,
            first_at: event.at,
            ..Rollup::default()
        });
        row.sums.add(&Sums::of(&event));
        (row.first_at, row.last_at) = (row.first_at.min(event.at), row.last_at.max(event.at));
        if query.times {
            row.times.add(event.response_time_ms);
            if let Some(ms) = event.first_token_ms {
                row.first_tokens.add(ms);
            }
        }
    }
    groups.into_values().collect()
}

pub(super) async fn rollups_add_up_to_the_events(store: &dyn Store) {
    for group in history().chunks(17) {
        store.append_usage(group.to_vec()).await.unwrap();
    }
    let days = piece(Level::Day, &history());
    let hours = piece(Level::Hour, &history()[..100]);
    let minutes = Piece {
        level: Level::Minute,
        from: hours.to,
        to: hours.to.plus(Duration::from_millis(90 * MINUTE_MS)),
    };
    for pieces in [
        vec![days],
        vec![hours, minutes],
        vec![piece(Level::Quarter, &history())],
    ] {
        for bits in 0..32_u8 {
            let by = Dimensions {
                start: bits & 1 > 0,
                key: bits & 2 > 0,
                model: bits & 4 > 0,
                operation: bits & 8 > 0,
                outcome: bits & 16 > 0,
            };
            for (key_number, model) in [
                (None, None),
                (Some(2), None),
                (None, Some("gemini-2.5-pro")),
                (Some(9), None),
            ] {
                let asked = RollupQuery {
                    kind: EventKind::ALL[usize::from(bits % 3 == 0)],
                    key_number,
                    model: model.map(str::to_owned),
                    by,
                    times: bits % 2 == 0,
                    ..query(pieces.clone())
                };
                assert_eq!(
                    store.usage_rollups(asked.clone()).await.unwrap(),
                    by_hand(&asked),
                    "{asked:?}"
                );
            }
        }
    }
    assert_eq!(store.usage_rollups(query(vec![])).await.unwrap(), []);
}

pub(super) async fn old_usage_goes_and_what_it_adds_up_to_stays(store: &dyn Store) {
    settle_callers(store).await;
    let events = history();
    store.append_usage(events.clone()).await.unwrap();
    let before = events[100].at;
    let day = Duration::from_secs(24 * 3600);
    let now = Level::Day.start_of(events[100].at).plus(2 * day);
    assert_eq!(store.prune_usage(before, now).await.unwrap(), 100);
    assert_eq!(store.prune_usage(before, now).await.unwrap(), 0);
    assert_eq!(all(store).await, events[100..]);
    let (mut minutes, hours, days) = (
        query(vec![piece(Level::Minute, &events)]),
        query(vec![piece(Level::Hour, &events)]),
        query(vec![piece(Level::Day, &events)]),
    );
    for kept in [&hours, &days] {
        assert_eq!(store.usage_rollups(kept.clone()).await.unwrap(), by_hand(kept));
    }
    let found = store.usage_rollups(minutes.clone()).await.unwrap();
    minutes.pieces[0].from = now.minus(2 * day);
    assert_eq!(found, by_hand(&minutes), "minutes are kept for two days");
    assert_eq!(store.prune_usage(before, now.plus(401 * day)).await.unwrap(), 0);
    assert_eq!(store.usage_rollups(hours).await.unwrap(), []);
    assert_eq!(store.usage_rollups(days.clone()).await.unwrap(), by_hand(&days));
}

pub(super) async fn more_old_usage_than_goes_at_once_goes_too(store: &dyn Store) {
    let events: Vec<_> = (0..2_500)
        .map(|number| event(&uuid(number), later(number), 1, "success"))
        .collect();
    store.append_usage(events).await.unwrap();
    assert_eq!(store.prune_usage(later(2_400), NOW).await.unwrap(), 2_400);
    assert_eq!(all(store).await.len(), 100);
}

pub(super) async fn a_thousand_writers_at_once_all_succeed(store: &dyn Store) {
    let writes = (0..1000).map(|number| store.append_usage(vec![event(&number.to_string(), NOW, 1, "success")]));
    futures::future::try_join_all(writes).await.unwrap();
    let found = store
        .usage_rollups(query(vec![piece(Level::Day, &[event("", NOW, 1, "success")])]))
        .await
        .unwrap();
    assert_eq!(found[0].sums.count, 1000);
}
