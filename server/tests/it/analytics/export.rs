//! Files of events.

use std::time::Duration;

use serde_json::Value;
use server::store::UsageEvent;

use super::{call, spawn_sticky, viewer};
use crate::support::App;

const HOUR: Duration = Duration::from_secs(3600);

async fn file(app: &App, token: &str, path: &str) -> (reqwest::header::HeaderMap, String) {
    let response = app
        .request(reqwest::Method::GET, path)
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{path}");
    (response.headers().clone(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_file_holds_every_event_of_the_range_in_its_zone() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    for group in 0..3 {
        let events = (0..1_000).map(|number| {
            let number = group * 1_000 + number;
            UsageEvent {
                user_agent: Some("=cmd|' /C calc'!A0, \"x\"\nnext".to_owned()),
                ..call(number, Duration::from_secs(30_000 - number))
            }
        });
        app.analytics.store.append_usage(events.collect()).await.unwrap();
    }
    app.analytics
        .store
        .append_usage(vec![call(9_999, HOUR * 48)])
        .await
        .unwrap();
    let (headers, csv) = file(&app, &token, "/api/analytics/export.csv?range=24h&tz=Asia/Kathmandu").await;
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8; header=present");
    let disposition = headers["content-disposition"].to_str().unwrap();
    assert_eq!(
        disposition,
        "attachment; filename=\"keypool-usage-2026-01-14-2026-01-15.csv\""
    );
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let place = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3_000);
    assert_eq!(&rows[0][place("time")], "2026-01-15T09:25:00.000+05:45");
    assert_eq!(&rows[0][place("timeZone")], "Asia/Kathmandu");
    assert_eq!(&rows[0][place("timeUtc")], "2026-01-15T03:40:00.000Z");
    assert_eq!(&rows[0][place("userAgent")], "'=cmd|' /C calc'!A0, \"x\"\nnext");
    let mut ids: Vec<_> = rows.iter().map(|row| row[place("id")].to_owned()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3_000, "each once, in order");

    let (_, json) = file(&app, &token, "/api/analytics/export.json?range=24h").await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["timeRange"]["tz"], "UTC");
    assert_eq!(json["events"].as_array().unwrap().len(), 3_000);
    assert_eq!(json["events"][2_999]["responseTimeMs"], 1_000);
}

#[tokio::test]
async fn a_file_of_nothing_is_whole() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    let (_, csv) = file(&app, &token, "/api/analytics/export.csv").await;
    assert_eq!((csv.lines().count(), &csv[..14]), (1, "time,timeZone,"));
    let (_, json) = file(&app, &token, "/api/analytics/export.json?status=failed").await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["events"], serde_json::json!([]));
}
