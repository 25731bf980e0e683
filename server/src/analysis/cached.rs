//! Answers that need no call: kept ones, and those of an identical request under way.

use std::sync::Arc;
use std::time::Duration;

use app::types::{AnalysisResult, AnalysisState, StreamEvent};
use pool::Outcome;

use super::{Analysis, State, millis, refusal};
use crate::cache::{CacheKey, Cached, Entry, Follow};
use crate::provider::Failure;

impl Analysis {
    pub(super) fn look(&mut self) -> Option<StreamEvent> {
        let choosing = State::Choosing { after: Duration::ZERO };
        self.state = choosing;
        if !self.deps.cache.is_on() {
            return None;
        }
        let key = CacheKey::new(&self.caller.user_id, &self.wanted, &self.content);
        if self.request.fresh == Some(true) {
            self.lead = self.deps.cache.lead_fresh(key);
            return None;
        }
        match self.deps.cache.enter(key) {
            Entry::Hit(answer) => Some(self.begin_serving(answer)),
            Entry::Lead(lead) => {
                self.lead = Some(lead);
                None
            }
            Entry::Follow(follow) => {
                self.state = State::Following(follow);
                Some(StreamEvent::Status(self.following()))
            }
            Entry::Off => None,
        }
    }

    pub(super) async fn follow(&mut self, follow: Follow) -> Option<StreamEvent> {
        match tokio::time::timeout_at(self.deadline, follow.wait()).await {
            Ok(Some(answer)) => Some(self.begin_serving(answer)),
            // Nothing worth sharing: perhaps this one leads now. After a second time it goes alone, or many would fail one
            // behind the other.
            Ok(None) => {
                self.state = if self.followed {
                    State::Choosing { after: Duration::ZERO }
                } else {
                    State::Looking
                };
                self.followed = true;
                None
            }
            Err(_) => {
                let late = Failure::out_of_time(false);
                let error = refusal::late(&late);
                self.last_failure = Some(late);
                Some(self.fail(error).await)
            }
        }
    }

    fn begin_serving(&mut self, answer: Arc<Cached>) -> StreamEvent {
        let text = answer.text.clone();
        self.text.clone_from(&text);
        self.model.clone_from(&answer.model);
        self.first_text_ms = Some(millis(self.started.elapsed()));
        self.state = State::Serving(answer);
        StreamEvent::Delta { text }
    }

    pub(super) async fn serve(&mut self, answer: Arc<Cached>) -> StreamEvent {
        self.ended = true;
        self.record_request(true, Outcome::Success { tokens: 0 }.name(), None, answer.usage, true);
        let result = AnalysisResult {
            id: self.id.clone(),
            text: answer.text.clone(),
            model: answer.model.clone(),
            finish_reason: answer.finish_reason.clone(),
            usage: answer.usage,
            cached: true,
            degraded: false,
            warning: None,
            attempts: Vec::new(),
            response_time_ms: millis(self.started.elapsed()),
        };
        let finish_reason = Some(answer.finish_reason.clone());
        let stored = self.stored(AnalysisState::Complete, finish_reason, answer.usage, None);
        self.keep_in_history(stored).await;
        self.settle().await;
        StreamEvent::Done(Box::new(result))
    }
}
