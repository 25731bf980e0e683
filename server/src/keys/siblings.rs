//! Keys that may share a project: proposed to the admin, who decides. Kept in the store's settings.

use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{SiblingKey, SiblingProposal};
use pool::{ModelId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::Keys;
use super::entry::{project_id, project_number};
use crate::clock::rfc3339;
use crate::keyring::KeyFacts;

const SETTING: &str = "sibling_proposals";
/// The oldest make room: a pool of a thousand keys has better ways to be grouped. Dismissed ones do not count, each of
/// them is an admin's word that has to be kept.
const OPEN_PROPOSALS_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Proposal {
    /// Ids of the keys with the lowest numbers of both projects, the lower id first.
    keys: [u64; 2],
    model: String,
    seen_at_ms: u64,
    /// The admin said no: it is not proposed again.
    dismissed: bool,
}

impl Proposal {
    fn id(&self) -> String {
        let [first, second] = self.keys;
        format!("{first}-{second}")
    }
}

impl Keys {
    /// What waits for the admin's word, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sibling_proposals(&self) -> Result<Vec<SiblingProposal>, AppError> {
        let mut open: Vec<Proposal> = self.stored_proposals().await?;
        open.retain(|proposal| !proposal.dismissed);
        open.sort_by_key(|proposal| std::cmp::Reverse(proposal.seen_at_ms));
        Ok(open.iter().filter_map(|proposal| self.shown(proposal)).collect())
    }

    /// Puts the keys of both projects into one.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such proposal, or when it has been settled meanwhile.
    pub async fn confirm_siblings(self: &Arc<Self>, id: &str) -> Result<(), AppError> {
        let (keys, id) = (Arc::clone(self), id.to_owned());
        self.whole(async move { keys.confirm_now(&id).await }).await
    }

    async fn confirm_now(&self, id: &str) -> Result<(), AppError> {
        let _turn = self.turn.lock().await;
        let mut proposals = self.stored_proposals().await?;
        let place = open_place(&proposals, id)?;
        let proposal = proposals.remove(place);
        let (first, second) = self.members(&proposal).ok_or_else(unknown_proposal)?;
        let keys: Vec<&KeyFacts> = first.iter().chain(&second).collect();
        let project = common_name(&keys);
        for facts in &keys {
            if facts.project.as_ref() != Some(&project) {
                self.set_project(facts.id, &project).await?;
            }
        }
        self.save_proposals(&proposals).await?;
        let numbers: Vec<u32> = keys.iter().map(|facts| facts.number).collect();
        info!(?numbers, "an admin said that these keys share a project");
        Ok(())
    }

    /// Keeps the keys apart and does not propose them again.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such proposal.
    pub async fn dismiss_siblings(&self, id: &str) -> Result<(), AppError> {
        let _turn = self.turn.lock().await;
        let mut proposals = self.stored_proposals().await?;
        let place = open_place(&proposals, id)?;
        if let Some(proposal) = proposals.get_mut(place) {
            proposal.dismissed = true;
        }
        self.save_proposals(&proposals).await
    }

    /// Two projects spent a model's day within seconds of each other.
    pub(crate) async fn propose_siblings(
        &self,
        first: ProjectId,
        second: ProjectId,
        model: ModelId,
    ) -> Result<(), AppError> {
        let _turn = self.turn.lock().await;
        let (Some(one), Some(other)) = (self.first_of(first), self.first_of(second)) else {
            return Ok(());
        };
        if are_told_apart(&one, &other) {
            return Ok(());
        }
        let mut keys = [one.id.0, other.id.0];
        keys.sort_unstable();
        let mut proposals = self.stored_proposals().await?;
        let known = proposals.iter_mut().find(|proposal| proposal.keys == keys);
        let (model, seen_at_ms) = (self.model_name(model), self.clock.now().as_millis());
        match known {
            Some(proposal) if proposal.dismissed => return Ok(()),
            Some(proposal) => (proposal.model, proposal.seen_at_ms) = (model, seen_at_ms),
            None => {
                let (one, other) = (one.number, other.number);
                warn!(
                    one,
                    other, "keys {one} and {other} may share a project: an admin can say so on the page Doctor"
                );
                make_room(&mut proposals);
                proposals.push(Proposal {
                    keys,
                    model,
                    seen_at_ms,
                    dismissed: false,
                });
            }
        }
        self.save_proposals(&proposals).await
    }

    /// `None` once it is settled: a key is gone, both are in one project, or the provider named two.
    fn members(&self, proposal: &Proposal) -> Option<(Vec<KeyFacts>, Vec<KeyFacts>)> {
        let [first, second] = proposal.keys.map(pool::KeyId);
        let (first, second) = (self.keyring.facts(first)?, self.keyring.facts(second)?);
        let settled = project_of(&first) == project_of(&second) || are_told_apart(&first, &second);
        (!settled).then(|| (self.all_of(project_of(&first)), self.all_of(project_of(&second))))
    }

    fn shown(&self, proposal: &Proposal) -> Option<SiblingProposal> {
        let (first, second) = self.members(proposal)?;
        let mut keys: Vec<SiblingKey> = first
            .into_iter()
            .chain(second)
            .map(|facts| SiblingKey {
                key_number: facts.number,
                label: facts.label,
                project: facts.project,
            })
            .collect();
        keys.sort_by_key(|key| key.key_number);
        Some(SiblingProposal {
            id: proposal.id(),
            keys,
            model: proposal.model.clone(),
            seen_at: rfc3339(Timestamp::from_millis(proposal.seen_at_ms)),
        })
    }

    fn all_of(&self, project: ProjectId) -> Vec<KeyFacts> {
        let all = self.keyring.all().into_iter();
        all.filter(|facts| project_of(facts) == project).collect()
    }

    fn first_of(&self, project: ProjectId) -> Option<KeyFacts> {
        self.all_of(project).into_iter().next()
    }

    fn model_name(&self, model: ModelId) -> String {
        let models = self.pool.snapshot().models.into_iter().map(|view| view.model);
        let mut named = models.filter(|name| self.pool.model(name) == Ok(model));
        named.next().unwrap_or_default()
    }

    async fn stored_proposals(&self) -> Result<Vec<Proposal>, AppError> {
        let settings = self.store.settings().await?;
        let stored = settings.into_iter().find(|(name, _)| name == SETTING);
        // What another version wrote is no reason to fail: it is seen again when it happens again.
        Ok(stored
            .and_then(|(_, value)| serde_json::from_value(value).ok())
            .unwrap_or_default())
    }

    async fn save_proposals(&self, proposals: &[Proposal]) -> Result<(), AppError> {
        let value = serde_json::to_value(proposals).map_err(|_| AppError::internal())?;
        Ok(self.store.save_setting(SETTING.to_owned(), Some(value)).await?)
    }
}

fn project_of(facts: &KeyFacts) -> ProjectId {
    project_id(facts.id, facts.project.as_deref())
}

/// The provider gave the number of both, so they are two.
fn are_told_apart(one: &KeyFacts, other: &KeyFacts) -> bool {
    let told = |facts: &KeyFacts| facts.project.as_deref().and_then(project_number);
    matches!((told(one), told(other)), (Some(one), Some(other)) if one != other)
}

/// The provider's number, else what the admin called it, else a name of ours.
fn common_name(keys: &[&KeyFacts]) -> String {
    let names = || keys.iter().filter_map(|facts| facts.project.as_deref());
    let number = names().find(|name| project_number(name).is_some());
    let lowest = keys.iter().map(|facts| facts.number).min().unwrap_or_default();
    number
        .or_else(|| names().next())
        .map_or_else(|| format!("shared-by-key-{lowest}"), str::to_owned)
}

/// For one more that is open.
fn make_room(proposals: &mut Vec<Proposal>) {
    let open = || proposals.iter().enumerate().filter(|(_, proposal)| !proposal.dismissed);
    if open().count() < OPEN_PROPOSALS_MAX {
        return;
    }
    if let Some((oldest, _)) = open().min_by_key(|(_, proposal)| proposal.seen_at_ms) {
        proposals.remove(oldest);
    }
}

fn open_place(proposals: &[Proposal], id: &str) -> Result<usize, AppError> {
    let open = |proposal: &Proposal| !proposal.dismissed && proposal.id() == id;
    proposals.iter().position(open).ok_or_else(unknown_proposal)
}

fn unknown_proposal() -> AppError {
    AppError::new(ErrorCode::NotFound, "There is no such proposal any more.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(first: u64, seen_at_ms: u64, dismissed: bool) -> Proposal {
        Proposal {
            keys: [first, first + 1],
            model: "gemini-2.5-flash".to_owned(),
            seen_at_ms,
            dismissed,
        }
    }

    #[test]
    fn the_oldest_open_proposal_makes_room_and_no_dismissed_one() {
        let mut proposals = vec![proposal(1, 1, true), proposal(2, 9_000, false), proposal(3, 2, false)];
        proposals.extend(
            (4..)
                .take(OPEN_PROPOSALS_MAX - 3)
                .map(|key| proposal(key, 100 + key, false)),
        );
        let before = proposals.clone();
        make_room(&mut proposals);
        assert_eq!(proposals, before, "one more fits");
        proposals.push(proposal(900, 900, false));
        make_room(&mut proposals);
        let left: Vec<u64> = proposals.iter().map(|proposal| proposal.keys[0]).collect();
        assert_eq!(left.len(), OPEN_PROPOSALS_MAX, "one dismissed, and room for one more");
        assert_eq!(left[..3], [1, 2, 4]);
    }
}
