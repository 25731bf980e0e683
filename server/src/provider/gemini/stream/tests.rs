use app::types::TokenUsage;
use pool::Outcome;
use proptest::prelude::*;
use simulator::fixtures::{self, Fixture};

use super::*;

fn answers() -> impl Iterator<Item = &'static Fixture> {
    fixtures::all().iter().filter(|fixture| fixture.http_status == 200)
}

fn reader() -> Reader {
    Reader::new(200, 100_000, 1_000_000)
}

/// All texts and the end, when the pieces come one after the other and then the body ends so.
fn read<'a>(
    mut reader: Reader,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    end: End,
) -> (Vec<String>, Result<Chunk, Failure>) {
    let mut texts = Vec::new();
    for piece in pieces {
        let step = reader.push(piece);
        texts.extend(step.texts);
        if let Some(end) = step.end {
            return (texts, end);
        }
    }
    let step = reader.end(end);
    texts.extend(step.texts);
    (texts, step.end.expect("an end ends it"))
}

fn read_all(body: &str) -> (Vec<String>, Result<Chunk, Failure>) {
    read(reader(), [body.as_bytes()], End::Closed)
}

fn failure(body: &str) -> Failure {
    read_all(body).1.expect_err("a failure")
}

#[test]
fn every_answer_of_the_corpus_gets_its_outcome() {
    assert!(answers().count() > 10);
    for fixture in answers() {
        let (texts, end) = read_all(fixture.body);
        match end {
            Ok(Chunk::Finished { finish_reason, usage }) => {
                assert_eq!("Success", fixture.outcome, "{}", fixture.name);
                assert!(!texts.is_empty(), "{}", fixture.name);
                assert_eq!(
                    usage,
                    TokenUsage {
                        prompt_tokens: 7,
                        output_tokens: 33,
                        total_tokens: 40
                    },
                    "{}",
                    fixture.name
                );
                if let Some(expected) = &fixture.finish_reason {
                    assert_eq!(&finish_reason, expected, "{}", fixture.name);
                }
            }
            Ok(Chunk::Text(_)) => panic!("{} ends with text", fixture.name),
            Err(failure) => {
                let kind: String = format!("{:?}", failure.outcome)
                    .chars()
                    .take_while(char::is_ascii_alphanumeric)
                    .collect();
                assert_eq!(kind, fixture.outcome, "{}", fixture.name);
            }
        }
    }
}

#[test]
fn an_error_after_text_keeps_its_cause_as_evidence() {
    for name in ["stream-error-frame", "stream-raw-tail"] {
        let (texts, end) = read_all(fixtures::get(name).unwrap().body);
        assert_eq!(texts, ["Four "], "{name}");
        let failure = end.unwrap_err();
        assert_eq!(failure.outcome, Outcome::Truncated, "{name}");
        assert_eq!(failure.evidence.http_status, Some(503), "{name}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_never_called_complete() {
    let body = fixtures::get("stream-ok").unwrap().body;
    // The finish frame is whole with its last brace; the line ends after it are no content.
    let whole = body.trim_end().len();
    for end in [End::Closed, End::Broken, End::TimedOut] {
        for at in 0..=body.len() {
            let (texts, read) = read(reader(), [&body.as_bytes()[..at]], end);
            match read {
                Ok(Chunk::Finished { .. }) => {
                    assert!(at >= whole, "finished after {at} of {whole} bytes");
                    assert_eq!(texts.concat(), "Four keys.");
                }
                Ok(Chunk::Text(_)) => panic!("ends with text after {at} bytes"),
                Err(failure) => {
                    assert!(at < whole, "failed after {at} of {whole} bytes");
                    assert_eq!(failure.outcome == Outcome::Truncated, !texts.is_empty(), "{at}");
                    assert!("Four keys.".starts_with(&texts.concat()), "{at}");
                }
            }
        }
    }
}

#[test]
fn a_whole_answer_cut_anywhere_sends_nothing_on() {
    let body = fixtures::get("ok").unwrap().body;
    let whole = body.trim_end().len();
    for at in 0..whole {
        let (texts, end) = read(reader(), [&body.as_bytes()[..at]], End::Closed);
        assert!(texts.is_empty(), "{at}");
        assert_eq!(end.unwrap_err().outcome, Outcome::Empty, "{at}");
    }
}

#[test]
fn errors_before_text_have_the_outcome_of_their_cause_in_every_shape() {
    let error = r#"{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}"#;
    for body in [
        error.to_owned(),
        format!("[{error}]"),
        format!("data: {error}\n\n"),
        format!("data: [{error}]"),
        format!(": hi\n\n{error}\n"),
    ] {
        assert_eq!(failure(&body).outcome, Outcome::Overload, "{body}");
    }
}

#[test]
fn an_error_outlasts_the_connection_that_brought_it() {
    let error = r#"{"error": {"code": 503}}"#;
    for end in [End::Broken, End::TimedOut] {
        let failure = read(reader(), [error.as_bytes()], end).1.unwrap_err();
        assert_eq!(failure.outcome, Outcome::Overload, "{end:?}");
    }
}

#[test]
fn an_array_of_frames_is_an_answer_too() {
    let body = r#"[{"candidates":[{"content":{"parts":[{"text":"A"}]}}]},
        {"candidates":[{"content":{"parts":[{"text":"B"}]},"finishReason":"STOP"}]}]"#;
    let (texts, end) = read_all(body);
    assert_eq!(texts, ["A", "B"]);
    assert!(end.is_ok());
}

#[test]
fn a_page_of_html_is_empty_and_garbled() {
    for body in [
        "<html>\n<body>Sign in</body>\n</html>",
        "data: rubbish\n\n",
        "\"text\"",
        "data: 7\n\n",
    ] {
        let failure = failure(body);
        assert_eq!(
            (failure.outcome, failure.evidence.garbled),
            (Outcome::Empty, true),
            "{body}"
        );
    }
}

#[test]
fn an_answer_over_its_bounds_breaks_off() {
    let long = format!("data: {}\n\n", "x".repeat(200));
    let failure = read(Reader::new(200, 100, 1000), [long.as_bytes()], End::Closed)
        .1
        .unwrap_err();
    assert_eq!((failure.outcome, failure.evidence.garbled), (Outcome::Empty, true));

    let body = fixtures::get("stream-ok").unwrap().body;
    let (texts, end) = read(Reader::new(200, 1000, body.len() - 50), [body.as_bytes()], End::Closed);
    assert_eq!(texts, ["Four "]);
    assert_eq!(end.unwrap_err().outcome, Outcome::Truncated);
}

proptest! {
    #[test]
    fn the_same_bytes_give_the_same_chunks_however_they_are_split(
        which in 0_usize..1000,
        crlf in any::<bool>(),
        cuts in prop::collection::vec(0_usize..3000, 0..12),
    ) {
        let fixtures: Vec<_> = answers().collect();
        let fixture = fixtures[which % fixtures.len()];
        let body = if crlf { fixture.body.replace('\n', "\r\n") } else { fixture.body.to_owned() };
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (body.len() + 1)).chain([0, body.len()]).collect();
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &body.as_bytes()[cut[0]..cut[1]]);
        prop_assert_eq!(read(reader(), pieces, End::Closed), read_all(fixture.body));
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..10)) {
        let (texts, _) = read(Reader::new(200, 50, 300), pieces.iter().map(Vec::as_slice), End::Broken);
        prop_assert!(texts.iter().all(|text| !text.is_empty()));
    }

    #[test]
    fn any_text_arrives_as_it_was_written(texts in prop::collection::vec("\\PC{1,20}", 1..6), size in 1_usize..40) {
        let frame = |text: &str, finish: Option<&str>| {
            let frame = serde_json::json!({ "candidates": [{ "content": { "parts": [{ "text": text }] }, "finishReason": finish }] });
            format!("data: {frame}\r\n\r\n")
        };
        let body: String = texts.iter().map(|text| frame(text, None)).chain([frame("", Some("STOP"))]).collect();
        let (read, end) = read(reader(), body.as_bytes().chunks(size), End::Closed);
        prop_assert_eq!(read, texts);
        prop_assert!(end.is_ok());
    }
}
