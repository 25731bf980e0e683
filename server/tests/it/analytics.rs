//! Usage as viewers see it over HTTP.

mod export;
mod killing;
mod recording;
mod reports;

use std::time::Duration;

use app::types::Role;
use server::store::{EventKey, EventKind, UsageEvent};

use crate::support::{App, START, Setup, spawn};

/// Two keys that are asked by number, and nothing cached.
async fn spawn_sticky() -> App {
    let setup = Setup {
        keys: 2,
        environment: vec![("KEYPOOL_STRATEGY", "sticky".to_owned())],
        ..Setup::default()
    };
    spawn(setup).await
}

/// The token of a viewer.
async fn viewer(app: &App) -> String {
    let viewer = app.account(Role::Viewer).await;
    app.login(&viewer).await
}

/// Returns when so many events are stored. What is recorded is stored a moment after the answer.
async fn stored(app: &App, count: usize) {
    let mut seen = app.analytics.recorder.subscribe();
    loop {
        seen.mark_unchanged();
        let filter = server::store::EventFilter::default();
        let bounds = server::store::EventBounds {
            events_max: 10_000,
            looked_at_max: 10_000,
        };
        let order = server::store::Order::OldestFirst;
        let page = app
            .analytics
            .store
            .usage_events(filter, order, None, bounds)
            .await
            .unwrap();
        if page.events.len() >= count {
            return;
        }
        seen.changed().await.unwrap();
    }
}

/// A call with key 1 that went well, so long before [`START`].
fn call(number: u64, before: Duration) -> UsageEvent {
    UsageEvent {
        id: format!("0199bbbb-0000-7000-8000-{number:012}"),
        kind: EventKind::Attempt,
        at: START.minus(before),
        request_id: format!("0199cccc-0000-7000-8000-{number:012}"),
        key: Some(EventKey {
            id: 1,
            number: 1,
            project: None,
        }),
        attempts: 1,
        model: "gemini-2.5-flash".to_owned(),
        operation: "generateContentText".into(),
        surface: "api".into(),
        success: true,
        outcome: "success".into(),
        error_type: None,
        response_time_ms: 1_000,
        first_token_ms: Some(200),
        prompt_tokens: 10,
        output_tokens: 20,
        cached_tokens: 0,
        thought_tokens: 0,
        total_tokens: 30,
        cached: false,
        user_id: None,
        token_id: None,
        user_agent: None,
    }
}
