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
        unused(&[("REDIS_URL", "redis://a"), ("SENTRY_DSN", "x"), ("QUEUE_MAX", "5")]),
        ["REDIS_URL", "SENTRY_DSN"]
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
        ("ALERT_CHAT_URL", "canary"),
        ("ALERT_CHAT_FORMAT", "canary"),
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
        ("ALERT_CHAT_FORMAT", "discord", "ALERT_CHAT_URL"),
    ] {
        let text = mistakes(&[(name, value)]);
        assert!(text.contains(&format!("{missing}: is missing")), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn an_address_of_mongodb_names_a_database_or_gets_ours() {
    let database = |uri: &str| check(&layers(&[("MONGO_URI", uri)])).unwrap().mongo.unwrap();
    assert_eq!(database("mongodb://user:canary@db/team").database(), "team");
    assert_eq!(database("mongodb://db").database(), "keypool");
    for wrong in [
        "canary",
        "mongodb://user:canary@db/admin",
        "postgres://user:canary@db/keypool",
    ] {
        let text = mistakes(&[("MONGO_URI", wrong)]);
        assert!(text.contains("MONGO_URI: ") && !text.contains("canary"), "{text}");
    }
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

#[test]
fn limits_networks_and_origins_are_read_as_people_write_them() {
    let config = check(&layers(&[
        ("RATE_LIMIT_REQUESTS", "60"),
        ("RATE_LIMIT_WINDOW", "60000"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7, fd00::/8"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.org, http://localhost:3000"),
        ("ENDPOINT_ALLOWED_NETWORKS", "10.1.2.3/16"),
        ("HISTORY_RETENTION", "30d"),
        ("KEYPOOL_HISTORY", "off"),
        ("KEYPOOL_REGISTRATION", "invite"),
        ("CONNECTIONS_MAX", "0"),
    ]))
    .expect("all of these are right");
    assert_eq!(
        (config.rate_limit.requests, config.rate_limit.window),
        (60, Duration::from_secs(60))
    );
    let written: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]);
    assert_eq!(
        config.cors_origins,
        ["https://app.example.org", "http://localhost:3000"]
    );
    assert_eq!(config.endpoint_networks[0].to_string(), "10.1.0.0/16");
    assert_eq!(config.history.retention, Some(Duration::from_secs(30 * 86_400)));
    assert!(!config.history.keep);
    assert_eq!(config.registration, crate::config::Registration::Invited);
    assert_eq!((config.connections.max, config.connections.per_address), (0, 1000));
    assert!(config.unused.is_empty(), "all of them have an effect");
}

#[test]
fn limits_networks_and_origins_that_mean_nothing_are_refused() {
    for (name, wrong) in [
        ("RATE_LIMIT_REQUESTS", "many"),
        ("RATE_LIMIT_WINDOW", "0"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "proxy.example.org"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.org/"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.org:443"),
        ("CORS_ALLOWED_ORIGINS", "https://APP.example.org"),
        ("CORS_ALLOWED_ORIGINS", "app.example.org"),
        ("CORS_ALLOWED_ORIGINS", "null"),
        ("ENDPOINT_ALLOWED_NETWORKS", "internal"),
        ("HISTORY_RETENTION", "90"),
        ("KEYPOOL_HISTORY", "maybe"),
        ("KEYPOOL_REGISTRATION", "friends"),
        ("CONNECTIONS_MAX", "-1"),
    ] {
        let text = mistakes(&[(name, wrong)]);
        assert!(text.contains(name), "{name}={wrong}:\n{text}");
    }
}

#[test]
fn a_previous_secret_needs_a_present_one_that_differs() {
    let key = |byte: u8| {
        use base64::Engine as _;
        let bytes: Vec<u8> = (0..32).map(|place| byte ^ place).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let (old, new) = (key(1), key(2));
    let rotation = [
        ("KEYPOOL_MASTER_KEY", new.as_str()),
        ("KEYPOOL_MASTER_KEY_PREVIOUS", old.as_str()),
    ];
    assert!(check(&layers(&rotation)).is_ok());
    for environment in [
        &[("KEYPOOL_MASTER_KEY_PREVIOUS", old.as_str())][..],
        &[
            ("KEYPOOL_MASTER_KEY", old.as_str()),
            ("KEYPOOL_MASTER_KEY_PREVIOUS", old.as_str()),
        ],
        &[
            ("KEYPOOL_MASTER_KEY", new.as_str()),
            ("KEYPOOL_MASTER_KEY_PREVIOUS", "short"),
        ],
        &[("JWT_SECRET_PREVIOUS", "short")],
    ] {
        let text = mistakes(environment);
        assert!(text.contains("_PREVIOUS"), "{text}");
        assert!(
            !text.contains(&old) && !text.contains(&new),
            "a value shows in:\n{text}"
        );
    }
}
