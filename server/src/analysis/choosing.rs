//! Which key and which model: at once, in the line, or not at all.

use std::time::Duration;

use app::types::StreamEvent;
use pool::ModelId;
use tokio::time::Instant;

use super::{Analysis, Running, State, refusal};
use crate::shared_pool::LeaseGuard;
use crate::waiting::{Entered, Refusal, Ticket, Turn, Wish};

/// For so short a wait nobody is given the answer of another model.
const PATIENCE: Duration = Duration::from_secs(2);

impl Analysis {
    pub(super) async fn choose(&mut self, after: Duration) -> Option<StreamEvent> {
        // The same key again waits; another key does not.
        if !after.is_zero() {
            tokio::time::sleep_until((Instant::now() + after).min(self.deadline)).await;
        }
        let Some(wish) = self.wish(&self.model) else {
            return Some(self.fail(refusal::too_many_models()).await);
        };
        self.is_known = true;
        let refused = match self.deps.waiting.try_now(&wish) {
            Ok(lease) => return Some(self.begin(lease, wish.model)),
            Err(exhausted) => exhausted,
        };
        let wait = refused.retry_at.map(|at| at.since(self.deps.clock.now()));
        if wait.is_none_or(|wait| wait > PATIENCE)
            && let Some(event) = self.try_fallbacks()
        {
            return Some(event);
        }
        match self.deps.waiting.enter(wish) {
            Entered::Leased(lease) => {
                let model = lease.facts().model;
                Some(self.begin(lease, model))
            }
            Entered::Waiting(ticket) => {
                // However often it has to wait: the setting bounds the whole.
                self.waits_until = Some(ticket.until());
                self.state = State::Waiting(ticket);
                None
            }
            Entered::Refused(refusal) => match self.try_fallbacks() {
                Some(event) => Some(event),
                None => self.refuse(&refusal).await,
            },
        }
    }

    pub(super) async fn wait(&mut self, mut ticket: Ticket) -> Option<StreamEvent> {
        match ticket.next().await {
            Turn::Leased(lease) => {
                let model = lease.facts().model;
                Some(self.begin(lease, model))
            }
            Turn::Place(place) => {
                if place.estimate > PATIENCE
                    && let Some(event) = self.try_fallbacks()
                {
                    return Some(event);
                }
                self.state = State::Waiting(ticket);
                Some(StreamEvent::Status(self.queued(place)))
            }
            Turn::Refused(refusal) => match self.try_fallbacks() {
                Some(event) => Some(event),
                None => self.refuse(&refusal).await,
            },
        }
    }

    fn begin(&mut self, lease: LeaseGuard, model: ModelId) -> StreamEvent {
        let progress = self.asking(&lease);
        let started = Instant::now();
        self.calling = Some((lease.facts(), started));
        self.state = State::Calling(Running {
            lease,
            model,
            started,
            first_text_ms: None,
        });
        StreamEvent::Status(progress)
    }

    async fn refuse(&mut self, refused: &Refusal) -> Option<StreamEvent> {
        let mut exhausted = refused.exhausted;
        // Of a journey that has tried everything the pool cannot say when; of a new request it can.
        if exhausted.retry_at.is_none()
            && let Ok(model) = self.deps.pool.model(&self.model)
        {
            exhausted.retry_at = self.deps.pool.retry_at(model);
        }
        let now = self.deps.clock.now();
        let error = if refused.line_is_full {
            refusal::line_is_full(&exhausted, self.deps.waiting.len(), now)
        } else {
            refusal::exhausted(&exhausted, self.last_failure.as_ref(), now)
        };
        Some(self.fail(error).await)
    }

    /// The first other model that has a key ready.
    fn try_fallbacks(&mut self) -> Option<StreamEvent> {
        for place in 0..self.fallbacks.len() {
            let Some(wish) = self.wish(&self.fallbacks[place]) else {
                continue;
            };
            if let Ok(lease) = self.deps.waiting.try_now(&wish) {
                self.model = self.fallbacks.remove(place);
                return Some(self.begin(lease, wish.model));
            }
        }
        None
    }

    /// Goes on with the next model. False when there is none.
    pub(super) fn fall_back(&mut self) -> bool {
        if self.fallbacks.is_empty() {
            return false;
        }
        self.model = self.fallbacks.remove(0);
        true
    }

    fn wish(&self, model: &str) -> Option<Wish> {
        Some(Wish {
            model: self.deps.pool.model(model).ok()?,
            tokens: self.estimated_tokens(),
            journey: self.journey.clone(),
            caller: self.caller.user_id.clone(),
            deadline: self.waits_until.unwrap_or(self.deadline).min(self.deadline),
        })
    }

    /// Text at four characters a token, images at the provider's flat rate; settled from its own count afterwards.
    fn estimated_tokens(&self) -> u64 {
        let text = self.request.prompt.len() + self.request.system.as_ref().map_or(0, String::len);
        text as u64 / 4 + 258 * self.request.images.len() as u64 + 1
    }
}
