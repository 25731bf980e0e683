//! Judges the frames of a successful answer: which text to send on, and how it ended.

use app::types::TokenUsage;
use pool::Outcome;
use serde_json::Value;

use super::{classify, error_body};
use crate::provider::{Chunk, Failure};

/// Content that was withheld, and would be with every key: <https://ai.google.dev/api/generate-content#FinishReason>.
/// `LANGUAGE` is an unsupported one, and so a property of the request. `OTHER` proves nothing: it is often a passing fault.
const BLOCKING: [&str; 9] = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
];

/// Why no more bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The body is whole, as far as HTTP can tell.
    Closed,
    /// The connection broke.
    Broken,
    TimedOut,
    /// Longer than any answer may be.
    TooLarge,
}

/// What is known of an answer so far.
#[derive(Debug)]
pub(super) struct Judge {
    http_status: u16,
    text_sent: bool,
    /// Proof that the answer is complete. What goes wrong after it no longer matters.
    finish_reason: Option<String>,
    usage: TokenUsage,
}

impl Judge {
    pub(super) fn new(http_status: u16) -> Self {
        Self {
            http_status,
            text_sent: false,
            finish_reason: None,
            usage: TokenUsage::default(),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// Adds the text of a frame, or of an array of frames, to `texts`. Frames without text only leave their mark.
    pub(super) fn take(&mut self, frame: &[u8], texts: &mut Vec<String>) -> Result<(), Failure> {
        let taken = match serde_json::from_slice(frame) {
            Ok(Value::Array(frames)) => frames.iter().try_for_each(|value| self.take_one(value, frame, texts)),
            Ok(value) => self.take_one(&value, frame, texts),
            Err(_) => Err(self.failed(classify::no_content(self.http_status, true))),
        };
        if self.is_finished() { Ok(()) } else { taken }
    }

    /// The last word, when no more bytes come. `garbled` says that something unreadable was among them.
    pub(super) fn end(&self, end: End, garbled: bool) -> Result<Chunk, Failure> {
        match (&self.finish_reason, self.text_sent) {
            (Some(finish_reason), true) => Ok(Chunk::Finished {
                finish_reason: finish_reason.clone(),
                usage: self.usage,
            }),
            (Some(_), false) => Err(classify::no_content(self.http_status, false)),
            (None, _) => {
                let mut failure = classify::no_content(self.http_status, garbled || end == End::TooLarge);
                failure.evidence.timed_out = end == End::TimedOut;
                if matches!(end, End::Broken | End::TimedOut) {
                    failure.outcome = Outcome::Transport;
                }
                Err(self.failed(failure))
            }
        }
    }

    fn take_one(&mut self, value: &Value, frame: &[u8], texts: &mut Vec<String>) -> Result<(), Failure> {
        if let Some(error) = error_body::find(value) {
            return Err(self.failed(classify::classify_inside(self.http_status, error, frame)));
        }
        if !value.is_object() {
            return Err(self.failed(classify::no_content(self.http_status, true)));
        }
        if let Some(usage) = value.get("usageMetadata") {
            self.usage = read_usage(usage);
        }
        let prompt_block = value.pointer("/promptFeedback/blockReason").and_then(given);
        let candidate = value.pointer("/candidates/0");
        let finish = candidate
            .and_then(|candidate| candidate.get("finishReason"))
            .and_then(given);
        // Before the text of the same frame: what is blocked must not be sent on.
        if let Some(reason) = prompt_block.or_else(|| finish.filter(|reason| BLOCKING.contains(reason))) {
            return Err(self.failed(classify::blocked(self.http_status, reason, self.usage)));
        }
        if finish.is_some_and(|reason| reason.starts_with("MALFORMED_")) {
            return Err(self.failed(classify::no_content(self.http_status, false)));
        }
        if let Some(text) = candidate.map(visible_text).filter(|text| !text.is_empty()) {
            texts.push(text);
            self.text_sent = true;
        }
        if self.finish_reason.is_none() {
            self.finish_reason = finish.map(classify::word);
        }
        Ok(())
    }

    /// After text was sent on, every failure is the same: the answer broke off. What is known of the cause stays.
    fn failed(&self, mut failure: Failure) -> Failure {
        if self.text_sent {
            failure.outcome = Outcome::Truncated;
        }
        failure
    }
}

/// A name that says something.
fn given(value: &Value) -> Option<&str> {
    value
        .as_str()
        .filter(|name| !name.is_empty() && !name.ends_with("_UNSPECIFIED"))
}

/// Thoughts are parts too, but no answer.
fn visible_text(candidate: &Value) -> String {
    let parts = candidate
        .pointer("/content/parts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    parts
        .filter(|part| part.get("thought").and_then(Value::as_bool) != Some(true))
        .filter_map(|part| part.get("text").and_then(Value::as_str))
        .collect()
}

/// More than any call can use. What a provider counts is added up for years, and the sums must hold.
const TOKENS_MAX: u64 = 1 << 40;

fn read_usage(usage: &Value) -> TokenUsage {
    let count = |field: &str| usage.get(field).and_then(Value::as_u64).unwrap_or(0).min(TOKENS_MAX);
    TokenUsage {
        prompt_tokens: count("promptTokenCount"),
        output_tokens: count("candidatesTokenCount").saturating_add(count("thoughtsTokenCount")),
        total_tokens: count("totalTokenCount"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The texts of the frames and how they end when the connection closes after them.
    fn judge(frames: &[Value]) -> (Vec<String>, Result<Chunk, Failure>) {
        let mut judge = Judge::new(200);
        let mut texts = Vec::new();
        for frame in frames {
            if let Err(failure) = judge.take(frame.to_string().as_bytes(), &mut texts) {
                return (texts, Err(failure));
            }
        }
        (texts, judge.end(End::Closed, false))
    }

    fn failure(frames: &[Value]) -> Failure {
        judge(frames).1.unwrap_err()
    }

    fn text(text: &str) -> Value {
        json!({ "candidates": [{ "content": { "parts": [{ "text": text }] } }] })
    }

    fn finish(reason: &str) -> Value {
        json!({ "candidates": [{ "finishReason": reason }] })
    }

    #[test]
    fn thoughts_and_lifecycle_frames_are_held_back() {
        let frames = [
            json!({ "responseId": "r-1" }),
            json!({ "candidates": [{ "content": { "parts": [{ "text": "Hm.", "thought": true }] } }] }),
            json!({ "candidates": [{ "content": { "parts": [{ "text": "" }], "role": "model" } }] }),
            json!({ "candidates": [{ "content": { "parts": [{ "text": "Hm.", "thought": true }, { "text": "A" }, { "text": "B" }] } }] }),
            finish("STOP"),
        ];
        let (texts, end) = judge(&frames);
        assert_eq!(texts, ["AB"]);
        assert!(matches!(end, Ok(Chunk::Finished { finish_reason, .. }) if finish_reason == "STOP"));
    }

    #[test]
    fn every_blocking_reason_is_an_answer_before_text_and_breaks_it_off_after() {
        for reason in BLOCKING {
            let before = failure(&[finish(reason)]);
            assert_eq!(before.outcome, Outcome::Blocked { tokens: 0 }, "{reason}");
            let after = failure(&[text("A"), finish(reason)]);
            assert_eq!(after.outcome, Outcome::Truncated, "{reason}");
            assert_eq!(before.evidence.block_reason.as_deref(), Some(reason));
            assert_eq!(after.evidence.block_reason.as_deref(), Some(reason));
        }
    }

    #[test]
    fn text_in_the_frame_that_blocks_is_not_sent_on() {
        let frame =
            json!({ "candidates": [{ "content": { "parts": [{ "text": "bad" }] }, "finishReason": "SAFETY" }] });
        let (texts, end) = judge(&[frame]);
        assert!(texts.is_empty());
        assert_eq!(end.unwrap_err().outcome, Outcome::Blocked { tokens: 0 });
    }

    #[test]
    fn a_blocked_prompt_tells_what_it_cost() {
        let frame = json!({ "promptFeedback": { "blockReason": "OTHER" }, "usageMetadata": { "promptTokenCount": 12, "totalTokenCount": 12 } });
        assert_eq!(failure(&[frame]).outcome, Outcome::Blocked { tokens: 12 });
    }

    #[test]
    fn nothing_to_show_is_empty_whatever_the_reason() {
        for reason in [
            "STOP",
            "MAX_TOKENS",
            "OTHER",
            "MALFORMED_FUNCTION_CALL",
            "MALFORMED_RESPONSE",
            "NO_IMAGE",
        ] {
            assert_eq!(failure(&[finish(reason)]).outcome, Outcome::Empty, "{reason}");
        }
        assert_eq!(failure(&[]).outcome, Outcome::Empty);
    }

    #[test]
    fn text_without_a_finish_reason_is_truncated_and_unspecified_is_none() {
        assert_eq!(failure(&[text("A")]).outcome, Outcome::Truncated);
        assert_eq!(
            failure(&[text("A"), finish("FINISH_REASON_UNSPECIFIED")]).outcome,
            Outcome::Truncated
        );
    }

    #[test]
    fn what_follows_the_finish_reason_does_no_harm_and_may_bring_the_usage() {
        let usage = json!({ "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 6 } });
        let error = json!({ "error": { "code": 503 } });
        let (texts, end) = judge(&[
            text("A"),
            finish("STOP"),
            usage,
            error,
            finish("SAFETY"),
            json!("rubbish"),
        ]);
        assert_eq!(texts, ["A"]);
        let usage = TokenUsage {
            prompt_tokens: 1,
            output_tokens: 5,
            total_tokens: 6,
        };
        assert_eq!(
            end,
            Ok(Chunk::Finished {
                finish_reason: "STOP".to_owned(),
                usage
            })
        );
    }

    #[test]
    fn a_strange_finish_reason_is_not_repeated() {
        let (_, end) = judge(&[text("A"), finish("<script>")]);
        assert!(matches!(end, Ok(Chunk::Finished { finish_reason, .. }) if finish_reason == "OTHER"));
    }

    #[test]
    fn the_end_of_bytes_before_text_has_the_outcome_of_its_cause() {
        for (end, outcome, timed_out, garbled) in [
            (End::Closed, Outcome::Empty, false, false),
            (End::Broken, Outcome::Transport, false, false),
            (End::TimedOut, Outcome::Transport, true, false),
            (End::TooLarge, Outcome::Empty, false, true),
        ] {
            let failure = Judge::new(200).end(end, false).unwrap_err();
            assert_eq!(
                (failure.outcome, failure.evidence.timed_out, failure.evidence.garbled),
                (outcome, timed_out, garbled),
                "{end:?}"
            );
        }
    }
}
