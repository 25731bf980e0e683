//! When something is told. Pure: what is seen and the time go in, announcements come out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use app::types::{KeyState, Level, ObstacleKind, ServiceStatus};
use pool::{Snapshot, Timestamp};
use serde::{Deserialize, Serialize};

use super::words;
use crate::clock::provider_day_start;
use crate::keyring::KeyFacts;
use crate::notify::Announcement;

/// How long a change must hold before it is told.
const HOLD: Duration = Duration::from_secs(10);
/// The same soon after the last word about the service.
const HOLD_WHEN_FLAPPING: Duration = Duration::from_secs(60);
const FLAPPING_WITHIN: Duration = Duration::from_secs(300);
/// Breakers rest for 5 s and more: one that is open this long has failed its trials.
const PROVIDER_HOLD: Duration = Duration::from_secs(30);

/// How the service is doing, as far as people are told; the better the smaller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Service {
    #[default]
    Up,
    Degraded,
    Down,
}

/// Why a key waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFault {
    Revoked,
    Invalid,
    NeedsSetup,
    NoCredit,
}

/// What was told last; all that must outlive the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Announced {
    service: Service,
    /// When the service was last spoken of, in milliseconds since the Unix epoch.
    service_at_ms: u64,
    /// When it was last said to be better.
    restored_at_ms: u64,
    /// By key number.
    keys: BTreeMap<u32, KeyFault>,
    provider_down: bool,
    region_refused: bool,
    /// Keys that were seen without day quota, by number, and the provider's day in which, as its first millisecond. One
    /// that has it again the same day is forgotten; one that has it again after midnight is kept until that is told.
    spent_on_ms: BTreeMap<u32, u64>,
}

/// Everything that is looked at, at one instant.
pub(super) struct Seen {
    pub(super) status: ServiceStatus,
    pub(super) labels: BTreeMap<u32, String>,
    keys: BTreeMap<u32, Sight>,
    pub(super) now: Timestamp,
}

/// What a key's state means to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    Faulty(KeyFault),
    /// Switched off by a person, who needs no telling.
    Off,
    /// Being checked: what was told stands.
    Unsure,
    Well,
}

impl Seen {
    pub(super) fn new(status: ServiceStatus, snapshot: &Snapshot, facts: Vec<KeyFacts>, now: Timestamp) -> Self {
        let keys = snapshot.keys.iter().map(|view| (view.key.number, sight(view.state)));
        Self {
            status,
            labels: facts.into_iter().map(|facts| (facts.number, facts.label)).collect(),
            keys: keys.collect(),
            now,
        }
    }

    /// `None` without keys.
    fn service(&self) -> Option<Service> {
        let status = &self.status;
        let lasting = |state: KeyState| match state {
            KeyState::QuotaReached
            | KeyState::Invalid
            | KeyState::Revoked
            | KeyState::NeedsSetup
            | KeyState::NoCredit => true,
            KeyState::Available | KeyState::InUse | KeyState::CoolingDown | KeyState::Checking | KeyState::Disabled => {
                false
            }
        };
        let some_out = status.available_keys.iter().any(|key| lasting(key.state));
        (status.total_keys > 0).then_some(match status.level {
            Level::MajorOutage => Service::Down,
            Level::PartialOutage => Service::Degraded,
            Level::Degraded if some_out => Service::Degraded,
            Level::Degraded | Level::Operational => Service::Up,
        })
    }

    fn provider_troubles(&self) -> impl Iterator<Item = &app::types::Obstacle> {
        let obstacles = self.status.obstacles.iter();
        obstacles.filter(|obstacle| matches!(obstacle.kind, ObstacleKind::ProviderDown | ObstacleKind::ModelDown))
    }

    fn spent(&self) -> BTreeSet<u32> {
        let keys = self.status.available_keys.iter();
        keys.filter(|key| key.quota_exceeded)
            .map(|key| key.key_number)
            .collect()
    }
}

pub(crate) fn sight(state: pool::KeyState) -> Sight {
    match state {
        pool::KeyState::Revoked => Sight::Faulty(KeyFault::Revoked),
        pool::KeyState::Invalid { .. } => Sight::Faulty(KeyFault::Invalid),
        pool::KeyState::NeedsSetup { .. } => Sight::Faulty(KeyFault::NeedsSetup),
        pool::KeyState::NoCredit { .. } => Sight::Faulty(KeyFault::NoCredit),
        pool::KeyState::Suspect { .. } => Sight::Unsure,
        pool::KeyState::Disabled => Sight::Off,
        pool::KeyState::SpendLimited { .. } | pool::KeyState::Ready => Sight::Well,
    }
}

/// Since when something is other than what was told.
#[derive(Debug, Clone, Copy)]
struct Waiting<T> {
    what: T,
    since: Timestamp,
}

pub(super) struct Rules {
    announced: Announced,
    service: Option<Waiting<Service>>,
    provider: Option<Waiting<bool>>,
}

impl Rules {
    pub(super) fn new(announced: Announced) -> Self {
        Self {
            announced,
            service: None,
            provider: None,
        }
    }

    pub(super) fn announced(&self) -> &Announced {
        &self.announced
    }

    /// When to look again even if nothing changes.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        let service = self
            .service
            .map(|waiting| waiting.since.plus(self.service_hold(waiting.since)));
        let provider = self
            .provider
            .map(|waiting| waiting.since.plus(provider_hold(waiting.what)));
        [service, provider].into_iter().flatten().min()
    }

    /// Whether a change that the cheap signs do not show may matter.
    pub(super) fn is_waiting(&self, now: Timestamp) -> bool {
        self.announced.provider_down || self.provider.is_some() || self.due_at().is_some_and(|at| at <= now)
    }

    pub(super) fn judge(&mut self, seen: &Seen) -> Vec<Announcement> {
        self.look_for_spent(seen);
        let mut told = Vec::new();
        self.judge_keys(seen, &mut told);
        told.extend(self.judge_region(seen));
        told.extend(self.judge_provider(seen));
        told.extend(self.judge_service(seen));
        told
    }

    fn look_for_spent(&mut self, seen: &Seen) {
        let (spent, today) = (seen.spent(), provider_day_start(seen.now).as_millis());
        let known = &mut self.announced.spent_on_ms;
        known.retain(|number, day| *day < today || spent.contains(number));
        for number in spent {
            known.entry(number).or_insert(today);
        }
    }

    /// A few minutes after the provider's midnight: says once that spent keys are back, unless that was said.
    pub(super) fn day_ended(&mut self, seen: &Seen) -> Option<Announcement> {
        let still_spent = seen.spent();
        let midnight = provider_day_start(seen.now);
        let known = std::mem::take(&mut self.announced.spent_on_ms);
        let back = known
            .into_iter()
            .filter(|(_, day)| *day < midnight.as_millis())
            .filter(|(number, _)| seen.keys.contains_key(number) && !still_spent.contains(number))
            .count();
        self.look_for_spent(seen);
        if back == 0 || self.announced.restored_at_ms >= midnight.as_millis() {
            return None;
        }
        if let Some(service) = seen.service() {
            // Said with this: it must not be said again when it has held.
            self.announced.service = self.announced.service.min(service);
        }
        self.spoke_of_service(seen.now, true);
        Some(words::day_restored(back, &seen.status))
    }

    fn judge_service(&mut self, seen: &Seen) -> Option<Announcement> {
        let service = seen.service()?;
        if service == self.announced.service {
            self.service = None;
            return None;
        }
        let since = since(&mut self.service, service, seen.now);
        if seen.now.since(since) < self.service_hold(since) {
            return None;
        }
        let before = std::mem::replace(&mut self.announced.service, service);
        self.service = None;
        self.spoke_of_service(seen.now, service < before);
        Some(match (before, service) {
            (Service::Up, Service::Degraded) => words::degraded(&seen.status),
            (_, Service::Down) => words::down(&seen.status),
            (_, Service::Up | Service::Degraded) => words::restored(&seen.status),
        })
    }

    fn spoke_of_service(&mut self, now: Timestamp, is_better: bool) {
        self.announced.service_at_ms = now.as_millis();
        if is_better {
            self.announced.restored_at_ms = now.as_millis();
        }
    }

    fn service_hold(&self, since: Timestamp) -> Duration {
        let last = Timestamp::from_millis(self.announced.service_at_ms);
        if since.since(last) < FLAPPING_WITHIN {
            HOLD_WHEN_FLAPPING
        } else {
            HOLD
        }
    }

    fn judge_provider(&mut self, seen: &Seen) -> Option<Announcement> {
        let is_down = seen.provider_troubles().next().is_some();
        if is_down == self.announced.provider_down {
            self.provider = None;
            return None;
        }
        let since = since(&mut self.provider, is_down, seen.now);
        // Nobody called since the rest ended: whether it still fails, nobody knows.
        let is_certain = !is_down || seen.provider_troubles().any(|trouble| trouble.retry_in_ms != Some(0));
        if seen.now.since(since) < provider_hold(is_down) || !is_certain {
            return None;
        }
        self.announced.provider_down = is_down;
        self.provider = None;
        Some(if is_down {
            words::provider_down(seen.provider_troubles())
        } else {
            words::provider_recovered()
        })
    }

    fn judge_region(&mut self, seen: &Seen) -> Option<Announcement> {
        let is_refused = seen
            .status
            .obstacles
            .iter()
            .any(|obstacle| obstacle.kind == ObstacleKind::RegionRefused);
        let is_news = is_refused && !self.announced.region_refused;
        self.announced.region_refused = is_refused;
        is_news.then(words::region_refused)
    }

    fn judge_keys(&mut self, seen: &Seen, told: &mut Vec<Announcement>) {
        let known = &mut self.announced.keys;
        let mut recovered = Vec::new();
        // Removed and switched off ones are forgotten without a word: a person did that.
        known.retain(|number, _| match seen.keys.get(number) {
            Some(Sight::Faulty(_) | Sight::Unsure) => true,
            Some(Sight::Well) => {
                recovered.push(*number);
                false
            }
            Some(Sight::Off) | None => false,
        });
        let mut news: BTreeMap<KeyFault, Vec<u32>> = BTreeMap::new();
        for (number, sight) in &seen.keys {
            if let Sight::Faulty(fault) = sight
                && known.insert(*number, *fault) != Some(*fault)
            {
                news.entry(*fault).or_default().push(*number);
            }
        }
        // Keys of one project or account fail together: that is one message.
        told.extend(
            news.iter()
                .map(|(fault, numbers)| words::needs_person(*fault, numbers, &seen.labels)),
        );
        if !recovered.is_empty() {
            told.push(words::recovered(&recovered, &seen.labels));
        }
    }
}

fn provider_hold(is_down: bool) -> Duration {
    if is_down { PROVIDER_HOLD } else { HOLD }
}

/// Since when `what` is seen without a break. A clock that was stepped back begins anew.
fn since<T: PartialEq + Copy>(waiting: &mut Option<Waiting<T>>, what: T, now: Timestamp) -> Timestamp {
    if let Some(held) = waiting
        && held.what == what
        && held.since <= now
    {
        return held.since;
    }
    *waiting = Some(Waiting { what, since: now });
    now
}

#[cfg(test)]
mod tests;
