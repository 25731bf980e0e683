//! What the pages ask of the store, in one table.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::tz::TimeZone;
use pool::Timestamp;
use server::analytics;
use server::clock::next_provider_midnight;
use server::demo_data::Plan;
use server::store::{Dimensions, EventBounds, EventFilter, EventKind, Level, Order, RollupQuery, Store};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const PACIFIC: &str = "America/Los_Angeles";
const KATHMANDU: &str = "Asia/Kathmandu";

/// What a page shows, or a part of it.
pub(crate) struct Query {
    pub(crate) name: &'static str,
    what: What,
}

enum What {
    /// Of so many days, in a zone's days where it is more than eight.
    Overview(u32, &'static str),
    ApiUsage(u32),
    Lines(By, u32, &'static str),
    /// The lines of one key, one model, or both.
    Narrowed(Narrow, u32, &'static str),
    HourlyPattern(&'static str),
    Errors(u32),
    Latency(u32),
    Forecast,
    LastHour,
    Requests(Only),
    Request,
    Export,
}

#[derive(Clone, Copy)]
enum By {
    Total,
    Key,
    Model,
    ErrorType,
}

#[derive(Clone, Copy)]
enum Narrow {
    Key,
    Model,
    Both,
}

#[derive(Clone, Copy)]
enum Only {
    All,
    RareError,
    Key,
    Failed,
    User,
}

const fn query(name: &'static str, what: What) -> Query {
    Query { name, what }
}

pub(crate) const QUERIES: &[Query] = &[
    query("overview, 24 h", What::Overview(1, "UTC")),
    query("overview, 7 d", What::Overview(7, "UTC")),
    query("overview, 30 d", What::Overview(30, "UTC")),
    query("overview, 30 d, Kathmandu", What::Overview(30, KATHMANDU)),
    query("usage by key, 7 d", What::ApiUsage(7)),
    query("usage by key, 30 d", What::ApiUsage(30)),
    query("lines: total, 24 h", What::Lines(By::Total, 1, "UTC")),
    query("lines: total, 7 d", What::Lines(By::Total, 7, "UTC")),
    query("lines: total, 30 d, Los Angeles", What::Lines(By::Total, 30, PACIFIC)),
    query("lines: total, 30 d, Kathmandu", What::Lines(By::Total, 30, KATHMANDU)),
    query("lines: by key, 24 h", What::Lines(By::Key, 1, "UTC")),
    query("lines: by key, 7 d", What::Lines(By::Key, 7, "UTC")),
    query("lines: by key, 30 d, Los Angeles", What::Lines(By::Key, 30, PACIFIC)),
    query("lines: by key, 30 d, Kathmandu", What::Lines(By::Key, 30, KATHMANDU)),
    query("lines: by model, 24 h", What::Lines(By::Model, 1, "UTC")),
    query("lines: by model, 7 d", What::Lines(By::Model, 7, "UTC")),
    query(
        "lines: by model, 30 d, Los Angeles",
        What::Lines(By::Model, 30, PACIFIC),
    ),
    query(
        "lines: by model, 30 d, Kathmandu",
        What::Lines(By::Model, 30, KATHMANDU),
    ),
    query(
        "lines: by error, 30 d, Los Angeles",
        What::Lines(By::ErrorType, 30, PACIFIC),
    ),
    query(
        "lines of one key, 30 d, Kathmandu",
        What::Narrowed(Narrow::Key, 30, KATHMANDU),
    ),
    query(
        "lines of one model, 30 d, Kathmandu",
        What::Narrowed(Narrow::Model, 30, KATHMANDU),
    ),
    query(
        "lines of key and model, 30 d, Kathmandu",
        What::Narrowed(Narrow::Both, 30, KATHMANDU),
    ),
    query("hourly pattern, Los Angeles", What::HourlyPattern(PACIFIC)),
    query("hourly pattern, Kathmandu", What::HourlyPattern(KATHMANDU)),
    query("errors, 30 d", What::Errors(30)),
    query("latency, 30 d", What::Latency(30)),
    query("forecast", What::Forecast),
    query("last hour", What::LastHour),
    query("requests: newest 50", What::Requests(Only::All)),
    query("requests: a rare error", What::Requests(Only::RareError)),
    query("requests: one key", What::Requests(Only::Key)),
    query("requests: failed", What::Requests(Only::Failed)),
    query("requests: one user", What::Requests(Only::User)),
    query("one request with its calls", What::Request),
    query("export: a page of 1,000", What::Export),
];

/// A store to ask, and what there is in it to ask for.
pub(crate) struct Asking {
    store: Arc<dyn Store>,
    now: Timestamp,
    key_number: u32,
    model: String,
    user_id: String,
    request_id: String,
}

impl Asking {
    pub(crate) async fn new(store: Arc<dyn Store>, plan: &Plan, now: Timestamp) -> Result<Self> {
        let filter = EventFilter {
            kind: Some(EventKind::Request),
            to: Some(now.minus(10 * DAY)),
            ..EventFilter::default()
        };
        let bounds = EventBounds {
            events_max: 1,
            looked_at_max: 1_000,
        };
        let found = store.usage_events(filter, Order::NewestFirst, None, bounds).await?;
        let request = found.events.into_iter().next().context("there are no requests")?;
        Ok(Self {
            store,
            now,
            key_number: plan.keys.first().context("there are no keys")?.number,
            model: plan.models.first().context("there are no models")?.clone(),
            user_id: request.user_id.context("nobody asked")?,
            request_id: request.request_id,
        })
    }

    /// How many rows or events came back.
    pub(crate) async fn ask(&self, query: &Query) -> Result<usize> {
        match query.what {
            What::Overview(days, zone) => self.overview(days, zone).await,
            What::ApiUsage(days) => self.api_usage(days).await,
            What::Lines(by, days, zone) => self.rollups(self.lines(by, days, zone)?).await,
            What::Narrowed(narrow, days, zone) => self.narrowed(narrow, days, zone).await,
            What::HourlyPattern(zone) => self.hourly_pattern(zone).await,
            What::Errors(days) => self.errors(days, EventKind::Attempt).await,
            What::Latency(days) => self.latency(days).await,
            What::Forecast => self.forecast().await,
            What::LastHour => self.last_hour().await,
            What::Requests(only) => self.requests(only).await,
            What::Request => self.request().await,
            What::Export => self.export().await,
        }
    }

    async fn rollups(&self, query: RollupQuery) -> Result<usize> {
        Ok(self.store.usage_rollups(query).await?.len())
    }

    /// All together, unless it is changed.
    fn sums(&self, kind: EventKind, from: Timestamp, to: Timestamp, longest: Level) -> RollupQuery {
        RollupQuery {
            kind,
            pieces: analytics::pieces(from, to, longest, self.now),
            key_number: None,
            model: None,
            by: Dimensions::default(),
            times: false,
        }
    }

    fn last(&self, days: u32, kind: EventKind) -> RollupQuery {
        self.sums(kind, self.now.minus(days * DAY), self.now, Level::Day)
    }

    async fn overview(&self, days: u32, zone: &str) -> Result<usize> {
        let mut now = self.last(days, EventKind::Request);
        now.times = true;
        let (from, to) = (self.now.minus(2 * days * DAY), self.now.minus(days * DAY));
        let mut before = self.sums(EventKind::Request, from, to, Level::Day);
        before.times = true;
        let mut lines = self.lines(By::Key, days, zone)?;
        lines.times = false;
        let mut rows = self.errors(days, EventKind::Request).await?;
        for query in [now, before, lines] {
            rows += self.rollups(query).await?;
        }
        Ok(rows)
    }

    async fn api_usage(&self, days: u32) -> Result<usize> {
        let mut by_key = self.last(days, EventKind::Attempt);
        (by_key.by.key, by_key.times) = (true, true);
        Ok(self.rollups(by_key).await? + self.errors(days, EventKind::Attempt).await?)
    }

    async fn errors(&self, days: u32, kind: EventKind) -> Result<usize> {
        let mut errors = self.last(days, kind);
        (errors.by.key, errors.by.outcome) = (true, true);
        self.rollups(errors).await
    }

    fn lines(&self, by: By, days: u32, zone: &str) -> Result<RollupQuery> {
        let kind = match by {
            By::Key => EventKind::Attempt,
            By::Total | By::Model | By::ErrorType => EventKind::Request,
        };
        let from = self.now.minus(days * DAY);
        let mut query = self.sums(kind, Level::Hour.start_of(from), self.now, Level::Hour);
        if days > 8 {
            let bounds = days_between(from, self.now, zone)?;
            query.pieces = analytics::pieces_between(&bounds, Level::Day, self.now);
        }
        query.by.start = true;
        query.by.key = matches!(by, By::Key);
        query.by.model = matches!(by, By::Model);
        query.by.outcome = matches!(by, By::ErrorType);
        query.times = !matches!(by, By::ErrorType);
        Ok(query)
    }

    async fn narrowed(&self, narrow: Narrow, days: u32, zone: &str) -> Result<usize> {
        let mut query = self.lines(By::Total, days, zone)?;
        query.kind = EventKind::Attempt;
        query.key_number = (!matches!(narrow, Narrow::Model)).then_some(self.key_number);
        query.model = (!matches!(narrow, Narrow::Key)).then(|| self.model.clone());
        self.rollups(query).await
    }

    async fn hourly_pattern(&self, zone: &str) -> Result<usize> {
        let start = day_start(self.now.minus(DAY), zone)?;
        let bounds: Vec<_> = (0..=24).map(|hour| start.plus(hour * HOUR)).collect();
        let mut query = self.sums(EventKind::Attempt, start, start, Level::Hour);
        query.pieces = analytics::pieces_between(&bounds, Level::Hour, self.now);
        (query.by.start, query.by.key) = (true, true);
        self.rollups(query).await
    }

    async fn latency(&self, days: u32) -> Result<usize> {
        let (mut by_key, mut by_model) = (self.last(days, EventKind::Attempt), self.last(days, EventKind::Request));
        (by_key.by.key, by_key.times) = (true, true);
        (by_model.by.model, by_model.times) = (true, true);
        let lines = self.lines(By::Total, days, PACIFIC)?;
        let mut rows = 0;
        for query in [by_key, by_model, lines] {
            rows += self.rollups(query).await?;
        }
        Ok(rows)
    }

    async fn forecast(&self) -> Result<usize> {
        let reset = next_provider_midnight(self.now);
        let soon = self.now.plus(HOUR);
        let mut rows = 0;
        for (from, to) in [
            (self.now.minus(HOUR), self.now),
            (soon.minus(DAY), reset.minus(DAY)),
            (soon.minus(7 * DAY), reset.minus(7 * DAY)),
        ] {
            let mut query = self.sums(EventKind::Attempt, from, to, Level::Day);
            (query.by.key, query.by.model, query.by.outcome) = (true, true, true);
            rows += self.rollups(query).await?;
        }
        Ok(rows)
    }

    async fn last_hour(&self) -> Result<usize> {
        let totals = self.sums(EventKind::Request, self.now.minus(HOUR), self.now, Level::Day);
        let mut by_key = self.sums(EventKind::Attempt, self.now.minus(HOUR), self.now, Level::Day);
        (by_key.by.key, by_key.times) = (true, true);
        Ok(self.rollups(totals).await? + self.rollups(by_key).await?)
    }

    async fn requests(&self, only: Only) -> Result<usize> {
        let mut filter = EventFilter {
            kind: Some(EventKind::Request),
            from: Some(self.now.minus(7 * DAY)),
            to: Some(self.now),
            ..EventFilter::default()
        };
        match only {
            Only::All => {}
            Only::RareError => filter.error_type = Some("invalid_key".to_owned()),
            Only::Key => filter.key_number = Some(self.key_number),
            Only::Failed => filter.success = Some(false),
            Only::User => filter.user_id = Some(self.user_id.clone()),
        }
        let bounds = EventBounds {
            events_max: 50,
            looked_at_max: 20_000,
        };
        self.events(filter, Order::NewestFirst, bounds).await
    }

    async fn request(&self) -> Result<usize> {
        let filter = EventFilter {
            request_id: Some(self.request_id.clone()),
            ..EventFilter::default()
        };
        let bounds = EventBounds {
            events_max: 200,
            looked_at_max: 200,
        };
        self.events(filter, Order::OldestFirst, bounds).await
    }

    async fn export(&self) -> Result<usize> {
        let filter = EventFilter {
            from: Some(self.now.minus(20 * DAY)),
            to: Some(self.now),
            ..EventFilter::default()
        };
        let bounds = EventBounds {
            events_max: 1_000,
            looked_at_max: 20_000,
        };
        self.events(filter, Order::OldestFirst, bounds).await
    }

    async fn events(&self, filter: EventFilter, order: Order, bounds: EventBounds) -> Result<usize> {
        let page = self.store.usage_events(filter, order, None, bounds).await?;
        Ok(page.events.len())
    }
}

/// The first instants of the zone's days from the one that `from` is in, and the end.
fn days_between(from: Timestamp, to: Timestamp, zone: &str) -> Result<Vec<Timestamp>> {
    let mut days = vec![day_start(from, zone)?];
    while let Some(&last) = days.last().filter(|last| **last < to) {
        // Days have 23 to 25 hours.
        days.push(day_start(last.plus(30 * HOUR), zone)?.min(to));
    }
    Ok(days)
}

fn day_start(at: Timestamp, zone: &str) -> Result<Timestamp> {
    let instant = jiff::Timestamp::from_millisecond(i64::try_from(at.as_millis())?)?;
    let start = instant.to_zoned_datetime(TimeZone::get(zone)?).start_of_day()?;
    Ok(Timestamp::from_millis(u64::try_from(
        start.timestamp().as_millisecond(),
    )?))
}
