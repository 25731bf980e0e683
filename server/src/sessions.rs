//! Browser sessions over the store: 30 minutes idle, 12 hours at most, ended on the server.
//!
//! The library dates its records by a clock of its own; here the ends are decided, by ours. Give its layer
//! `Expiry::OnSessionEnd`: then the cookie ends with the browser at the latest.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pool::Timestamp;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use crate::clock::Clock;
use crate::store::{Digest, Store, StoreError, StoredSession};

/// Under this name a session holds the id of the user signed in: with it a changed password ends the user's sessions.
pub const USER_ID: &str = "user_id";
/// Under these a session holds what the request that signed in told of itself.
pub const USER_AGENT: &str = "user_agent";
pub const ADDRESS: &str = "address";
/// Under this one holds who still owes the code of a second factor.
pub const PENDING: &str = "pending_user";
/// The user's `credentials` that were checked: a session under others is not kept.
pub const CREDENTIALS: &str = "credentials";
pub const IDLE_LIFE: Duration = Duration::from_secs(30 * 60);
pub const WHOLE_LIFE: Duration = Duration::from_secs(12 * 3600);
const PUBLIC_ID_PURPOSE: &str = "keypool/1 name of a session";
const PUBLIC_ID_BYTES: usize = 16;
/// A use moves the idle end at most this often: not every request should cost a write.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// New ids tried when one is taken. One in 2^128 is; more than a few are a broken source of randomness.
const IDS_MAX: u32 = 5;

/// The session store for `tower_sessions::SessionManagerLayer`.
#[derive(Clone)]
pub struct Sessions {
    store: Arc<dyn Store>,
    clock: Clock,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// The user's credentials that the session is under now; `None` once it was ended.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn credentials_of(&self, id: &Id) -> std::result::Result<Option<u64>, StoreError> {
        let session = self.store.session(&digest(*id)).await?;
        Ok(session.map(|session| session.credentials))
    }

    /// Whose session it is, without using it: a page left open must not keep its session alive.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_of(&self, id: &Id) -> std::result::Result<Option<String>, StoreError> {
        let now = self.clock.now();
        let session = self.store.session(&digest(*id)).await?;
        Ok(session
            .filter(|session| session.expires_at.min(session.ends_at) > now)
            .and_then(|session| session.user_id))
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let now = self.clock.now();
        for _ in 0..IDS_MAX {
            let session = stored(record, now, now.plus(WHOLE_LIFE))?;
            match self.store.create_session(session).await {
                Err(StoreError::Conflict { .. }) => record.id = Id::default(),
                Ok(false) => {
                    tracing::info!("an account changed while somebody signed in to it: the session was not begun");
                    return Ok(());
                }
                other => return other.map(|_| ()).map_err(backend),
            }
        }
        Err(Error::Backend("no free session id".to_owned()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let now = self.clock.now();
        let is_kept = self
            .store
            .save_session(stored(record, now, now.plus(WHOLE_LIFE))?)
            .await
            .map_err(backend)?;
        if !is_kept {
            tracing::debug!("a session was ended while a request of it was under way");
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let now = self.clock.now();
        let Some(session) = self.store.session(&digest(*id)).await.map_err(backend)? else {
            return Ok(None);
        };
        let end = session.expires_at.min(session.ends_at);
        if end <= now {
            return Ok(None);
        }
        let record = Record {
            id: *id,
            data: from_json(&session.data)?,
            expiry_date: date(end)?,
        };
        let idle_end = now.plus(IDLE_LIFE);
        if idle_end.since(session.expires_at) >= TOUCH_EVERY {
            let touched = self.store.save_session(StoredSession {
                expires_at: idle_end,
                ..session
            });
            // A store that cannot be written to just now is no reason to refuse what can be read.
            if let Err(error) = touched.await {
                tracing::warn!(%error, "that a session was used could not be noted");
            }
        }
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.store.delete_session(&digest(*id)).await.map_err(backend)
    }
}

fn stored(record: &Record, now: Timestamp, ends_at: Timestamp) -> Result<StoredSession> {
    let user_id = record
        .data
        .get(USER_ID)
        .and_then(|value| value.as_str())
        .map(str::to_owned);
    let credentials = record.data.get(CREDENTIALS).and_then(serde_json::Value::as_u64);
    let data = serde_json::to_value(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    Ok(StoredSession {
        id: digest(record.id),
        user_id,
        data,
        expires_at: now.plus(IDLE_LIFE),
        ends_at,
        credentials: credentials.unwrap_or(0),
    })
}

/// The id is the cookie's value, a credential: a stolen copy of the store must not open sessions.
pub fn digest(id: Id) -> Digest {
    Sha256::digest(id.0.to_le_bytes()).into()
}

/// What a session is called where its owner sees it: stable, and good for nothing but naming it.
pub fn public_id(digest: &Digest) -> String {
    let public = Sha256::new()
        .chain_update(PUBLIC_ID_PURPOSE)
        .chain_update(digest)
        .finalize();
    public
        .iter()
        .take(PUBLIC_ID_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn from_json<T: serde::de::DeserializeOwned>(data: &serde_json::Value) -> Result<T> {
    T::deserialize(data).map_err(|_| Error::Decode("the stored session is not as it was written".to_owned()))
}

fn date(at: Timestamp) -> Result<OffsetDateTime> {
    let seconds = i64::try_from(at.as_millis() / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| Error::Decode("the session ends beyond all dates".to_owned()))
}

fn backend(error: StoreError) -> Error {
    Error::Backend(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;
    use serde_json::json;
    use tempfile::TempDir;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn sessions() -> (TempDir, Sessions, Clock) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Arc::new(SqliteStore::open(&dir.path().join("keypool.db")).expect("a store"));
        let clock = Clock::by_hand(START);
        (dir, Sessions::new(store, clock.clone()), clock)
    }

    fn record() -> Record {
        let data = [
            (USER_ID.to_owned(), json!("ada")),
            ("theme".to_owned(), json!({"dark": true})),
        ]
        .into();
        Record {
            id: Id::default(),
            data,
            expiry_date: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn a_session_comes_back_with_its_data() {
        let (_dir, sessions, _clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        let loaded = sessions.load(&made.id).await.expect("read").expect("found");
        assert_eq!((loaded.id, loaded.data), (made.id, made.data.clone()));
        made.data.remove("theme");
        sessions.save(&made).await.expect("saved");
        assert_eq!(
            sessions.load(&made.id).await.expect("read").expect("found").data,
            made.data
        );
        assert!(sessions.load(&Id::default()).await.expect("read").is_none());
    }

    #[tokio::test]
    async fn an_id_that_is_taken_is_replaced() {
        let (_dir, sessions, _clock) = sessions();
        let (mut first, mut second) = (record(), record());
        sessions.create(&mut first).await.expect("created");
        second.id = first.id;
        sessions.create(&mut second).await.expect("created");
        assert_ne!(first.id, second.id);
    }

    #[tokio::test]
    async fn use_keeps_a_session_alive_and_half_an_hour_without_ends_it() {
        let (_dir, sessions, clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        for _ in 0..4 {
            clock.advance(Duration::from_secs(29 * 60));
            sessions.load(&made.id).await.expect("read").expect("in use");
        }
        clock.advance(IDLE_LIFE);
        assert!(sessions.load(&made.id).await.expect("read").is_none());
    }

    #[tokio::test]
    async fn asking_whose_session_it_is_does_not_keep_it_alive() {
        let (_dir, sessions, clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        clock.advance(Duration::from_secs(29 * 60));
        let user = sessions.user_of(&made.id).await.expect("read");
        assert_eq!(user.as_deref(), Some("ada"));
        clock.advance(Duration::from_secs(60));
        assert_eq!(sessions.user_of(&made.id).await.expect("read"), None);
        assert_eq!(sessions.user_of(&Id::default()).await.expect("read"), None);
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_written_to_does_not_sign_people_out() {
        let (dir, sessions, clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        let file = rusqlite::Connection::open(dir.path().join("keypool.db")).expect("opened");
        file.execute_batch("CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'full'); END")
            .expect("made");
        clock.advance(Duration::from_secs(10 * 60));
        sessions.save(&made).await.expect_err("nothing can be written");
        let loaded = sessions.load(&made.id).await.expect("read").expect("found");
        assert_eq!(loaded.data, made.data);
    }

    #[tokio::test]
    async fn twelve_hours_end_a_session_however_much_it_is_used() {
        let (_dir, sessions, clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        for _ in 0..35 {
            clock.advance(Duration::from_secs(20 * 60));
            sessions.load(&made.id).await.expect("read").expect("in use");
            sessions.save(&made).await.expect("saved");
        }
        clock.advance(Duration::from_secs(20 * 60));
        assert!(sessions.load(&made.id).await.expect("read").is_none());
    }

    #[tokio::test]
    async fn an_ended_session_does_not_come_back_with_a_late_save() {
        let (_dir, sessions, _clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        sessions.delete(&made.id).await.expect("deleted");
        sessions.save(&made).await.expect("no error");
        assert!(sessions.load(&made.id).await.expect("read").is_none());
    }

    #[tokio::test]
    async fn a_changed_role_ends_the_users_sessions() {
        let (_dir, sessions, _clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        sessions
            .store
            .set_role("ada", app::types::Role::Admin)
            .await
            .expect("changed");
        assert!(sessions.load(&made.id).await.expect("read").is_none());
    }

    #[tokio::test]
    async fn the_store_does_not_hold_the_cookies_value() {
        let (dir, sessions, _clock) = sessions();
        let mut made = record();
        sessions.create(&mut made).await.expect("created");
        sessions.store.close().await.expect("closed");
        let bytes = std::fs::read(dir.path().join("keypool.db")).expect("read");
        let (id, text) = (made.id.0.to_le_bytes(), made.id.to_string());
        assert!(!bytes.windows(16).any(|window| window == id));
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()));
        assert!(
            bytes.windows(5).any(|window| window == b"theme"),
            "the data was looked at"
        );
    }
}
