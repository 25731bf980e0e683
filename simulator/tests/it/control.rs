use serde_json::{Value, json};
use simulator::{Behaviour, Cut, Opening};

use crate::{Bed, MODEL, asking};

async fn control(bed: &Bed, what: &str, body: Value) -> (u16, Value) {
    let response = bed.post(&format!("/_control/{what}"), &body).send().await.unwrap();
    (
        response.status().as_u16(),
        serde_json::from_str(&response.text().await.unwrap()).unwrap(),
    )
}

async fn done(bed: &Bed, what: &str, body: Value) {
    assert_eq!(control(bed, what, body).await, (200, json!({})));
}

#[tokio::test]
async fn scripts_are_set_and_cleared_over_http() {
    let bed = Bed::start().await;
    let behaviours =
        json!([{ "reply": { "fixture": "overloaded" } }, {}, { "reply": { "respond": { "status": 418 } } }]);
    done(
        &bed,
        "script",
        json!({ "key": "k1", "model": "*", "behaviours": behaviours }),
    )
    .await;
    done(
        &bed,
        "script",
        json!({ "key": "k1", "model": "*", "behaviours": [{ "reply": { "fixture": "internal" } }], "always": true }),
    )
    .await;
    for expected in [503, 200, 418, 500, 500] {
        assert_eq!(bed.generate("k1", "hello").await.status(), expected);
    }
    done(&bed, "clear", json!({})).await;
    assert_eq!(bed.generate("k1", "hello").await.status(), 200);
}

#[tokio::test]
async fn quotas_and_the_clock_are_set_over_http() {
    let bed = Bed::start().await;
    done(&bed, "now", json!({ "ms": 1_784_142_000_000_u64 })).await;
    done(&bed, "assign", json!({ "key": "k1", "project": "p1" })).await;
    done(&bed, "limit", json!({ "project": "p1", "model": MODEL, "rpm": 1 })).await;
    assert_eq!(bed.generate("k1", "hello").await.status(), 200);
    assert_eq!(bed.generate("k1", "hello").await.status(), 429);
    done(&bed, "now", json!({ "ms": 1_784_142_060_000_u64 })).await;
    assert_eq!(bed.generate("k1", "hello").await.status(), 200);
    done(&bed, "now", json!({ "ms": null })).await;
    bed.generate("k1", "hello").await;
    assert_ne!(bed.sim.calls().last().unwrap().at_ms, 1_784_142_060_000);
}

#[tokio::test]
async fn calls_are_read_over_http_and_control_is_not_among_them() {
    let bed = Bed::start().await;
    bed.sim.set_now_ms(Some(5));
    bed.generate("k1", "hello").await.text().await.unwrap();
    let text = bed.get("/_control/calls").send().await.unwrap().text().await.unwrap();
    let mut seen: Value = serde_json::from_str(&text).unwrap();
    assert!(
        seen["calls"][0]["headers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|header| header[0] == "content-type")
    );
    seen["calls"][0]["headers"] = json!([]);
    let sent_bytes = bed.sim.calls()[0].sent_bytes;
    let call = json!({
        "key": "k1", "model": MODEL, "method": "generateContent", "path": format!("/v1beta/models/{MODEL}:generateContent"),
        "headers": [], "body": asking("hello"), "at_ms": 5, "sent_bytes": sent_bytes, "ended": "Answered",
    });
    assert_eq!(seen, json!({ "calls": [call], "in_progress": 0 }));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_said() {
    let bed = Bed::start().await;
    let cases = [
        (
            "script",
            json!({ "key": "k1", "model": "*", "behaviours": [{ "reply": { "fixture": "nonesuch" } }] }),
            "no fixture named \"nonesuch\"",
        ),
        (
            "script",
            json!({ "key": "k1", "model": "*", "behaviours": [{ "replay": "answer" }] }),
            "replay",
        ),
        (
            "script",
            json!({ "key": "k1", "model": "*", "behaviours": [], "always": true }),
            "exactly one",
        ),
        ("limit", json!({ "project": "p1", "model": "*", "rpn": 3 }), "rpn"),
        ("assign", json!({ "key": "k1" }), "project"),
        ("now", json!({ "ms": "noon" }), "ms"),
        ("nonesuch", json!({}), "no such call"),
    ];
    for (what, body, expected) in cases {
        let (status, answer) = control(&bed, what, body).await;
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().contains(expected), "{answer}");
    }
}

#[test]
fn the_documented_json_of_a_behaviour_is_the_behaviour() {
    let json = r#"{"reply":"answer", "opening":{"delay":{"ms":200}}, "chunking":{"bytes":16, "pause_ms":5}, "cut":{"stall":{"after_bytes":120}}}"#;
    let expected = Behaviour::answer()
        .delayed_ms(200)
        .chunked(16, 5)
        .stall_after_bytes(120);
    assert_eq!(serde_json::from_str::<Behaviour>(json).unwrap(), expected);
    let openings = [
        ("\"prompt\"", Opening::Prompt),
        ("\"hang\"", Opening::Hang),
        ("\"reset\"", Opening::Reset),
    ];
    for (json, opening) in openings {
        assert_eq!(serde_json::from_str::<Opening>(json).unwrap(), opening);
    }
    assert_eq!(
        serde_json::from_str::<Cut>(r#"{"truncate":{"after_bytes":3}}"#).unwrap(),
        Cut::Truncate { after_bytes: 3 }
    );
    let respond = serde_json::from_str::<Behaviour>(
        r#"{"reply":{"respond":{"status":500, "headers":[["a","b"]], "body":"text"}}}"#,
    );
    assert_eq!(respond.unwrap(), Behaviour::respond(500, "text").with_header("a", "b"));
    assert_eq!(
        serde_json::from_str::<Behaviour>(r#"{"reply":{"huge":{"bytes":1000000}}}"#).unwrap(),
        Behaviour::huge_body(1_000_000)
    );
}
