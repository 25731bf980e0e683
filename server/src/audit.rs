//! Who did what: an append-only log of every admin action and of what is done to an account's security.
//!
//! Each entry holds the hash of the one before, by a key that is not in the store, and the log's end is sealed beside it:
//! who can write to the store's file but lacks the master key can neither change, remove, insert nor reorder an entry
//! without [`Audit::verify`] naming it. An older copy of the whole file, put in its place, is intact; the hashes in the
//! server's own log tell it from the newer one. The log is never empty: its first entry is written before the key of its
//! hashes is stored, so that removing all of it is noticed too.

mod chain;
mod shown;

use std::net::IpAddr;
use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{AuditPage, AuditVerdict};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use crate::clock::Clock;
use crate::store::{AuditEntry, AuditFilter, AuditHead, Digest, Store, StoreError};
use chain::Link;

/// Entries read at once by [`Audit::verify`].
const BATCH: u32 = 500;
/// Another process may append too (the command line, as the server stops): then the entry is made anew behind its.
const TRIES_MAX: u32 = 20;
/// The first entry.
const BEGIN: &str = "log.begin";

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user's id, `operator`, or `server`.
    pub id: String,
    /// The e-mail, or what else people know the actor by.
    pub name: String,
    /// `web`, `api`, `cli` or `server`.
    pub surface: &'static str,
    pub address: Option<IpAddr>,
    pub request_id: Option<String>,
    /// By an API token, which is no person: it may not do all that its owner may.
    pub by_api_token: bool,
}

impl Actor {
    /// Whoever runs `keypool` on this machine and can read the files of `DATA_DIR`.
    pub fn command_line() -> Self {
        Self {
            id: "operator".to_owned(),
            name: "Command line".to_owned(),
            surface: "cli",
            address: None,
            request_id: None,
            by_api_token: false,
        }
    }

    /// Keypool itself.
    fn server() -> Self {
        Self {
            id: "server".to_owned(),
            name: "Keypool".to_owned(),
            surface: "server",
            address: None,
            request_id: None,
            by_api_token: false,
        }
    }
}

/// HMAC for a purpose, by a key that is not in the store.
type Mac = dyn Fn(&str, &[u8]) -> Digest + Send + Sync;

/// Cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    mac: Box<Mac>,
    /// One entry at a time: each needs the hash of the one before.
    turn: Mutex<()>,
    acts: TaskTracker,
}

impl Audit {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        mac: impl Fn(&str, &[u8]) -> Digest + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            mac: Box::new(mac),
            turn: Mutex::default(),
            acts: TaskTracker::new(),
        }))
    }

    /// Writes the first entry, unless there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self) -> Result<(), StoreError> {
        let store = &self.0.store;
        let is_begun =
            store.audit_head().await?.is_some() || !store.audit_page(AuditFilter::default(), None, 1).await?.is_empty();
        if !is_begun {
            let entry = self.entry(&Actor::server(), BEGIN, "audit", None, None);
            self.append(entry).await?;
            info!("the audit log begins");
        }
        Ok(())
    }

    fn entry(
        &self,
        actor: &Actor,
        action: &str,
        target: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> AuditEntry {
        AuditEntry {
            seq: 0,
            at: self.0.clock.now(),
            actor_id: actor.id.clone(),
            actor: actor.name.clone(),
            surface: actor.surface.to_owned(),
            address: actor.address.map(|address| address.to_string()),
            request_id: actor.request_id.clone(),
            action: action.to_owned(),
            target: target.to_owned(),
            before: before.map(shown::masked),
            after: after.map(shown::masked),
            previous: chain::START,
            hash: chain::START,
        }
    }

    /// Writes down what was done, once it is done. `target` names a thing, such as `key/7`; `before` and `after` say what
    /// changed. Fields named like secrets are hidden, but do not count on it: leave secrets out.
    ///
    /// # Errors
    /// `NO_CAPACITY` (503) when the entry could not be stored. The change itself was made and stays: it is not taken back,
    /// because what took the entry away would take the way back too. Who acts is told so, and the server's log has the
    /// line that the audit log lacks.
    pub async fn record(
        &self,
        actor: &Actor,
        action: &str,
        target: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), AppError> {
        let entry = self.entry(actor, action, target, before, after);
        match self.append(entry).await {
            Ok(entry) => {
                let (seq, hash) = (entry.seq, shown::hex(&entry.hash));
                info!(
                    action,
                    on = target,
                    actor = actor.id,
                    surface = actor.surface,
                    seq,
                    hash,
                    "audit: {action} of {target} by {}",
                    actor.id
                );
                Ok(())
            }
            Err(cause) => {
                error!(action, on = target, actor = actor.id, surface = actor.surface, error = %cause, "an act is missing in the audit log");
                let message = "It was done, but it could not be written to the audit log: the data store does not take it. \
                               See to the store, and note what you did; do not repeat it.";
                Err(AppError::new(ErrorCode::NoCapacity, message).details("AUDIT_INCOMPLETE"))
            }
        }
    }

    async fn append(&self, mut entry: AuditEntry) -> Result<AuditEntry, StoreError> {
        let Inner { store, mac, turn, .. } = &*self.0;
        let _turn = turn.lock().await;
        let mut conflict = StoreError::Conflict { what: "The audit log" };
        for _ in 0..TRIES_MAX {
            let Link { seq, previous } = match self.end(entry.action == BEGIN).await {
                Ok(end) => end,
                Err(error @ StoreError::Conflict { .. }) => {
                    conflict = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            entry.seq = seq + 1;
            entry.previous = previous;
            entry.hash = mac("audit", &chain::canonical(&entry));
            let seal = mac("audit head", &chain::canonical_head(entry.seq, &entry.hash));
            match store.append_audit(entry.clone(), seal).await {
                Ok(()) => return Ok(entry),
                Err(error @ StoreError::Conflict { .. }) => conflict = error,
                Err(error) => return Err(error),
            }
        }
        Err(conflict)
    }

    /// What the next entry follows. An end that was tampered with is not built upon: the entry after it carries a mark that
    /// follows nothing, so that the fault stays visible, and the server goes on.
    async fn end(&self, begins: bool) -> Result<Link, StoreError> {
        let (head, last) = self.head_with_last().await?;
        let ends_at = head
            .map_or(0, |head| head.seq)
            .max(last.as_ref().map_or(0, |last| last.seq));
        let is_sound = match (&head, &last) {
            (None, None) if begins => {
                return Ok(Link {
                    seq: 0,
                    previous: chain::START,
                });
            }
            (Some(head), Some(last)) => self.is_ours(head) && head.seq == last.seq && head.hash == last.hash,
            _ => false,
        };
        let previous = match last {
            Some(last) if is_sound => last.hash,
            _ => {
                error!("the end of the audit log is not as it was written: `keypool audit verify` says more");
                chain::BROKEN
            }
        };
        Ok(Link { seq: ends_at, previous })
    }

    async fn head_with_last(&self) -> Result<(Option<AuditHead>, Option<AuditEntry>), StoreError> {
        let store = &self.0.store;
        let mut head = store.audit_head().await?;
        for _ in 0..TRIES_MAX {
            let last = store.audit_page(AuditFilter::default(), None, 1).await?.pop();
            // The head moves with every entry: one that stood still was read together with the last entry.
            let after = store.audit_head().await?;
            if after == head {
                return Ok((head, last));
            }
            head = after;
        }
        Err(StoreError::Conflict {
            what: "The end of the audit log",
        })
    }

    fn is_ours(&self, head: &AuditHead) -> bool {
        (self.0.mac)("audit head", &chain::canonical_head(head.seq, &head.hash)) == head.seal
    }

    /// Newest first, at most `limit`. `cursor` is one that a page gave.
    ///
    /// # Errors
    /// `BAD_REQUEST` for another cursor; when the store fails.
    pub async fn page(&self, filter: AuditFilter, cursor: Option<&str>, limit: u32) -> Result<AuditPage, AppError> {
        let before = cursor
            .map(str::parse::<u64>)
            .transpose()
            .map_err(|_| AppError::new(ErrorCode::BadRequest, "cursor is not one that a page of the log gave."))?;
        // One more than asked for tells whether there is a next page.
        let mut entries = self.0.store.audit_page(filter, before, limit.saturating_add(1)).await?;
        let more = entries.len() > limit as usize;
        entries.truncate(limit as usize);
        Ok(AuditPage {
            next_cursor: entries.last().filter(|_| more).map(|last| last.seq.to_string()),
            items: entries.into_iter().map(shown::entry).collect(),
        })
    }

    /// Reads the whole log and says whether it is as it was written, else what comes first that is not.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify(&self) -> Result<AuditVerdict, AppError> {
        // Before the entries: those appended meanwhile are behind it.
        let head = self.0.store.audit_head().await?;
        let verdict = self.read_through(head).await?;
        // The first entry ever may have come since the head was looked for.
        let later = if head.is_none() {
            self.0.store.audit_head().await?
        } else {
            None
        };
        match later {
            None => Ok(verdict),
            later => self.read_through(later).await,
        }
    }

    async fn read_through(&self, head: Option<AuditHead>) -> Result<AuditVerdict, AppError> {
        let mut chain = chain::Chain::default();
        loop {
            let entries = self.0.store.audit_from(chain.next_seq(), BATCH).await?;
            for entry in &entries {
                let hash = (self.0.mac)("audit", &chain::canonical(entry));
                if let Err(fault) = chain.follow(entry, &hash, head.as_ref()) {
                    return Ok(chain.verdict(Some(fault)));
                }
            }
            if entries.len() < BATCH as usize {
                break;
            }
        }
        let is_ours = head.is_none_or(|head| self.is_ours(&head));
        Ok(chain.verdict(chain.fault_at_end(head.as_ref(), is_ours)))
    }

    /// Does a whole act even when whoever asked for it goes away in the middle: nothing is changed without its entry.
    ///
    /// # Errors
    /// When the act panicked, with the cause.
    pub async fn whole<T: Send + 'static>(
        &self,
        act: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        self.0.acts.spawn(act).await
    }

    /// As [`Audit::whole`], for acts that may fail.
    ///
    /// # Errors
    /// The act's own; `INTERNAL` when it panicked.
    pub async fn act<T: Send + 'static>(
        &self,
        act: impl Future<Output = Result<T, AppError>> + Send + 'static,
    ) -> Result<T, AppError> {
        self.whole(act).await.unwrap_or_else(|cause| {
            error!(%cause, "an act broke off");
            Err(AppError::internal())
        })
    }

    /// Waits for the acts under way.
    pub async fn finish(&self) {
        self.0.acts.close();
        self.0.acts.wait().await;
    }
}

#[cfg(test)]
mod tests;
