//! One request: its attempts from key to key, how long they took, and how it ended.

use std::time::Duration;

use pool::Timestamp;
use uuid::Builder;

use super::Plan;
use super::caller::{Caller, Callers};
use super::chance::{Chance, mix};
use super::rhythm::Moment;
use super::supply::{Ruling, Supply};
use crate::store::{EventKind, UsageEvent, Word};

const ATTEMPTS_MAX: usize = 5;
const EMBEDDING: &str = "gemini-embedding-001";
/// Part of all requests.
const EMBEDDINGS: f64 = 0.06;
const CACHED: f64 = 0.05;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq)]
struct End {
    outcome: &'static str,
    /// Absent for an answer.
    error_type: Option<&'static str>,
    /// Whether another key is asked.
    goes_on: bool,
    /// Usual duration; 0: that of an answer.
    ms: f64,
}

const fn end(outcome: &'static str, error_type: &'static str, goes_on: bool, ms: f64) -> End {
    End {
        outcome,
        error_type: Some(error_type),
        goes_on,
        ms,
    }
}

const ANSWER: End = End {
    outcome: "success",
    error_type: None,
    goes_on: false,
    ms: 0.0,
};
const DAY_QUOTA: End = end("day_quota", "quota", true, 85.0);
const MINUTE_QUOTA: End = end("minute_quota", "rate_limit", true, 80.0);
const INVALID: End = end("invalid_key", "invalid_key", true, 60.0);
const OVERLOAD: End = end("overload", "overloaded", true, 320.0);
const NO_KEY: End = end("no_key", "quota", false, 1.0);
/// What befalls a call without anybody's plan, and how often.
const ACCIDENTS: [(f64, End); 10] = [
    (0.007, end("caller_fault", "bad_request", false, 55.0)),
    (0.006, end("cancelled", "cancelled", false, 900.0)),
    (0.004, end("blocked", "blocked", false, 0.0)),
    (0.003, end("server", "server_error", true, 700.0)),
    (0.002, OVERLOAD),
    (0.0008, end("truncated", "truncated", false, 0.0)),
    (0.0007, end("transport", "network", true, 40.0)),
    (0.0005, end("empty", "server_error", true, 900.0)),
    (0.0004, end("transport", "timeout", true, 60_000.0)),
    (0.0001, end("bare_429", "rate_limit", true, 70.0)),
];

/// Parts of the demand by model; the last is that of embeddings.
pub(super) fn shares(models: usize) -> Vec<f64> {
    let weights = [6.0, 3.0, 1.0];
    let weight = |place: usize| weights.get(place).copied().unwrap_or(0.5);
    let sum: f64 = (0..models).map(weight).sum();
    let mut shares: Vec<f64> = (0..models)
        .map(|place| weight(place) / sum * (1.0 - EMBEDDINGS))
        .collect();
    shares.push(EMBEDDINGS);
    shares
}

pub(super) struct Story {
    seed: u64,
    /// Ids given out.
    ids: u64,
    models: Vec<String>,
    shares: Vec<f64>,
    callers: Callers,
    supply: Supply,
}

/// What is asked, and what an answer to it would be like.
struct Wish {
    model: usize,
    operation: &'static str,
    first_token_ms: Option<u64>,
    answer_ms: u64,
    prompt_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    thought_tokens: u64,
}

struct Tried {
    end: End,
    place: usize,
    ms: u64,
    /// After the request's start.
    ended_ms: u64,
}

impl Story {
    pub(super) fn new(chance: &mut Chance, plan: &Plan, mut models: Vec<String>, supply: Supply) -> Self {
        let shares = shares(models.len());
        models.push(EMBEDDING.to_owned());
        Self {
            seed: chance.next() ^ plan.seed,
            ids: 0,
            models,
            shares,
            callers: Callers::new(),
            supply,
        }
    }

    /// Its events, at least one and at most `room`, none after `to`. The request's own is the last.
    pub(super) fn request(&mut self, chance: &mut Chance, moment: Moment, room: u64, to: Timestamp) -> Vec<UsageEvent> {
        let wish = self.wish(chance, moment);
        let is_cached = room < 2 || (wish.operation != "embed" && chance.happens(CACHED));
        let mut tried = if is_cached {
            Vec::new()
        } else {
            self.attempts(chance, moment.at, &wish)
        };
        // At the very end there may be no room for all: the first are left out.
        let most = usize::try_from(room - 1).unwrap_or(usize::MAX);
        let surplus = tried.len().saturating_sub(most);
        tried.drain(..surplus);
        let ended_ms = tried.last().map_or(1, |last| last.ended_ms + 1);
        // What is under way at the end of the time has ended by then.
        let room_ms = u64::try_from(to.since(moment.at).as_millis()).unwrap_or(u64::MAX);
        let at = |ms: u64| moment.at.plus(Duration::from_millis(ms.min(room_ms)));
        let request_id = self.id(moment.at, 0);
        let caller = self.callers.any(chance).clone();
        let mut events = Vec::with_capacity(tried.len() + 1);
        for (place, attempt) in (1_u8..).zip(&tried) {
            let mut event = self.event(
                &wish,
                &caller,
                &request_id,
                EventKind::Attempt,
                at(attempt.ended_ms),
                place,
            );
            event.attempts = 1;
            event.key = self.supply.key(attempt.place).cloned();
            settle(
                &mut event,
                &wish,
                attempt.end,
                attempt.ms.min(room_ms),
                attempt.end.is_answer(),
            );
            events.push(event);
        }
        let mut event = self.event(&wish, &caller, &request_id, EventKind::Request, at(ended_ms), 15);
        event.attempts = u32::try_from(tried.len()).unwrap_or(u32::MAX);
        event.key = tried.last().and_then(|last| self.supply.key(last.place).cloned());
        event.cached = is_cached;
        let end = tried
            .last()
            .map_or(if is_cached { ANSWER } else { NO_KEY }, |last| last.end);
        settle(&mut event, &wish, end, ended_ms.min(room_ms), end.error_type.is_none());
        if is_cached {
            event.first_token_ms = Some(0);
        }
        events.push(event);
        events
    }

    /// From key to key until one answers, nobody can, or it is nobody's fault.
    fn attempts(&mut self, chance: &mut Chance, start: Timestamp, wish: &Wish) -> Vec<Tried> {
        let (mut tried, mut ms) = (Vec::new(), 0_u64);
        while tried.len() < ATTEMPTS_MAX {
            let now = start.plus(Duration::from_millis(ms));
            let Some(place) = self.supply.choose(chance, wish.model, now) else {
                break;
            };
            let end = match self.supply.call(chance, place, wish.model, now) {
                Ruling::Fine => accident(chance).unwrap_or(ANSWER),
                Ruling::DayQuota => DAY_QUOTA,
                Ruling::MinuteQuota => MINUTE_QUOTA,
                Ruling::Invalid => INVALID,
                Ruling::Outage => OVERLOAD,
            };
            let took = if end.ms > 0.0 {
                chance.around(end.ms, 0.35)
            } else {
                wish.answer_ms
            };
            ms += took;
            tried.push(Tried {
                end,
                place,
                ms: took,
                ended_ms: ms,
            });
            if !end.goes_on {
                break;
            }
            // Where the provider is at fault, the next call waits a little.
            ms += if end == OVERLOAD { chance.around(250.0, 0.5) } else { 2 };
        }
        tried
    }

    #[expect(clippy::cast_precision_loss, reason = "tokens of one answer")]
    fn wish(&self, chance: &mut Chance, moment: Moment) -> Wish {
        let model = self.model(chance);
        let slow = if is_slow(self.seed, moment) { 2.2 } else { 1.0 };
        if model + 1 == self.models.len() {
            return Wish {
                model,
                operation: "embed",
                first_token_ms: None,
                answer_ms: chance.around(110.0 * slow, 0.3),
                prompt_tokens: chance.around(220.0, 0.9).max(1),
                cached_tokens: 0,
                output_tokens: 0,
                thought_tokens: 0,
            };
        }
        let is_vision = chance.happens(0.2);
        // Larger models are slower, and think.
        let size = 1.0 + 0.6 * model as f64;
        let prompt_tokens = chance.around(340.0, 1.0).max(1) + if is_vision { 258 } else { 0 };
        let output_tokens = chance.around(380.0, 0.8).max(1);
        let thought_tokens = if chance.happens(0.4) {
            chance.around(260.0 * size, 0.7)
        } else {
            0
        };
        let first = chance.around(430.0 * size * slow * if is_vision { 1.4 } else { 1.0 }, 0.4);
        let rest = (output_tokens + thought_tokens) as f64 * 5.5 * size * slow;
        Wish {
            model,
            operation: if is_vision {
                "generateContentVision"
            } else {
                "generateContentText"
            },
            first_token_ms: Some(first),
            answer_ms: first + 1 + chance.around(rest, 0.25),
            prompt_tokens,
            cached_tokens: if chance.happens(0.15) { prompt_tokens * 3 / 5 } else { 0 },
            output_tokens,
            thought_tokens,
        }
    }

    fn model(&self, chance: &mut Chance) -> usize {
        let mut part = chance.part();
        for (place, share) in self.shares.iter().enumerate() {
            if part < *share {
                return place;
            }
            part -= share;
        }
        0
    }

    fn event(
        &mut self,
        wish: &Wish,
        caller: &Caller,
        request_id: &str,
        kind: EventKind,
        at: Timestamp,
        place: u8,
    ) -> UsageEvent {
        UsageEvent {
            id: self.id(at, place),
            kind,
            at,
            request_id: request_id.to_owned(),
            key: None,
            attempts: 0,
            model: self.models.get(wish.model).cloned().unwrap_or_default(),
            operation: Word::Borrowed(wish.operation),
            surface: Word::Borrowed(caller.surface),
            success: true,
            outcome: Word::Borrowed(ANSWER.outcome),
            error_type: None,
            response_time_ms: 0,
            first_token_ms: None,
            prompt_tokens: 0,
            output_tokens: 0,
            cached_tokens: 0,
            thought_tokens: 0,
            total_tokens: 0,
            cached: false,
            user_id: Some(caller.user_id.clone()),
            token_id: caller.token_id.clone(),
            user_agent: Some(caller.user_agent.to_owned()),
        }
    }

    /// Shaped as UUIDs of version 7 are: within a millisecond, events of a request keep their `place`.
    fn id(&mut self, at: Timestamp, place: u8) -> String {
        self.ids += 1;
        let random = mix(self.seed.wrapping_add(self.ids)).to_be_bytes();
        // Of byte 0 the lower half is kept, of byte 2 all but two bits, which byte 1 repeats: no two ids are the same.
        let mut bytes = [place, random[0], 0, 0, 0, 0, 0, 0, 0, 0];
        bytes
            .iter_mut()
            .skip(2)
            .zip(random)
            .for_each(|(byte, random)| *byte = random);
        let uuid = Builder::from_unix_timestamp_millis(at.as_millis(), &bytes).into_uuid();
        uuid.hyphenated().to_string()
    }
}

impl End {
    /// The provider answered, if only to say that it will not.
    fn is_answer(self) -> bool {
        self == ANSWER || self.outcome == "blocked"
    }
}

fn settle(event: &mut UsageEvent, wish: &Wish, end: End, ms: u64, success: bool) {
    event.success = success;
    event.outcome = Word::Borrowed(end.outcome);
    event.error_type = end.error_type.filter(|_| !success).map(Word::Borrowed);
    event.response_time_ms = ms;
    if end.error_type.is_some() {
        return;
    }
    event.first_token_ms = wish.first_token_ms.map(|first| first.min(ms));
    event.prompt_tokens = wish.prompt_tokens;
    event.cached_tokens = wish.cached_tokens;
    event.output_tokens = wish.output_tokens;
    event.thought_tokens = wish.thought_tokens;
    event.total_tokens = wish.prompt_tokens + wish.output_tokens + wish.thought_tokens;
}

fn accident(chance: &mut Chance) -> Option<End> {
    let mut part = chance.part();
    for (probability, end) in ACCIDENTS {
        if part < probability {
            return Some(end);
        }
        part -= probability;
    }
    None
}

/// On some afternoons everything takes longer.
fn is_slow(seed: u64, moment: Moment) -> bool {
    (14..17).contains(&moment.hour) && mix(seed ^ moment.day).is_multiple_of(4)
}
