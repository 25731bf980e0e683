use std::io::Write as _;

use app::error::ErrorCode;

use super::*;

const KEY: &str = "opaque-canary-key-0001";
const PASSWORD: &str = "correct \"horse\" battery\\staple";

fn scrubber() -> Scrubber {
    let scrubber = Scrubber::default();
    scrubber.learn(&KEY.into());
    scrubber.learn_password(&PASSWORD.into());
    scrubber
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(scrubber().scrub_log(text), expected);
}

#[test]
fn known_secrets_are_hidden_wherever_they_stand() {
    check("a line", "a line");
    check(KEY, "[hidden]");
    check(&format!("key={KEY}, again {KEY}."), "key=[hidden], again [hidden].");
    check(
        &format!("Consumer 'api_key:{KEY}' is suspended"),
        "Consumer 'api_key:[hidden]' is suspended",
    );
    check(
        &format!("https://example.org/?key={KEY}&a=b"),
        "https://example.org/?key=[hidden]&a=b",
    );
    // Next to each other, and with others beside them.
    check(&format!("{KEY}{KEY}x"), "[hidden][hidden]x");
    check("opaque-canary-key-0002", "opaque-canary-key-0002");
}

#[test]
fn a_secret_is_found_as_logs_write_it() {
    check(PASSWORD, "[hidden]");
    check(&format!("{PASSWORD:?}"), "\"[hidden]\"");
    let within = serde_json::json!({ "field": format!("{:?}", Some(PASSWORD)) }).to_string();
    check(&within, r#"{"field":"Some(\"[hidden]\")"}"#);
    // A quote at its end is a part of it.
    let scrubber = Scrubber::default();
    scrubber.learn(&"secret with \"quotes\"".into());
    assert_eq!(
        scrubber.scrub_log(r#"{"a":"secret with \"quotes\""}"#),
        r#"{"a":"[hidden]"}"#
    );
    check(
        &serde_json::json!({ "password": PASSWORD }).to_string(),
        r#"{"password":"[hidden]"}"#,
    );
}

#[test]
fn what_looks_like_a_credential_is_hidden_though_nobody_told_us() {
    let google = format!("AIza{}", "Sy-_0".repeat(7));
    let cases = [
        (google.clone(), "[hidden]"),
        (
            format!("Consumer 'api_key:{google}' has been suspended."),
            "Consumer 'api_key:[hidden]' has been suspended.",
        ),
        (format!("AQ.{}", "Ab8RN6L".repeat(7)), "[hidden]"),
        (format!("Bearer kp_{}", "a".repeat(48)), "Bearer [hidden]"),
        (format!("whsec_{}=;", "Zm9v".repeat(8)), "[hidden];"),
        (
            "cookie eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ end".to_owned(),
            "cookie [hidden] end",
        ),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.".to_owned(), "[hidden]"),
        (format!("{google}/{google}"), "[hidden]/[hidden]"),
    ];
    for (text, expected) in cases {
        check(&text, expected);
    }
}

#[test]
fn ordinary_words_stay() {
    for text in [
        "A key at AIza and AIzaSyShort",
        "kp_name whsec_ eyJ eyJ. eyJhbGciOiJIUzI1NiJ9 and eyJhbGciOiJIUzI1NiJ9.e30.x",
        "AQ. AQ.short",
        "weekend, keys, Äpfel, 水, 🙂 A",
        "",
    ] {
        check(text, text);
    }
}

#[test]
fn an_answer_hides_secrets_but_tells_no_guessed_password_from_a_wrong_one() {
    let mut error = AppError::new(ErrorCode::BadRequest, format!("{PASSWORD} is no key, {KEY} is"));
    error.details = Some(format!("AIza{}", "x".repeat(35)));
    error.field = Some(KEY.to_owned());
    scrubber().scrub_error(&mut error);
    assert_eq!(error.message, format!("{PASSWORD} is no key, [hidden] is"));
    assert_eq!(error.details.as_deref(), Some("[hidden]"));
    assert_eq!(error.field.as_deref(), Some("[hidden]"));
}

#[test]
fn an_address_is_hidden_with_its_secret_parts() {
    let scrubber = Scrubber::default();
    scrubber.learn_url(&"smtps://user:p%40ss-word-1@mail.example.org".into());
    scrubber.learn_url(&"https://hooks.example.org/services/T0/B0/token?x=12345678".into());
    for text in [
        "smtps://user:p%40ss-word-1@mail.example.org",
        "p%40ss-word-1",
        "p@ss-word-1",
        "https://hooks.example.org/services/T0/B0/token?x=12345678",
        "/services/T0/B0/token",
        "x=12345678",
    ] {
        assert!(!scrubber.scrub_log(text).contains(text), "{text}");
    }
    assert_eq!(
        scrubber.scrub_log("mail.example.org is down"),
        "mail.example.org is down"
    );
}

#[test]
fn short_texts_are_no_secrets() {
    let scrubber = Scrubber::default();
    for short in ["", " ", "key", "1234567"] {
        scrubber.learn(&short.into());
    }
    assert_eq!(scrubber.scrub_log("a key 1234567"), "a key 1234567");
}

#[test]
fn ten_thousand_keys_are_learnt_one_by_one_and_all_hidden_at_once() {
    let scrubber = Scrubber::default();
    let key = |number: u32| format!("opaque-secret-{number:08}-{:08}", number.wrapping_mul(2_654_435_761));
    for number in 0..10_000 {
        scrubber.learn(&key(number).into());
    }
    for number in [0, 1, 4_095, 4_096, 9_998, 9_999] {
        assert_eq!(
            scrubber.scrub_log(&format!("<{}>", key(number))),
            "<[hidden]>",
            "{number}"
        );
    }
}

#[test]
fn a_writer_reports_what_it_was_given_and_writes_what_may_be_read() {
    let inner = Vec::new();
    process().learn(&KEY.into());
    let mut writer = ScrubbedWriter {
        inner,
        scrubber: process(),
    };
    let line = format!("key {KEY}\n");
    assert_eq!(writer.write(line.as_bytes()).expect("memory"), line.len());
    assert_eq!(writer.inner, b"key [hidden]\n");
}
