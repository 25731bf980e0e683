//! The clock misbehaves: days of 23 and 25 hours, steps forwards and backwards, and a process that was stopped.

use std::time::Duration;

use jiff::civil::{Date, Weekday, date};
use pool::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use server::clock::next_provider_midnight;
use simulator::{Behaviour, Ended, Simulator};
use tempfile::TempDir;

use crate::faults::{question, read_until, sticky};
use crate::process;
use crate::support::{ADMIN, App, PASSWORD, Reply, START, key, spawn};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Longer than any rest that is not for a day.
const TEN_MINUTES: Duration = Duration::from_secs(600);

fn back(app: &App, by: Duration) {
    let to_ms = app.clock.now().as_millis() - u64::try_from(by.as_millis()).unwrap();
    app.clock.set(Timestamp::from_millis(to_ms));
}

/// An instant of a day in UTC.
fn utc(day: Date, hour: i8, minute: i8, second: i8) -> Timestamp {
    let instant = day
        .at(hour, minute, second, 0)
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .unwrap();
    Timestamp::from_millis(u64::try_from(instant.timestamp().as_millisecond()).unwrap())
}

/// Spends every key at noon UTC of the day, and looks at both sides of the hour at which the next one begins.
async fn check_day(app: &App, day: Date, midnight_hour_utc: i8) {
    let tomorrow = day.tomorrow().unwrap();
    app.clock.set(utc(day, 12, 0, 0));
    app.sim.always("*", "*", Behaviour::fixture("day-quota-paid"));
    let token = app.admin().await;
    let reply = app.ask(&token).await;
    assert_eq!(
        (reply.status, reply.text("/error").as_str()),
        (429, "QUOTA_EXCEEDED"),
        "{day}"
    );
    assert!(
        reply
            .text("/resetAt")
            .starts_with(&format!("{tomorrow}T{midnight_hour_utc:02}:0")),
        "{day}: {}",
        reply.body
    );
    app.sim.clear_scripts();
    let calls = app.sim.calls().len();
    for too_early in [
        utc(tomorrow, midnight_hour_utc - 1, 59, 59),
        utc(tomorrow, midnight_hour_utc, 0, 29),
    ] {
        app.clock.set(too_early);
        let token = app.admin().await;
        assert_eq!(app.ask(&token).await.status, 429, "{day}");
        assert_eq!(
            app.sim.calls().len(),
            calls,
            "{day}: no call before midnight in Los Angeles"
        );
    }
    app.clock.set(utc(tomorrow, midnight_hour_utc, 2, 1));
    let token = app.admin().await;
    assert_eq!(app.ask(&token).await.status, 200, "{day}");
    assert_eq!(app.status(&token).await["healthyKeys"], 1, "{day}");
}

#[tokio::test]
async fn a_spent_key_rests_until_the_true_midnight_of_every_day_of_23_and_of_25_hours() {
    let app = spawn(sticky(1)).await;
    for year in 2026..=2036 {
        let short = date(year, 3, 1).nth_weekday_of_month(2, Weekday::Sunday).unwrap();
        let long = date(year, 11, 1).nth_weekday_of_month(1, Weekday::Sunday).unwrap();
        check_day(&app, short, 7).await;
        check_day(&app, long, 8).await;
    }
}

/// Key 1 met its minute limit and rests for 22 s from `START`; key 2 is spent, so only key 1 could help.
async fn with_a_cooling_key() -> App {
    let app = spawn(sticky(2)).await;
    app.sim
        .script(&key(1), "*", vec![Behaviour::fixture("minute-requests")]);
    app.always(2, "day-quota-paid");
    let reply = app.ask(&app.admin().await).await;
    assert_eq!((reply.status, reply.text("/error").as_str()), (503, "PARTIAL_QUOTA"));
    assert_eq!((app.calls(1), app.calls(2)), (1, 1));
    app
}

/// Signs in first: tokens do not live as long as these tests.
async fn refused(app: &App, status: u16, code: &str) {
    let reply = app.ask_once(&app.admin().await).await;
    assert_eq!(
        (reply.status, reply.text("/error").as_str()),
        (status, code),
        "{}",
        reply.body
    );
}

async fn served(app: &App, what: &str) {
    let reply = app.ask(&app.admin().await).await;
    assert_eq!(reply.status, 200, "{what}: {}", reply.body);
}

#[tokio::test]
async fn a_clock_that_steps_back_wakes_no_cooling_key_and_one_that_returns_keeps_none_asleep() {
    for step in [HOUR, DAY] {
        let app = with_a_cooling_key().await;
        back(&app, step);
        for _ in 0..3 {
            refused(&app, 503, "PARTIAL_QUOTA").await;
        }
        assert_eq!(app.calls(1), 1, "a step of {step:?} is no rest");
        app.clock.set(START.plus(Duration::from_secs(22)));
        served(&app, "the clock is right again and the rest over").await;
    }
}

#[tokio::test]
async fn a_cooling_key_is_back_within_minutes_of_a_clock_that_stepped_back_for_good() {
    for step in [HOUR, DAY] {
        let app = with_a_cooling_key().await;
        back(&app, step);
        refused(&app, 503, "PARTIAL_QUOTA").await;
        app.clock.advance(TEN_MINUTES);
        served(&app, &format!("stuck after a step back of {step:?}")).await;
    }
}

#[tokio::test]
async fn a_spent_key_is_back_at_the_next_midnight_of_a_clock_that_stepped_back_by_a_day() {
    let app = spawn(sticky(1)).await;
    app.always(1, "day-quota-paid");
    refused(&app, 429, "QUOTA_EXCEEDED").await;
    app.sim.clear_scripts();
    back(&app, DAY);
    let midnight = next_provider_midnight(app.clock.now());
    refused(&app, 429, "QUOTA_EXCEEDED").await;
    app.clock.set(midnight.plus(Duration::from_secs(29)));
    refused(&app, 429, "QUOTA_EXCEEDED").await;
    assert_eq!(app.calls(1), 1, "the step brought no call");
    app.clock.set(midnight.plus(Duration::from_secs(121)));
    served(&app, "stuck for a day").await;
}

#[tokio::test]
async fn a_spent_key_stays_spent_through_steps_of_an_hour() {
    let app = spawn(sticky(1)).await;
    app.always(1, "day-quota-paid");
    refused(&app, 429, "QUOTA_EXCEEDED").await;
    app.sim.clear_scripts();
    for _ in 0..3 {
        back(&app, HOUR);
        refused(&app, 429, "QUOTA_EXCEEDED").await;
        app.clock.advance(HOUR);
        refused(&app, 429, "QUOTA_EXCEEDED").await;
        app.clock.advance(HOUR);
        refused(&app, 429, "QUOTA_EXCEEDED").await;
        back(&app, HOUR);
    }
    let midnight = next_provider_midnight(START);
    app.clock.set(midnight.plus(Duration::from_secs(29)));
    refused(&app, 429, "QUOTA_EXCEEDED").await;
    assert_eq!(app.calls(1), 1);
    app.clock.set(midnight.plus(Duration::from_secs(121)));
    served(&app, "after midnight").await;
}

#[tokio::test]
async fn an_hour_forward_ends_a_cooling_and_a_step_back_does_not_bring_it_back() {
    let app = with_a_cooling_key().await;
    app.clock.advance(HOUR);
    served(&app, "the rest is over").await;
    assert_eq!((app.calls(1), app.calls(2)), (2, 1));
    back(&app, HOUR);
    served(&app, "what has ended stays ended").await;
    assert_eq!((app.calls(1), app.calls(2)), (3, 1), "and what is spent stays spent");
}

#[tokio::test]
async fn a_key_that_is_found_spent_days_after_its_last_reset_rests_until_midnight() {
    let app = spawn(sticky(1)).await;
    app.always(1, "day-quota-paid");
    refused(&app, 429, "QUOTA_EXCEEDED").await;
    // Nobody asks for three days. Then somebody else has used up the day at noon.
    app.clock.advance(3 * DAY);
    let reply = app.ask_once(&app.admin().await).await;
    assert_eq!((reply.status, app.calls(1)), (429, 2), "{}", reply.body);
    let wait = Duration::from_secs(reply.body["retryAfterSeconds"].as_u64().unwrap());
    let to_midnight = next_provider_midnight(app.clock.now()).since(app.clock.now());
    assert!(
        wait >= to_midnight,
        "asked again after {wait:?}: that is not midnight, {to_midnight:?} away"
    );
}

/// A new pair of tokens for a refresh token.
async fn refreshed(app: &App, refresh_token: &str) -> Reply {
    let body = json!({ "refreshToken": refresh_token });
    let request = app.request(Method::POST, "/api/auth/refresh").json(&body);
    Reply::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_session_outlives_a_step_back_and_a_token_is_exchanged_after_it() {
    let app = spawn(sticky(1)).await;
    let form = json!({ "email": ADMIN, "password": PASSWORD });
    let login = app.request(Method::POST, "/api/auth/login").json(&form);
    let login = Reply::of(login.send().await.unwrap()).await;
    let (token, mut refresh_token) = (login.text("/data/accessToken"), login.text("/data/refreshToken"));
    for step in [HOUR, DAY] {
        back(&app, step);
        let reply = app.ask(&token).await;
        assert_eq!(reply.status, 401, "a token from the future by {step:?}");
        assert_eq!(
            reply.text("/message"),
            "The access token is not valid yet. Check the clocks."
        );
        let me = app.request(Method::GET, "/api/auth/me").send().await.unwrap();
        assert_eq!(me.status(), 200, "the browser's session goes on");
        let new = refreshed(&app, &refresh_token).await;
        assert_eq!(new.status, 200, "{}", new.body);
        assert_eq!(app.ask(&new.text("/data/accessToken")).await.status, 200);
        refresh_token = new.text("/data/refreshToken");
        app.clock.advance(step);
        assert_eq!(app.ask(&token).await.status, 200, "the clock is right again");
    }
}

#[tokio::test]
async fn a_step_forward_ends_tokens_and_idle_sessions_and_nothing_else() {
    let app = spawn(sticky(1)).await;
    let token = app.admin().await;
    app.browser(ADMIN).await;
    let me = || app.request(Method::GET, "/api/auth/me").send();
    assert_eq!(me().await.unwrap().status(), 200);
    app.clock.advance(HOUR);
    assert_eq!(app.ask(&token).await.status, 401, "a token lives for 15 minutes");
    assert_eq!(me().await.unwrap().status(), 401, "an idle session for 30");
    served(&app, "who signs in again").await;
}

#[tokio::test]
async fn ten_minutes_lost_during_a_trial_do_not_lose_the_trial() {
    let app = spawn(sticky(1)).await;
    let token = app.admin().await;
    app.sim
        .script(&key(1), "*", vec![Behaviour::fixture("minute-requests")]);
    assert_eq!(app.ask_once(&token).await.status, 503);
    app.clock.advance(Duration::from_secs(22));
    app.sim
        .script(&key(1), "*", vec![Behaviour::answer().hang_before_headers()]);
    let mut trial = app.open_stream(&token).await;
    read_until(&mut trial, "event: status").await;
    app.sim.wait_for(|calls| calls.len() == 2).await.unwrap();
    app.clock.advance(TEN_MINUTES);
    let token = app.admin().await;
    for _ in 0..5 {
        let reply = app.ask_once(&token).await;
        assert_eq!(
            (reply.status, &reply.headers["retry-after"]),
            (503, &"1".parse().unwrap())
        );
    }
    assert_eq!(app.calls(1), 2, "the trial is still under way");
    drop(trial);
    app.sim
        .wait_for(|calls| calls.iter().all(|call| call.ended != Ended::InProgress))
        .await
        .unwrap();
    let mut changes = app.pool.subscribe();
    while app.ask_once(&token).await.status != 200 {
        changes.changed().await.unwrap();
    }
    assert_eq!(app.calls(1), 3, "one trial after the other");
}

#[tokio::test]
async fn after_ten_lost_minutes_rests_are_over_and_requests_under_way_end_well() {
    let app = spawn(sticky(3)).await;
    let token = app.admin().await;
    for number in 1..=2 {
        app.sim
            .script(&key(number), "*", vec![Behaviour::fixture("minute-requests")]);
    }
    app.sim.script(&key(3), "*", vec![Behaviour::answer().chunked(64, 5)]);
    let mut response = app.open_stream(&token).await;
    let mut seen = read_until(&mut response, "event: delta").await;
    app.clock.advance(TEN_MINUTES);
    seen += &response.text().await.unwrap();
    assert!(seen.contains("event: done"), "{seen}");
    let token = app.admin().await;
    let status = app.status(&token).await;
    assert_eq!(
        (&status["healthyKeys"], &status["level"]),
        (&json!(3), &json!("operational"))
    );
    for _ in 0..20 {
        assert_eq!(app.ask(&token).await.status, 200);
    }
}

#[tokio::test]
async fn after_ten_lost_minutes_each_key_in_doubt_is_probed_once() {
    let app = spawn(sticky(3)).await;
    let token = app.admin().await;
    let blocked = json!({ "error": { "code": 403, "status": "PERMISSION_DENIED", "details": [{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_SERVICE_BLOCKED", "domain": "googleapis.com",
    }] } });
    for number in 1..=2 {
        for model in ["*", simulator::PROBES] {
            app.sim
                .always(&key(number), model, Behaviour::respond(403, blocked.to_string()));
        }
    }
    assert_eq!(app.ask(&token).await.status, 200);
    let probes = |number: u32| {
        let calls = app.sim.calls();
        let of_key = calls.iter().filter(|call| call.key == key(number));
        of_key.filter(|call| call.method.starts_with("models.")).count()
    };
    assert_eq!(
        (probes(1), probes(2)),
        (0, 0),
        "what a person must mend is not looked at at once"
    );
    app.clock.advance(TEN_MINUTES);
    let token = app.admin().await;
    assert_eq!(app.ask(&token).await.status, 200);
    app.sim
        .wait_for(|calls| {
            let ended = calls
                .iter()
                .filter(|call| call.method.starts_with("models.") && call.ended == Ended::Answered);
            ended.count() >= 2
        })
        .await
        .unwrap();
    // Every answer wakes whoever probes; the hand of the clock stands still.
    for _ in 0..50 {
        assert_eq!(app.ask(&token).await.status, 200);
    }
    assert_eq!((probes(1), probes(2), probes(3)), (1, 1, 0));
    assert_eq!((app.calls(1), app.calls(2)), (2, 2), "one call and one probe each");
}

fn signal(running: &process::Running, name: &str) {
    let sent = std::process::Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", running.child.id())])
        .status();
    assert!(sent.unwrap().success(), "SIG{name}");
}

/// Field three of `/proc/PID/stat`; `T` is stopped.
#[cfg(target_os = "linux")]
async fn is_stopped(running: &process::Running) {
    let path = format!("/proc/{}/stat", running.child.id());
    for _ in 0..100_000 {
        let stat = std::fs::read_to_string(&path).unwrap();
        if stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it runs on");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_was_stopped_ends_its_requests_well_and_takes_those_that_came_meanwhile() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    let running = process::start(data.path(), &sim);
    let client = process::sign_in(&running).await;
    let post = |path: &str| {
        client
            .post(format!("{}/api/ai-analysis/{path}", running.base))
            .json(&json!({ "prompt": question() }))
    };
    sim.script("*", "*", vec![Behaviour::answer().chunked(64, 5)]);
    let mut under_way = post("analyze/stream").send().await.unwrap();
    let mut seen = read_until(&mut under_way, "event: delta").await;
    signal(&running, "STOP");
    is_stopped(&running).await;
    let mut meanwhile = std::pin::pin!(post("analyze").send());
    tokio::select! {
        answer = &mut meanwhile => panic!("a stopped process answered: {answer:?}"),
        sent = sim.wait_for(|calls| calls.iter().all(|call| call.ended == Ended::Answered)) => sent.unwrap(),
    }
    signal(&running, "CONT");
    seen += &under_way.text().await.unwrap();
    assert!(seen.contains("event: done"), "{seen}");
    assert_eq!(meanwhile.await.unwrap().status(), 200);
    let status = client.get(format!("{}/api/ai-analysis/service-status", running.base));
    let status: Value = status.send().await.unwrap().json().await.unwrap();
    assert_eq!(status["data"]["healthyKeys"], 2, "{status}");
    assert_eq!(sim.calls().len(), 2, "and nothing was asked twice");
    running.kill();
}
