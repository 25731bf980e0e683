use super::*;

fn caller(user_id: &str) -> Caller {
    Caller {
        user_id: user_id.to_owned(),
        request_id: "r".to_owned(),
        surface: "api",
        user_agent: None,
        token_id: None,
    }
}

fn request(prompt: &str) -> AnalyzeRequest {
    AnalyzeRequest {
        prompt: prompt.to_owned(),
        ..AnalyzeRequest::default()
    }
}

#[test]
fn a_key_is_up_to_255_visible_characters() {
    let long = "k".repeat(255);
    for good in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", &long] {
        assert!(IdempotencyKey::parse(good.as_bytes()).is_ok(), "{good}");
    }
    let too_long = "k".repeat(256);
    for bad in ["", " ", "a b", "a\tb", "\u{7f}", "\u{e9}", &too_long] {
        let refused = IdempotencyKey::parse(bad.as_bytes()).err();
        let refused = refused.expect("it is no key");
        assert_eq!(refused.code, ErrorCode::BadRequest, "{bad:?}");
        assert!(refused.message.contains("Idempotency-Key"), "{bad:?}");
    }
    assert!(IdempotencyKey::parse(&[0xff]).is_err());
}

#[test]
fn what_is_asked_makes_the_request_and_how_does_not() {
    let ada = caller("ada");
    let plain = digest(&ada, &request("Why?"));
    let hinted = AnalyzeRequest {
        max_retries: Some(1),
        fresh: Some(true),
        ..request("Why?")
    };
    assert_eq!(digest(&ada, &hinted), plain);
    let others = [
        request("Why"),
        AnalyzeRequest {
            model: Some("gemini-2.5-pro".to_owned()),
            ..request("Why?")
        },
        AnalyzeRequest {
            system: Some(String::new()),
            ..request("Why?")
        },
        AnalyzeRequest {
            temperature: Some(0.0),
            ..request("Why?")
        },
    ];
    for other in &others {
        assert_ne!(digest(&ada, other), plain, "{other:?}");
    }
}
