//! The debug report and the settings that change while the server runs.

mod command_line;
mod settings;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::Behaviour;

use crate::support::{ADMIN, App, PASSWORD, Setup, key, spawn, spawn_app};

/// The checks of a name with their levels.
pub(crate) fn levels(report: &Value, name: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap();
    let of_name = checks.iter().filter(|check| check["name"] == name);
    of_name
        .map(|check| check["level"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn environment(report: &Value, name: &str) -> String {
    let entries = report["environment"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    entry.unwrap_or_else(|| panic!("{name} is not in the report"))["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn page(app: &App, method: Method, form: &[(&str, &str)]) -> (u16, Option<String>, String) {
    let path = if form.first().is_some_and(|(name, _)| *name == "id") {
        "/admin/doctor/siblings"
    } else {
        "/admin/doctor"
    };
    let mut request = app.request(method.clone(), path);
    if method == Method::POST {
        request = request.form(form);
    }
    let response = request.send().await.unwrap();
    let location = response
        .headers()
        .get("location")
        .map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), location, response.text().await.unwrap())
}

async fn sign_in(app: &App) {
    let form = [("email", ADMIN), ("password", PASSWORD), ("next", "/status")];
    let signed_in = app.request(Method::POST, "/sign-in").form(&form).send().await.unwrap();
    assert_eq!(signed_in.status(), 303);
}

#[tokio::test]
async fn a_report_costs_nothing_and_shows_no_secret() {
    let app = spawn_app().await;
    let reply = app.get("/api/admin/doctor", &app.admin().await).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let report = &reply.body["data"];
    for name in [
        "Settings",
        "Data folder",
        "Disk space",
        "Store",
        "Provider",
        "Keys",
        "Quota",
        "Service",
        "Web app",
    ] {
        assert_eq!(levels(report, name), ["ok"], "{name}: {}", report["checks"]);
    }
    // The test's clock stands still in the past.
    assert_eq!(levels(report, "Clock"), ["failed"], "{}", report["checks"]);
    assert_eq!(environment(report, "GOOGLE_AI_API_KEY_2"), "set");
    assert_eq!(environment(report, "KEYPOOL_ADMIN_PASSWORD"), "set");
    assert_eq!(environment(report, "JWT_SECRET"), "missing");
    assert_eq!(environment(report, "HOST"), "default");
    assert_eq!(report["serviceStatus"]["totalKeys"], 3);
    assert_eq!(report["queue"], json!({ "length": 0, "isProcessing": false }));
    assert!(report["keyTests"].is_null() && report["performanceTest"].is_null() && report["testedAt"].is_null());
    let text = reply.body.to_string();
    for secret in [&key(1), &key(2), &key(3), PASSWORD] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert_eq!(
        (1..=3).map(|number| app.calls(number)).sum::<usize>(),
        0,
        "no call was made with a key"
    );
}

#[tokio::test]
async fn tests_run_when_they_are_asked_for() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    app.always(2, "key-not-valid");
    app.sim.always(&key(2), "(probes)", Behaviour::fixture("key-not-valid"));
    let reply = app
        .post(
            "/api/admin/doctor",
            &admin,
            &json!({ "keys": true, "performance": true }),
        )
        .await;
    let report = &reply.body["data"];
    let tests = report["keyTests"].as_array().unwrap();
    assert_eq!(tests.len(), 3, "{report}");
    assert_eq!(
        (&tests[0]["status"], &tests[0]["error"]),
        (&json!("success"), &Value::Null)
    );
    assert_eq!(tests[1]["status"], "failed");
    assert!(
        tests[1]["error"].as_str().unwrap().contains("AI Studio"),
        "{}",
        tests[1]
    );
    let request = &report["performanceTest"];
    assert_eq!(
        (&request["passed"], &request["model"]),
        (&json!(true), &json!("gemini-2.5-flash")),
        "{request}"
    );
    assert_ne!(request["keyNumber"], 2);
    assert_eq!(
        levels(report, "Key 2"),
        ["warning"],
        "what the test showed is in the checks"
    );

    let none = app.post("/api/admin/doctor", &admin, &json!({})).await;
    assert!(none.body["data"]["keyTests"].is_null() && none.body["data"]["performanceTest"].is_null());
    let offline = app
        .post("/api/admin/doctor", &admin, &json!({ "keys": true, "offline": true }))
        .await;
    assert!(offline.body["data"]["keyTests"].is_null());
    assert_eq!(levels(&offline.body["data"], "Provider"), ["skipped"]);
    let wrong = app
        .post("/api/admin/doctor", &admin, &json!({ "everything": true }))
        .await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn a_test_request_is_real_counted_and_in_nobodys_history() {
    let app = spawn(Setup {
        keys: 1,
        ..Setup::default()
    })
    .await;
    let admin = app.admin().await;
    for _ in 0..2 {
        let reply = app
            .post("/api/admin/doctor", &admin, &json!({ "performance": true }))
            .await;
        assert_eq!(reply.body["data"]["performanceTest"]["keyNumber"], 1, "{}", reply.body);
    }
    assert_eq!(app.calls(1), 2, "never from a cache");
    let history = app.get("/api/ai-analysis/analyses", &admin).await;
    assert_eq!(history.body["data"]["items"], json!([]));
    app.always(1, "day-quota-paid");
    let failed = app
        .post("/api/admin/doctor", &admin, &json!({ "performance": true }))
        .await;
    let test = &failed.body["data"]["performanceTest"];
    assert_eq!(test["passed"], false);
    assert!(test["error"].as_str().unwrap().contains("quota"), "{test}");
    assert_eq!(levels(&failed.body["data"], "Quota"), ["warning"]);
    // The day ends by itself: nothing has to be mended.
    assert_eq!(levels(&failed.body["data"], "Service"), ["warning"]);
}

#[tokio::test]
async fn the_days_calls_are_told_by_key() {
    let app = spawn(Setup {
        keys: 1,
        ..Setup::default()
    })
    .await;
    let (admin, user) = (app.admin().await, app.user().await);
    assert_eq!(app.analyze(&user).await.status, 200);
    // Events reach the store a moment after the answer.
    let app = app
        .restart(Setup {
            keys: 1,
            ..Setup::default()
        })
        .await;
    let report = app.get("/api/admin/doctor", &admin).await.body["data"].clone();
    let usage = &report["usageStatistics"];
    assert_eq!(usage["daySince"], "2026-01-15T08:00:00.000Z");
    assert_eq!(usage["keys"][0]["keyNumber"], 1);
    assert_eq!(
        (&usage["keys"][0]["requests"], &usage["keys"][0]["successes"]),
        (&json!(1), &json!(1)),
        "{usage}"
    );
    assert_eq!(usage["performance"]["requests"], 0, "of this process");
}

#[tokio::test]
async fn a_server_without_a_key_says_how_to_add_one() {
    let app = spawn(Setup {
        keys: 0,
        ..Setup::default()
    })
    .await;
    let report = app.get("/api/admin/doctor", &app.admin().await).await.body["data"].clone();
    assert_eq!(levels(&report, "Service"), ["failed"]);
    assert_eq!(environment(&report, "GOOGLE_AI_API_KEY_1"), "missing");
}

#[tokio::test]
async fn the_page_tests_by_forms_and_remembers_what_they_showed() {
    let app = spawn_app().await;
    sign_in(&app).await;
    let (status, _, html) = page(&app, Method::GET, &[]).await;
    assert_eq!(status, 200);
    assert!(html.contains("Nothing was tested since the server started."), "{html}");
    assert!(html.contains("aria-current=\"page\"") && html.contains("href=\"/admin/doctor\""));
    for (test, marker) in [
        ("keys", "data-testid=\"key-tests\""),
        ("request", "data-testid=\"request-test\""),
    ] {
        assert!(!page(&app, Method::GET, &[]).await.2.contains(marker));
        let (status, location, _) = page(&app, Method::POST, &[("test", test)]).await;
        assert_eq!((status, location.as_deref()), (303, Some("/admin/doctor#tests")));
        assert!(page(&app, Method::GET, &[]).await.2.contains(marker), "{test}");
    }
    let (_, _, html) = page(&app, Method::GET, &[]).await;
    assert!(
        html.contains("data-testid=\"key-tests\""),
        "the other test does not take it away"
    );
    for number in 1..=3 {
        assert!(!html.contains(&key(number)));
    }
    assert_eq!(page(&app, Method::POST, &[("test", "everything")]).await.0, 400);
}

#[tokio::test]
async fn only_admins_find_the_page_in_the_navigation() {
    let app = spawn_app().await;
    let form = [("name", "Eve"), ("email", "eve@example.org"), ("password", PASSWORD)];
    app.request(Method::POST, "/register").form(&form).send().await.unwrap();
    let html = app
        .request(Method::GET, "/history")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(html.contains("href=\"/history\"") && !html.contains("/admin/doctor"));
}

#[tokio::test]
async fn keys_that_may_share_a_project_are_confirmed_on_the_page() {
    let app = spawn(Setup {
        keys: 2,
        environment: vec![("KEYPOOL_STRATEGY", "round_robin".to_owned())],
        ..Setup::default()
    })
    .await;
    let (admin, user) = (app.admin().await, app.user().await);
    // Keys that served nothing today may have been spent for hours.
    for _ in 0..2 {
        assert_eq!(app.analyze(&user).await.status, 200);
    }
    app.always(1, "day-quota-paid");
    app.always(2, "day-quota-paid");
    assert_eq!(app.analyze(&user).await.status, 429);
    let proposal = async {
        loop {
            let proposals = app.get("/api/admin/keys/siblings", &admin).await.body["data"].clone();
            if let Some(id) = proposals[0]["id"].as_str() {
                return id.to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    let id = tokio::time::timeout(std::time::Duration::from_secs(10), proposal)
        .await
        .unwrap();
    sign_in(&app).await;
    let (_, _, html) = page(&app, Method::GET, &[]).await;
    assert!(
        html.contains("Keys that may share a project") && html.contains(&id),
        "{html}"
    );
    let (status, location, _) = page(&app, Method::POST, &[("id", &id), ("answer", "confirm")]).await;
    assert_eq!((status, location.as_deref()), (303, Some("/admin/doctor")));
    let (_, _, html) = page(&app, Method::GET, &[]).await;
    assert!(!html.contains("Keys that may share a project"));
}
