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
