//! What is recorded of an analysis, read from the file that the server leaves behind.

use app::types::Role;
use base64::Engine as _;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::support::{App, Setup, spawn};

#[derive(Debug, PartialEq, Eq)]
struct Row {
    kind: String,
    key_number: Option<u32>,
    outcome: String,
    error_type: Option<String>,
    success: bool,
    operation: String,
    surface: String,
    prompt_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    request_id: String,
}

/// Stops the server in order and reads what it recorded, oldest first.
async fn recorded(app: App) -> Vec<Row> {
    let (data, _sim) = app.stop().await;
    let file = data.path().join("data/keypool.db");
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT kind, key_number, outcome, error_type, success, operation, surface, prompt_tokens, output_tokens, \
               total_tokens, request_id FROM usage_events ORDER BY id";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok(Row {
            kind: row.get(0)?,
            key_number: row.get(1)?,
            outcome: row.get(2)?,
            error_type: row.get(3)?,
            success: row.get(4)?,
            operation: row.get(5)?,
            surface: row.get(6)?,
            prompt_tokens: row.get::<_, i64>(7)?.unsigned_abs(),
            output_tokens: row.get::<_, i64>(8)?.unsigned_abs(),
            total_tokens: row.get::<_, i64>(9)?.unsigned_abs(),
            request_id: row.get(10)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
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
                row.key_number,
                row.outcome.as_str(),
                row.error_type.as_deref(),
                row.success,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("attempt", Some(1), "day_quota", Some("quota"), false),
            ("attempt", Some(2), "success", None, true),
            ("request", None, "success", None, true),
            ("attempt", Some(2), "success", None, true),
            ("request", None, "success", None, true),
        ]
    );
    for (row, operation, surface, reply) in [
        (&rows[2], "generateContentText", "api", &text),
        (&rows[4], "generateContentVision", "web", &vision),
    ] {
        assert_eq!((row.operation.as_str(), row.surface.as_str()), (operation, surface));
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
    assert_eq!(recorded(app).await, []);
}
