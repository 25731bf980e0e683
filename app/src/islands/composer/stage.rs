//! Where one analysis stands, as the reader sees it.

use crate::error::{AppError, ErrorCode};
use crate::text::compose as words;
use crate::types::{AnalysisResult, Phase, Progress, StreamEvent};

#[derive(Debug, Clone, Default, PartialEq)]
pub enum Stage {
    #[default]
    Idle,
    /// Sent; nothing came back yet.
    Sending,
    Working(Progress),
    Done(Box<AnalysisResult>),
    /// The reader pressed Stop; `waited` while still in the queue.
    Stopped {
        waited: bool,
    },
    Failed(Box<AppError>),
    /// The connection to this server broke or could not be made.
    Lost,
}

impl Stage {
    /// `delta` events change the text, not the stage.
    pub fn after(event: StreamEvent) -> Option<Self> {
        match event {
            StreamEvent::Status(progress) => Some(Self::Working(progress)),
            StreamEvent::Delta { .. } => None,
            StreamEvent::Done(result) => Some(Self::Done(result)),
            StreamEvent::Error(error) => Some(Self::Failed(error)),
        }
    }

    pub fn is_running(&self) -> bool {
        matches!(self, Self::Sending | Self::Working(_))
    }

    /// What the server says of a request in the line for a key.
    pub fn queued(&self) -> Option<&Progress> {
        match self {
            Self::Working(progress) if progress.phase == Phase::Queued && progress.position.is_some() => Some(progress),
            _ => None,
        }
    }

    /// Whether the page itself counts down until it can be tried again.
    pub fn has_countdown(&self) -> bool {
        matches!(self, Self::Failed(error) if error.retry_after_seconds.is_some())
    }

    /// The line that says it all. `words_so_far` counts the text that is on the page; `passed_ms` is asked where time
    /// counts: since the stage began.
    pub fn line(&self, words_so_far: usize, passed_ms: impl FnOnce() -> u64) -> String {
        match self {
            Self::Idle => String::new(),
            Self::Sending => words::SENDING.to_owned(),
            Self::Working(progress) if progress.phase == Phase::Queued => words::queued(progress, passed_ms()),
            Self::Working(progress) => words::progress(progress),
            Self::Done(result) => words::done(result),
            Self::Stopped { waited: true } => words::STOPPED_WAITING.to_owned(),
            Self::Stopped { waited: false } => words::stopped(words_so_far),
            Self::Failed(error) if error.code == ErrorCode::Unauthenticated => words::SIGNED_OUT.to_owned(),
            Self::Failed(_) | Self::Lost if words_so_far > 0 => words::interrupted(words_so_far),
            Self::Failed(_) => words::NOT_ANSWERED.to_owned(),
            Self::Lost => words::NOT_REACHED.to_owned(),
        }
    }
}

/// What an event of the stream says, or nothing for names this version does not know.
pub fn read_event(name: &str, data: &str) -> Option<StreamEvent> {
    #[derive(serde::Deserialize)]
    struct Delta {
        text: String,
    }
    match name {
        "status" => serde_json::from_str(data).ok().map(StreamEvent::Status),
        "delta" => serde_json::from_str::<Delta>(data)
            .ok()
            .map(|delta| StreamEvent::Delta { text: delta.text }),
        "done" => serde_json::from_str(data).ok().map(StreamEvent::Done),
        "error" => serde_json::from_str(data).ok().map(StreamEvent::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Stage, read_event};
    use crate::error::ErrorCode;
    use crate::types::{Phase, StreamEvent};

    #[track_caller]
    fn check(name: &str, data: &str, words_so_far: usize, line: &str) {
        let stage = Stage::after(read_event(name, data).expect("a known event")).expect("a new stage");
        assert_eq!(stage.line(words_so_far, || 2_500), line);
    }

    #[test]
    fn a_place_in_the_queue_counts_down() {
        let queued = r#"{"phase":"queued","message":"x","attempt":0,"keys":3,"position":3,"estimateMs":14000}"#;
        check("status", queued, 0, "Waiting for a key: 3rd in line, about 12 s");
        let next = r#"{"phase":"queued","message":"x","attempt":0,"keys":3,"position":1,"estimateMs":2000}"#;
        check("status", next, 0, "Waiting for a key: next in line, any moment now");
        let unplaced = r#"{"phase":"queued","message":"Waiting for a minute limit","attempt":1,"keys":1}"#;
        check("status", unplaced, 0, "Waiting for a minute limit");
    }

    #[test]
    fn leaving_the_queue_is_not_called_a_stopped_answer() {
        assert_eq!(
            Stage::Stopped { waited: true }.line(0, || 0),
            "Stopped while waiting for a key"
        );
        assert_eq!(Stage::Stopped { waited: false }.line(0, || 0), "Stopped");
    }

    #[test]
    fn each_event_says_its_line() {
        let switched =
            r#"{"phase":"switched","message":"Switched key after a day quota (2 of 3)","attempt":2,"keys":3}"#;
        check("status", switched, 0, "Switched key after a day quota (2 of 3)");
        let done = r#"{"id":"1","text":"One two three.","model":"m","finishReason":"STOP","usage":{"promptTokens":1,"outputTokens":2,
            "totalTokens":3},"cached":false,"degraded":false,"warning":null,"attempts":[{"keyNumber":1,"outcome":"day_quota","ms":9},
            {"keyNumber":2,"outcome":"success","ms":4000}],"responseTimeMs":4100}"#;
        check("done", done, 3, "Done in 4.1 s, 3 words, key 2");
    }

    #[test]
    fn an_error_after_text_is_an_interruption() {
        let error = r#"{"success":false,"message":"The provider broke off.","error":"UPSTREAM_UNAVAILABLE","details":null,"data":null}"#;
        check("error", error, 2, "Interrupted: the 2 words that came are kept");
        check("error", error, 0, "Not answered");
        let signed_out = r#"{"success":false,"message":"Sign in.","error":"UNAUTHENTICATED"}"#;
        check("error", signed_out, 0, "Your session has ended");
    }

    #[test]
    fn deltas_only_add_text() {
        let event = read_event("delta", r#"{"text":"a\nb"}"#).expect("a delta");
        assert_eq!(
            event,
            StreamEvent::Delta {
                text: "a\nb".to_owned()
            }
        );
        assert_eq!(Stage::after(event), None);
    }

    #[test]
    fn unknown_events_and_broken_data_are_passed_over() {
        assert_eq!(read_event("ping", "{}"), None);
        assert_eq!(read_event("status", "{"), None);
    }

    #[test]
    fn only_a_call_under_way_runs() {
        let working = Stage::after(
            read_event(
                "status",
                r#"{"phase":"trying","message":"Asking","attempt":1,"keys":3}"#,
            )
            .expect("known"),
        );
        assert!(working.as_ref().is_some_and(Stage::is_running));
        assert!(matches!(working, Some(Stage::Working(progress)) if progress.phase == Phase::Trying));
        assert!(!Stage::Failed(Box::new(crate::error::AppError::new(ErrorCode::Internal, "x"))).is_running());
        assert!(Stage::Sending.is_running() && !Stage::Idle.is_running() && !Stage::Lost.is_running());
    }
}
