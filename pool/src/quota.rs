//! Limits and use of a project's quota for a model, as the shell sees them.

/// A provider's limits for one project and model; `None` where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls a minute.
    pub requests_per_minute: Option<u64>,
    /// Input tokens a minute.
    pub tokens_per_minute: Option<u64>,
    /// Calls a day.
    pub requests_per_day: Option<u64>,
    /// Input tokens a day.
    pub tokens_per_day: Option<u64>,
    /// Calls under way at once. Nobody tells it: it is a person's choice.
    pub calls_at_once: Option<u64>,
}

impl Limits {
    /// These limits, with `fallback` where nothing is known.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        Self {
            requests_per_minute: self.requests_per_minute.or(fallback.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(fallback.tokens_per_minute),
            requests_per_day: self.requests_per_day.or(fallback.requests_per_day),
            tokens_per_day: self.tokens_per_day.or(fallback.tokens_per_day),
            calls_at_once: self.calls_at_once.or(fallback.calls_at_once),
        }
    }
}

/// What was used. The minute slides: the last whole minute counts with the part of it that still lies within 60 seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Calls in the last 60 seconds, reservations included.
    pub requests_minute: u64,
    /// Input tokens in the last 60 seconds, reservations included.
    pub tokens_minute: u64,
    /// Calls charged since the provider's day began.
    pub requests_today: u64,
    /// Input tokens charged since the provider's day began.
    pub tokens_today: u64,
}
