//! Use case: finds what is wrong, keeps it as incidents, tells people when one opens, becomes worse or ends, and lets them
//! acknowledge, silence and end it.
//!
//! What rules look at is gathered in `facts`; `conditions` and `evaluator` are pure and decide; `book` keeps what the store
//! has not taken yet. One task evaluates ([`run`]). The state of an incident is in the store: a restart repeats nothing, and
//! what changed while no process ran is told by the next one.
//!
//! Facts that the announcer tells of (no key available, quota used up, a key that needs a person) become incidents too, and
//! are not told a second time: see the table in `announcer`.
//!
//! An acknowledged incident is told when it becomes worse and when it ends. Of a silenced one nothing is told before the
//! silence is over; then what is still news is. One that a person ends opens again when its cause holds on for ten minutes.

mod book;
mod change;
mod conditions;
mod evaluator;
mod facts;
mod preview;
mod rules;
mod shown;
mod tally;
mod task;
mod telling;
mod words;

use std::sync::Arc;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{self, AlertRule, AlertRulePatch, Alerts as AlertsShown, Incident, IncidentPage, RulePreview};
use pool::Timestamp;
use tokio::sync::{Mutex, Notify, watch};
use tracing::{info, warn};

use crate::analytics::Analytics;
use crate::clock::Clock;
use crate::notify::Notifier;
use crate::store::{
    Acknowledgement, Cursor, IncidentChange, IncidentNews, Result as StoreResult, Store, StoreError, StoredIncident,
};
use book::Book;
use facts::{Gatherer, Losses};
use rules::Overrides;

pub use evaluator::{Change, Evaluator};
pub use facts::{Facts, Measured, PoolFacts, measured};
pub use preview::{Preview, Previewed, of_now as preview_of_now, of_usage as preview_of_usage};
pub use rules::{Bounds, Rule, RuleId};
pub use tally::{Share, Tally};
pub use task::run;

/// The name of what admins changed of the rules, in the store.
const SETTING: &str = "alert_rules";
/// Those on a page about more than alerts.
const RECENT_MAX: u32 = 5;
/// A week.
const SILENCE_MINUTES_MAX: u32 = 7 * 24 * 60;
const NO_SUCH_ALERT: &str = "There is no such open alert: it may have ended meanwhile.";
const NO_SUCH_RULE: &str = "There is no such rule.";

/// Cheap to clone.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

struct Inner {
    analytics: Analytics,
    store: Arc<dyn Store>,
    notifier: Notifier,
    clock: Clock,
    book: Mutex<Book>,
    /// Held over a whole change, so that two admins' follow each other.
    overrides: Mutex<Overrides>,
    rules: watch::Sender<Vec<Rule>>,
    evaluated_at: watch::Sender<Option<Timestamp>>,
    losses: Arc<std::sync::Mutex<Losses>>,
    /// A person acted.
    acted: Notify,
}

impl Alerts {
    /// Reads what admins changed of the rules.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(analytics: Analytics, notifier: Notifier) -> StoreResult<Self> {
        let (store, clock) = (Arc::clone(&analytics.store), analytics.clock.clone());
        let settings = store.settings().await?;
        let stored = settings.iter().find(|(name, _)| name == SETTING);
        let overrides = stored.map(|(_, value)| Overrides::read(value)).unwrap_or_default();
        Ok(Self(Arc::new(Inner {
            store,
            analytics,
            notifier,
            clock,
            book: Mutex::default(),
            rules: watch::Sender::new(overrides.rules()),
            overrides: Mutex::new(overrides),
            evaluated_at: watch::Sender::new(None),
            losses: Arc::default(),
            acted: Notify::new(),
        })))
    }

    /// What is wrong now, the rules and the channels.
    ///
    /// # Errors
    /// When the store does not answer and never did.
    pub async fn list(&self) -> Result<AlertsShown, AppError> {
        let mut open = self.book().await?.open();
        open.sort_by_key(|incident| std::cmp::Reverse((incident.severity, incident.opened_at)));
        let overrides = self.0.overrides.lock().await.clone();
        let rules = RuleId::ALL.into_iter().map(|id| shown::rule(overrides.rule(id)));
        Ok(AlertsShown {
            incidents: self.shown(open).await,
            rules: rules.collect(),
            channels: self.channels().await?,
            evaluated_at: self.0.evaluated_at.borrow().map(crate::clock::rfc3339),
        })
    }

    /// The few that one look is enough for: what is open, the most severe first, then what was opened last.
    ///
    /// # Errors
    /// When the store does not answer, and nothing is known to be open.
    pub async fn recent(&self) -> Result<Vec<Incident>, AppError> {
        let mut recent = self.book().await?.open();
        recent.sort_by_key(|incident| std::cmp::Reverse((incident.severity, incident.opened_at)));
        match self.0.store.incidents(None, RECENT_MAX).await {
            Err(error) if recent.is_empty() => return Err(error.into()),
            Err(error) => warn!(%error, "incidents that are over cannot be read"),
            Ok(page) => recent.extend(page.items.into_iter().filter(|incident| incident.resolved_at.is_some())),
        }
        recent.truncate(RECENT_MAX as usize);
        Ok(self.shown(recent).await)
    }

    /// All incidents, the one opened last first, at most `limit`. `cursor` is one that a page gave.
    ///
    /// # Errors
    /// `BAD_REQUEST` for another cursor; when the store does not answer.
    pub async fn history(&self, cursor: Option<&str>, limit: u32) -> Result<IncidentPage, AppError> {
        let parse = |text: &str| {
            let message = "cursor is not one that a page of alerts gave.";
            Cursor::parse(text).ok_or_else(|| AppError::new(ErrorCode::BadRequest, message).field("cursor"))
        };
        let cursor = cursor.map(parse).transpose()?;
        let page = self.0.store.incidents(cursor.as_ref(), limit).await?;
        Ok(IncidentPage {
            items: self.shown(page.items).await,
            next_cursor: page.next_cursor,
        })
    }

    /// `by`: a user's id, or `operator`. Gives the incident as it was and as it is.
    ///
    /// # Errors
    /// `NOT_FOUND` when none of this id is open; when the store does not answer.
    pub async fn acknowledge(&self, id: &str, by: &str) -> Result<(Incident, Incident), AppError> {
        let at = self.0.clock.now();
        let by = by.to_owned();
        self.act(id, |_, _| IncidentChange {
            acknowledged: Some(Acknowledgement { by, at }),
            ..IncidentChange::default()
        })
        .await
    }

    /// As [`Alerts::acknowledge`]; 0 minutes end a silence.
    ///
    /// # Errors
    /// `BAD_REQUEST` for more than a week; as there.
    pub async fn silence(&self, id: &str, minutes: u32) -> Result<(Incident, Incident), AppError> {
        if minutes > SILENCE_MINUTES_MAX {
            let message = format!("An alert can be silenced for 1 to {SILENCE_MINUTES_MAX} minutes; 0 ends a silence.");
            return Err(AppError::new(ErrorCode::BadRequest, message).field("minutes"));
        }
        let until = self.0.clock.now().plus(Duration::from_secs(u64::from(minutes) * 60));
        self.act(id, |_, _| IncidentChange {
            silenced_until: Some(Some(until).filter(|_| minutes > 0)),
            ..IncidentChange::default()
        })
        .await
    }

    /// As [`Alerts::acknowledge`]. When its cause holds on for ten minutes, another one opens.
    ///
    /// # Errors
    /// As there.
    pub async fn resolve(&self, id: &str) -> Result<(Incident, Incident), AppError> {
        let now = self.0.clock.now();
        self.act(id, |book, incident| {
            let is_told = RuleId::parse(&incident.rule).is_some_and(|rule| book.is_end_news(incident, rule, now));
            IncidentChange {
                resolved_at: Some(now),
                untold: Some(is_told.then_some(IncidentNews::Resolved)),
                ..IncidentChange::default()
            }
        })
        .await
    }

    async fn act(
        &self,
        id: &str,
        change: impl FnOnce(&Book, &StoredIncident) -> IncidentChange,
    ) -> Result<(Incident, Incident), AppError> {
        let no_such = || AppError::new(ErrorCode::NotFound, NO_SUCH_ALERT);
        let mut book = self.0.book.lock().await;
        book.refresh(self.0.store.as_ref()).await?;
        let before = book.find(id).ok_or_else(no_such)?.clone();
        let change = change(&book, &before);
        if !self.0.store.update_incident(id, change.clone()).await? {
            return Err(no_such());
        }
        let mut after = before.clone();
        change.clone().apply(&mut after);
        book.apply(id, change);
        drop(book);
        self.0.acted.notify_one();
        let mut shown = self.shown(vec![before, after]).await.into_iter();
        shown.next().zip(shown.next()).ok_or_else(AppError::internal)
    }

    /// Changes a rule; gives it as it was and as it is.
    ///
    /// # Errors
    /// `NOT_FOUND` for an unknown rule; `BAD_REQUEST` with the field at fault; what the store says when it cannot keep it.
    pub async fn change_rule(&self, id: &str, patch: &AlertRulePatch) -> Result<(AlertRule, AlertRule), AppError> {
        let id = rule_named(id)?;
        let mut overrides = self.0.overrides.lock().await;
        let made = overrides.with(id, patch)?;
        let value = serde_json::to_value(&made).map_err(|_| AppError::internal())?;
        let value = Some(value).filter(|_| !made.is_empty());
        self.0.store.save_setting(SETTING.to_owned(), value).await?;
        let before = std::mem::replace(&mut *overrides, made);
        self.0.rules.send_replace(overrides.rules());
        info!(rule = id.as_str(), "an admin changed an alert rule");
        Ok((shown::rule(before.rule(id)), shown::rule(overrides.rule(id))))
    }

    /// What the rule would have opened with this change, which is not made.
    ///
    /// # Errors
    /// As [`Alerts::change_rule`].
    pub async fn preview(&self, id: &str, patch: &AlertRulePatch) -> Result<RulePreview, AppError> {
        let id = rule_named(id)?;
        let overrides = self.0.overrides.lock().await.clone();
        let rule = overrides.with(id, patch)?.rule(id);
        let now = self.0.clock.now();
        let preview = if id.is_of_usage() {
            preview::of_usage(self.0.store.as_ref(), rule, now).await?
        } else {
            let facts = self.gatherer().gather(&[rule], now).await;
            preview::of_now(rule, &facts)
        };
        Ok(shown::preview(rule, preview))
    }

    fn gatherer(&self) -> Gatherer {
        Gatherer::new(self.0.analytics.clone(), Arc::clone(&self.0.losses))
    }

    /// The book, with what others wrote if the store tells.
    async fn book(&self) -> Result<tokio::sync::MutexGuard<'_, Book>, StoreError> {
        let mut book = self.0.book.lock().await;
        match book.refresh(self.0.store.as_ref()).await {
            Err(error) if !book.is_read() => return Err(error),
            Err(error) => warn!(%error, "incidents cannot be read; what is known of them is shown"),
            Ok(()) => {}
        }
        Ok(book)
    }
}

fn rule_named(id: &str) -> Result<RuleId, AppError> {
    RuleId::parse(id).ok_or_else(|| AppError::new(ErrorCode::NotFound, NO_SUCH_RULE))
}

/// As the wire has it.
fn severity(severity: crate::store::AlertSeverity) -> types::AlertSeverity {
    match severity {
        crate::store::AlertSeverity::Low => types::AlertSeverity::Low,
        crate::store::AlertSeverity::Medium => types::AlertSeverity::Medium,
        crate::store::AlertSeverity::Critical => types::AlertSeverity::Critical,
    }
}
