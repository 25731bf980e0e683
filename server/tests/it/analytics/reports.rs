//! The seed's endpoints and the others, from what the server itself recorded and from a history put into its store.

use std::time::Duration;

use serde_json::{Value, json};
use server::store::{EventKey, EventKind, UsageEvent};

use super::{call, spawn_sticky, stored, viewer};
use crate::support::App;

const HOUR: Duration = Duration::from_secs(3600);

async fn get(app: &App, token: &str, path: &str) -> Value {
    let reply = app.get(path, token).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.body["data"].clone()
}

#[tokio::test]
async fn usage_is_told_in_the_seeds_shape() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    app.always(1, "day-quota-paid");
    let (first, second) = (app.analyze(&token).await, app.analyze(&token).await);
    assert_eq!((first.status, second.status), (200, 200));
    stored(&app, 5).await;
    let usage = get(&app, &token, "/api/analytics/api-usage").await;
    let stats: Vec<_> = usage["usageStats"].as_array().unwrap().iter().collect();
    assert_eq!(stats.len(), 2, "{usage}");
    let figures = |row: &Value| {
        [
            "_id",
            "totalRequests",
            "successfulRequests",
            "failedRequests",
            "quotaErrors",
        ]
        .map(|name| row[name].as_u64().unwrap())
    };
    assert_eq!(figures(stats[0]), [1, 1, 0, 1, 1]);
    assert_eq!(figures(stats[1]), [2, 2, 2, 0, 0]);
    assert!(stats[1]["totalTokens"].as_u64().unwrap() > 0);
    for percentile in ["avgResponseTime", "p50", "p95", "p99"] {
        assert!(stats[1][percentile].is_number(), "{percentile} of {}", stats[1]);
    }
    let breakdown = json!([{ "_id": "quota", "count": 1, "keyBreakdown": [{ "keyNumber": 1, "count": 1 }] }]);
    assert_eq!(usage["errorBreakdown"], breakdown);
    assert_eq!(
        usage["summary"],
        json!({ "totalKeys": 2, "activeKey": 1, "healthyKeys": 1 })
    );
    assert_eq!(usage["currentStatus"]["totalKeys"], 2);
    assert_eq!(usage["timeRange"]["start"], "2026-01-08T12:00:00.000Z");
    assert_eq!(
        usage["coverage"],
        json!({ "recording": true, "dropped": 0, "waiting": 0 })
    );
    let narrow = get(&app, &token, "/api/analytics/api-usage?keyNumber=2").await;
    assert_eq!(narrow["usageStats"].as_array().unwrap().len(), 1);
    assert_eq!(narrow["errorBreakdown"], json!([]));
}

#[tokio::test]
async fn the_last_hour_is_told_with_the_seeds_alerts() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    for key in [1, 2] {
        app.always(key, "day-quota-paid");
    }
    assert_eq!(app.analyze(&token).await.status, 429);
    let failed: Vec<_> = (0..12)
        .map(|number| UsageEvent {
            success: number % 4 == 0,
            error_type: (number % 4 > 0).then(|| "server_error".into()),
            ..call(number, HOUR / 2)
        })
        .collect();
    app.analytics.store.append_usage(failed).await.unwrap();
    stored(&app, 15).await;
    let metrics = get(&app, &token, "/api/analytics/real-time-metrics").await;
    let alerts = json!([
        { "type": "warning", "message": "2 API key(s) have exceeded quota", "severity": "critical" },
        { "type": "warning", "message": "API Key 1 has low success rate: 23.08%", "severity": "medium" },
        { "type": "error", "message": "No API keys available - service degraded", "severity": "critical" },
    ]);
    assert_eq!(metrics["alerts"], alerts, "{metrics}");
    assert_eq!(metrics["usageStatistics"]["totalRequests"], 1);
    assert_eq!(metrics["usageStatistics"]["keyStats"][0]["requestCount"], 13);
    assert_eq!(metrics["recentActivity"][0]["failedRequests"], 10);
    assert_eq!(metrics["serviceStatus"]["healthyKeys"], 0);
    // An hour later all that is old, but the keys are still spent.
    app.clock.advance(2 * HOUR);
    let token = viewer(&app).await;
    let metrics = get(&app, &token, "/api/analytics/real-time-metrics").await;
    assert_eq!(metrics["alerts"].as_array().unwrap().len(), 2);
    assert_eq!(metrics["recentActivity"], json!([]));
}

#[tokio::test]
async fn a_days_pattern_is_that_of_its_own_clock() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    let at = |instant: &str| UsageEvent {
        at: pool::Timestamp::from_millis(instant.parse::<jiff::Timestamp>().unwrap().as_millisecond() as u64),
        id: uuid::Uuid::now_v7().to_string(),
        success: !instant.contains(":45:"),
        ..call(0, HOUR)
    };
    let events = [
        "2025-11-02T06:59:00Z",
        "2025-11-02T07:00:00Z",
        "2025-11-02T08:30:00Z",
        "2025-11-02T09:30:00Z",
        "2025-11-02T09:45:00Z",
        "2025-11-03T07:59:00Z",
        "2025-11-03T08:00:00Z",
    ];
    app.analytics.store.append_usage(events.map(at).to_vec()).await.unwrap();
    let path = "/api/analytics/hourly-pattern?date=2025-11-02&tz=America/Los_Angeles";
    let day = get(&app, &token, path).await;
    let row = |hour: u8, requests: u64, successes: u64| json!({ "_id": { "hour": hour, "keyNumber": 1 }, "requests": requests, "successes": successes });
    let expected = json!([row(0, 1, 1), row(1, 3, 2), row(23, 1, 1)]);
    assert_eq!(day["hourlyPattern"], expected, "the hour after one came twice");
    assert_eq!(
        (day["date"].as_str(), day["hours"].as_array().unwrap().len()),
        (Some("2025-11-02"), 25)
    );
    let quarter = get(
        &app,
        &token,
        "/api/analytics/hourly-pattern?date=2025-11-02&tz=Asia/Kathmandu",
    )
    .await;
    let hours: Vec<_> = quarter["hourlyPattern"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["_id"]["hour"].as_u64())
        .collect();
    assert_eq!(hours, [Some(12), Some(14), Some(15)], "{quarter}");
    let today = get(&app, &token, "/api/analytics/hourly-pattern?keyNumber=2").await;
    assert_eq!(
        (today["date"].as_str(), &today["hourlyPattern"]),
        (Some("2026-01-15"), &json!([]))
    );
}

#[tokio::test]
async fn lines_and_overview_add_up_to_what_happened() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    let mut events: Vec<_> = (0..30).map(|number| call(number, HOUR * number as u32)).collect();
    for event in &mut events {
        event.kind = EventKind::ALL[usize::from(event.at.as_millis() / 3_600_000 % 2 == 0)];
        event.model = if event.at.as_millis() / 3_600_000 % 4 < 2 {
            "flash"
        } else {
            "pro"
        }
        .to_owned();
    }
    app.analytics.store.append_usage(events.clone()).await.unwrap();
    let requests = events.iter().filter(|event| event.kind == EventKind::Request).count() as u64;
    let overview = get(&app, &token, "/api/analytics/overview?range=24h").await;
    let (now, before) = (
        overview["now"]["requests"].as_u64().unwrap(),
        overview["before"]["requests"].as_u64().unwrap(),
    );
    assert_eq!(now + before, requests, "{overview}");
    assert_eq!(
        (now, overview["now"]["p50"].as_u64()),
        (12, Some(993)),
        "within 2 percent"
    );
    for by in ["total", "key", "model", "errorType"] {
        let lines = get(&app, &token, &format!("/api/analytics/timeseries?range=24h&by={by}")).await;
        let buckets = lines["buckets"].as_array().unwrap().len();
        assert_eq!((buckets, lines["step"].as_str()), (25, Some("hour")), "{by}");
        for line in lines["series"].as_array().unwrap() {
            let points = line["points"].as_array().unwrap();
            let sum: u64 = points.iter().map(|point| point["requests"].as_u64().unwrap()).sum();
            assert_eq!(
                (points.len(), Some(sum)),
                (buckets, line["total"]["requests"].as_u64()),
                "{by}"
            );
        }
        let names: Vec<_> = lines["series"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["name"].as_str().unwrap())
            .collect();
        let expected: &[&str] = match by {
            "total" => &["All requests"],
            "key" => &["Key 1"],
            "model" => &["flash", "pro"],
            _ => &[],
        };
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn errors_are_told_with_their_first_and_last_time() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    let failed = |number: u64, error_type: &'static str, hours: u32| UsageEvent {
        success: false,
        error_type: Some(error_type.into()),
        ..call(number, HOUR * hours)
    };
    let events = vec![
        call(1, HOUR),
        failed(2, "quota", 20),
        failed(3, "quota", 3),
        failed(4, "timeout", 2),
        failed(5, "quota", 30),
    ];
    app.analytics.store.append_usage(events).await.unwrap();
    let errors = get(&app, &token, "/api/analytics/errors?range=24h").await;
    let expected = json!([
        { "errorType": "quota", "count": 2, "keyBreakdown": [{ "keyNumber": 1, "count": 2 }],
          "firstSeen": "2026-01-14T16:00:00.000Z", "lastSeen": "2026-01-15T09:00:00.000Z" },
        { "errorType": "timeout", "count": 1, "keyBreakdown": [{ "keyNumber": 1, "count": 1 }],
          "firstSeen": "2026-01-15T10:00:00.000Z", "lastSeen": "2026-01-15T10:00:00.000Z" },
    ]);
    assert_eq!((&errors["rows"], errors["calls"].as_u64()), (&expected, Some(4)));
}

#[tokio::test]
async fn requests_are_listed_and_each_is_told_with_its_calls() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    app.always(1, "day-quota-paid");
    let answered = app.analyze(&token).await;
    let id = answered.headers["x-request-id"].to_str().unwrap().to_owned();
    for _ in 0..2 {
        assert_eq!(app.analyze(&token).await.status, 200);
    }
    stored(&app, 7).await;
    let first = get(&app, &token, "/api/analytics/requests?limit=2").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = get(
        &app,
        &token,
        &format!("/api/analytics/requests?limit=2&cursor={cursor}"),
    )
    .await;
    let ids: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|row| &row["requestId"])
        .collect();
    assert_eq!((ids.len(), ids[2].as_str()), (3, Some(id.as_str())), "newest first");
    assert_eq!(second["nextCursor"], Value::Null);
    let row = &second["items"][0];
    assert_eq!(
        (
            row["attempts"].as_u64(),
            row["keyNumber"].as_u64(),
            row["success"].as_bool()
        ),
        (Some(2), Some(2), Some(true))
    );
    assert!(row["userEmail"].as_str().unwrap().contains('@'), "{row}");
    let detail = get(&app, &token, &format!("/api/analytics/requests/{id}")).await;
    let calls: Vec<_> = detail["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["keyNumber"].as_u64(), call["outcome"].as_str()))
        .collect();
    assert_eq!(calls, [(Some(1), Some("day_quota")), (Some(2), Some("success"))]);
    assert!(
        detail["attempts"][1]["startedMs"].as_u64() >= detail["attempts"][0]["ms"].as_u64(),
        "{detail}"
    );
    let email = row["userEmail"].as_str().unwrap();
    for (query, count) in [
        ("status=failed".to_owned(), 0),
        ("status=ok&keyNumber=2".to_owned(), 3),
        (format!("user={email}"), 3),
        ("user=nobody@example.org".to_owned(), 0),
        ("errorType=quota".to_owned(), 0),
        ("surface=api&operation=generateContentText".to_owned(), 3),
        (format!("requestId={id}"), 1),
        ("model=none".to_owned(), 0),
    ] {
        let page = get(&app, &token, &format!("/api/analytics/requests?{query}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    let unknown = app.get("/api/analytics/requests/none", &token).await;
    assert_eq!(
        (unknown.status, unknown.body["error"].as_str()),
        (404, Some("NOT_FOUND"))
    );
}

#[tokio::test]
async fn a_search_that_hardly_anything_passes_says_how_far_it_got() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    for group in 0..13_u64 {
        let events = (0..2_000).map(|number| UsageEvent {
            kind: EventKind::Request,
            success: group > 0 || number > 0,
            ..call(
                group * 2_000 + number,
                Duration::from_secs(30_000 - (group * 2_000 + number)),
            )
        });
        app.analytics.store.append_usage(events.collect()).await.unwrap();
    }
    let first = get(&app, &token, "/api/analytics/requests?status=failed").await;
    assert_eq!(first["items"], json!([]));
    assert_eq!(first["searchedBackTo"], "2026-01-15T05:20:00.000Z");
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = get(
        &app,
        &token,
        &format!("/api/analytics/requests?status=failed&cursor={cursor}"),
    )
    .await;
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&second["nextCursor"], &second["searchedBackTo"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_will_run_dry_is_foretold() {
    let setup = crate::support::Setup {
        keys: 2,
        environment: vec![
            ("KEYPOOL_STRATEGY", "sticky".to_owned()),
            ("KEYPOOL_LIMITS", "gemini-2.5-flash free rpd=100".to_owned()),
        ],
        ..crate::support::Setup::default()
    };
    let app = crate::support::spawn(setup).await;
    let token = viewer(&app).await;
    assert_eq!(app.analyze(&token).await.status, 200);
    stored(&app, 2).await;
    let key_id = app.analytics.store.keys().await.unwrap()[0].id;
    let events = (0..29).map(|number| UsageEvent {
        key: Some(EventKey {
            id: key_id,
            number: 1,
            project: None,
        }),
        ..call(number, HOUR / 2)
    });
    app.analytics.store.append_usage(events.collect()).await.unwrap();
    let forecast = get(&app, &token, "/api/analytics/forecast").await;
    let cell = &forecast["cells"][0];
    assert_eq!(
        (
            cell["keyNumbers"].clone(),
            cell["usedToday"].as_u64(),
            cell["limit"].as_u64()
        ),
        (json!([1]), Some(1), Some(100))
    );
    assert_eq!(cell["expectedPerHour"].as_f64(), Some(30.0), "{forecast}");
    // 99 are left at 30 an hour.
    assert_eq!(cell["dryAt"], "2026-01-15T15:18:00.000Z");
    assert_eq!(cell["resetsAt"], "2026-01-16T08:00:00.000Z");
}

#[tokio::test]
async fn a_query_that_makes_no_sense_names_its_field() {
    let app = spawn_sticky().await;
    let token = viewer(&app).await;
    for (path, field) in [
        ("api-usage?range=9d", "range"),
        ("api-usage?startDate=yesterday", "startDate"),
        ("overview?range=1h&endDate=2026-01-01", "range"),
        ("timeseries?by=colour", "by"),
        ("timeseries?startDate=2019-01-01", "startDate"),
        ("errors?tz=Mars", "tz"),
        ("hourly-pattern?date=2026-13-01", "date"),
        ("hourly-pattern?keyNumber=one", "keyNumber"),
        ("requests?limit=0", "limit"),
        ("requests?cursor=%25", "cursor"),
        ("requests?status=maybe", "status"),
        ("export.csv?range=1y", "range"),
    ] {
        let reply = app.get(&format!("/api/analytics/{path}"), &token).await;
        let told = (reply.status, reply.body["error"].as_str(), reply.body["field"].as_str());
        assert_eq!(told, (400, Some("BAD_REQUEST"), Some(field)), "{path}: {}", reply.body);
    }
}

#[tokio::test]
async fn users_are_told_nothing_of_it() {
    let app = spawn_sticky().await;
    let token = app.user().await;
    let path = "/api/analytics/api-usage";
    assert_eq!(app.get(path, &token).await.status, 403);
    let admin = app.admin().await;
    for (scope, status) in [("analytics", 200), ("status", 403)] {
        let new = json!({ "name": "dashboard", "scopes": [scope] });
        let secret = app.post("/api/tokens", &admin, &new).await.text("/data/token");
        assert_eq!(app.get(path, &secret).await.status, status, "{scope}");
    }
}
