//! What is recorded of an analysis, read from the store that the server leaves behind.

use app::types::Role;
use base64::Engine as _;
use serde_json::json;
use server::store::sqlite::SqliteStore;
use server::store::{EventBounds, EventFilter, Order, Store as _, UsageEvent};

use crate::support::{App, Setup, spawn};

/// Stops the server in order and reads what it recorded, in the order of the ids.
async fn recorded(app: App) -> Vec<UsageEvent> {
    let (data, _sim) = app.stop().await;
    let store = SqliteStore::open(&data.path().join("data/keypool.db")).unwrap();
    let bounds = EventBounds {
        events_max: 100,
        looked_at_max: 100,
    };
    let page = store.usage_events(EventFilter::default(), Order::OldestFirst, None, bounds);
    let mut events = page.await.unwrap().events;
    events.sort_by(|left, right| left.id.cmp(&right.id));
    events
}

fn setup(analytics: &str) -> Setup {
    Setup {
        keys: 2,
        environment: vec![
            ("KEYPOOL_STRATEGY", "sticky".to_owned()),
            ("ENABLE_ANALYTICS", analytics.to_owned()),
        ],
        ..Setup::default()
    }
}

#[tokio::test]
async fn a_failover_is_recorded_as_its_attempts_and_one_request() {
    let app = spawn(setup("true")).await;
    let ada = app.account(Role::User).await;
    let token = app.login(&ada).await;
    app.browser(&ada).await;
    app.always(1, "day-quota-paid");
    let text = app.analyze(&token).await;
    let png = base64::engine::general_purpose::STANDARD.encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let body = json!({ "prompt": "What is this?", "images": [{ "mimeType": "image/png", "data": png }] });
    // The browser's way.
    let vision = app
        .request(reqwest::Method::POST, "/api/ai-analysis/analyze")
        .json(&body);
    let vision = crate::support::Reply::of(vision.send().await.unwrap()).await;
    assert_eq!((text.status, vision.status), (200, 200), "{}", vision.body);
    let rows = recorded(app).await;

    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.kind.as_str(),
                row.key.as_ref().map(|key| key.number),
                row.attempts,
                row.outcome.as_ref(),
                row.error_type.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("attempt", Some(1), 1, "day_quota", Some("quota")),
            ("attempt", Some(2), 1, "success", None),
            ("request", Some(2), 2, "success", None),
            ("attempt", Some(2), 1, "success", None),
            ("request", Some(2), 1, "success", None),
        ]
    );
    for (row, operation, surface, reply) in [
        (&rows[2], "generateContentText", "api", &text),
        (&rows[4], "generateContentVision", "web", &vision),
    ] {
        assert_eq!((row.operation.as_ref(), row.surface.as_ref()), (operation, surface));
        let usage = &reply.body["data"]["usage"];
        assert_eq!(Some(row.prompt_tokens), usage["promptTokens"].as_u64());
        assert_eq!(Some(row.output_tokens), usage["outputTokens"].as_u64());
        assert_eq!(Some(row.total_tokens), usage["totalTokens"].as_u64());
        assert!(row.total_tokens > 0);
        assert_eq!(row.request_id, reply.headers["x-request-id"].to_str().unwrap());
    }
    assert_eq!(rows[0].total_tokens, 0, "a refused call used none");
    assert_eq!(rows[0].request_id, rows[2].request_id);
}

#[tokio::test]
async fn nothing_is_recorded_when_analytics_are_off() {
    let app = spawn(setup("false")).await;
    let token = app.user().await;
    assert_eq!(app.analyze(&token).await.status, 200);
    assert!(recorded(app).await.is_empty());
}
