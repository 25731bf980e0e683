//! One call to the provider: asked, read, judged.

use std::sync::Arc;
use std::time::Duration;

use app::types::{StreamEvent, TokenUsage};
use futures::StreamExt;
use pool::Next;
use tokio::time::Instant;

use super::{Analysis, Running, State, finish, millis, refusal};
use crate::provider::{Answer, Call, Chunk, Failure};

impl Analysis {
    pub(super) async fn call(&mut self, mut running: Running) -> Option<StreamEvent> {
        let Some(secret) = self.deps.keyring.secret(running.lease.facts().key) else {
            // The key was removed a moment ago: to the pool it is a call that never was.
            return self.judge(running, Failure::not_called()).await;
        };
        let call = Call {
            secret,
            model: self.model.clone(),
            content: Arc::clone(&self.content),
            mode: self.mode,
        };
        let called = tokio::time::timeout_at(self.deadline, self.deps.provider.generate(call)).await;
        match called.unwrap_or_else(|_| Err(Failure::out_of_time(false))) {
            Ok(answer) => {
                self.must_settle |= running.lease.accepted();
                self.state = State::Reading(running, answer);
                None
            }
            Err(failure) => self.judge(running, failure).await,
        }
    }

    pub(super) async fn read(&mut self, mut running: Running, mut answer: Answer) -> Option<StreamEvent> {
        let chunk = tokio::time::timeout_at(self.deadline, answer.next()).await;
        let sent_on = !self.text.is_empty();
        match chunk {
            Ok(Some(Ok(Chunk::Text(text)))) => {
                let first = self.text.is_empty();
                if first {
                    running.first_text_ms = Some(running.ms());
                    self.first_text_ms = Some(millis(self.started.elapsed()));
                    let progress = self.writing(&running.lease);
                    self.state = State::Holding(running, answer, text);
                    return Some(StreamEvent::Status(progress));
                }
                self.text.push_str(&text);
                self.state = State::Reading(running, answer);
                Some(StreamEvent::Delta { text })
            }
            Ok(Some(Ok(Chunk::Finished { finish_reason, usage }))) => {
                Some(self.succeed(running, finish_reason, usage).await)
            }
            Ok(Some(Err(failure))) => self.judge(running, failure).await,
            Ok(None) => self.judge(running, Failure::ended_early(sent_on)).await,
            Err(_) => self.judge(running, Failure::out_of_time(sent_on)).await,
        }
    }

    /// Reports a failed call, then asks another key or ends.
    async fn judge(&mut self, running: Running, failure: Failure) -> Option<StreamEvent> {
        let facts = running.lease.facts();
        let sent_on = !self.text.is_empty();
        let (ms, first_text_ms, model) = (running.ms(), running.first_text_ms, running.model);
        self.must_settle |= running.lease.report(&failure.outcome);
        self.record_attempt(facts, &failure.outcome, TokenUsage::default(), ms, first_text_ms);
        finish::log_failure(&self.caller.request_id, facts.number, &failure);
        if let Some(project) = &failure.evidence.project {
            self.deps.grouping.learn(facts.key, project);
        }
        let next = self.journey.after(&facts, &failure.outcome, sent_on, rand::random());
        let spent = self.retries_spent() || Instant::now() >= self.deadline;
        match next {
            Next::Again { after, .. } if !spent => {
                self.last_failure = Some(failure);
                self.state = State::Choosing { after };
                None
            }
            Next::FallbackModel if !spent && self.fall_back() => {
                self.last_failure = Some(failure);
                self.state = State::Choosing { after: Duration::ZERO };
                None
            }
            Next::Again { .. } | Next::FallbackModel | Next::Stop => {
                let pool = &self.deps.pool;
                let (verdict, retry_at) = (pool.verdict(model), pool.retry_at(model));
                let error = refusal::failed(&failure, &verdict, retry_at, self.deps.clock.now(), sent_on);
                self.last_failure = Some(failure);
                Some(self.fail(error).await)
            }
        }
    }

    fn retries_spent(&self) -> bool {
        self.request
            .max_retries
            .is_some_and(|retries| self.attempts.len() > retries as usize)
    }
}
