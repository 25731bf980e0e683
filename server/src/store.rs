//! Port to what outlives the process: keys (sealed), pool state, accounts, sessions, analyses, usage events,
//! settings made at run time, notifications, the audit log.
//!
//! The port is neutral: everything here can be kept in SQLite as well as in MongoDB. What must not tear (a refresh
//! token's rotation, the first admin with its link) is one method, so that an adapter can make it one transaction.
//! Time is always an argument. Every method may fail with [`StoreError::Unavailable`]; other errors are named where
//! they occur.

mod accounts;
mod alerts;
mod audit;
mod history;
mod idempotency;
pub mod mongo;
mod mongo_address;
mod notifications;
mod records;
mod sealed;
pub mod sqlite;
mod usage;

use std::path::Path;

use app::error::{AppError, ErrorCode};
use app::types::{Analysis, AnalysisPage, Role};
use async_trait::async_trait;
use pool::Timestamp;

pub use accounts::{LinkKind, OPERATOR, StoredApiToken, StoredLink, StoredSecondFactor, StoredSignIn, UserChange};
pub use alerts::{Acknowledgement, AlertSeverity, IncidentChange, IncidentNews, IncidentPage, StoredIncident};
pub use audit::{AuditEntry, AuditFilter, AuditHead};
pub use history::Cursor;
pub use idempotency::{Begun, StoredIdempotency};
pub use mongo_address::MongoAddress;
pub use notifications::{
    Delivery, DeliveryState, DueDelivery, NotificationPage, NotificationRecord, Severity, StoredNotification,
};
pub use records::{
    Digest, EnvironmentKey, EventKey, EventKind, KeyChange, LinkUse, NewStoredKey, Rotation, StoredAnalysis, StoredKey,
    StoredRefreshToken, StoredSession, StoredUser, Successor, UsageEvent, Word,
};
pub use sealed::SealedValue;
pub use usage::{
    Added, Dimensions, EventBounds, EventFilter, EventPage, Grain, Level, Order, Piece, Rollup, RollupQuery, Slot,
    Slots, Sum, Sums, roll_up,
};

use crate::email::Email;

pub type Result<T> = std::result::Result<T, StoreError>;

/// Why the store did not do it. Texts hold no stored values, so they may be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("{what} does not exist")]
    NotFound { what: &'static str },
    #[error("{what} is taken already")]
    Conflict { what: &'static str },
    /// Try later: nothing is wrong with the request. After a failed commit it may have been kept all the same, which is
    /// why what is written has an id of its own.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Never repaired silently and never replaced by an empty store.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    #[error(
        "the store has schema {found}, this version of Keypool knows up to {known}: start the newer version, or restore a backup made before the upgrade"
    )]
    SchemaTooNew { found: u32, known: u32 },
    #[error(
        "another Keypool is running on {0}: stop it, or give this one its own DATA_DIR (with MONGO_URI its own database too)"
    )]
    InUse(String),
    /// It will not work by waiting; the text says what to do.
    #[error("{0}")]
    Unfit(String),
    /// What was to be written is of a kind that is not stored, now and later.
    #[error("the store does not take this: {0}")]
    Refused(String),
}

#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// With its version, for people.
    fn engine(&self) -> String;

    /// Whether reads and writes work now.
    async fn ready(&self) -> Result<()>;

    async fn schema_version(&self) -> Result<u32>;

    /// Ends the store: what was accepted is written, then further writes are `Unavailable`. Calling it again is
    /// harmless.
    async fn close(&self) -> Result<()>;

    // --- Provider keys ---

    /// In the order of their numbers, environment keys that are no longer set included (their `sealed` is empty).
    async fn keys(&self) -> Result<Vec<StoredKey>>;

    /// The id for a key about to be inserted: the seal of its secret is bound to it. Ids left unused are not given out
    /// again.
    async fn next_key_id(&self) -> Result<u64>;

    /// Adds a key of the console under the next number ever.
    ///
    /// # Errors
    /// `Conflict` when its id or its fingerprint exists.
    async fn insert_key(&self, key: NewStoredKey) -> Result<StoredKey>;

    /// The row of a key set in the environment, found by fingerprint and made when it is new; a key of the console with
    /// the same secret is returned as it is. A new row gets the preferred number unless that was ever used.
    async fn adopt_environment_key(&self, key: EnvironmentKey) -> Result<StoredKey>;

    /// # Errors
    /// `NotFound`.
    async fn update_key(&self, id: u64, change: KeyChange) -> Result<StoredKey>;

    /// False when there was none. The number stays used.
    async fn delete_key(&self, id: u64) -> Result<bool>;

    // --- Pool state ---

    /// Each record replaces the one of the same name.
    async fn save_pool_records(&self, records: Vec<(String, serde_json::Value)>) -> Result<()>;

    /// In the order of their names.
    async fn pool_records(&self) -> Result<Vec<(String, serde_json::Value)>>;

    async fn delete_pool_records(&self, names: Vec<String>) -> Result<()>;

    // --- Accounts ---

    /// # Errors
    /// `Conflict` when the e-mail or the id exists.
    async fn create_user(&self, user: StoredUser) -> Result<()>;

    async fn user_by_email(&self, email: &Email) -> Result<Option<StoredUser>>;

    async fn user(&self, id: &str) -> Result<Option<StoredUser>>;

    /// Oldest first.
    async fn users(&self) -> Result<Vec<StoredUser>>;

    /// Disabled ones too.
    async fn count_users(&self, role: Role) -> Result<u64>;

    /// Those that are not disabled.
    async fn count_active(&self, role: Role) -> Result<u64>;

    /// All of the change or nothing. Another role, and being disabled or enabled, also end the user's sessions and sign-ins,
    /// which carry the old rights. Who is no admin any more, or disabled, loses the links they made; who is disabled also
    /// those that would set their password. False when there is no such user.
    async fn update_user(&self, user_id: &str, change: UserChange) -> Result<bool>;

    /// As [`Store::update_user`].
    async fn set_role(&self, user_id: &str, role: Role) -> Result<bool> {
        let change = UserChange {
            role: Some(role),
            ..UserChange::default()
        };
        self.update_user(user_id, change).await
    }

    /// Also ends the user's sessions but `except_session`, all its sign-ins, and the links that would set its password.
    /// False when there is no such user.
    async fn set_password_hash(
        &self,
        user_id: &str,
        password_hash: String,
        except_session: Option<Digest>,
    ) -> Result<bool>;

    /// As [`Store::set_password_hash`], by somebody who gave the password: false, too, when these `credentials` of the user
    /// have changed since.
    async fn replace_password_hash(
        &self,
        user_id: &str,
        credentials: u64,
        password_hash: String,
        except_session: Option<Digest>,
    ) -> Result<bool>;

    /// As [`Store::update_user`].
    async fn set_user_disabled(&self, user_id: &str, disabled: bool) -> Result<bool> {
        let change = UserChange {
            disabled: Some(disabled),
            ..UserChange::default()
        };
        self.update_user(user_id, change).await
    }

    /// As [`Store::update_user`].
    async fn rename_user(&self, user_id: &str, name: String) -> Result<bool> {
        let change = UserChange {
            name: Some(name),
            ..UserChange::default()
        };
        self.update_user(user_id, change).await
    }

    /// Removes the user with all that is theirs: sessions, sign-ins, API tokens, links for and by them, second factor,
    /// analyses, records of idempotency. Usage events stay for the sums and forget whose they were; the audit log stays
    /// as it is. False when there is no such user.
    async fn delete_user(&self, user_id: &str) -> Result<bool>;

    async fn note_sign_in(&self, user_id: &str, at: Timestamp) -> Result<()>;

    // --- Second factors ---

    async fn second_factor(&self, user_id: &str) -> Result<Option<StoredSecondFactor>>;

    /// Keeps a secret that is still to be confirmed, in the place of another of that kind. False when there is a confirmed
    /// one, which stays.
    async fn begin_second_factor(&self, user_id: &str, sealed: Vec<u8>) -> Result<bool>;

    /// Confirms a second factor with these recovery codes, and ends the user's sessions and sign-ins but the ones named.
    /// False when it was confirmed or replaced meanwhile. The last step stays as it is.
    async fn confirm_second_factor(
        &self,
        factor: StoredSecondFactor,
        except_session: Option<Digest>,
        except_sign_in: Option<&str>,
    ) -> Result<bool>;

    /// Replaces the recovery codes and nothing else. False when there is no confirmed second factor.
    async fn replace_recovery_codes(&self, user_id: &str, codes: Vec<Digest>) -> Result<bool>;

    /// False when there was none.
    async fn delete_second_factor(&self, user_id: &str) -> Result<bool>;

    /// Whether the step is after the last one, which it then is itself: of any number of uses of a code one is true.
    async fn use_totp_step(&self, user_id: &str, step: u64) -> Result<bool>;

    /// Whether it is one of the codes left, of which it then is none.
    async fn use_recovery_code(&self, user_id: &str, code: &Digest) -> Result<bool>;

    // --- Invitations and password links ---

    /// # Errors
    /// `Conflict` when its id or its token exists.
    async fn insert_link(&self, link: StoredLink) -> Result<()>;

    /// Expired ones too until they are removed: the caller compares.
    async fn link(&self, token: &Digest) -> Result<Option<StoredLink>>;

    /// Newest first; expired ones too until they are removed.
    async fn links(&self, kind: LinkKind) -> Result<Vec<StoredLink>>;

    /// False when there was none.
    async fn delete_link(&self, id: &str) -> Result<bool>;

    /// Spends an invitation and creates the user, both or neither. `Unknown` also when its maker may not invite any more.
    ///
    /// # Errors
    /// `Conflict` when the e-mail exists; the invitation is then still good.
    async fn create_invited_user(&self, token: &Digest, user: StoredUser, now: Timestamp) -> Result<LinkUse>;

    /// Spends a password link, does what [`Store::set_password_hash`] does for the user it is of, whose id comes back, and
    /// ends their API tokens. `None` when the link is unknown, used or expired, or its maker may not make links any more.
    async fn set_password_by_link(
        &self,
        token: &Digest,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Option<String>>;

    // --- Set-up links ---

    async fn insert_set_up_link(&self, token: Digest, expires_at: Timestamp) -> Result<()>;

    /// Whether [`Store::create_first_admin`] would accept the link now.
    async fn set_up_link_is_good(&self, token: &Digest, now: Timestamp) -> Result<bool>;

    /// Spends the link and creates the user, both or neither; never when there is an admin already.
    ///
    /// # Errors
    /// `Conflict` when the e-mail exists; the link is then still good.
    async fn create_first_admin(&self, token: &Digest, user: StoredUser, now: Timestamp) -> Result<LinkUse>;

    // --- Browser sessions ---

    /// False when the credentials of its user are not those of the session any more, or the user is disabled: who signed in
    /// gave a password that does not count now.
    ///
    /// # Errors
    /// `Conflict` when the id exists.
    async fn create_session(&self, session: StoredSession) -> Result<bool>;

    /// Replaces everything of the session but `ends_at`, and `credentials` while it is the same user's. False when there is
    /// none: one that was ended must not come back with a request that was under way. False, too, when it becomes a user's
    /// whose credentials have changed.
    async fn save_session(&self, session: StoredSession) -> Result<bool>;

    /// Ended ones too until they are removed: the caller compares.
    async fn session(&self, id: &Digest) -> Result<Option<StoredSession>>;

    async fn delete_session(&self, id: &Digest) -> Result<()>;

    /// Those that have not ended, the one begun last first.
    async fn sessions_of(&self, user_id: &str, now: Timestamp) -> Result<Vec<StoredSession>>;

    // --- Sign-ins of the API ---

    /// Begins a sign-in with its first refresh token, of the same family and user. False when these `credentials` of the
    /// user have changed since they were read, or it is disabled.
    ///
    /// # Errors
    /// `Conflict` when the token or the family exists.
    async fn insert_refresh_token(
        &self,
        token: StoredRefreshToken,
        sign_in: StoredSignIn,
        credentials: u64,
    ) -> Result<bool>;

    /// Spends a token and puts its successor in its place, of the same family and user; the sign-in was used then and
    /// ends with the successor. A token spent before ends the sign-in and revokes the whole family: either its thief or
    /// its owner comes second, and nobody can tell which.
    async fn rotate_refresh_token(&self, token: &Digest, successor: Successor, now: Timestamp) -> Result<Rotation>;

    /// Ends the sign-in the token belongs to and revokes its family (signing out). False when the token is unknown.
    async fn revoke_refresh_token(&self, token: &Digest) -> Result<bool>;

    /// `None` once it was ended; one that has run out is there until it is removed: the caller compares.
    async fn sign_in(&self, family: &str) -> Result<Option<StoredSignIn>>;

    /// Those that have not ended, the one used last first.
    async fn sign_ins_of(&self, user_id: &str, now: Timestamp) -> Result<Vec<StoredSignIn>>;

    /// Ends a sign-in and spends its tokens. False when there was none of this user.
    async fn end_sign_in(&self, user_id: &str, family: &str) -> Result<bool>;

    /// Ends the user's sessions and sign-ins but the ones named; returns how many. The user's `credentials` change, as with
    /// everything that ends them.
    async fn end_all_of(
        &self,
        user_id: &str,
        except_session: Option<Digest>,
        except_sign_in: Option<&str>,
    ) -> Result<u64>;

    /// Removes sessions, sign-ins, refresh tokens, links and records of idempotency that ended by `now`; returns how
    /// many.
    async fn delete_expired(&self, now: Timestamp) -> Result<u64>;

    // --- API tokens ---

    /// # Errors
    /// `Conflict` when its id or its hash exists.
    async fn insert_api_token(&self, token: StoredApiToken) -> Result<()>;

    /// Newest first; expired ones too.
    async fn api_tokens_of(&self, user_id: &str) -> Result<Vec<StoredApiToken>>;

    /// Expired ones too: the caller compares.
    async fn api_token_by_hash(&self, hash: &Digest) -> Result<Option<StoredApiToken>>;

    /// False when there was none of this user.
    async fn delete_api_token(&self, user_id: &str, id: &str) -> Result<bool>;

    /// Ends all of a user; returns how many, expired ones too.
    async fn delete_api_tokens_of(&self, user_id: &str) -> Result<u64>;

    /// The latest use stays when two are noted out of order. One that was deleted stays deleted.
    async fn note_api_token_use(&self, id: &str, at: Timestamp) -> Result<()>;

    // --- Analyses ---

    /// # Errors
    /// `Conflict` when the id exists.
    async fn insert_analysis(&self, analysis: StoredAnalysis) -> Result<()>;

    /// Newest first, at most `limit`, from after `cursor` on.
    async fn analyses(&self, user_id: &str, cursor: Option<&Cursor>, limit: u32) -> Result<AnalysisPage>;

    /// Absent also when it is another user's.
    async fn analysis(&self, user_id: &str, id: &str) -> Result<Option<Analysis>>;

    /// With what idempotency keeps of it. False when there was none of this user.
    async fn delete_analysis(&self, user_id: &str, id: &str) -> Result<bool>;

    /// Erases a user's history, with every answer that idempotency keeps of this user; returns how many analyses.
    async fn delete_analyses_of(&self, user_id: &str) -> Result<u64>;

    /// Removes analyses made before `before`, with what idempotency keeps of them; returns how many.
    async fn delete_analyses_before(&self, before: Timestamp) -> Result<u64>;

    // --- Requests that may be sent again ---

    /// Begins a request under its caller's key, unless one was begun under it and has not expired.
    async fn begin_idempotent(&self, request: StoredIdempotency) -> Result<Begun>;

    /// Keeps what came of a request; one of both must be there. Nothing happens when it is not there any more.
    async fn finish_idempotent(
        &self,
        caller: &str,
        key: &str,
        analysis_id: Option<String>,
        response: Option<serde_json::Value>,
    ) -> Result<()>;

    /// Forgets a request that is not finished: it may be begun again. Nothing happens to a finished one.
    async fn abandon_idempotent(&self, caller: &str, key: &str) -> Result<()>;

    /// As [`Store::abandon_idempotent`] for all of them, those that were under way when the process died; returns how
    /// many.
    async fn abandon_all_idempotent(&self) -> Result<u64>;

    // --- Usage ---

    /// Stores events and adds them to the rollups of their minute, quarter, hour and day. Events whose id is stored already
    /// are left out and not counted again, so that a batch may be sent again after it failed.
    async fn append_usage(&self, events: Vec<UsageEvent>) -> Result<()>;

    /// Rollups added up, in the order of start, key number, model, operation and outcome. There is no row for nothing.
    async fn usage_rollups(&self, query: RollupQuery) -> Result<Vec<Rollup>>;

    /// Events in the order of instant and id, from after `cursor` on.
    async fn usage_events(
        &self,
        filter: EventFilter,
        order: Order,
        cursor: Option<Cursor>,
        bounds: EventBounds,
    ) -> Result<EventPage>;

    /// Removes events before the instant and rollups that ended before what [`Level::kept`] says of their level, in pieces
    /// between which others get their turn. Returns how many events.
    async fn prune_usage(&self, events_before: Timestamp, now: Timestamp) -> Result<u64>;

    // --- Settings ---

    /// What was set while the server ran, and what the server must remember of itself, in the order of the names.
    async fn settings(&self) -> Result<Vec<(String, serde_json::Value)>>;

    /// Replaces the values of the same names, all or none of them; `None` removes one.
    async fn save_settings(&self, changes: Vec<(String, Option<serde_json::Value>)>) -> Result<()>;

    /// As [`Store::save_settings`].
    async fn save_setting(&self, name: String, value: Option<serde_json::Value>) -> Result<()> {
        self.save_settings(vec![(name, value)]).await
    }

    // --- Notifications ---

    /// Adds a notification and, for each channel, a pending delivery that is due at once. One whose id is stored
    /// already is left as it is.
    async fn insert_notification(&self, notification: StoredNotification, channels: Vec<String>) -> Result<()>;

    /// Pending deliveries of a channel whose time has come, at most `limit`, the longest due first.
    async fn due_deliveries(&self, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<DueDelivery>>;

    /// When the channel's next pending delivery is due; `None` when none is pending.
    async fn next_delivery_at(&self, channel: &str) -> Result<Option<Timestamp>>;

    /// Replaces what is known of a delivery. False when there is none: its notification was pruned.
    async fn save_delivery(&self, delivery: Delivery) -> Result<bool>;

    /// With their deliveries, newest first, at most `limit`, from after `cursor` on.
    async fn notifications(&self, cursor: Option<&Cursor>, limit: u32) -> Result<NotificationPage>;

    /// Removes notifications made before `before` with their deliveries; returns how many.
    async fn delete_notifications(&self, before: Timestamp) -> Result<u64>;

    // --- Audit log: entries are added, nothing else ---

    /// `None` while nothing was ever appended.
    async fn audit_head(&self) -> Result<Option<AuditHead>>;

    /// Adds an entry and moves the head to it, both or neither; `seal` is the new head's.
    ///
    /// # Errors
    /// `Conflict` when an entry of this number exists, or the one before it does not.
    async fn append_audit(&self, entry: AuditEntry, seal: Digest) -> Result<()>;

    /// Newest first, at most `limit`, from before `before_seq` on.
    async fn audit_page(&self, filter: AuditFilter, before_seq: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>>;

    /// Oldest first, at most `limit`, from `seq` on.
    async fn audit_from(&self, seq: u64, limit: u32) -> Result<Vec<AuditEntry>>;

    // --- Sealed values ---

    /// Every sealed value there is: secrets of keys, second factors, secrets of the server.
    async fn sealed_values(&self) -> Result<Vec<SealedValue>>;

    /// Puts `new` in the place of `old`. False when the value is not `old` any more, or there is none.
    async fn replace_sealed(&self, record: &str, field: &str, old: Vec<u8>, new: Vec<u8>) -> Result<bool>;

    /// A secret the server made for itself, sealed.
    async fn server_secret(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Keeps a secret of the server unless there is one of this name, and returns the one that is kept.
    async fn insert_server_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>>;

    // --- Backup ---

    /// Writes a consistent copy of everything to a new file that only its owner can read, while others go on writing.
    /// On the disk when it returns; removed again when it fails.
    ///
    /// # Errors
    /// `Unavailable` also when the file exists.
    async fn backup(&self, path: &Path) -> Result<()>;

    // --- Incidents ---

    /// Adds an open incident. False, and nothing is added, when there is an open one of its rule and subject, or one of its
    /// id.
    async fn insert_incident(&self, incident: StoredIncident) -> Result<bool>;

    /// False when there is none of this id that is open.
    async fn update_incident(&self, id: &str, change: IncidentChange) -> Result<bool>;

    /// Nothing is untold of the incident any more. False when something else is by now, or there is no such incident; then
    /// nothing is changed.
    async fn note_incident_told(&self, id: &str, news: IncidentNews) -> Result<bool>;

    /// Those that are open, and those of which something is untold; the one opened first first.
    async fn current_incidents(&self) -> Result<Vec<StoredIncident>>;

    /// All, the one opened last first, at most `limit`, from after `cursor` on.
    async fn incidents(&self, cursor: Option<&Cursor>, limit: u32) -> Result<IncidentPage>;

    /// Removes incidents that were resolved before the instant; returns how many.
    async fn delete_incidents(&self, resolved_before: Timestamp) -> Result<u64>;
}

impl From<StoreError> for AppError {
    /// The last place that knows the cause: it is logged here, callers are told what helps them.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Self::new(ErrorCode::NotFound, format!("{what} does not exist.")),
            StoreError::Conflict { what } => Self::new(ErrorCode::Conflict, format!("{what} is taken already.")),
            StoreError::Unavailable(_) => {
                tracing::error!(%error, "the store did not do what was asked");
                let message = "The data store cannot be reached. Try again in a few seconds.";
                Self {
                    retry_after_seconds: Some(5),
                    ..Self::new(ErrorCode::NoCapacity, message)
                }
            }
            StoreError::Unfit(text) => Self::new(ErrorCode::Conflict, text),
            StoreError::Corrupt(_)
            | StoreError::SchemaTooNew { .. }
            | StoreError::InUse(_)
            | StoreError::Refused(_) => {
                tracing::error!(%error, "the store did not do what was asked");
                Self::internal()
            }
        }
    }
}
