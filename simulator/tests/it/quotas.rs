use serde_json::{Value, json};
use simulator::{Limits, Options, fixtures};

use crate::{Bed, MODEL, asking};

/// Wednesday 2026-07-15 at noon in Los Angeles.
const NOON_MS: u64 = 1_784_142_000_000;
const HOUR_MS: u64 = 3_600_000;

async fn at(now_ms: u64) -> Bed {
    let bed = Bed::start().await;
    bed.sim.set_now_ms(Some(now_ms));
    bed
}

async fn status(bed: &Bed, key: &str, model: &str) -> u16 {
    bed.generate_json(key, model, &asking("hello")).await.0
}

fn quota_ids(body: &Value) -> Vec<&str> {
    violations(body)
        .iter()
        .map(|violation| violation["quotaId"].as_str().unwrap())
        .collect()
}

fn violations(body: &Value) -> &Vec<Value> {
    body["error"]["details"][0]["violations"].as_array().unwrap()
}

fn retry_delay(body: &Value) -> &str {
    body["error"]["details"][2]["retryDelay"].as_str().unwrap()
}

#[tokio::test]
async fn requests_a_minute_are_limited_and_come_back_when_the_oldest_is_a_minute_old() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            rpm: Some(2),
            ..Limits::default()
        },
    );
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
    bed.sim.set_now_ms(Some(NOON_MS + 20_000));
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
    bed.sim.set_now_ms(Some(NOON_MS + 38_600));
    let (refused, body) = bed.generate_json("k1", MODEL, &asking("hello")).await;
    assert_eq!(refused, 429);
    assert_eq!(retry_delay(&body), "21s");
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .ends_with("Please retry in 21.4s.")
    );
    bed.sim.set_now_ms(Some(NOON_MS + 59_999));
    assert_eq!(status(&bed, "k1", MODEL).await, 429);
    bed.sim.set_now_ms(Some(NOON_MS + 60_000));
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
    assert_eq!(
        status(&bed, "k1", MODEL).await,
        429,
        "the request of second 20 still counts"
    );
}

#[tokio::test]
async fn a_minute_violation_has_the_shape_of_the_corpus() {
    let bed = at(NOON_MS + 38_600).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            rpm: Some(1),
            ..Limits::default()
        },
    );
    status(&bed, "k1", MODEL).await;
    let (_, body) = bed.generate_json("k1", MODEL, &asking("hello")).await;
    let mut expected: Value = serde_json::from_str(fixtures::get("minute-requests").unwrap().body).unwrap();
    expected["error"]["message"] = body["error"]["message"].clone();
    expected["error"]["details"][0]["violations"][0]["quotaValue"] = json!("1");
    expected["error"]["details"][2]["retryDelay"] = json!("60s");
    assert_eq!(body, expected);
}

#[tokio::test]
async fn input_tokens_a_minute_are_limited() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            tpm: Some(100),
            ..Limits::default()
        },
    );
    let long = asking(&"x".repeat(240));
    assert_eq!(bed.generate_json("k1", MODEL, &long).await.0, 200);
    let (refused, body) = bed.generate_json("k1", MODEL, &long).await;
    assert_eq!(
        (refused, quota_ids(&body)),
        (429, vec!["GenerateContentInputTokensPerModelPerMinute-FreeTier"])
    );
    assert_eq!(violations(&body)[0]["quotaValue"], "100");
    assert_eq!(status(&bed, "k1", MODEL).await, 200, "a small request still fits");
    bed.sim.set_now_ms(Some(NOON_MS + 60_000));
    assert_eq!(bed.generate_json("k1", MODEL, &long).await.0, 200);
}

#[tokio::test]
async fn a_refused_request_does_not_count() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            rpm: Some(1),
            rpd: Some(2),
            ..Limits::default()
        },
    );
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
    for _ in 0..5 {
        assert_eq!(status(&bed, "k1", MODEL).await, 429);
    }
    bed.sim.set_now_ms(Some(NOON_MS + 60_000));
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
}

#[tokio::test]
async fn a_spent_day_lasts_until_midnight_in_los_angeles_whatever_retry_info_says() {
    let bed = at(NOON_MS + 15_000).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            rpd: Some(1),
            ..Limits::default()
        },
    );
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
    let (refused, body) = bed.generate_json("k1", MODEL, &asking("hello")).await;
    assert_eq!(
        (refused, quota_ids(&body)),
        (429, vec!["GenerateRequestsPerDayPerProjectPerModel-FreeTier"])
    );
    assert_eq!(
        (violations(&body)[0]["quotaValue"].as_str(), retry_delay(&body)),
        (Some("1"), "45s")
    );
    bed.sim.set_now_ms(Some(NOON_MS + 12 * HOUR_MS - 1));
    assert_eq!(status(&bed, "k1", MODEL).await, 429);
    bed.sim.set_now_ms(Some(NOON_MS + 12 * HOUR_MS));
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
}

/// The day of the change is 23 hours long in March and 25 in November.
#[tokio::test]
async fn days_of_23_and_25_hours_are_counted_right() {
    // Midnight of 2026-03-08 and of 2026-11-01 in Los Angeles.
    for (midnight_ms, hours) in [(1_772_956_800_000, 23), (1_793_516_400_000, 25)] {
        let bed = at(midnight_ms).await;
        bed.sim.limit(
            "*",
            "*",
            Limits {
                rpd: Some(1),
                ..Limits::default()
            },
        );
        assert_eq!(status(&bed, "k1", MODEL).await, 200);
        bed.sim.set_now_ms(Some(midnight_ms + hours * HOUR_MS - 1));
        assert_eq!(status(&bed, "k1", MODEL).await, 429, "{hours}");
        bed.sim.set_now_ms(Some(midnight_ms + hours * HOUR_MS));
        assert_eq!(status(&bed, "k1", MODEL).await, 200, "{hours}");
    }
}

#[tokio::test]
async fn a_violation_of_minute_and_day_lists_both() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            rpm: Some(1),
            rpd: Some(1),
            tpm: None,
        },
    );
    status(&bed, "k1", MODEL).await;
    let (_, body) = bed.generate_json("k1", MODEL, &asking("hello")).await;
    let expected = [
        "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
    ];
    assert_eq!(quota_ids(&body), expected);
}

#[tokio::test]
async fn keys_of_one_project_share_its_quota_and_models_do_not() {
    let bed = at(NOON_MS).await;
    bed.sim.assign("k1", "p1");
    bed.sim.assign("k2", "p1");
    bed.sim.limit(
        "p1",
        "*",
        Limits {
            rpd: Some(1),
            ..Limits::default()
        },
    );
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
    assert_eq!(status(&bed, "k2", MODEL).await, 429);
    assert_eq!(status(&bed, "k2", "gemini-2.5-pro").await, 200);
    assert_eq!(status(&bed, "k3", MODEL).await, 200, "a key of its own project");
}

#[tokio::test]
async fn the_narrowest_limit_holds() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "*",
        "*",
        Limits {
            rpd: Some(1),
            ..Limits::default()
        },
    );
    bed.sim.limit(
        "k1",
        "*",
        Limits {
            rpd: Some(2),
            ..Limits::default()
        },
    );
    bed.sim.limit("k1", MODEL, Limits::default());
    for expected in [200, 200, 200] {
        assert_eq!(status(&bed, "k1", MODEL).await, expected);
    }
    for expected in [200, 200, 429] {
        assert_eq!(status(&bed, "k1", "gemini-2.5-pro").await, expected);
    }
    assert_eq!(
        (status(&bed, "k2", MODEL).await, status(&bed, "k2", MODEL).await),
        (200, 429)
    );
}

#[tokio::test]
async fn a_limit_of_zero_names_no_value() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            rpd: Some(0),
            ..Limits::default()
        },
    );
    let (refused, body) = bed.generate_json("k1", MODEL, &asking("hello")).await;
    assert_eq!((refused, violations(&body).len()), (429, 3));
    assert!(
        violations(&body)
            .iter()
            .all(|violation| violation.get("quotaValue").is_none())
    );
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("limit: 0, model: gemini-2.5-flash")
    );
}

#[tokio::test]
async fn a_clock_moved_back_leaves_nothing_of_the_future() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        MODEL,
        Limits {
            rpm: Some(1),
            rpd: Some(1),
            tpm: None,
        },
    );
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
    bed.sim.set_now_ms(Some(NOON_MS - 24 * HOUR_MS));
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
}

#[tokio::test]
async fn malformed_and_free_calls_cost_nothing() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        "*",
        Limits {
            rpd: Some(1),
            ..Limits::default()
        },
    );
    assert_eq!(bed.generate_json("k1", MODEL, &json!({})).await.0, 400);
    bed.call("k1", MODEL, "countTokens", &asking("hello"))
        .send()
        .await
        .unwrap();
    bed.get(&format!("/v1beta/models/{MODEL}"))
        .header("x-goog-api-key", "k1")
        .send()
        .await
        .unwrap();
    assert_eq!(status(&bed, "k1", MODEL).await, 200);
}

#[tokio::test]
async fn a_refused_stream_without_events_gets_an_array() {
    let bed = at(NOON_MS).await;
    bed.sim.limit(
        "k1",
        "*",
        Limits {
            rpd: Some(0),
            ..Limits::default()
        },
    );
    let response = bed
        .call("k1", MODEL, "streamGenerateContent", &asking("hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 429);
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body[0]["error"]["code"], 429);
}

#[tokio::test]
async fn a_zone_that_does_not_exist_is_refused_at_the_start() {
    let options = Options {
        quota_zone: "America/Los_Santos".to_owned(),
        ..Options::default()
    };
    assert_eq!(
        simulator::Simulator::start(options).await.unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
}
