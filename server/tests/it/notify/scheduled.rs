//! The service's own changes, the provider's midnight, and the half-hourly look at the keys.

use std::time::Duration;

use pool::Timestamp;
use serde_json::{Value, json};
use simulator::Behaviour;

use super::receivers::Receiver;
use super::{check_no_secret, check_signature, kinds, log, until, until_told, with_webhook};
use crate::support::{App, START, Setup, spawn};

const HOUR: Duration = Duration::from_secs(3600);
/// Friday 16 January 2026, 00:00 in Los Angeles.
const MIDNIGHT: Timestamp = Timestamp::from_millis(1_768_550_400_000);

/// Every key has used up its day.
async fn spend_all(app: &App, user: &str) {
    for number in 1..=3 {
        app.always(number, "day-quota-retry-zero");
    }
    assert_eq!(app.analyze(user).await.status, 429);
    assert_eq!(app.status(user).await["level"], "major_outage");
    app.sim.clear_scripts();
}

/// Moves the time on until this was told: a change is held back for a while first. `each` is done at every step.
async fn advance_until(
    app: &App,
    admin: &str,
    step: Duration,
    each: impl AsyncFn(),
    wanted: impl Fn(&[&str]) -> bool,
) -> Vec<Value> {
    let mut last = Vec::new();
    for _ in 0..40 {
        app.clock.advance(step);
        each().await;
        let seen = async {
            loop {
                last = log(app, admin).await;
                if wanted(&kinds(&last)) {
                    break;
                }
            }
        };
        if tokio::time::timeout(Duration::from_millis(250), seen).await.is_ok() {
            return last;
        }
    }
    panic!("told was {:?}", kinds(&last));
}

async fn advance_until_told(app: &App, admin: &str, expected: &[&str]) -> Vec<Value> {
    let step = Duration::from_secs(2);
    advance_until(app, admin, step, async || {}, |kinds| kinds == expected).await
}

#[tokio::test]
async fn all_keys_down_is_told_with_its_reasons_and_the_new_day_restores_once() {
    let receiver = Receiver::start(&[], "").await;
    let app = spawn(with_webhook(&receiver)).await;
    let (user, admin) = (app.user().await, app.admin().await);
    spend_all(&app, &user).await;
    advance_until_told(&app, &admin, &["service.down"]).await;
    let post = receiver.next().await;
    check_signature(&post);
    check_no_secret(&post.text);
    let body = post.body();
    assert_eq!(
        (&body["type"], &body["data"]["severity"]),
        (&json!("service.down"), &json!("critical"))
    );
    assert_eq!(
        (
            &body["data"]["totalKeys"],
            &body["data"]["healthyKeys"],
            &body["data"]["reasons"]
        ),
        (&json!(3), &json!(0), &json!({ "quota_reached": 3 }))
    );
    assert!(
        body["data"]["nextReset"]
            .as_str()
            .unwrap()
            .starts_with("2026-01-16T08:0"),
        "{body}"
    );

    // The keys come back within two minutes of midnight; the announcement holds for ten seconds.
    app.clock.set(MIDNIGHT.plus(Duration::from_secs(150)));
    let admin = app.admin().await;
    let told = advance_until_told(&app, &admin, &["service.restored", "service.down"]).await;
    assert_eq!(told[0]["title"], "Service restored: 3 of 3 keys available");
    // 00:05 has nothing to add, and neither has the night after.
    app.clock.set(MIDNIGHT.plus(Duration::from_secs(301)));
    assert_eq!(receiver.next().await.body()["type"], "service.restored");
    assert!(receiver.stays_quiet().await);
    app.clock.set(MIDNIGHT.plus(24 * HOUR + Duration::from_secs(301)));
    assert!(receiver.stays_quiet().await);
    assert_eq!(
        kinds(&log(&app, &app.admin().await).await),
        ["service.restored", "service.down"]
    );
    app.stop().await;
}

#[tokio::test]
async fn keys_that_come_back_unannounced_are_told_at_five_past_midnight_once() {
    let app = spawn(Setup::default()).await;
    let (user, admin) = (app.user().await, app.admin().await);
    // One key is lost for good, so that midnight does not make the service whole again.
    super::revoke(&app, &user, &admin, 2).await;
    until_told(&app, &admin, &["key.needs_person"]).await;
    app.always(1, "day-quota-retry-zero");
    super::ask_first(&app, &admin, 1).await;
    assert_eq!(app.analyze(&user).await.status, 200);
    app.sim.clear_scripts();
    let before = advance_until_told(&app, &admin, &["service.degraded", "key.needs_person"]).await;
    assert_eq!(before.len(), 2);
    app.clock.set(MIDNIGHT.plus(Duration::from_secs(301)));
    let admin = app.admin().await;
    let told = until_told(
        &app,
        &admin,
        &["service.restored", "service.degraded", "key.needs_person"],
    )
    .await;
    assert_eq!(told[0]["title"], "Service restored: 1 key came back with the new day");
    assert_eq!(told[0]["createdAt"], "2026-01-16T08:05:01.000Z");
    app.clock.set(MIDNIGHT.plus(24 * HOUR + Duration::from_secs(301)));
    app.clock.advance(HOUR);
    assert_eq!(log(&app, &app.admin().await).await.len(), 3);
    app.stop().await;
}

#[tokio::test]
async fn a_months_old_notification_is_pruned_with_the_day() {
    let app = spawn(Setup::default()).await;
    let (user, admin) = (app.user().await, app.admin().await);
    super::revoke(&app, &user, &admin, 1).await;
    until(&app, &admin, |log| kinds(log).contains(&"key.needs_person")).await;
    app.clock.set(START.plus(29 * 24 * HOUR));
    assert!(kinds(&log(&app, &app.admin().await).await).contains(&"key.needs_person"));
    app.clock.set(START.plus(32 * 24 * HOUR));
    let admin = app.admin().await;
    until(&app, &admin, |log| !kinds(log).contains(&"key.needs_person")).await;
    app.stop().await;
}

#[tokio::test]
async fn the_half_hourly_check_asks_only_keys_in_doubt_and_generates_nothing() {
    let app = spawn(Setup::default()).await;
    let (user, admin) = (app.user().await, app.admin().await);
    // Key 2 is not set up: a doubt that free calls may settle.
    app.always(2, "referrer-blocked");
    super::ask_first(&app, &admin, 2).await;
    assert_eq!(app.analyze(&user).await.status, 200);
    until(&app, &admin, |log| kinds(log).contains(&"key.needs_person")).await;
    let asked = app.sim.calls().len();
    let probed_after_an_hour = async |count: usize| {
        app.clock.advance(HOUR);
        let probed = app.sim.wait_for(|calls| calls.len() > asked + count);
        matches!(tokio::time::timeout(Duration::from_secs(1), probed).await, Ok(Ok(())))
    };
    assert!(probed_after_an_hour(0).await);
    // How the first probe ended may have come in after the second hour had gone by: then the third one probes.
    assert!(probed_after_an_hour(1).await || probed_after_an_hour(1).await);
    for call in &app.sim.calls()[asked..] {
        assert_eq!(
            (call.key.as_str(), call.method.as_str()),
            (crate::support::key(2).as_str(), "models.get")
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn a_provider_that_goes_on_failing_is_told_once_and_so_is_its_return() {
    let app = spawn(Setup {
        environment: vec![("QUEUE_MAX", "0".to_owned())],
        ..Setup::default()
    })
    .await;
    let (user, admin) = (app.user().await, app.admin().await);
    let ask = async || {
        app.post(
            "/api/ai-analysis/analyze",
            &user,
            &json!({ "prompt": "Why?", "maxRetries": 0 }),
        )
        .await;
    };
    app.sim.always("*", "*", Behaviour::fixture("overloaded"));
    for _ in 0..5 {
        ask().await;
    }
    let step = Duration::from_secs(5);
    let told = advance_until(&app, &admin, step, &ask, |kinds| kinds.contains(&"provider.down")).await;
    let down = told.iter().find(|item| item["type"] == "provider.down").unwrap();
    assert!(down["text"].as_str().unwrap().contains("No key is to blame"), "{down}");
    app.sim.clear_scripts();
    let told = advance_until(&app, &admin, step, &ask, |kinds| {
        kinds.contains(&"provider.recovered") && kinds.contains(&"service.restored")
    })
    .await;
    let expected = [
        "provider.down",
        "provider.recovered",
        "service.down",
        "service.restored",
    ];
    let mut kinds = kinds(&told);
    kinds.sort_unstable();
    assert_eq!(kinds, expected, "no key is told of");
    app.stop().await;
}
