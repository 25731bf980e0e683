//! What the fuzz targets call of this adapter; see `crate::fuzzing`.

use std::sync::Arc;

use pool::Outcome;
use secrecy::SecretString;
use serde_json::Value;

use super::classify::classify;
use super::judge::End;
use super::request::{Address, generate};
use super::stream::{Reader, Step};
use crate::provider::{Call, Content, Evidence, Failure, Mode};

const LINE_BYTES_MAX: usize = 1024;
const BODY_BYTES_MAX: usize = 16 * 1024;

/// An answer is the same in one piece and in two, and what fails is safe to log.
pub fn answer(data: &[u8]) {
    let Some((at, body)) = data.split_first() else { return };
    let whole = read(&[body]);
    let (before, after) = body.split_at(usize::from(*at).min(body.len()));
    assert_eq!(read(&[before, after]), whole, "cut at {at}");
    assert!(whole.texts.iter().all(|text| !text.is_empty()), "an empty text");
    if let Some(Err(failure)) = &whole.end {
        check(failure);
    }
}

fn read(pieces: &[&[u8]]) -> Step {
    let mut reader = Reader::new(200, LINE_BYTES_MAX, BODY_BYTES_MAX);
    let mut texts = Vec::new();
    for piece in pieces {
        let step = reader.push(piece);
        texts.extend(step.texts);
        if step.end.is_some() {
            return Step { texts, end: step.end };
        }
    }
    let step = reader.end(End::Closed);
    texts.extend(step.texts);
    Step { texts, end: step.end }
}

/// The first byte is the status from 400, the rest of the first line is `Retry-After`.
pub fn refusal(data: &[u8]) {
    let Some((status, rest)) = data.split_first() else {
        return;
    };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or_default();
    let (line, body) = rest.split_at(end);
    let retry_after = std::str::from_utf8(line).ok().filter(|text| !text.is_empty());
    check(&classify(400 + u16::from(*status), retry_after, body));
}

/// Nothing of the provider's words is in it, but for what has a known shape.
fn check(failure: &Failure) {
    let Evidence {
        project,
        help_url,
        block_reason,
        body_hash,
        ..
    } = &*failure.evidence;
    let is = |text: &Option<String>, known: fn(char) -> bool| {
        text.as_deref()
            .is_none_or(|text| text.len() <= 64 && text.chars().all(known))
    };
    assert!(
        is(project, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
        "{project:?}"
    );
    assert!(
        is(block_reason, |c| c.is_ascii_uppercase()
            || c.is_ascii_digit()
            || c == '_'),
        "{block_reason:?}"
    );
    assert!(is(body_hash, |c| c.is_ascii_hexdigit()), "{body_hash:?}");
    assert!(
        help_url.as_deref().is_none_or(|url| url.starts_with("https://")),
        "{help_url:?}"
    );
    // Nobody knows what it was, or it ended an answer that had begun.
    assert!(
        matches!(failure.outcome, Outcome::Unknown | Outcome::Truncated) || body_hash.is_none(),
        "{failure:?}"
    );
}

/// What the caller wrote is in the request, each in its one place, and the model stays one part of the path.
///
/// # Panics
/// When it is not.
pub fn request(content: Content, model: &str) {
    let Some(address) = Address::parse("https://provider.example/base") else {
        return;
    };
    let call = Call {
        secret: SecretString::from("opaque-key"),
        model: model.to_owned(),
        content: Arc::new(content),
        mode: Mode::Streamed,
    };
    let Some(request) = generate(&address, &call) else {
        return;
    };
    let url = request.url();
    let path: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    assert!(
        matches!(path.as_slice(), ["base", "v1beta", "models", name] if name.ends_with(":streamGenerateContent")),
        "{url}"
    );
    assert!(
        url.host_str() == Some("provider.example") && url.query() == Some("alt=sse"),
        "{url}"
    );
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Content {
        prompt,
        system,
        images,
        temperature,
        max_output_tokens,
    } = &*call.content;
    let parts = body.pointer("/contents/0/parts").and_then(Value::as_array);
    let parts = parts.map(Vec::as_slice).unwrap_or_default();
    assert_eq!(parts.len(), images.len() + 1);
    assert_eq!(
        parts.first().map(|part| &part["text"]),
        Some(&Value::from(prompt.as_str()))
    );
    for (part, image) in parts.iter().skip(1).zip(images) {
        assert_eq!(part["inlineData"]["data"], image.data.as_str());
        assert_eq!(part["inlineData"]["mimeType"], image.mime_type.as_str());
    }
    let said = body.pointer("/systemInstruction/parts/0/text").and_then(Value::as_str);
    assert_eq!(said, system.as_deref());
    let number = |name: &str| {
        body.pointer(&format!("/generationConfig/{name}"))
            .and_then(Value::as_f64)
    };
    assert_eq!(number("temperature"), *temperature);
    assert_eq!(number("maxOutputTokens"), max_output_tokens.map(f64::from));
}
