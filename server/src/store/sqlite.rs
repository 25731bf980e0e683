//! The embedded store: one SQLite file, one writer thread, a few readers.

mod analyses;
mod convert;
mod error;
mod file;
mod keys;
mod notifications;
mod pool_state;
mod readers;
mod sessions;
mod settings;
mod usage;
mod users;
mod writer;

use std::path::Path;

use app::types::{Analysis, AnalysisPage, Role};
use async_trait::async_trait;
use pool::Timestamp;
use serde_json::Value;

use super::{
    Cursor, Delivery, Digest, DueDelivery, EnvironmentKey, KeyChange, LinkUse, NewStoredKey, NotificationPage, Result,
    Rotation, Store, StoredAnalysis, StoredKey, StoredNotification, StoredRefreshToken, StoredSession, StoredUser,
    Successor, UsageCount, UsageEvent,
};
use crate::email::Email;
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

    async fn set_role(&self, user_id: &str, role: Role) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| users::set_role(connection, &user_id, role))
            .await
    }

    async fn set_password_hash(&self, user_id: &str, password_hash: String) -> Result<bool> {
        let user_id = user_id.to_owned();
        self.writer
            .run(move |connection| users::set_password_hash(connection, &user_id, &password_hash))
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

    async fn create_session(&self, session: StoredSession) -> Result<()> {
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

    async fn insert_refresh_token(&self, token: StoredRefreshToken) -> Result<()> {
        self.writer
            .run(move |connection| sessions::insert_token(connection, &token))
            .await
    }

    async fn rotate_refresh_token(&self, token: &Digest, successor: Successor, now: Timestamp) -> Result<Rotation> {
        let token = *token;
        self.writer
            .run(move |connection| sessions::rotate_token(connection, &token, successor, now))
            .await
    }

    async fn revoke_refresh_token(&self, token: &Digest) -> Result<bool> {
        let token = *token;
        self.writer
            .run(move |connection| sessions::revoke_token(connection, &token))
            .await
    }

    async fn delete_expired(&self, now: Timestamp) -> Result<u64> {
        self.writer
            .run(move |connection| sessions::delete_expired(connection, now))
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
            .run(move |connection| analyses::delete(connection, &user_id, &id))
            .await
    }

    async fn append_usage(&self, events: Vec<UsageEvent>) -> Result<()> {
        self.writer
            .run(move |connection| usage::append(connection, &events))
            .await
    }

    async fn usage_counts(&self, since: Timestamp) -> Result<Vec<UsageCount>> {
        self.readers
            .run(move |connection| usage::counts(connection, since))
            .await
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
}

#[cfg(test)]
mod tests;
