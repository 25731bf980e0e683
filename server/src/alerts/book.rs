//! The incidents that matter now, in memory: what the store has, and what it has not taken yet.

use std::collections::{BTreeSet, VecDeque};

use pool::Timestamp;
use tracing::warn;
use uuid::Uuid;

use super::evaluator::Change;
use super::rules::RuleId;
use super::telling;
use crate::notify::Notifier;
use crate::store::{IncidentChange, IncidentNews, Result, Store, StoredIncident};

#[derive(Default)]
pub(super) struct Book {
    /// Open ones, and those of which something is untold; the one opened first first.
    incidents: Vec<StoredIncident>,
    /// In the order in which they were made.
    unsaved: VecDeque<Write>,
    /// Handed to the notifier by this process, and not noted in the store yet.
    announced: BTreeSet<(String, IncidentNews)>,
    is_read: bool,
}

#[derive(Clone)]
enum Write {
    Insert(Box<StoredIncident>),
    Update(String, IncidentChange),
    Told(String, IncidentNews),
}

impl Write {
    fn id(&self) -> &str {
        match self {
            Self::Insert(incident) => &incident.id,
            Self::Update(id, _) | Self::Told(id, _) => id,
        }
    }
}

impl Book {
    pub(super) fn open(&self) -> Vec<StoredIncident> {
        let open = self.incidents.iter().filter(|incident| incident.resolved_at.is_none());
        open.cloned().collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<&StoredIncident> {
        self.incidents
            .iter()
            .find(|incident| incident.id == id && incident.resolved_at.is_none())
    }

    /// Whether the store was ever read: an empty book says nothing before.
    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    /// Writes what is unsaved, then reads what others wrote.
    ///
    /// # Errors
    /// When the store does not answer; the book is then as it was.
    pub(super) async fn refresh(&mut self, store: &dyn Store) -> Result<()> {
        self.save(store).await?;
        self.incidents = store.current_incidents().await?;
        self.is_read = true;
        Ok(())
    }

    pub(super) async fn save(&mut self, store: &dyn Store) -> Result<()> {
        while let Some(write) = self.unsaved.front().cloned() {
            let is_done = match write.clone() {
                Write::Insert(incident) => store.insert_incident(*incident).await?,
                Write::Update(id, change) => store.update_incident(&id, change).await?,
                Write::Told(id, news) => store.note_incident_told(&id, news).await?,
            };
            self.unsaved.pop_front();
            // Somebody else opened or ended it first: the next look at the store shows how it is.
            if let (false, Write::Insert(incident)) = (is_done, write) {
                self.incidents.retain(|known| known.id != incident.id);
            }
        }
        Ok(())
    }

    /// Here at once, in the store with the next [`Book::save`].
    pub(super) fn make(&mut self, change: Change, now: Timestamp) {
        if let Change::Open { .. } = change {
            if let Some(incident) = change.opened(Uuid::now_v7().to_string()) {
                self.incidents.push(incident.clone());
                self.unsaved.push_back(Write::Insert(Box::new(incident)));
            }
            return;
        }
        let id = change.id().to_owned();
        let Some(incident) = self.find(&id) else { return };
        let is_end_told = match change {
            Change::Resolve { rule, quietly, .. } => Some(!quietly && self.is_end_news(incident, rule, now)),
            _ => None,
        };
        let mut applied = change.applied();
        if let Some(is_told) = is_end_told {
            applied.untold = Some(is_told.then_some(IncidentNews::Resolved));
        }
        self.apply(&id, applied.clone());
        // A store that is away for long must not fill the memory.
        if let Some(Write::Update(_, waiting)) = self.unsaved.iter_mut().rev().find(|write| write.id() == id) {
            *waiting = std::mem::take(waiting).then(applied);
        } else {
            self.unsaved.push_back(Write::Update(id, applied));
        }
    }

    /// Whether people hear of the end: not of what they never heard of, nor of what they silenced.
    pub(super) fn is_end_news(&self, incident: &StoredIncident, rule: RuleId, now: Timestamp) -> bool {
        let was_told = incident.untold != Some(IncidentNews::Opened)
            || self.announced.contains(&(incident.id.clone(), IncidentNews::Opened));
        rule.is_told_here() && was_told && !is_silenced(incident, now)
    }

    /// What the store has taken already.
    pub(super) fn apply(&mut self, id: &str, change: IncidentChange) {
        if let Some(incident) = self.incidents.iter_mut().find(|incident| incident.id == id) {
            change.apply(incident);
        }
        self.forget_ended();
    }

    /// Announces what is untold and not silenced. What was announced before and is stored by now counts as told.
    pub(super) fn tell(&mut self, notifier: &Notifier, now: Timestamp) {
        if *notifier.unstored().borrow() == 0 {
            for (id, news) in std::mem::take(&mut self.announced) {
                for incident in self.incidents.iter_mut().filter(|incident| incident.id == id) {
                    incident.untold = incident.untold.filter(|untold| *untold != news);
                }
                self.unsaved.push_back(Write::Told(id, news));
            }
            self.forget_ended();
        }
        for incident in &self.incidents {
            let Some(news) = incident.untold.filter(|_| !is_silenced(incident, now)) else {
                continue;
            };
            if self.announced.insert((incident.id.clone(), news)) {
                notifier.announce(telling::announcement(incident, news));
            }
        }
    }

    pub(super) fn has_announced(&self) -> bool {
        !self.announced.is_empty()
    }

    /// When the next silence ends over something untold.
    pub(super) fn silence_ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        let silenced = self.incidents.iter().filter(|incident| incident.untold.is_some());
        silenced
            .filter_map(|incident| incident.silenced_until)
            .filter(|until| *until > now)
            .min()
    }

    pub(super) fn warn_if_unsaved(&self) {
        if !self.unsaved.is_empty() {
            warn!(
                count = self.unsaved.len(),
                "changes of incidents wait for the data store"
            );
        }
    }

    fn forget_ended(&mut self) {
        self.incidents
            .retain(|incident| incident.resolved_at.is_none() || incident.untold.is_some());
    }
}

pub(super) fn is_silenced(incident: &StoredIncident, now: Timestamp) -> bool {
    incident.silenced_until.is_some_and(|until| until > now)
}
