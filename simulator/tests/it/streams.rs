use serde_json::Value;
use simulator::Behaviour;

use crate::{Bed, MODEL, asking, text_of};

const PROMPT: &str = "Explain why a stream must end with a finish reason.";

async fn whole(bed: &Bed) -> Value {
    bed.generate_json("k1", MODEL, &asking(PROMPT)).await.1
}

async fn stream(bed: &Bed, query: &str) -> (String, String) {
    let method = format!("streamGenerateContent{query}");
    let response = bed.call("k1", MODEL, &method, &asking(PROMPT)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    (
        response.headers()["content-type"].to_str().unwrap().to_owned(),
        response.text().await.unwrap(),
    )
}

fn events(body: &str) -> Vec<Value> {
    let frames = body.strip_suffix("\r\n\r\n").unwrap().split("\r\n\r\n");
    frames
        .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

/// The messages of a stream say together what the whole answer says, and only the last one ends it.
fn check(messages: &[Value], whole: &Value) {
    assert!(messages.len() > 20, "{} messages", messages.len());
    assert_eq!(messages.iter().map(text_of).collect::<String>(), text_of(whole));
    let (last, others) = messages.split_last().unwrap();
    assert!(
        others
            .iter()
            .all(|message| message["candidates"][0].get("finishReason").is_none())
    );
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    assert!(
        messages
            .iter()
            .all(|message| message["responseId"] == last["responseId"])
    );
}

#[tokio::test]
async fn a_stream_of_events_is_the_answer_in_pieces() {
    let bed = Bed::start().await;
    let (content_type, body) = stream(&bed, "?alt=sse").await;
    assert_eq!(content_type, "text/event-stream");
    check(&events(&body), &whole(&bed).await);
}

#[tokio::test]
async fn a_stream_without_events_is_one_json_array() {
    let bed = Bed::start().await;
    let (content_type, body) = stream(&bed, "").await;
    assert_eq!(content_type, "application/json; charset=UTF-8");
    check(&serde_json::from_str::<Vec<Value>>(&body).unwrap(), &whole(&bed).await);
}

#[tokio::test]
async fn a_stream_in_pieces_of_any_size_has_the_same_bytes() {
    let bed = Bed::start().await;
    for bytes in [1, 7, 4096] {
        bed.sim.script("k1", "*", vec![Behaviour::answer().chunked(bytes, 0)]);
        let (_, body) = stream(&bed, "?alt=sse").await;
        check(&events(&body), &whole(&bed).await);
    }
}

#[tokio::test]
async fn a_paused_stream_passes_its_first_piece_on_at_once() {
    let bed = Bed::start().await;
    bed.sim
        .script("k1", "*", vec![Behaviour::fixture("stream-ok").chunked(40, 3_600_000)]);
    let mut response = bed
        .call("k1", MODEL, "streamGenerateContent?alt=sse", &asking(PROMPT))
        .send()
        .await
        .unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    assert_eq!(
        first.as_ref(),
        &simulator::fixtures::get("stream-ok").unwrap().body.as_bytes()[..40]
    );
    assert_eq!(bed.sim.in_progress(), 1);
}

#[tokio::test]
async fn a_stream_of_one_cut_answer_ends_with_max_tokens() {
    let bed = Bed::start().await;
    let mut body = asking(PROMPT);
    body["generationConfig"] = serde_json::json!({ "maxOutputTokens": 1 });
    let response = bed
        .call("k1", MODEL, "streamGenerateContent?alt=sse", &body)
        .send()
        .await
        .unwrap();
    let messages = events(&response.text().await.unwrap());
    assert_eq!(messages.iter().map(text_of).collect::<String>().chars().count(), 4);
    assert_eq!(messages.last().unwrap()["candidates"][0]["finishReason"], "MAX_TOKENS");
}
