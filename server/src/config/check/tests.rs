use std::collections::BTreeMap;

use super::*;

fn layers(environment: &[(&str, &str)]) -> Layers {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Layers {
        environment,
        flags: BTreeMap::new(),
        ..Layers::default()
    }
}

fn mistakes(environment: &[(&str, &str)]) -> String {
    check(&layers(environment))
        .expect_err("these settings are wrong")
        .to_string()
}

#[test]
fn without_any_setting_the_defaults_hold() {
    let config = check(&layers(&[])).expect("defaults are right");
    assert_eq!((config.host.to_string().as_str(), config.port), ("127.0.0.1", 5000));
    assert!(config.environment_keys.is_empty());
}

#[test]
fn all_mistakes_are_listed_at_once_and_no_value_is_printed() {
    let canary = "canary-value-that-must-not-show";
    let text = mistakes(&[
        ("PORT", canary),
        ("HOST", canary),
        ("JWT_SECRET", "canary-value"),
        ("KEYPOOL_MASTER_KEY", canary),
        ("GOOGLE_AI_BASE_URL", canary),
        ("ENABLE_ANALYTICS", canary),
        ("KEYPOOL_ADMIN_EMAIL", "admin@example.org"),
        ("KEYPOL_MASTER_KEY", canary),
    ]);
    for name in [
        "PORT",
        "HOST",
        "JWT_SECRET",
        "KEYPOOL_MASTER_KEY",
        "GOOGLE_AI_BASE_URL",
        "ENABLE_ANALYTICS",
        "KEYPOOL_ADMIN_PASSWORD",
        "KEYPOL_MASTER_KEY",
    ] {
        assert!(text.contains(name), "{name} is not named in:\n{text}");
    }
    assert!(!text.contains("canary"), "a value shows in:\n{text}");
}

#[test]
fn names_that_our_own_documents_export_stop_nobody() {
    let names = ["KEYPOOL_URL", "KEYPOOL_TOKEN", "KEYPOOL_CHROMIUM"];
    assert!(check(&layers(&names.map(|name| (name, "x")))).is_ok());
}

#[test]
fn keys_may_have_gaps_and_duplicates_quotes_and_placeholders_are_refused() {
    let config = check(&layers(&[
        ("GOOGLE_AI_API_KEY_1", "AQ.first-key-000001"),
        ("GOOGLE_AI_API_KEY_7", "AQ.seventh-key-0007"),
    ]));
    let numbers: Vec<u32> = config
        .expect("gaps are allowed")
        .environment_keys
        .iter()
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(numbers, [1, 7]);

    let text = mistakes(&[
        ("GOOGLE_AI_API_KEY_1", "AQ.first-key-000001"),
        ("GOOGLE_AI_API_KEY_2", "AQ.first-key-000001"),
        ("GOOGLE_AI_API_KEY_3", "\"AQ.third-key-000003\""),
        ("GOOGLE_AI_API_KEY_4", "your-production-key-4"),
        ("GOOGLE_AI_API_KEYS_5", "AQ.fifth-key-000005"),
    ]);
    for number in [2, 3, 4] {
        assert!(
            text.contains(&format!("GOOGLE_AI_API_KEY_{number}:")),
            "{number} is not named in:\n{text}"
        );
    }
    assert!(
        text.contains("GOOGLE_AI_API_KEYS_5"),
        "the misspelt name is not named in:\n{text}"
    );
}

#[test]
fn the_seeds_own_sample_secret_is_refused() {
    assert!(mistakes(&[("JWT_SECRET", "your-super-secure-jwt-secret-min-32-chars")]).contains("JWT_SECRET"));
}

#[test]
fn keys_under_a_number_that_is_none_are_not_passed_over() {
    let text = mistakes(&[
        ("GOOGLE_AI_API_KEY_01", "AQ.canary-key-000001"),
        ("GOOGLE_AI_API_KEY_+1", "AQ.canary-key-000002"),
        ("GOOGLE_AI_API_KEY_0", "AQ.canary-key-000003"),
    ]);
    for name in ["_01:", "_+1:", "_0:"] {
        assert!(text.contains(&format!("GOOGLE_AI_API_KEY{name}")), "{name}\n{text}");
    }
    assert!(
        text.contains("keys are GOOGLE_AI_API_KEY_1") && !text.contains("canary"),
        "{text}"
    );
}

#[test]
fn an_address_with_more_than_a_place_in_it_is_refused() {
    for address in [
        "http://canary@127.0.0.1:1",
        "http://:canary@127.0.0.1:1",
        "http://127.0.0.1:1/?key=canary",
        "http://127.0.0.1:1/#canary",
        "ftp://127.0.0.1/canary",
    ] {
        let text = mistakes(&[("GOOGLE_AI_BASE_URL", address)]);
        assert!(
            text.contains("GOOGLE_AI_BASE_URL") && !text.contains("canary"),
            "{text}"
        );
    }
    let config = check(&layers(&[("GOOGLE_AI_BASE_URL", "https://proxy.example/gemini/")])).expect("a path is fine");
    assert_eq!(config.gemini_base_url, "https://proxy.example/gemini");
}

#[test]
fn settings_of_later_versions_count_as_unused_only_when_somebody_set_them() {
    let unused = |environment: &[(&str, &str)]| check(&layers(environment)).expect("right").unused;
    assert!(unused(&[]).is_empty());
    assert_eq!(
        unused(&[("RATE_LIMIT_WINDOW", "1000"), ("SENTRY_DSN", "x"), ("QUEUE_MAX", "5")]),
        ["RATE_LIMIT_WINDOW", "SENTRY_DSN"]
    );
}

#[test]
fn the_contracts_defaults_are_shown() {
    let defaults = [
        ("RATE_LIMIT_REQUESTS", "1000"),
        ("RATE_LIMIT_WINDOW", "900000"),
        ("UPSTREAM_RPS", "10"),
        ("QUEUE_MAX", "1000"),
        ("QUEUE_WAIT_MAX", "30s"),
        ("CACHE_MAX_ENTRIES", "1000"),
        ("CACHE_TTL", "900s"),
    ];
    for (name, value) in defaults {
        assert_eq!(
            layers(&[]).find(name),
            Some((value.to_owned(), Source::Default)),
            "{name}"
        );
    }
}

#[test]
fn amounts_and_addresses_that_cannot_be_are_refused() {
    for (name, value) in [
        ("RATE_LIMIT_REQUESTS", "many"),
        ("RATE_LIMIT_WINDOW", "15m"),
        ("UPSTREAM_RPS", "-1"),
        ("UPSTREAM_RPS", "NaN"),
        ("QUEUE_MAX", "+3"),
        ("QUEUE_WAIT_MAX", "30"),
        ("QUEUE_WAIT_MAX", "s"),
        ("CACHE_TTL", "15 minutes"),
        ("KEYPOOL_STRATEGY", "random"),
        ("KEYPOOL_LIMITS", "flash rpm=10"),
        ("GEMINI_FALLBACK_MODELS", "gemini-2.5-flash, a/b"),
        ("ALERT_WEBHOOK_URL", "canary"),
        ("ALERT_WEBHOOK_SECRET", "whsec_canary"),
        ("SMTP_URL", "https://canary"),
        ("ALERT_EMAIL_TO", "ops@example.org, canary"),
        ("ALERT_EMAIL_FROM", "canary"),
        ("ALERT_EMAIL_FROM", "two canary words@localhost"),
        ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://mail.example.org?tls=canary"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@collector:4317"),
    ] {
        let text = mistakes(&[(name, value)]);
        assert!(
            text.contains(&format!("{name}: must be")) && !text.contains("canary"),
            "{text}"
        );
    }
}

#[test]
fn a_channel_needs_both_its_settings() {
    for (name, value, missing) in [
        (
            "ALERT_WEBHOOK_URL",
            "https://hooks.example.org/canary",
            "ALERT_WEBHOOK_SECRET",
        ),
        (
            "ALERT_WEBHOOK_SECRET",
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "ALERT_WEBHOOK_URL",
        ),
        ("SMTP_URL", "smtps://user:canary@mail.example.org", "ALERT_EMAIL_TO"),
        ("ALERT_EMAIL_TO", "ops@example.org", "SMTP_URL"),
    ] {
        let text = mistakes(&[(name, value)]);
        assert!(text.contains(&format!("{missing}: is missing")), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_store_that_this_version_does_not_have_stops_the_start() {
    let text = mistakes(&[("MONGO_URI", "mongodb://user:canary@db/keypool")]);
    assert!(text.contains("MONGO_URI") && text.contains("SQLite"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn a_log_level_that_would_log_nothing_is_refused() {
    for value in ["verbose", "keypool", "keypool=loud", "5", "info,,debug"] {
        assert!(
            mistakes(&[("LOG_LEVEL", value)]).contains("LOG_LEVEL: must be"),
            "{value}"
        );
    }
}
