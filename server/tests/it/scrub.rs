//! A secret that got into a log line, a panic or a provider's words reaches nobody.

use std::process::Command;

use server::config::LogFormat;
use server::{logging, scrub};
use simulator::Behaviour;
use tracing::{debug, error, info, trace, warn};

use crate::support::{Setup, key, spawn};

/// No shape gives it away.
const OPAQUE: &str = "opaque canary-key-0042 with \"quotes\"";
const PASSWORD: &str = "canary horse battery staple";
const VARIABLE: &str = "KEYPOOL_TEST_SCRUB";
/// Google's own sentence; no fixture may hold a key.
const SHAPED: &str = "AIzaSyScrubScrubScrubScrubScrubScrub0123";

/// Writes secrets to the log in every way there is. Does nothing unless it is started by the test below.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how the test below tells its child that it is one"
)]
fn child() {
    let Some(format) = std::env::var_os(VARIABLE) else {
        return;
    };
    let format = if format == "json" {
        LogFormat::Json
    } else {
        LogFormat::Pretty
    };
    scrub::process().learn(&OPAQUE.into());
    scrub::process().learn_password(&PASSWORD.into());
    logging::hide_panics();
    let panics = |message: String| {
        std::thread::spawn(move || std::panic::panic_any(message))
            .join()
            .is_err()
    };
    assert!(panics(format!("without a log: {OPAQUE}")));
    let log = logging::log("trace", format, false, std::io::stderr);
    tracing::dispatcher::set_global_default(log).unwrap();
    for secret in [OPAQUE, PASSWORD, SHAPED] {
        error!("error {secret}");
        warn!(field = secret, "warn");
        info!(field = %secret, "info");
        debug!(field = ?secret, "debug");
        trace!(field = ?Some(vec![secret]), "trace");
        let span = tracing::error_span!("span", secret);
        span.in_scope(|| error!("within a span"));
        let url = reqwest::Url::parse_with_params("https://example.org/", [("q", "x")]).unwrap();
        info!(error = %std::io::Error::other(format!("Consumer 'api_key:{secret}' at {url} has been suspended.")), "an error");
        assert!(panics(format!("with a log: {secret}")));
    }
    info!("the end");
}

#[test]
fn a_secret_in_a_line_of_any_level_or_in_a_panic_is_not_written() {
    for format in ["json", "pretty"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "scrub::child", "--nocapture"])
            .env(VARIABLE, format)
            .env_remove("KEYPOOL_CANARY_DIR")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        // All lines came through, each in its level.
        for word in [
            "error",
            "warn",
            "info",
            "debug",
            "trace",
            "within a span",
            "the end",
            "has been suspended",
        ] {
            assert!(text.contains(word), "{word} is missing:\n{text}");
        }
        assert_eq!(text.matches("a panic").count(), 4, "{text}");
        assert!(text.matches(scrub::HIDDEN).count() >= 18, "{text}");
        for secret in ["canary-key-0042", PASSWORD, SHAPED, "with a log:", "without a log:"] {
            assert!(!text.contains(secret), "{format}: a secret was written");
        }
    }
}

#[tokio::test]
async fn a_providers_error_that_repeats_the_key_reaches_nobody() {
    let app = spawn(Setup {
        keys: 1,
        ..Setup::default()
    })
    .await;
    let body = format!(
        r#"{{"error":{{"code":403,"message":"Permission denied: Consumer 'api_key:{}' has been suspended.","status":"PERMISSION_DENIED"}}}}"#,
        key(1)
    );
    app.sim
        .always(&key(1), "*", Behaviour::respond_bytes(403, body.as_bytes()));
    let (user, admin) = (app.user().await, app.admin().await);
    // `Reply` and `stream` look for the key themselves; here is what else tells of it.
    let refused = app.analyze(&user).await;
    assert!(refused.status >= 400);
    let streamed = app.stream(&user, "Why do rivers meander?").await;
    let places = [
        app.status(&admin).await.to_string(),
        app.get("/api/admin/keys", &admin).await.body.to_string(),
        app.get("/api/admin/notifications", &admin).await.body.to_string(),
        format!("{} {streamed:?}", refused.body),
    ];
    for text in places {
        assert!(
            !text.contains(&key(1)) && !text.contains("has been suspended"),
            "{text}"
        );
    }
    // The store is looked at when the server is gone.
    app.stop().await;
}

#[tokio::test]
async fn an_error_that_repeats_a_key_is_answered_without_it() {
    let app = spawn(Setup::default()).await;
    let user = app.user().await;
    // The name of an unknown field is repeated, whatever it is.
    let body = format!(r#"{{"prompt":"x","{}":1}}"#, key(1));
    let sent = app
        .request(reqwest::Method::POST, "/api/ai-analysis/analyze")
        .bearer_auth(&user)
        .header("content-type", "application/json")
        .body(body);
    let text = sent.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("unknown field") && text.contains(scrub::HIDDEN), "{text}");
    assert!(!text.contains(&key(1)), "{text}");
    app.stop().await;
}
