//! Use case: the seed's debug report. What is set, how the service is doing, what was used, and on request tests of the keys
//! and of one real request. Nothing in it is the value of a secret.
//!
//! `place` and `reach` gather facts, `examine` turns facts into checks.

mod examine;
mod performance_test;
mod place;
mod reach;

use std::sync::{Arc, Mutex, PoisonError};

use app::types::{
    DoctorReport, DoctorTests, EnvironmentState, KeyOrigin, KeyTest, KeyUsage, PerformanceTest, QueueReport,
    SiblingProposal, UsageStatistics,
};
use pool::Timestamp;
use tracing::warn;

use crate::analysis::Deps;
use crate::analytics::{self, Stretch};
use crate::cache::QueueFigures;
use crate::clock::{Clock, provider_day_start, rfc3339};
use crate::keys::Keys;
use crate::status::StatusReader;
use crate::store::{DeliveryState, Dimensions, EventKind, NotificationRecord, StoreError};

pub use examine::{ChannelFacts, Facts, StoreFacts, examine};
pub use place::{DataDir, Place, SecretSource};
pub use reach::{Reach, Step};

/// Files of the secrets that are generated, as `startup` names them.
const MASTER_KEY: (&str, &str) = ("KEYPOOL_MASTER_KEY", "master.key");
const JWT_SECRET: (&str, &str) = ("JWT_SECRET", "jwt.secret");
/// The newest notifications, among which the last of each channel is looked for.
const NOTIFICATIONS_LOOKED_AT: u32 = 50;
/// Channels with the setting that each is not without.
const CHANNELS: [(&str, &str); 3] = [
    ("webhook", "ALERT_WEBHOOK_URL"),
    ("mail", "SMTP_URL"),
    ("chat", "ALERT_CHAT_URL"),
];

/// Writes reports. One for the whole process: it remembers the tests that were run last.
pub struct Doctor {
    place: Place,
    pool: Access,
    clock: Clock,
    last: Mutex<Option<Tested>>,
    /// One run of tests at a time: each costs a request.
    testing: tokio::sync::Mutex<()>,
}

/// Whether there is a pool to look at.
pub enum Access {
    Open(Box<Service>),
    /// Why the store is not open; never `Ready`.
    Closed(StoreFacts),
}

/// What a report is about when everything could be opened.
pub struct Service {
    /// Such as `SQLite 3.51.3`.
    pub engine: String,
    /// The store is a stand-in that is thrown away.
    pub is_scratch: bool,
    pub keys: Arc<Keys>,
    pub analysis: Arc<Deps>,
    pub status: StatusReader,
}

/// What tests showed.
#[derive(Debug, Clone)]
struct Tested {
    keys: Option<Vec<KeyTest>>,
    performance: Option<PerformanceTest>,
    at: Timestamp,
}

impl Doctor {
    pub fn new(place: Place, pool: Access, clock: Clock) -> Self {
        Self {
            place,
            pool,
            clock,
            last: Mutex::default(),
            testing: tokio::sync::Mutex::default(),
        }
    }

    /// A report without tests: no call in it costs anything or shows a key.
    pub async fn report(&self) -> DoctorReport {
        self.write(None, true).await
    }

    /// The same with what the tests showed when they were last run in this process.
    pub async fn report_with_last_tests(&self) -> DoctorReport {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.write(last, true).await
    }

    /// Runs tests, then reports.
    pub async fn test(&self, asked: DoctorTests) -> DoctorReport {
        let tested = self.run(asked).await;
        self.write(tested, !asked.offline).await
    }

    async fn run(&self, asked: DoctorTests) -> Option<Tested> {
        let Access::Open(service) = &self.pool else { return None };
        if asked.offline || !(asked.keys || asked.performance) {
            return None;
        }
        let _one_at_a_time = self.testing.lock().await;
        // The keys first, as in the seed: a test request then finds the pool as it really is.
        let keys = if asked.keys {
            Some(service.keys.test_all().await)
        } else {
            None
        };
        let performance = if asked.performance {
            Some(performance_test::run(&service.analysis).await)
        } else {
            None
        };
        let at = self.clock.now();
        let tested = Tested { keys, performance, at };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last.take();
        // Testing the keys does not make an earlier test request unseen, and the other way round.
        *last = Some(Tested {
            keys: tested.keys.clone().or_else(|| kept.as_ref()?.keys.clone()),
            performance: tested.performance.clone().or_else(|| kept?.performance),
            at,
        });
        Some(tested)
    }

    async fn write(&self, tested: Option<Tested>, may_call: bool) -> DoctorReport {
        let now = self.clock.now();
        let reach = match (&self.place.base_url, may_call) {
            (Some(url), true) => Some(reach::reach(url).await),
            _ => None,
        };
        let mut facts = self.facts(reach, now);
        let mut report = DoctorReport {
            generated_at: rfc3339(now),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.place.environment(),
            checks: Vec::new(),
            service_status: None,
            usage_statistics: None,
            tested_at: tested.as_ref().map(|tested| rfc3339(tested.at)),
            key_tests: None,
            performance_test: None,
            queue: None,
            cache: None,
            siblings: Vec::new(),
        };
        if let Some(tested) = tested {
            report.key_tests = tested.keys;
            report.performance_test = tested.performance;
        }
        if let Access::Open(service) = &self.pool {
            let queue = service.queue();
            report.queue = Some(QueueReport {
                length: queue.length as u64,
                is_processing: queue.is_processing,
            });
            report.cache = Some(service.analysis.cache.stats(queue));
            report.usage_statistics = service.usage(now).await;
            report.siblings = service.siblings().await;
            report.service_status = Some(service.status.read());
            service.complete(&mut facts, &report).await;
        }
        report.checks = examine(&facts);
        report
    }

    fn facts(&self, reach: Option<Reach>, now: Timestamp) -> Facts {
        let place = &self.place;
        Facts {
            mistakes: place.mistakes.0.clone(),
            without_effect: place.without_effect(),
            data_dir: place::look_at_data_dir(&place.data_dir),
            data_dir_path: place.data_dir.clone(),
            free_bytes: place::free_bytes(&place.data_dir),
            store: match &self.pool {
                Access::Closed(facts) => facts.clone(),
                Access::Open(_) => StoreFacts::NotLookedAt,
            },
            secrets: [MASTER_KEY, JWT_SECRET]
                .map(|(name, file)| (name, place.secret(name, file)))
                .to_vec(),
            vault: None,
            reach,
            now,
            status: None,
            siblings: 0,
            repeated_variables: 0,
            site_dir: place.site_dir.clone(),
            site_is_built: place.site_is_built(),
            mail_in_the_clear: place.mail_in_the_clear,
            channels: CHANNELS
                .into_iter()
                .filter(|(_, setting)| place.is_set(setting))
                .map(|(name, _)| ChannelFacts { name, last: None })
                .collect(),
        }
    }
}

impl Service {
    /// What only an open pool tells.
    async fn complete(&self, facts: &mut Facts, report: &DoctorReport) {
        facts.store = self.look_at_store().await;
        match self.keys.keyring.vault().standing().await {
            Ok(standing) => facts.vault = Some(standing),
            Err(error) => warn!(%error, "the report is without the standing of the master key"),
        }
        facts.status.clone_from(&report.service_status);
        facts.siblings = report.siblings.len();
        let variables = report
            .environment
            .iter()
            .filter(|entry| entry.name.starts_with("GOOGLE_AI_API_KEY_") && entry.state == EnvironmentState::Set)
            .count();
        let used = self.keys.keyring.all();
        let used = used.iter().filter(|key| key.origin == KeyOrigin::Environment).count();
        facts.repeated_variables = variables.saturating_sub(used);
        if facts.channels.is_empty() {
            return;
        }
        match self.analysis.store.notifications(None, NOTIFICATIONS_LOOKED_AT).await {
            Ok(page) => facts
                .channels
                .iter_mut()
                .for_each(|channel| channel.last = last_delivery(&page.items, channel.name)),
            Err(error) => warn!(%error, "the report is without the last notifications"),
        }
    }

    async fn look_at_store(&self) -> StoreFacts {
        if self.is_scratch {
            return StoreFacts::NotMade;
        }
        let looked = async {
            self.analysis.store.ready().await?;
            self.analysis.store.schema_version().await
        };
        match looked.await {
            Ok(schema) => StoreFacts::Ready {
                engine: self.engine.clone(),
                schema,
            },
            Err(error) => StoreFacts::Failed(error.to_string()),
        }
    }

    async fn usage(&self, now: Timestamp) -> Option<UsageStatistics> {
        let since = provider_day_start(now);
        match self.keys_used(since, now).await {
            Ok(keys) => Some(UsageStatistics {
                day_since: rfc3339(since),
                keys,
                performance: self.analysis.performance.report(),
            }),
            Err(error) => {
                warn!(%error, "the report is without usage statistics");
                None
            }
        }
    }

    async fn keys_used(&self, since: Timestamp, now: Timestamp) -> Result<Vec<KeyUsage>, StoreError> {
        let by = Dimensions {
            key: true,
            ..Dimensions::default()
        };
        let store = self.analysis.store.as_ref();
        let rows = analytics::sums(store, EventKind::Attempt, Stretch::until(since, now), by).await?;
        let keys = rows.into_iter().filter_map(|row| {
            Some(KeyUsage {
                key_number: row.key_number?,
                requests: row.sums.count,
                successes: row.sums.successes,
                failures: row.sums.failures(),
                total_tokens: row.sums.total_tokens,
            })
        });
        Ok(keys.collect())
    }

    async fn siblings(&self) -> Vec<SiblingProposal> {
        self.keys.sibling_proposals().await.unwrap_or_else(|error| {
            warn!(%error, "the report is without the keys that may share a project");
            Vec::new()
        })
    }

    fn queue(&self) -> QueueFigures {
        let snapshot = self.keys.pool.snapshot();
        let mut cells = snapshot.keys.iter().flat_map(|key| &key.cells);
        QueueFigures {
            length: self.analysis.waiting.len(),
            is_processing: cells.any(|cell| cell.in_flight > 0),
        }
    }
}

/// Newest first: the first that was sent by the channel.
fn last_delivery(items: &[NotificationRecord], channel: &str) -> Option<(DeliveryState, Option<String>)> {
    let mut deliveries = items.iter().flat_map(|record| &record.deliveries);
    let last = deliveries.find(|delivery| delivery.channel == channel)?;
    Some((last.state, last.last_error.clone()))
}
