//! The embedded store: one SQLite file, one writer thread, a few readers.

mod analyses;
mod api_tokens;
mod audit;
mod backup;
mod convert;
mod error;
mod file;
mod idempotency;
mod incidents;
mod keys;
mod like;
mod links;
mod notifications;
mod offline;
mod pool_state;
mod readers;
mod second_factors;
mod secrets;
mod sessions;
mod settings;
mod sign_ins;
mod usage;
mod users;
mod writer;

use std::path::Path;

use app::types::{Analysis, AnalysisPage, Role};
use async_trait::async_trait;
use pool::Timestamp;
use rusqlite::Connection;
use serde_json::Value;

use super::{
    AuditEntry, AuditFilter, AuditHead, Begun, Cursor, Delivery, Digest, DueDelivery, EnvironmentKey, EventBounds,
    EventFilter, EventPage, IncidentChange, IncidentNews, IncidentPage, KeyChange, Level, LinkKind, LinkUse,
    NewStoredKey, NotificationPage, Order, Result, Rollup, RollupQuery, Rotation, SealedValue, Store, StoredAnalysis,
    StoredApiToken, StoredIdempotency, StoredIncident, StoredKey, StoredLink, StoredNotification, StoredRefreshToken,
    StoredSecondFactor, StoredSession, StoredSignIn, StoredUser, Successor, UsageEvent, UserChange,
};
use crate::email::Email;
pub use offline::{Access, Held, check_whole, end_access, hold, lock_path, settle};
use readers::Readers;
use writer::Writer;

/// What a write was acknowledged for survives `kill -9` and a power cut.
///
/// Dropping the store blocks until everything accepted is written; `Store::close` waits without blocking the thread.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
}

impl SqliteStore {
    /// Opens the file, making it and its folder when they are new. Blocks: for use at start.
    ///
    /// # Errors
    /// `InUse` when another instance has it; `SchemaTooNew`; `Corrupt` when it is damaged, not ours, or was lost (a
    /// store that was in use before is never replaced by an empty one); `Unavailable` when the file system fails.
    pub fn open(path: &Path) -> Result<Self> {
        let (connection, lock) = file::open_checked(path)?;
        let writer = Writer::start(path.to_owned(), connection, lock)?;
        Ok(Self {
            writer,
            readers: Readers::new(path.to_owned()),
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn engine(&self) -> String {
        format!("SQLite {}", rusqlite::version())
    }

    async fn ready(&self) -> Result<()> {
        self.writer.run(|_| Ok(())).await?;
        self.schema_version().await.map(|_| ())
    }

    async fn schema_version(&self) -> Result<u32> {
        self.readers.run(file::schema_version).await
    }

    async fn close(&self) -> Result<()> {
        self.readers.close();
        self.writer.close().await;
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        self.readers.run(keys::all).await
    }

    async fn next_key_id(&self) -> Result<u64> {
        self.writer.run(keys::next_id).await
    }

    async fn insert_key(&self, key: NewStoredKey) -> Result<StoredKey> {
        self.writer.run(move |connection| keys::insert(connection, key)).await
    }

    async fn adopt_environment_key(&self, key: EnvironmentKey) -> Result<StoredKey> {
        self.writer.run(move |connection| keys::adopt(connection, key)).await
    }

    async fn update_key(&self, id: u64, change: KeyChange) -> Result<StoredKey> {
        self.writer
            .run(move |connection| keys::update(connection, id, change))
            .await
    }

    async fn delete_key(&self, id: u64) -> Result<bool> {
        self.writer.run(move |connection| keys::delete(connection, id)).await
    }

    async fn save_pool_records(&self, records: Vec<(String, Value)>) -> Result<()> {
        self.writer
            .run(move |connection| pool_state::save(connection, &records))
            .await
    }

    async fn pool_records(&self) -> Result<Vec<(String, Value)>> {
        self.readers.run(pool_state::all).await
    }

    async fn delete_pool_records(&self, names: Vec<String>) -> Result<()> {
        self.writer
            .run(move |connection| pool_state::delete(connection, &names))
            .await
    }

    async fn create_user(&self, user: StoredUser) -> Result<()> {
        self.writer
            .run(move |connection| users::create(connection, &user))
            .await
    }

    async fn user_by_email(&self, email: &Email) -> Result<Option<StoredUser>> {
        let email = email.clone();
        self.readers
            .run(move |connection| users::by_email(connection, &email))
            .await
    }

    async fn user(&self, id: &str) -> Result<Option<StoredUser>> {
        let id = id.to_owned();
        self.readers.run(move |connection| users::by_id(connection, &id)).await
    }

    async fn users(&self) -> Result<Vec<StoredUser>> {
        self.readers.run(users::all).await
    }

    async fn count_users(&self, role: Role) -> Result<u64> {
        self.readers.run(move |connection| users::count(connection, role)).await
    }

    async fn count_active(&self, role: Role) -> Result<u64> {
        self.readers
            .run(move |connection| users::count_active(connection, role))
            .await
    }

    async fn update_user(&self, user_id: &str, change: UserChange) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| users::update(connection, &user_id, &change))
            .await
    }

    async fn set_password_hash(
        &self,
        user_id: &str,
        password_hash: String,
        except_session: Option<Digest>,
    ) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| {
                users::set_password_hash(connection, &user_id, &password_hash, except_session.as_ref())
            })
            .await
    }

    async fn replace_password_hash(
        &self,
        user_id: &str,
        credentials: u64,
        password_hash: String,
        except_session: Option<Digest>,
    ) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| {
                Ok(users::are_unchanged(connection, &user_id, credentials)?
                    && users::set_password_hash(connection, &user_id, &password_hash, except_session.as_ref())?)
            })
            .await
    }

    async fn delete_user(&self, user_id: &str) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run_erasing(move |connection| users::delete(connection, &user_id))
            .await
    }

    async fn note_sign_in(&self, user_id: &str, at: Timestamp) -> Result<()> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| users::note_sign_in(connection, &user_id, at))
            .await
    }

    async fn second_factor(&self, user_id: &str) -> Result<Option<StoredSecondFactor>> {
        let user_id = user_id.to_owned();
        self.readers
            .run(move |connection| second_factors::get(connection, &user_id))
            .await
    }

    async fn begin_second_factor(&self, user_id: &str, sealed: Vec<u8>) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| second_factors::begin(connection, &user_id, &sealed))
            .await
    }

    async fn confirm_second_factor(
        &self,
        factor: StoredSecondFactor,
        except_session: Option<Digest>,
        except_sign_in: Option<&str>,
    ) -> Result<bool> {
        let sign_in = except_sign_in.map(str::to_owned);
        self.writer
            .run(move |connection| {
                second_factors::confirm(connection, &factor, except_session.as_ref(), sign_in.as_deref())
            })
            .await
    }

    async fn replace_recovery_codes(&self, user_id: &str, codes: Vec<Digest>) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| second_factors::replace_recovery_codes(connection, &user_id, &codes))
            .await
    }

    async fn delete_second_factor(&self, user_id: &str) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| second_factors::delete(connection, &user_id))
            .await
    }

    async fn use_totp_step(&self, user_id: &str, step: u64) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| second_factors::use_step(connection, &user_id, step))
            .await
    }

    async fn use_recovery_code(&self, user_id: &str, code: &Digest) -> Result<bool> {
        let (user_id, code) = (user_id.to_owned(), *code);
        self.writer
            .run(move |connection| second_factors::use_recovery_code(connection, &user_id, &code))
            .await
    }

    async fn insert_link(&self, link: StoredLink) -> Result<()> {
        self.writer
            .run(move |connection| links::insert(connection, &link))
            .await
    }

    async fn link(&self, token: &Digest) -> Result<Option<StoredLink>> {
        let token = *token;
        self.readers
            .run(move |connection| links::by_token(connection, &token))
            .await
    }

    async fn links(&self, kind: LinkKind) -> Result<Vec<StoredLink>> {
        self.readers.run(move |connection| links::all(connection, kind)).await
    }

    async fn delete_link(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.writer.run(move |connection| links::delete(connection, &id)).await
    }

    async fn create_invited_user(&self, token: &Digest, user: StoredUser, now: Timestamp) -> Result<LinkUse> {
        let token = *token;
        self.writer
            .run(move |connection| links::create_invited_user(connection, &token, &user, now))
            .await
    }

    async fn set_password_by_link(
        &self,
        token: &Digest,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let token = *token;
        self.writer
            .run(move |connection| links::set_password(connection, &token, &password_hash, now))
            .await
    }

    async fn insert_set_up_link(&self, token: Digest, expires_at: Timestamp) -> Result<()> {
        self.writer
            .run(move |connection| users::insert_link(connection, &token, expires_at))
            .await
    }

    async fn set_up_link_is_good(&self, token: &Digest, now: Timestamp) -> Result<bool> {
        let token = *token;
        self.readers
            .run(move |connection| users::link_state(connection, &token, now).map(|state| state == LinkUse::Created))
            .await
    }

    async fn create_first_admin(&self, token: &Digest, user: StoredUser, now: Timestamp) -> Result<LinkUse> {
        let token = *token;
        self.writer
            .run(move |connection| users::create_first_admin(connection, &token, &user, now))
            .await
    }

    async fn create_session(&self, session: StoredSession) -> Result<bool> {
        self.writer
            .run(move |connection| sessions::create(connection, &session))
            .await
    }

    async fn save_session(&self, session: StoredSession) -> Result<bool> {
        self.writer
            .run(move |connection| sessions::save(connection, &session))
            .await
    }

    async fn session(&self, id: &Digest) -> Result<Option<StoredSession>> {
        let id = *id;
        self.readers
            .run(move |connection| sessions::by_id(connection, &id))
            .await
    }

    async fn delete_session(&self, id: &Digest) -> Result<()> {
        let id = *id;
        self.writer
            .run(move |connection| sessions::delete(connection, &id))
            .await
    }

    async fn sessions_of(&self, user_id: &str, now: Timestamp) -> Result<Vec<StoredSession>> {
        let user_id = user_id.to_owned();
        self.readers
            .run(move |connection| sessions::of_user(connection, &user_id, now))
            .await
    }

    async fn insert_refresh_token(
        &self,
        token: StoredRefreshToken,
        sign_in: StoredSignIn,
        credentials: u64,
    ) -> Result<bool> {
        self.writer
            .run(move |connection| sign_ins::begin(connection, &token, &sign_in, credentials))
            .await
    }

    async fn rotate_refresh_token(&self, token: &Digest, successor: Successor, now: Timestamp) -> Result<Rotation> {
        let token = *token;
        self.writer
            .run(move |connection| sign_ins::rotate(connection, &token, successor, now))
            .await
    }

    async fn revoke_refresh_token(&self, token: &Digest) -> Result<bool> {
        let token = *token;
        self.writer
            .run(move |connection| sign_ins::revoke_token(connection, &token))
            .await
    }

    async fn sign_in(&self, family: &str) -> Result<Option<StoredSignIn>> {
        let family = family.to_owned();
        self.readers
            .run(move |connection| sign_ins::get(connection, &family))
            .await
    }

    async fn sign_ins_of(&self, user_id: &str, now: Timestamp) -> Result<Vec<StoredSignIn>> {
        let user_id = user_id.to_owned();
        self.readers
            .run(move |connection| sign_ins::of_user(connection, &user_id, now))
            .await
    }

    async fn end_sign_in(&self, user_id: &str, family: &str) -> Result<bool> {
        let (user_id, family) = (user_id.to_owned(), family.to_owned());
        self.writer
            .run(move |connection| sign_ins::end(connection, &user_id, &family))
            .await
    }

    async fn end_all_of(
        &self,
        user_id: &str,
        except_session: Option<Digest>,
        except_sign_in: Option<&str>,
    ) -> Result<u64> {
        let (user_id, sign_in) = (user_id.to_owned(), except_sign_in.map(str::to_owned));
        self.writer
            .run(move |connection| sessions::end_all(connection, &user_id, except_session.as_ref(), sign_in.as_deref()))
            .await
    }

    async fn delete_expired(&self, now: Timestamp) -> Result<u64> {
        self.writer
            .run(move |connection| sessions::delete_expired(connection, now))
            .await
    }

    async fn insert_api_token(&self, token: StoredApiToken) -> Result<()> {
        self.writer
            .run(move |connection| api_tokens::insert(connection, &token))
            .await
    }

    async fn api_tokens_of(&self, user_id: &str) -> Result<Vec<StoredApiToken>> {
        let user_id = user_id.to_owned();
        self.readers
            .run(move |connection| api_tokens::of_user(connection, &user_id))
            .await
    }

    async fn api_token_by_hash(&self, hash: &Digest) -> Result<Option<StoredApiToken>> {
        let hash = *hash;
        self.readers
            .run(move |connection| api_tokens::by_hash(connection, &hash))
            .await
    }

    async fn delete_api_token(&self, user_id: &str, id: &str) -> Result<bool> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.writer
            .run(move |connection| api_tokens::delete(connection, &user_id, &id))
            .await
    }

    async fn delete_api_tokens_of(&self, user_id: &str) -> Result<u64> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| api_tokens::delete_of_user(connection, &user_id))
            .await
    }

    async fn note_api_token_use(&self, id: &str, at: Timestamp) -> Result<()> {
        let id = id.to_owned();
        self.writer
            .run(move |connection| api_tokens::note_use(connection, &id, at))
            .await
    }

    async fn insert_analysis(&self, analysis: StoredAnalysis) -> Result<()> {
        self.writer
            .run(move |connection| analyses::insert(connection, &analysis))
            .await
    }

    async fn analyses(&self, user_id: &str, cursor: Option<&Cursor>, limit: u32) -> Result<AnalysisPage> {
        let (user_id, cursor) = (user_id.to_owned(), cursor.cloned());
        self.readers
            .run(move |connection| analyses::page(connection, &user_id, cursor.as_ref(), limit))
            .await
    }

    async fn analysis(&self, user_id: &str, id: &str) -> Result<Option<Analysis>> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.readers
            .run(move |connection| analyses::get(connection, &user_id, &id))
            .await
    }

    async fn delete_analysis(&self, user_id: &str, id: &str) -> Result<bool> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.writer
            .run_erasing(move |connection| analyses::delete(connection, &user_id, &id))
            .await
    }

    async fn delete_analyses_of(&self, user_id: &str) -> Result<u64> {
        let user_id = user_id.to_owned();
        self.writer
            .run_erasing(move |connection| analyses::delete_of_user(connection, &user_id))
            .await
    }

    async fn delete_analyses_before(&self, before: Timestamp) -> Result<u64> {
        self.writer
            .run_erasing(move |connection| analyses::delete_before(connection, before))
            .await
    }

    async fn begin_idempotent(&self, request: StoredIdempotency) -> Result<Begun> {
        self.writer
            .run(move |connection| idempotency::begin(connection, &request))
            .await
    }

    async fn finish_idempotent(
        &self,
        caller: &str,
        key: &str,
        analysis_id: Option<String>,
        response: Option<Value>,
    ) -> Result<()> {
        let (caller, key) = (caller.to_owned(), key.to_owned());
        self.writer
            .run(move |connection| {
                idempotency::finish(connection, &caller, &key, analysis_id.as_deref(), response.as_ref())
            })
            .await
    }

    async fn abandon_idempotent(&self, caller: &str, key: &str) -> Result<()> {
        let (caller, key) = (caller.to_owned(), key.to_owned());
        self.writer
            .run(move |connection| idempotency::abandon(connection, &caller, &key))
            .await
    }

    async fn abandon_all_idempotent(&self) -> Result<u64> {
        self.writer.run(idempotency::abandon_all).await
    }

    async fn append_usage(&self, events: Vec<UsageEvent>) -> Result<()> {
        self.writer
            .run(move |connection| usage::append(connection, &events))
            .await
    }

    async fn usage_rollups(&self, query: RollupQuery) -> Result<Vec<Rollup>> {
        self.readers
            .run(move |connection| usage::query(connection, &query))
            .await
    }

    async fn usage_events(
        &self,
        filter: EventFilter,
        order: Order,
        cursor: Option<Cursor>,
        bounds: EventBounds,
    ) -> Result<EventPage> {
        self.readers
            .run(move |connection| usage::list(connection, &filter, order, cursor.as_ref(), bounds))
            .await
    }

    async fn prune_usage(&self, events_before: Timestamp, now: Timestamp) -> Result<u64> {
        let mut pruned = 0;
        loop {
            let piece = move |connection: &Connection| usage::prune_events(connection, events_before);
            let count = self.writer.run(piece).await?;
            pruned += count as u64;
            if count < usage::PRUNED_AT_ONCE {
                break;
            }
        }
        self.writer
            .run(move |connection| usage::prune_callers(connection, events_before))
            .await?;
        for level in Level::ALL {
            let Some(kept) = level.kept() else { continue };
            let before = now.minus(kept);
            let prefixes = self
                .readers
                .run(move |connection| usage::rollup_prefixes(connection, level))
                .await?;
            for prefix in prefixes {
                let piece = move |connection: &Connection| usage::prune_rollups(connection, level, prefix, before);
                while self.writer.run(piece).await? == usage::PRUNED_AT_ONCE {}
            }
        }
        Ok(pruned)
    }

    async fn settings(&self) -> Result<Vec<(String, Value)>> {
        self.readers.run(settings::all).await
    }

    async fn save_settings(&self, changes: Vec<(String, Option<Value>)>) -> Result<()> {
        self.writer
            .run(move |connection| settings::save(connection, &changes))
            .await
    }

    async fn insert_notification(&self, notification: StoredNotification, channels: Vec<String>) -> Result<()> {
        self.writer
            .run(move |connection| notifications::insert(connection, &notification, &channels))
            .await
    }

    async fn due_deliveries(&self, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<DueDelivery>> {
        let channel = channel.to_owned();
        self.readers
            .run(move |connection| notifications::due(connection, &channel, now, limit))
            .await
    }

    async fn next_delivery_at(&self, channel: &str) -> Result<Option<Timestamp>> {
        let channel = channel.to_owned();
        self.readers
            .run(move |connection| notifications::next_due(connection, &channel))
            .await
    }

    async fn save_delivery(&self, delivery: Delivery) -> Result<bool> {
        self.writer
            .run(move |connection| notifications::save(connection, &delivery))
            .await
    }

    async fn notifications(&self, cursor: Option<&Cursor>, limit: u32) -> Result<NotificationPage> {
        let cursor = cursor.cloned();
        self.readers
            .run(move |connection| notifications::page(connection, cursor.as_ref(), limit))
            .await
    }

    async fn delete_notifications(&self, before: Timestamp) -> Result<u64> {
        self.writer
            .run(move |connection| notifications::delete_before(connection, before))
            .await
    }

    async fn audit_head(&self) -> Result<Option<AuditHead>> {
        self.readers.run(audit::head).await
    }

    async fn append_audit(&self, entry: AuditEntry, seal: Digest) -> Result<()> {
        self.writer
            .run(move |connection| audit::append(connection, &entry, &seal))
            .await
    }

    async fn audit_page(&self, filter: AuditFilter, before_seq: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>> {
        self.readers
            .run(move |connection| audit::page(connection, &filter, before_seq, limit))
            .await
    }

    async fn audit_from(&self, seq: u64, limit: u32) -> Result<Vec<AuditEntry>> {
        self.readers
            .run(move |connection| audit::from(connection, seq, limit))
            .await
    }

    async fn sealed_values(&self) -> Result<Vec<SealedValue>> {
        self.readers.run(secrets::all).await
    }

    async fn replace_sealed(&self, record: &str, field: &str, old: Vec<u8>, new: Vec<u8>) -> Result<bool> {
        let (record, field) = (record.to_owned(), field.to_owned());
        self.writer
            .run(move |connection| secrets::replace(connection, &record, &field, &old, &new))
            .await
    }

    async fn server_secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let name = name.to_owned();
        self.readers
            .run(move |connection| secrets::of_server(connection, &name))
            .await
    }

    async fn insert_server_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>> {
        let name = name.to_owned();
        self.writer
            .run(move |connection| secrets::insert_of_server(connection, &name, sealed))
            .await
    }

    async fn backup(&self, path: &Path) -> Result<()> {
        let path = path.to_owned();
        self.readers
            .run(move |connection| backup::write(connection, &path))
            .await
    }

    async fn insert_incident(&self, incident: StoredIncident) -> Result<bool> {
        self.writer
            .run(move |connection| incidents::insert(connection, &incident))
            .await
    }

    async fn update_incident(&self, id: &str, change: IncidentChange) -> Result<bool> {
        let id = id.to_owned();
        self.writer
            .run(move |connection| incidents::update(connection, &id, &change))
            .await
    }

    async fn note_incident_told(&self, id: &str, news: IncidentNews) -> Result<bool> {
        let id = id.to_owned();
        self.writer
            .run(move |connection| incidents::note_told(connection, &id, news))
            .await
    }

    async fn current_incidents(&self) -> Result<Vec<StoredIncident>> {
        self.readers.run(incidents::current).await
    }

    async fn incidents(&self, cursor: Option<&Cursor>, limit: u32) -> Result<IncidentPage> {
        let cursor = cursor.cloned();
        self.readers
            .run(move |connection| incidents::page(connection, cursor.as_ref(), limit))
            .await
    }

    async fn delete_incidents(&self, resolved_before: Timestamp) -> Result<u64> {
        self.writer
            .run(move |connection| incidents::delete_before(connection, resolved_before))
            .await
    }
}

#[cfg(test)]
mod tests;
