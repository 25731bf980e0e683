//! Quotas as the provider keeps them: per project and model, never per key.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::options::Limits;

const MINUTE_MS: u64 = 60_000;
const ANY: &str = "*";

#[derive(Default)]
pub(crate) struct Quotas {
    zone: Option<TimeZone>,
    limits: HashMap<(String, String), Limits>,
    project_by_key: HashMap<String, String>,
    cells: HashMap<(String, String), Usage>,
}

/// What one cell (project × model) used.
#[derive(Default)]
struct Usage {
    /// Time and input tokens of the requests of the last 60 s, oldest first.
    recent: VecDeque<(u64, u64)>,
    day: Option<Date>,
    day_requests: u64,
}

/// What a limit counts, over which window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    RequestsPerMinute,
    InputTokensPerMinute,
    RequestsPerDay,
}

/// Why a request was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// The limits it met, at least one. A limit of zero means that the model is not on the project's tier.
    pub(crate) violations: Vec<(Window, u64)>,
    /// What the provider would put into `RetryInfo`. For a day limit it is of no use, as with the provider.
    pub(crate) retry_ms: u64,
}

impl Quotas {
    pub(crate) fn set_zone(&mut self, zone: TimeZone) {
        self.zone = Some(zone);
    }

    pub(crate) fn limit(&mut self, project: &str, model: &str, limits: Limits) {
        self.limits.insert((project.to_owned(), model.to_owned()), limits);
    }

    pub(crate) fn assign(&mut self, key: &str, project: &str) {
        self.project_by_key.insert(key.to_owned(), project.to_owned());
    }

    /// Counts a request, or says why it is refused. A refused request does not count.
    pub(crate) fn charge(&mut self, key: &str, model: &str, input_tokens: u64, now_ms: u64) -> Result<(), Exceeded> {
        let project = self.project_by_key.get(key).map_or(key, String::as_str).to_owned();
        let Some(limits) = self.limits_of(&project, model) else {
            return Ok(());
        };
        let today = self.date(now_ms);
        let usage = self.cells.entry((project, model.to_owned())).or_default();
        usage.forget_what_is_over(today, now_ms);
        usage.check(limits, input_tokens, now_ms)?;
        usage.recent.push_back((now_ms, input_tokens));
        usage.day_requests += 1;
        Ok(())
    }

    fn limits_of(&self, project: &str, model: &str) -> Option<Limits> {
        let scopes = [(project, model), (project, ANY), (ANY, model), (ANY, ANY)];
        scopes
            .into_iter()
            .find_map(|(project, model)| self.limits.get(&(project.to_owned(), model.to_owned())).copied())
    }

    fn date(&self, now_ms: u64) -> Date {
        let now = i64::try_from(now_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::MAX);
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        now.to_zoned_datetime(zone).date()
    }
}

impl Usage {
    fn forget_what_is_over(&mut self, today: Date, now_ms: u64) {
        // A clock that was moved back must not leave requests of the future behind.
        self.recent
            .retain(|&(at_ms, _)| at_ms <= now_ms && now_ms < at_ms + MINUTE_MS);
        if self.day != Some(today) {
            self.day = Some(today);
            self.day_requests = 0;
        }
    }

    fn check(&self, limits: Limits, input_tokens: u64, now_ms: u64) -> Result<(), Exceeded> {
        use Window::{InputTokensPerMinute, RequestsPerDay, RequestsPerMinute};
        if [limits.rpm, limits.tpm, limits.rpd].contains(&Some(0)) {
            let violations = [RequestsPerDay, RequestsPerMinute, InputTokensPerMinute]
                .map(|window| (window, 0))
                .to_vec();
            return Err(Exceeded {
                violations,
                retry_ms: 1_681,
            });
        }
        let minute_requests = limits.rpm.and_then(|limit| {
            self.requests_wait_ms(limit, now_ms)
                .map(|wait| (RequestsPerMinute, limit, wait))
        });
        let minute_tokens = limits.tpm.and_then(|limit| {
            self.tokens_wait_ms(limit, input_tokens, now_ms)
                .map(|wait| (InputTokensPerMinute, limit, wait))
        });
        let day_requests = limits
            .rpd
            .filter(|&limit| self.day_requests >= limit)
            .map(|limit| (RequestsPerDay, limit, MINUTE_MS - now_ms % MINUTE_MS));
        let exceeded: Vec<_> = [minute_requests, minute_tokens, day_requests]
            .into_iter()
            .flatten()
            .collect();
        let Some(retry_ms) = exceeded.iter().map(|&(_, _, wait_ms)| wait_ms).max() else {
            return Ok(());
        };
        Err(Exceeded {
            violations: exceeded.into_iter().map(|(window, limit, _)| (window, limit)).collect(),
            retry_ms,
        })
    }

    /// Time until one more request fits, `None` when it does now.
    fn requests_wait_ms(&self, limit: u64, now_ms: u64) -> Option<u64> {
        let too_many = (self.recent.len() as u64).checked_sub(limit)?;
        let (at_ms, _) = self.recent.get(usize::try_from(too_many).ok()?)?;
        Some(at_ms + MINUTE_MS - now_ms)
    }

    /// Time until so many more tokens fit, `None` when they do now.
    fn tokens_wait_ms(&self, limit: u64, input_tokens: u64, now_ms: u64) -> Option<u64> {
        let mut used: u64 = self.recent.iter().map(|&(_, tokens)| tokens).sum();
        if used + input_tokens <= limit {
            return None;
        }
        for &(at_ms, tokens) in &self.recent {
            used -= tokens;
            if used + input_tokens <= limit {
                return Some(at_ms + MINUTE_MS - now_ms);
            }
        }
        // It alone is over the limit and will never fit; the provider still names a delay.
        Some(MINUTE_MS)
    }
}
