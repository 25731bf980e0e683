use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const NOON: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn signer(secret: &str) -> TokenSigner {
    TokenSigner::new(&secret.into()).unwrap_or_else(|error| panic!("{error}"))
}

fn ours() -> TokenSigner {
    signer("0123456789-a-secret-for-tests-only")
}

const ADA: &str = "0197a1b2-0000-7000-8000-00000000000a";
const SIGN_IN: &str = "0197a1b2-0000-7000-8000-00000000000b";

/// A token of ours for Ada at noon.
fn of_ada(signer: &TokenSigner) -> String {
    signer.sign(ADA, SIGN_IN, NOON).expect("signed")
}

fn later(seconds: u64) -> Timestamp {
    NOON.plus(Duration::from_secs(seconds))
}

/// A token of ours with one claim changed; null removes it.
fn check_claim(name: &str, value: Value, expected: Option<TokenError>) {
    let signer = ours();
    let claims = signer.verify(&of_ada(&signer), NOON).expect("valid");
    let mut claims = serde_json::to_value(claims).expect("JSON");
    match value {
        Value::Null => claims.as_object_mut().expect("an object").remove(name),
        value => claims
            .as_object_mut()
            .expect("an object")
            .insert(name.to_owned(), value),
    };
    let token = signer.encode(TYPE, &claims).expect("signed");
    assert_eq!(signer.verify(&token, NOON).err(), expected, "{name}: {claims}");
}

#[test]
fn a_token_says_whose_it_is_for_a_quarter_of_an_hour() {
    let signer = ours();
    let token = of_ada(&signer);
    let claims = signer.verify(&token, later(899)).expect("valid");
    assert_eq!(
        (claims.sub.as_str(), claims.sid.as_str(), claims.exp - claims.iat),
        (ADA, SIGN_IN, 900)
    );
    assert_eq!(signer.verify(&token, later(929)), Ok(claims), "within the leeway");
    assert_eq!(signer.verify(&token, later(930)), Err(TokenError::Expired));
    let early = Timestamp::from_millis(NOON.as_millis() - 30_000);
    signer.verify(&token, early).expect("within the leeway");
    assert_eq!(
        signer.verify(&token, Timestamp::from_millis(early.as_millis() - 1000)),
        Err(TokenError::NotYetValid)
    );
}

#[test]
fn no_two_tokens_have_the_same_id() {
    let signer = ours();
    let id = || signer.verify(&of_ada(&signer), NOON).expect("valid").jti;
    assert_ne!(id(), id());
}

#[test]
fn every_claim_is_required_and_must_be_ours() {
    let invalid = Some(TokenError::Invalid);
    let issued = NOON.as_millis() / 1000;
    check_claim("aud", json!(["keypool-api"]), invalid);
    check_claim("aud", json!("another-api"), invalid);
    check_claim("aud", json!("KEYPOOL-API"), invalid);
    check_claim("iss", json!("another"), invalid);
    check_claim("iss", json!(["keypool", "another"]), invalid);
    check_claim("sub", json!(""), invalid);
    check_claim("sub", json!(7), invalid);
    check_claim("sid", json!(""), invalid);
    check_claim("jti", json!(""), invalid);
    check_claim("exp", json!("1700000900"), invalid);
    check_claim("exp", json!(-1), invalid);
    check_claim("exp", json!(issued + 901), invalid);
    check_claim("exp", json!(u64::MAX), invalid);
    check_claim("exp", json!(issued - 1), invalid);
    check_claim("iat", json!(issued - 1), invalid);
    check_claim("iat", json!(issued + 31), Some(TokenError::NotYetValid));
    check_claim("nbf", json!(issued + 600), Some(TokenError::NotYetValid));
    for name in ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"] {
        check_claim(name, Value::Null, invalid);
    }
    check_claim("nbf", json!(issued), None);
}

/// The attacks of RFC 8725, section 2, and what became of others: each on a token that is otherwise ours.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of attacks")]
fn another_key_algorithm_header_or_form_is_refused() {
    let signer = ours();
    let token = of_ada(&signer);
    let claims = signer.verify(&token, NOON).expect("valid");
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let (header, payload) = head.split_once('.').expect("three parts");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("JSON");
    assert_eq!((&header["typ"], &header["alg"]), (&json!(TYPE), &json!("HS256")));
    let kid = header["kid"].as_str().expect("a key id").to_owned();
    let with = |name: &str, value: Value| {
        let mut changed = header.clone();
        changed[name] = value;
        URL_SAFE_NO_PAD.encode(changed.to_string())
    };
    // Signed with our secret over whatever header, as by one who found a way to have it signed.
    let signed = |header: Header| jsonwebtoken::encode(&header, &claims, &signer.encoding).expect("signed");
    let ours = || our_header(TYPE, &signer.keys[0]);
    let forged = [
        (
            "another secret",
            self::signer("9876543210-another-secret-for-tests")
                .encode(TYPE, &claims)
                .expect("signed"),
        ),
        ("alg none", format!("{}.{payload}.", with("alg", json!("none")))),
        (
            "alg none with a signature",
            format!("{}.{payload}.{signature}", with("alg", json!("none"))),
        ),
        (
            "alg nOnE",
            format!("{}.{payload}.{signature}", with("alg", json!("nOnE"))),
        ),
        (
            "alg RS256",
            format!("{}.{payload}.{signature}", with("alg", json!("RS256"))),
        ),
        (
            "alg ES256",
            format!("{}.{payload}.{signature}", with("alg", json!("ES256"))),
        ),
        (
            "alg missing",
            format!("{}.{payload}.{signature}", with("alg", Value::Null)),
        ),
        (
            "HS384",
            signed(Header {
                alg: Algorithm::HS384,
                ..ours()
            }),
        ),
        (
            "HS512",
            signed(Header {
                alg: Algorithm::HS512,
                ..ours()
            }),
        ),
        ("typ JWT", signer.encode("JWT", &claims).expect("signed")),
        ("typ in capitals", signer.encode("AT+JWT", &claims).expect("signed")),
        ("typ missing", signed(Header { typ: None, ..ours() })),
        ("kid missing", signed(Header { kid: None, ..ours() })),
        (
            "kid unknown",
            signed(Header {
                kid: Some("0123456789abcdef".to_owned()),
                ..ours()
            }),
        ),
        (
            "kid empty",
            signed(Header {
                kid: Some(String::new()),
                ..ours()
            }),
        ),
        (
            "kid a path",
            signed(Header {
                kid: Some("../../../../dev/null".to_owned()),
                ..ours()
            }),
        ),
        (
            "kid SQL",
            signed(Header {
                kid: Some(format!("{kid}' OR '1'='1")),
                ..ours()
            }),
        ),
        (
            "kid huge",
            signed(Header {
                kid: Some("k".repeat(100_000)),
                ..ours()
            }),
        ),
        (
            "kid with more",
            signed(Header {
                kid: Some(format!("{kid}\0")),
                ..ours()
            }),
        ),
        (
            "an address of a key",
            signed(Header {
                jku: Some("https://evil.example/jwks".to_owned()),
                ..ours()
            }),
        ),
        (
            "an address of a certificate",
            signed(Header {
                x5u: Some("https://evil.example/c".to_owned()),
                ..ours()
            }),
        ),
        (
            "an extension",
            signed(Header {
                crit: Some(vec!["b64".to_owned()]),
                ..ours()
            }),
        ),
        (
            "nested",
            signed(Header {
                cty: Some("JWT".to_owned()),
                ..ours()
            }),
        ),
        ("no signature", format!("{head}.")),
        ("two parts", head.to_owned()),
        ("one part", "abc".to_owned()),
        ("four parts", format!("{token}.{signature}")),
        (
            "five parts, as an encrypted one",
            format!("{token}.{payload}.{signature}"),
        ),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("a space before", format!(" {token}")),
        ("a line's end behind", format!("{token}\n")),
        ("padding", format!("{token}=")),
        ("oversized", "a".repeat(5000)),
        (
            "oversized parts",
            format!("{}.{}.{}", "a".repeat(3000), "b".repeat(3000), "c".repeat(3000)),
        ),
        ("Unicode", "\u{1f600}.\u{1f600}.\u{1f600}".to_owned()),
        (
            "Unicode digits",
            token.replace(|c: char| c.is_ascii_digit(), "\u{0663}"),
        ),
        ("a zero byte", format!("{head}\0.{signature}")),
    ];
    for (what, token) in forged {
        assert_eq!(signer.verify(&token, NOON), Err(TokenError::Invalid), "{what}: {token}");
    }
    assert_eq!(
        signer.verify(&signed(ours()), NOON),
        Ok(claims.clone()),
        "the same without any of it"
    );
}

#[test]
fn an_earlier_secret_verifies_and_does_not_sign() {
    let (old, new) = (
        "0123456789-a-secret-for-tests-only",
        "9876543210-another-secret-for-tests",
    );
    let before = of_ada(&signer(old));
    let after = TokenSigner::new(&new.into()).and_then(|signer| signer.also_verifying(&old.into(), NOON));
    let after = after.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(after.verify(&before, NOON).expect("good until it runs out").sub, ADA);
    let signed_now = of_ada(&after);
    assert_eq!(
        signer(new)
            .verify(&signed_now, NOON)
            .expect("signed with the new one")
            .sub,
        ADA
    );
    assert_eq!(signer(old).verify(&signed_now, NOON), Err(TokenError::Invalid));
    assert_eq!(
        signer(new).verify(&before, NOON),
        Err(TokenError::Invalid),
        "without the earlier secret"
    );
    assert_eq!(
        TokenSigner::new(&new.into())
            .and_then(|signer| signer.also_verifying(&"short".into(), NOON))
            .err(),
        Some(WeakSecret::TooShort)
    );
}

#[test]
fn whoever_has_the_earlier_secret_makes_no_operator_and_no_new_token() {
    let (old, new) = (
        signer("0123456789-a-secret-for-tests-only"),
        "9876543210-another-secret-for-tests",
    );
    let ours = TokenSigner::new(&new.into())
        .and_then(|signer| signer.also_verifying(&"0123456789-a-secret-for-tests-only".into(), NOON))
        .unwrap_or_else(|error| panic!("{error}"));
    let operator = old.sign_operator(NOON).expect("signed");
    assert!(old.is_operator(&operator, NOON) && !ours.is_operator(&operator, NOON));
    assert!(ours.is_operator(&ours.sign_operator(NOON).expect("signed"), NOON));
    for (seconds, good) in [(0, true), (1, false), (600, false)] {
        let token = old.sign(ADA, SIGN_IN, later(seconds)).expect("signed");
        assert_eq!(
            ours.verify(&token, later(600)).is_ok(),
            good,
            "signed {seconds} s after the start"
        );
    }
}

#[test]
fn a_changed_token_is_refused_wherever_it_was_changed() {
    let signer = ours();
    let token = of_ada(&signer);
    for index in 0..token.len() - 1 {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert_eq!(
            signer.verify(&changed, NOON),
            Err(TokenError::Invalid),
            "character {index}"
        );
    }
}

#[test]
fn an_operators_token_is_good_for_a_minute_of_the_same_clock() {
    let ours = ours();
    let token = ours.sign_operator(NOON).expect("signed");
    let at = |seconds: i64| Timestamp::from_millis(NOON.as_millis().saturating_add_signed(seconds * 1000));
    for (seconds, good) in [(-1, false), (0, true), (59, true), (60, false)] {
        assert_eq!(ours.is_operator(&token, at(seconds)), good, "{seconds} s");
    }
    assert!(!signer("9876543210-another-secret-for-tests").is_operator(&token, NOON));
}

#[test]
fn operators_tokens_and_access_tokens_do_not_pass_for_each_other() {
    let signer = ours();
    let access = of_ada(&signer);
    let operator = signer.sign_operator(NOON).expect("signed");
    assert!(!signer.is_operator(&access, NOON));
    assert_eq!(signer.verify(&operator, NOON), Err(TokenError::Invalid));
    let issued = NOON.as_millis() / 1000;
    let claims = |aud: &str, exp: u64| json!({ "iss": ISSUER, "aud": aud, "iat": issued, "exp": exp, "jti": "x" });
    let check = |typ: &str, claims: Value, good: bool| {
        let token = signer.encode(typ, &claims).expect("signed");
        assert_eq!(signer.is_operator(&token, NOON), good, "{typ} {claims}");
    };
    check(OPERATOR_TYPE, claims(OPERATOR_AUDIENCE, issued + 60), true);
    check(TYPE, claims(OPERATOR_AUDIENCE, issued + 60), false);
    check(OPERATOR_TYPE, claims(AUDIENCE, issued + 60), false);
    check(OPERATOR_TYPE, claims(OPERATOR_AUDIENCE, issued + 3600), false);
}

#[test]
fn weak_secrets_are_refused() {
    let check = |secret: &str, expected| assert_eq!(TokenSigner::new(&secret.into()).err(), expected, "{secret}");
    check("", Some(WeakSecret::TooShort));
    check(&"0123456789abcdef".repeat(2)[..31], Some(WeakSecret::TooShort));
    check(
        "your-super-secure-jwt-secret-min-32-chars",
        Some(WeakSecret::Placeholder),
    );
    check(&"a".repeat(64), Some(WeakSecret::Repeated));
    check(&"0123456789abcdef".repeat(2), None);
}
