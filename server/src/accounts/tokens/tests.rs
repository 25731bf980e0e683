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

fn ada() -> User {
    User {
        id: "ada".to_owned(),
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        role: Role::Viewer,
    }
}

fn later(seconds: u64) -> Timestamp {
    NOON.plus(Duration::from_secs(seconds))
}

/// A token of ours with one claim changed; null removes it.
fn check_claim(name: &str, value: Value, expected: Option<TokenError>) {
    let signer = ours();
    let claims = signer
        .verify(&signer.sign(&ada(), NOON).expect("signed"), NOON)
        .expect("valid");
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
    let token = signer.sign(&ada(), NOON).expect("signed");
    let claims = signer.verify(&token, later(899)).expect("valid");
    assert_eq!(
        (claims.sub.as_str(), claims.role, claims.exp - claims.iat),
        ("ada", Role::Viewer, 900)
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
    let id = || {
        signer
            .verify(&signer.sign(&ada(), NOON).expect("signed"), NOON)
            .expect("valid")
            .jti
    };
    assert_ne!(id(), id());
}

#[test]
fn every_claim_is_required_and_must_be_ours() {
    let invalid = Some(TokenError::Invalid);
    check_claim("aud", json!(["keypool-api"]), invalid);
    check_claim("aud", json!("another-api"), invalid);
    check_claim("iss", json!("another"), invalid);
    check_claim("role", json!("root"), invalid);
    check_claim("exp", json!("1700000900"), invalid);
    check_claim("exp", json!(1_699_999_900), Some(TokenError::Expired));
    check_claim("exp", json!(u64::MAX), None);
    check_claim("nbf", json!(1_700_000_600), Some(TokenError::NotYetValid));
    for name in ["iss", "aud", "sub", "role", "iat", "nbf", "exp", "jti"] {
        check_claim(name, Value::Null, invalid);
    }
}

#[test]
fn another_key_algorithm_or_type_is_refused() {
    let signer = ours();
    let token = signer.sign(&ada(), NOON).expect("signed");
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let (_, payload) = head.split_once('.').expect("three parts");
    let header = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = signer.verify(&token, NOON).expect("valid");

    let hs384 = Header {
        typ: Some(TYPE.to_owned()),
        ..Header::new(Algorithm::HS384)
    };
    let hs384 = jsonwebtoken::encode(&hs384, &claims, &signer.encoding).expect("signed");
    let forged = [
        signer_of_others(&claims),
        hs384,
        signer.encode("JWT", &claims).expect("signed"),
        format!("{}.{payload}.", header(json!({"alg": "none", "typ": TYPE}))),
        format!("{}.{payload}.{signature}", header(json!({"alg": "none", "typ": TYPE}))),
        format!("{}.{payload}.{signature}", header(json!({"alg": "RS256", "typ": TYPE}))),
        format!("{head}."),
        head.to_owned(),
        String::new(),
        "a".repeat(5000),
    ];
    for token in forged {
        assert_eq!(signer.verify(&token, NOON), Err(TokenError::Invalid), "{token}");
    }
}

fn signer_of_others(claims: &Claims) -> String {
    signer("9876543210-another-secret-for-tests")
        .encode(TYPE, claims)
        .expect("signed")
}

#[test]
fn a_changed_token_is_refused_wherever_it_was_changed() {
    let signer = ours();
    let token = signer.sign(&ada(), NOON).expect("signed");
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
    let access = signer.sign(&ada(), NOON).expect("signed");
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
