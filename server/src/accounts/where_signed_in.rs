//! Where an account is signed in, and ending that.

use std::net::IpAddr;

use app::error::{AppError, ErrorCode};
use app::types::{ActiveSession, SessionKind};
use pool::Timestamp;
use tower_sessions::session::Id;

use super::Accounts;
use crate::clock::rfc3339;
use crate::sessions::{self, IDLE_LIFE, WHOLE_LIFE};
use crate::store::{Digest, StoredSession, StoredSignIn};

/// Enough to tell browsers apart; more would be stored for whoever sends it.
pub const USER_AGENT_CHARS_MAX: usize = 200;

/// Who asks, as far as a request tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub address: IpAddr,
    pub user_agent: Option<String>,
}

impl Visitor {
    /// The agent is cut to [`USER_AGENT_CHARS_MAX`] characters, control characters left out.
    pub fn new(address: IpAddr, user_agent: Option<&str>) -> Self {
        let plain = |text: &str| -> String {
            let shown = text.chars().filter(|c| !c.is_control());
            shown.take(USER_AGENT_CHARS_MAX).collect()
        };
        Self {
            address,
            user_agent: user_agent.map(plain).filter(|text| !text.trim().is_empty()),
        }
    }
}

/// By what somebody is signed in: what stays when all else is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedInBy {
    Session(Id),
    /// A sign-in of the API, by its id.
    SignIn(String),
    /// Something that does not end with sign-ins.
    Other,
}

impl SignedInBy {
    pub(super) fn session(&self) -> Option<Digest> {
        match self {
            Self::Session(id) => Some(sessions::digest(*id)),
            Self::SignIn(_) | Self::Other => None,
        }
    }

    pub(super) fn sign_in(&self) -> Option<&str> {
        match self {
            Self::SignIn(id) => Some(id),
            Self::Session(_) | Self::Other => None,
        }
    }
}

impl Accounts {
    /// Where the account is signed in: the one that asks first, then the one used last.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sessions(
        &self,
        user_id: &str,
        by: &SignedInBy,
        now: Timestamp,
    ) -> Result<Vec<ActiveSession>, AppError> {
        let browsers = self.store.sessions_of(user_id, now).await?;
        let programs = self.store.sign_ins_of(user_id, now).await?;
        let browsers = browsers.into_iter().map(|session| of_browser(&session, by));
        let programs = programs.into_iter().map(|sign_in| of_program(sign_in, by));
        let mut all: Vec<ActiveSession> = browsers.chain(programs).collect();
        // Times of one form sort as their texts do.
        all.sort_by(|one, other| {
            (other.current, &other.last_used_at, &other.id).cmp(&(one.current, &one.last_used_at, &one.id))
        });
        Ok(all)
    }

    /// Ends one of the account's sessions or sign-ins; it is refused from then on.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for one of another account.
    pub async fn end_session(&self, user_id: &str, id: &str, now: Timestamp) -> Result<(), AppError> {
        let browsers = self.store.sessions_of(user_id, now).await?;
        if let Some(session) = browsers.iter().find(|session| sessions::public_id(&session.id) == id) {
            return Ok(self.store.delete_session(&session.id).await?);
        }
        if self.store.end_sign_in(user_id, id).await? {
            return Ok(());
        }
        Err(AppError::new(
            ErrorCode::NotFound,
            "There is no such session: it has ended.",
        ))
    }

    /// Ends all of the account's sessions and sign-ins but the one that asks; returns how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_other_sessions(&self, user_id: &str, by: &SignedInBy) -> Result<u64, AppError> {
        Ok(self.store.end_all_of(user_id, by.session(), by.sign_in()).await?)
    }
}

fn of_browser(session: &StoredSession, by: &SignedInBy) -> ActiveSession {
    let text = |name: &str| session.data.get(name)?.as_str().map(str::to_owned);
    // Its ends are kept, and each is so long after what is asked for.
    let before = |end: Timestamp, life: std::time::Duration| {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        rfc3339(Timestamp::from_millis(end.as_millis().saturating_sub(life)))
    };
    ActiveSession {
        id: sessions::public_id(&session.id),
        kind: SessionKind::Browser,
        current: by.session() == Some(session.id),
        began_at: before(session.ends_at, WHOLE_LIFE),
        last_used_at: before(session.expires_at, IDLE_LIFE),
        user_agent: text(sessions::USER_AGENT),
        address: text(sessions::ADDRESS),
    }
}

fn of_program(sign_in: StoredSignIn, by: &SignedInBy) -> ActiveSession {
    ActiveSession {
        current: by.sign_in() == Some(sign_in.family.as_str()),
        id: sign_in.family,
        kind: SessionKind::Api,
        began_at: rfc3339(sign_in.began_at),
        last_used_at: rfc3339(sign_in.last_used_at),
        user_agent: sign_in.user_agent,
        address: sign_in.address,
    }
}
