use serde_json::{Value, json};
use simulator::{Options, Pace};

use crate::{Bed, MODEL, asking, text_of};

const PROMPT: &str = "Compare the cooldown of a quota cell with the cooldown of a key. Which cooldown is longer, and why? Name 3 reasons.";

async fn answer(bed: &Bed, body: &Value) -> String {
    let (status, message) = bed.generate_json("k1", MODEL, body).await;
    assert_eq!(status, 200, "{message}");
    text_of(&message).to_owned()
}

fn with_inline(mime_type: &str, bytes: &[u8]) -> Value {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    json!({ "contents": [{ "parts": [{ "text": "What is this?" }, { "inlineData": { "mimeType": mime_type, "data": data } }] }] })
}

#[tokio::test]
async fn an_answer_says_that_it_is_simulated_and_speaks_of_the_prompt() {
    let bed = Bed::start().await;
    let text = answer(&bed, &asking(PROMPT)).await;
    assert!(text.lines().next().unwrap().contains("Simulated answer"), "{text}");
    for expected in [
        "## Compare the cooldown of a quota cell with…",
        "22 words in 3 sentences, one of them a question",
        "looks like English",
        "- **cooldown** × 3",
        "1 number, beginning with 3",
        "weigh",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn the_same_prompt_gets_the_same_text_under_another_id() {
    let bed = Bed::start().await;
    let (_, first) = bed.generate_json("k1", MODEL, &asking(PROMPT)).await;
    let (_, second) = bed.generate_json("k2", MODEL, &asking(PROMPT)).await;
    assert_eq!(text_of(&first), text_of(&second));
    assert_ne!(first["responseId"], second["responseId"]);
    assert_ne!(text_of(&first), answer(&bed, &asking("Explain failover.")).await);
}

#[tokio::test]
async fn an_answer_has_about_80_to_200_words() {
    let bed = Bed::start().await;
    let long = "Every request that fails moves on to the next project, since 14 of 20 keys may be spent. ".repeat(40);
    for prompt in [
        "Hi",
        "?",
        PROMPT,
        &long,
        "Warum ist das Kontingent der Schlüssel leer, und wann ist es wieder voll?",
        "日本語の文章です。これは何ですか？",
    ] {
        let text = answer(&bed, &asking(prompt)).await;
        let words = text.split_whitespace().count();
        assert!((75..=210).contains(&words), "{words} words:\n{text}");
    }
}

#[tokio::test]
async fn languages_are_guessed() {
    let bed = Bed::start().await;
    let prompts = [
        (
            "Was ist das und warum werden die Schlüssel nicht benutzt?",
            "looks like German",
        ),
        (
            "Comment les clés sont-elles choisies dans cette liste ?",
            "looks like French",
        ),
        ("これは日本語の文章です", "looks like Japanese"),
        ("Почему ключ не работает?", "looks like a language in Cyrillic letters"),
        ("xyzzy plugh", "a language that is hard to tell"),
    ];
    for (prompt, expected) in prompts {
        let text = answer(&bed, &asking(prompt)).await;
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn markdown_and_html_of_a_prompt_do_not_reach_the_title() {
    let bed = Bed::start().await;
    let text = answer(&bed, &asking("# <script>alert(1)</script> *now*\nsecond line")).await;
    assert!(text.contains("## script alert(1) /script now\n"), "{text}");
}

#[tokio::test]
async fn images_are_described_by_their_headers() {
    let png = [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice(),
        &640_u32.to_be_bytes(),
        &480_u32.to_be_bytes(),
        &[8, 6, 0, 0, 0],
    ]
    .concat();
    let gif = b"GIF89a\x10\x00\x20\x01\0\0\0";
    let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08\x01\x00\x02\x00\x03";
    let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x40\x01\xf0\x00";
    let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x3f\xc1\x3b\x00";
    let extended = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x7f\x02\x00\xdf\x01\x00";
    let bed = Bed::start().await;
    let cases: [(&str, &[u8], &str); 7] = [
        ("image/png", &png, "PNG, 640 × 480 pixels, 29 bytes (image/png)"),
        ("image/gif", gif, "GIF, 16 × 288 pixels"),
        ("image/jpeg", jpeg, "JPEG, 512 × 256 pixels"),
        ("image/webp", lossy, "WebP, 320 × 240 pixels"),
        ("image/webp", lossless, "WebP, 320 × 240 pixels"),
        ("image/webp", extended, "WebP, 640 × 480 pixels"),
        ("image/x-<b>", &[7; 2_345], "unknown format, 2.3 KB (image/x-b)"),
    ];
    for (mime_type, bytes, expected) in cases {
        let text = answer(&bed, &with_inline(mime_type, bytes)).await;
        assert!(
            text.contains("### 1 image\n") && text.contains(expected),
            "{expected} is missing in:\n{text}"
        );
    }
}

#[tokio::test]
async fn a_header_cut_at_any_byte_is_an_unknown_format_and_no_failure() {
    let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08\x01\x00\x02\x00\x03";
    let webp = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x7f\x02\x00\xdf\x01\x00";
    let bed = Bed::start().await;
    for bytes in [jpeg.as_slice(), webp] {
        for len in 1..bytes.len() - 1 {
            let text = answer(&bed, &with_inline("image/x", &bytes[..len])).await;
            assert!(text.contains("unknown format"), "{len}:\n{text}");
        }
    }
}

#[tokio::test]
async fn an_answer_stops_at_the_most_tokens_asked_for() {
    let bed = Bed::start().await;
    let mut body = asking(PROMPT);
    body["generationConfig"] = json!({ "maxOutputTokens": 10 });
    let (_, message) = bed.generate_json("k1", MODEL, &body).await;
    assert_eq!(text_of(&message).chars().count(), 40);
    assert_eq!(message["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(message["usageMetadata"]["candidatesTokenCount"], 10);
}

#[tokio::test]
async fn usage_adds_up_and_is_what_count_tokens_says() {
    let bed = Bed::start().await;
    let (_, message) = bed.generate_json("k1", MODEL, &asking(PROMPT)).await;
    let count = |name: &str| message["usageMetadata"][name].as_u64().unwrap();
    assert_eq!(count("promptTokenCount"), PROMPT.len().div_ceil(4) as u64);
    assert_eq!(
        count("totalTokenCount"),
        count("promptTokenCount") + count("candidatesTokenCount")
    );
    assert_eq!(
        (
            message["candidates"][0]["finishReason"].as_str(),
            message["modelVersion"].as_str()
        ),
        (Some("STOP"), Some(MODEL))
    );
    for body in [asking(PROMPT), json!({ "generateContentRequest": asking(PROMPT) })] {
        let response = bed.call("k1", MODEL, "countTokens", &body).send().await.unwrap();
        let counted: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(counted["totalTokens"], count("promptTokenCount"));
    }
}

#[tokio::test]
async fn json_is_answered_where_json_is_asked_for() {
    let bed = Bed::start().await;
    let mut body = asking(PROMPT);
    body["generation_config"] = json!({ "response_mime_type": "application/json" });
    let parsed: Value = serde_json::from_str(&answer(&bed, &body).await).unwrap();
    assert_eq!((&parsed["simulated"], &parsed["words"]), (&json!(true), &json!(22)));
}

#[tokio::test]
async fn a_conversation_is_answered_by_its_last_turn() {
    let bed = Bed::start().await;
    let body = json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "contents": [
            { "role": "user", "parts": [{ "text": "First" }] },
            { "role": "model", "parts": [{ "text": "Yes" }] },
            { "role": "user", "parts": [{ "text": "Second" }] },
        ],
    });
    let text = answer(&bed, &body).await;
    assert!(
        text.contains("## Second") && text.contains("conversation of 3 turns") && text.contains("system instruction"),
        "{text}"
    );
}

#[tokio::test]
async fn malformed_bodies_are_refused_in_the_shape_of_the_provider() {
    let bed = Bed::start().await;
    let mut hot = asking("hello");
    hot["generationConfig"] = json!({ "temperature": "hot" });
    let mut none = asking("hello");
    none["generationConfig"] = json!({ "maxOutputTokens": 0 });
    let bodies = [
        ("{\"contents\":".to_owned(), "Invalid JSON payload received."),
        ("{}".to_owned(), "contents is not specified"),
        (json!({ "contents": [] }).to_string(), "contents is not specified"),
        (
            json!({ "contents": "hello" }).to_string(),
            "Invalid value at 'contents'",
        ),
        (
            json!({ "contents": [{ "parts": [] }] }).to_string(),
            "contents[0].parts: contents.parts must not be empty",
        ),
        (
            json!({ "contents": [{ "parts": [{}] }] }).to_string(),
            "contents[0].parts[0].data: required oneof field",
        ),
        (
            json!({ "contents": [{ "parts": [{ "text": 7 }] }] }).to_string(),
            "contents[0].parts[0].text' (TYPE_STRING), 7",
        ),
        (
            json!({ "contents": [{ "role": "boss", "parts": [{ "text": "x" }] }] }).to_string(),
            "Please use a valid role: user, model.",
        ),
        (
            json!({ "contents": [{ "parts": [{ "inline_data": { "mime_type": "image/png", "data": "%%" } }] }] })
                .to_string(),
            "Base64 decoding failed",
        ),
        (
            json!({ "contents": [{ "parts": [{ "inlineData": { "data": "AAAA" } }] }] }).to_string(),
            "mimeType parameter must be set",
        ),
        (
            hot.to_string(),
            "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"",
        ),
        (none.to_string(), "max_output_tokens must be positive, but got 0."),
    ];
    for (body, expected) in bodies {
        let request = bed
            .call("k1", MODEL, "generateContent", &Value::Null)
            .body(body.clone());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        let error: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(
            (&error["error"]["code"], &error["error"]["status"]),
            (&json!(400), &json!("INVALID_ARGUMENT")),
            "{body}"
        );
        assert!(
            error["error"]["message"].as_str().unwrap().contains(expected),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn a_pace_changes_the_time_and_not_the_text() {
    let slow = Bed::with(Options {
        pace: Pace::Human {
            first_ms: 30..=40,
            chunk_ms: 1..=2,
        },
        ..Options::default()
    })
    .await;
    let began = tokio::time::Instant::now();
    let text = answer(&slow, &asking(PROMPT)).await;
    assert!(began.elapsed().as_millis() >= 60, "30 ms and more than 30 chunks");
    assert_eq!(text, answer(&Bed::start().await, &asking(PROMPT)).await);
}
