//! The store in MongoDB: a replica set, of one server at least, for what must not tear is a transaction.

mod access;
mod analyses;
mod api_tokens;
mod audit;
mod connecting;
mod error;
mod idempotency;
mod incidents;
mod keys;
mod lease;
mod links;
mod named;
mod notifications;
mod place;
mod row;
mod runner;
mod schema;
mod second_factors;
mod secrets;
mod sessions;
mod sign_ins;
mod usage;
mod users;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use app::types::{Analysis, AnalysisPage, Role};
use async_trait::async_trait;
use futures::FutureExt as _;
use mongodb::Database;
use mongodb::bson::doc;
use pool::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{
    AuditEntry, AuditFilter, AuditHead, Begun, Cursor, Delivery, Digest, DueDelivery, EnvironmentKey, EventBounds,
    EventFilter, EventPage, IncidentChange, IncidentNews, IncidentPage, KeyChange, LinkKind, LinkUse, MongoAddress,
    NewStoredKey, NotificationPage, Order, Result, Rollup, RollupQuery, Rotation, SealedValue, Store, StoreError,
    StoredAnalysis, StoredApiToken, StoredIdempotency, StoredIncident, StoredKey, StoredLink, StoredNotification,
    StoredRefreshToken, StoredSecondFactor, StoredSession, StoredSignIn, StoredUser, Successor, UsageEvent, UserChange,
};
use crate::email::Email;
use access::Access;
use lease::Lease;
use place::Place;
use runner::Runner;
use sessions::Except;

/// Whoever asks for readiness waits no longer than this.
const READY_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long closing waits until the lease is given back.
const LEASE_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a write was acknowledged for is on the disks of a majority.
pub struct MongoStore {
    runner: Runner,
    /// One at a time adds to rollups: two would write to the same ones, and one of them in vain.
    appending: Semaphore,
    version: String,
    /// Ends the lease, which `keeping` then gives back.
    stop: CancellationToken,
    keeping: TaskTracker,
    /// Held until the end, so that no other process takes our folder for that of one that has died.
    place: Mutex<Option<Place>>,
}

impl MongoStore {
    /// Opens the database and makes what is not there yet. `data_dir` must exist; a lock and the database's id are kept in it.
    ///
    /// # Errors
    /// `InUse` when another instance has it; `Unfit` when the server has no transactions; `SchemaTooNew`; `Corrupt` when the
    /// database is another program's, or was lost (one that was in use before is never replaced by an empty one);
    /// `Unavailable` when no server is found.
    pub async fn open(address: &MongoAddress, data_dir: &Path) -> Result<Self> {
        let place = Place::take(data_dir)?;
        let address = address.clone();
        // The driver must not be dropped half way.
        let opening = TaskTracker::new().spawn(async move { open(&address, place).await });
        opening.await.map_err(|_| broken_off())?
    }

    /// Whether there is anything of ours in the database. Makes nothing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn has_data(address: &MongoAddress) -> Result<bool> {
        let address = address.clone();
        let looking = TaskTracker::new().spawn(async move {
            let database = connecting::connect(&address).await?;
            let found = schema::find(&mut outside(&database)).await?;
            Ok::<_, error::Fault>(found.is_some())
        });
        Ok(looking.await.map_err(|_| broken_off())??)
    }
}

async fn open(address: &MongoAddress, mut place: Place) -> Result<MongoStore> {
    let database = connecting::connect(address).await?;
    let version = connecting::check_server(&database).await?;
    let mut access = outside(&database);
    let found = schema::find(&mut access).await?;
    match &found {
        Some(found) => found.check()?,
        None if place.knows_a_database() => return Err(lost(address, &place)),
        None => schema::refuse_strange(&database).await?,
    }
    let (lease, ours_until) = Lease::take(&mut access, &place.id).await?;
    if found.is_some_and(|found| found.has_old_rollups()) {
        usage::roll_up_anew(&mut access).await?;
    }
    // Says the new version, so whatever was broken off before is begun again.
    let made = schema::make(&mut access).await?;
    made.check()?;
    place.remember(&made.id)?;
    let (runner, stop, keeping) = (Runner::new(database), CancellationToken::new(), TaskTracker::new());
    runner.gate().open_until(ours_until);
    keeping.spawn(lease.keep(access, stop.clone(), runner.gate()));
    keeping.close();
    Ok(MongoStore {
        runner,
        appending: Semaphore::new(1),
        version,
        stop,
        keeping,
        place: Mutex::new(Some(place)),
    })
}

fn outside(database: &Database) -> Access {
    Access {
        database: database.clone(),
        session: None,
    }
}

fn broken_off() -> StoreError {
    StoreError::Unavailable("opening it was broken off".to_owned())
}

fn lost(address: &MongoAddress, place: &Place) -> StoreError {
    StoreError::Corrupt(format!(
        "nothing of Keypool is in the database {}, but this DATA_DIR was in use with one before: check the database in MONGO_URI, or \
         restore a dump with mongorestore; to begin anew, remove {}",
        address.database(),
        place.path()
    ))
}

impl Drop for MongoStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Store for MongoStore {
    fn engine(&self) -> String {
        format!("MongoDB {}", self.version)
    }

    async fn ready(&self) -> Result<()> {
        let ping = self.runner.run_within(READY_WAIT_MAX, (), |db, ()| {
            async move {
                // Asks the primary, whichever that is now.
                db.database.run_command(doc! { "ping": 1 }).await?;
                Ok(())
            }
            .boxed()
        });
        ping.await
    }

    async fn schema_version(&self) -> Result<u32> {
        self.runner.run((), |db, ()| schema::version(db).boxed()).await
    }

    async fn close(&self) -> Result<()> {
        self.runner.close().await;
        self.stop.cancel();
        if timeout(LEASE_WAIT_MAX, self.keeping.wait()).await.is_err() {
            tracing::debug!("the lease is left to run out");
        }
        // Only now may another process open the database from here.
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.runner.client().clone().shutdown().immediate(true).await;
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<StoredKey>> {
        self.runner.run((), |db, ()| keys::all(db).boxed()).await
    }

    async fn next_key_id(&self) -> Result<u64> {
        self.runner.transact((), |db, ()| keys::next_id(db).boxed()).await
    }

    async fn insert_key(&self, key: NewStoredKey) -> Result<StoredKey> {
        self.runner.transact(key, |db, key| keys::insert(db, key).boxed()).await
    }

    async fn adopt_environment_key(&self, key: EnvironmentKey) -> Result<StoredKey> {
        self.runner.transact(key, |db, key| keys::adopt(db, key).boxed()).await
    }

    async fn update_key(&self, id: u64, change: KeyChange) -> Result<StoredKey> {
        self.runner
            .run((id, change), |db, (id, change)| keys::update(db, *id, change).boxed())
            .await
    }

    async fn delete_key(&self, id: u64) -> Result<bool> {
        self.runner.transact(id, |db, id| keys::delete(db, *id).boxed()).await
    }

    async fn save_pool_records(&self, records: Vec<(String, Value)>) -> Result<()> {
        self.runner
            .transact(records, |db, records| {
                named::save(
                    db,
                    schema::POOL_RECORDS,
                    records.iter().map(|(name, value)| (name, Some(value))),
                )
                .boxed()
            })
            .await
    }

    async fn pool_records(&self) -> Result<Vec<(String, Value)>> {
        self.runner
            .run((), |db, ()| named::all(db, schema::POOL_RECORDS).boxed())
            .await
    }

    async fn delete_pool_records(&self, names: Vec<String>) -> Result<()> {
        self.runner
            .run(names, |db, names| {
                named::delete(db, schema::POOL_RECORDS, names.iter()).boxed()
            })
            .await
    }

    async fn create_user(&self, user: StoredUser) -> Result<()> {
        self.runner
            .transact(user, |db, user| users::create(db, user).boxed())
            .await
    }

    async fn user_by_email(&self, email: &Email) -> Result<Option<StoredUser>> {
        self.runner
            .run(email.clone(), |db, email| users::by_email(db, email).boxed())
            .await
    }

    async fn user(&self, id: &str) -> Result<Option<StoredUser>> {
        self.runner
            .run(id.to_owned(), |db, id| users::by_id(db, id).boxed())
            .await
    }

    async fn users(&self) -> Result<Vec<StoredUser>> {
        self.runner.run((), |db, ()| users::all(db).boxed()).await
    }

    async fn count_users(&self, role: Role) -> Result<u64> {
        self.runner.run(role, |db, role| users::count(db, *role).boxed()).await
    }

    async fn count_active(&self, role: Role) -> Result<u64> {
        self.runner
            .run(role, |db, role| users::count_active(db, *role).boxed())
            .await
    }

    async fn update_user(&self, user_id: &str, change: UserChange) -> Result<bool> {
        self.runner
            .transact((user_id.to_owned(), change), |db, (id, change)| {
                users::update(db, id, change).boxed()
            })
            .await
    }

    async fn set_password_hash(
        &self,
        user_id: &str,
        password_hash: String,
        except_session: Option<Digest>,
    ) -> Result<bool> {
        self.runner
            .transact(
                (user_id.to_owned(), password_hash, except_session),
                |db, (id, hash, except)| users::set_password_hash(db, id, hash, except.as_ref()).boxed(),
            )
            .await
    }

    async fn replace_password_hash(
        &self,
        user_id: &str,
        credentials: u64,
        password_hash: String,
        except_session: Option<Digest>,
    ) -> Result<bool> {
        self.runner
            .transact(
                (user_id.to_owned(), credentials, password_hash, except_session),
                |db, (id, credentials, hash, except)| {
                    async move {
                        Ok(users::are_unchanged(db, id, *credentials).await?
                            && users::set_password_hash(db, id, hash, except.as_ref()).await?)
                    }
                    .boxed()
                },
            )
            .await
    }

    async fn delete_user(&self, user_id: &str) -> Result<bool> {
        let id = user_id.to_owned();
        let forgetting = self
            .runner
            .run_long(id.clone(), |db, id| users::forget_history(db, id).boxed());
        forgetting.await?;
        // Usage that is being stored must not find the account and lose it.
        let closed = |_| StoreError::Unavailable("the store is closed".to_owned());
        let _turn = self.appending.acquire().await.map_err(closed)?;
        self.runner.transact(id, |db, id| users::delete(db, id).boxed()).await
    }

    async fn note_sign_in(&self, user_id: &str, at: Timestamp) -> Result<()> {
        self.runner
            .run((user_id.to_owned(), at), |db, (id, at)| {
                users::note_sign_in(db, id, *at).boxed()
            })
            .await
    }

    async fn second_factor(&self, user_id: &str) -> Result<Option<StoredSecondFactor>> {
        self.runner
            .run(user_id.to_owned(), |db, id| second_factors::get(db, id).boxed())
            .await
    }

    async fn begin_second_factor(&self, user_id: &str, sealed: Vec<u8>) -> Result<bool> {
        self.runner
            .transact((user_id.to_owned(), sealed), |db, (id, sealed)| {
                second_factors::begin(db, id, sealed).boxed()
            })
            .await
    }

    async fn confirm_second_factor(
        &self,
        factor: StoredSecondFactor,
        except_session: Option<Digest>,
        except_sign_in: Option<&str>,
    ) -> Result<bool> {
        self.runner
            .transact(
                (factor, Spared::new(except_session, except_sign_in)),
                |db, (factor, spared)| second_factors::confirm(db, factor, spared.except()).boxed(),
            )
            .await
    }

    async fn replace_recovery_codes(&self, user_id: &str, codes: Vec<Digest>) -> Result<bool> {
        self.runner
            .run((user_id.to_owned(), codes), |db, (id, codes)| {
                second_factors::replace_recovery_codes(db, id, codes).boxed()
            })
            .await
    }

    async fn delete_second_factor(&self, user_id: &str) -> Result<bool> {
        self.runner
            .transact(user_id.to_owned(), |db, id| second_factors::delete(db, id).boxed())
            .await
    }

    async fn use_totp_step(&self, user_id: &str, step: u64) -> Result<bool> {
        self.runner
            .transact((user_id.to_owned(), step), |db, (id, step)| {
                second_factors::use_step(db, id, *step).boxed()
            })
            .await
    }

    async fn use_recovery_code(&self, user_id: &str, code: &Digest) -> Result<bool> {
        self.runner
            .transact((user_id.to_owned(), *code), |db, (id, code)| {
                second_factors::use_recovery_code(db, id, code).boxed()
            })
            .await
    }

    async fn insert_link(&self, link: StoredLink) -> Result<()> {
        self.runner
            .transact(link, |db, link| links::insert(db, link).boxed())
            .await
    }

    async fn link(&self, token: &Digest) -> Result<Option<StoredLink>> {
        self.runner
            .run(*token, |db, token| links::by_token(db, token).boxed())
            .await
    }

    async fn links(&self, kind: LinkKind) -> Result<Vec<StoredLink>> {
        self.runner.run(kind, |db, kind| links::all(db, *kind).boxed()).await
    }

    async fn delete_link(&self, id: &str) -> Result<bool> {
        self.runner
            .transact(id.to_owned(), |db, id| links::delete(db, id).boxed())
            .await
    }

    async fn create_invited_user(&self, token: &Digest, user: StoredUser, now: Timestamp) -> Result<LinkUse> {
        self.runner
            .transact((*token, user, now), |db, (token, user, now)| {
                links::create_invited_user(db, token, user, *now).boxed()
            })
            .await
    }

    async fn set_password_by_link(
        &self,
        token: &Digest,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Option<String>> {
        self.runner
            .transact((*token, password_hash, now), |db, (token, hash, now)| {
                links::set_password(db, token, hash, *now).boxed()
            })
            .await
    }

    async fn insert_set_up_link(&self, token: Digest, expires_at: Timestamp) -> Result<()> {
        self.runner
            .transact((token, expires_at), |db, (token, at)| {
                users::insert_link(db, token, *at).boxed()
            })
            .await
    }

    async fn set_up_link_is_good(&self, token: &Digest, now: Timestamp) -> Result<bool> {
        self.runner
            .run((*token, now), |db, (token, now)| {
                async move {
                    let state = users::link_state(db, token, *now).await?;
                    Ok(state == LinkUse::Created)
                }
                .boxed()
            })
            .await
    }

    async fn create_first_admin(&self, token: &Digest, user: StoredUser, now: Timestamp) -> Result<LinkUse> {
        self.runner
            .transact((*token, user, now), |db, (token, user, now)| {
                users::create_first_admin(db, token, user, *now).boxed()
            })
            .await
    }

    async fn create_session(&self, session: StoredSession) -> Result<bool> {
        self.runner
            .transact(session, |db, session| sessions::create(db, session).boxed())
            .await
    }

    async fn save_session(&self, session: StoredSession) -> Result<bool> {
        let using = self
            .runner
            .run(session.clone(), |db, session| sessions::save_used(db, session).boxed());
        if using.await? {
            return Ok(true);
        }
        self.runner
            .transact(session, |db, session| sessions::save(db, session).boxed())
            .await
    }

    async fn session(&self, id: &Digest) -> Result<Option<StoredSession>> {
        self.runner.run(*id, |db, id| sessions::by_id(db, id).boxed()).await
    }

    async fn delete_session(&self, id: &Digest) -> Result<()> {
        self.runner.run(*id, |db, id| sessions::delete(db, id).boxed()).await
    }

    async fn sessions_of(&self, user_id: &str, now: Timestamp) -> Result<Vec<StoredSession>> {
        self.runner
            .run((user_id.to_owned(), now), |db, (id, now)| {
                sessions::of_user(db, id, *now).boxed()
            })
            .await
    }

    async fn insert_refresh_token(
        &self,
        token: StoredRefreshToken,
        sign_in: StoredSignIn,
        credentials: u64,
    ) -> Result<bool> {
        self.runner
            .transact((token, sign_in, credentials), |db, (token, sign_in, credentials)| {
                sign_ins::begin(db, token, sign_in, *credentials).boxed()
            })
            .await
    }

    async fn rotate_refresh_token(&self, token: &Digest, successor: Successor, now: Timestamp) -> Result<Rotation> {
        self.runner
            .transact((*token, successor, now), |db, (token, successor, now)| {
                sign_ins::rotate(db, token, *successor, *now).boxed()
            })
            .await
    }

    async fn revoke_refresh_token(&self, token: &Digest) -> Result<bool> {
        self.runner
            .transact(*token, |db, token| sign_ins::revoke_token(db, token).boxed())
            .await
    }

    async fn sign_in(&self, family: &str) -> Result<Option<StoredSignIn>> {
        self.runner
            .run(family.to_owned(), |db, family| sign_ins::get(db, family).boxed())
            .await
    }

    async fn sign_ins_of(&self, user_id: &str, now: Timestamp) -> Result<Vec<StoredSignIn>> {
        self.runner
            .run((user_id.to_owned(), now), |db, (id, now)| {
                sign_ins::of_user(db, id, *now).boxed()
            })
            .await
    }

    async fn end_sign_in(&self, user_id: &str, family: &str) -> Result<bool> {
        self.runner
            .transact((user_id.to_owned(), family.to_owned()), |db, (id, family)| {
                sign_ins::end(db, id, family).boxed()
            })
            .await
    }

    async fn end_all_of(
        &self,
        user_id: &str,
        except_session: Option<Digest>,
        except_sign_in: Option<&str>,
    ) -> Result<u64> {
        self.runner
            .transact(
                (user_id.to_owned(), Spared::new(except_session, except_sign_in)),
                |db, (id, spared)| sessions::end_all(db, id, spared.except()).boxed(),
            )
            .await
    }

    async fn delete_expired(&self, now: Timestamp) -> Result<u64> {
        self.runner
            .run_long(now, |db, now| sessions::delete_expired(db, *now).boxed())
            .await
    }

    async fn insert_api_token(&self, token: StoredApiToken) -> Result<()> {
        self.runner
            .transact(token, |db, token| api_tokens::insert(db, token).boxed())
            .await
    }

    async fn api_tokens_of(&self, user_id: &str) -> Result<Vec<StoredApiToken>> {
        self.runner
            .run(user_id.to_owned(), |db, id| api_tokens::of_user(db, id).boxed())
            .await
    }

    async fn api_token_by_hash(&self, hash: &Digest) -> Result<Option<StoredApiToken>> {
        self.runner
            .run(*hash, |db, hash| api_tokens::by_hash(db, hash).boxed())
            .await
    }

    async fn delete_api_token(&self, user_id: &str, id: &str) -> Result<bool> {
        self.runner
            .transact((user_id.to_owned(), id.to_owned()), |db, (user_id, id)| {
                api_tokens::delete(db, user_id, id).boxed()
            })
            .await
    }

    async fn delete_api_tokens_of(&self, user_id: &str) -> Result<u64> {
        self.runner
            .transact(user_id.to_owned(), |db, id| api_tokens::delete_of_user(db, id).boxed())
            .await
    }

    async fn note_api_token_use(&self, id: &str, at: Timestamp) -> Result<()> {
        self.runner
            .run((id.to_owned(), at), |db, (id, at)| {
                api_tokens::note_use(db, id, *at).boxed()
            })
            .await
    }

    async fn insert_analysis(&self, analysis: StoredAnalysis) -> Result<()> {
        self.runner
            .transact(analysis, |db, analysis| analyses::insert(db, analysis).boxed())
            .await
    }

    async fn analyses(&self, user_id: &str, cursor: Option<&Cursor>, limit: u32) -> Result<AnalysisPage> {
        self.runner
            .run(
                (user_id.to_owned(), cursor.cloned(), limit),
                |db, (id, cursor, limit)| analyses::page(db, id, cursor.as_ref(), *limit).boxed(),
            )
            .await
    }

    async fn analysis(&self, user_id: &str, id: &str) -> Result<Option<Analysis>> {
        self.runner
            .run((user_id.to_owned(), id.to_owned()), |db, (user_id, id)| {
                analyses::get(db, user_id, id).boxed()
            })
            .await
    }

    async fn delete_analysis(&self, user_id: &str, id: &str) -> Result<bool> {
        self.runner
            .transact((user_id.to_owned(), id.to_owned()), |db, (user_id, id)| {
                analyses::delete(db, user_id, id).boxed()
            })
            .await
    }

    async fn delete_analyses_of(&self, user_id: &str) -> Result<u64> {
        self.runner
            .run_long(user_id.to_owned(), |db, id| analyses::delete_of_user(db, id).boxed())
            .await
    }

    async fn delete_analyses_before(&self, before: Timestamp) -> Result<u64> {
        self.runner
            .run_long(before, |db, before| analyses::delete_before(db, *before).boxed())
            .await
    }

    async fn begin_idempotent(&self, request: StoredIdempotency) -> Result<Begun> {
        self.runner
            .transact(request, |db, request| idempotency::begin(db, request).boxed())
            .await
    }

    async fn finish_idempotent(
        &self,
        caller: &str,
        key: &str,
        analysis_id: Option<String>,
        response: Option<Value>,
    ) -> Result<()> {
        self.runner
            .run(
                (caller.to_owned(), key.to_owned(), analysis_id, response),
                |db, (caller, key, analysis_id, response)| {
                    idempotency::finish(db, caller, key, analysis_id.as_deref(), response.as_ref()).boxed()
                },
            )
            .await
    }

    async fn abandon_idempotent(&self, caller: &str, key: &str) -> Result<()> {
        self.runner
            .run((caller.to_owned(), key.to_owned()), |db, (caller, key)| {
                idempotency::abandon(db, caller, key).boxed()
            })
            .await
    }

    async fn abandon_all_idempotent(&self) -> Result<u64> {
        self.runner
            .run_long((), |db, ()| idempotency::abandon_all(db).boxed())
            .await
    }

    async fn append_usage(&self, events: Vec<UsageEvent>) -> Result<()> {
        let closed = |_| StoreError::Unavailable("the store is closed".to_owned());
        let _turn = self.appending.acquire().await.map_err(closed)?;
        self.runner
            .transact(events, |db, events| usage::append(db, events).boxed())
            .await
    }

    async fn usage_rollups(&self, query: RollupQuery) -> Result<Vec<Rollup>> {
        self.runner
            .run_long(query, |db, query| usage::query(db, query).boxed())
            .await
    }

    async fn usage_events(
        &self,
        filter: EventFilter,
        order: Order,
        cursor: Option<Cursor>,
        bounds: EventBounds,
    ) -> Result<EventPage> {
        self.runner
            .run_long((filter, cursor), move |db, (filter, cursor)| {
                usage::list(db, filter, order, cursor.as_ref(), bounds).boxed()
            })
            .await
    }

    async fn prune_usage(&self, events_before: Timestamp, now: Timestamp) -> Result<u64> {
        let mut pruned = 0;
        loop {
            let piece = self
                .runner
                .run_long(events_before, |db, before| usage::prune_events(db, *before).boxed());
            let count = piece.await?;
            pruned += count;
            if count < usage::PRUNED_AT_ONCE as u64 {
                break;
            }
        }
        let cuts = (events_before, now);
        self.runner
            .run_long(cuts, |db, cuts| usage::prune_sums(db, cuts.0, cuts.1).boxed())
            .await?;
        Ok(pruned)
    }

    async fn settings(&self) -> Result<Vec<(String, Value)>> {
        self.runner
            .run((), |db, ()| named::all(db, schema::SETTINGS).boxed())
            .await
    }

    async fn save_settings(&self, changes: Vec<(String, Option<Value>)>) -> Result<()> {
        self.runner
            .transact(changes, |db, changes| {
                named::save(
                    db,
                    schema::SETTINGS,
                    changes.iter().map(|(name, value)| (name, value.as_ref())),
                )
                .boxed()
            })
            .await
    }

    async fn insert_notification(&self, notification: StoredNotification, channels: Vec<String>) -> Result<()> {
        self.runner
            .transact((notification, channels), |db, (notification, channels)| {
                notifications::insert(db, notification, channels).boxed()
            })
            .await
    }

    async fn due_deliveries(&self, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<DueDelivery>> {
        self.runner
            .run((channel.to_owned(), now, limit), |db, (channel, now, limit)| {
                notifications::due(db, channel, *now, *limit).boxed()
            })
            .await
    }

    async fn next_delivery_at(&self, channel: &str) -> Result<Option<Timestamp>> {
        self.runner
            .run(channel.to_owned(), |db, channel| {
                notifications::next_due(db, channel).boxed()
            })
            .await
    }

    async fn save_delivery(&self, delivery: Delivery) -> Result<bool> {
        self.runner
            .run(delivery, |db, delivery| notifications::save(db, delivery).boxed())
            .await
    }

    async fn notifications(&self, cursor: Option<&Cursor>, limit: u32) -> Result<NotificationPage> {
        self.runner
            .run((cursor.cloned(), limit), |db, (cursor, limit)| {
                notifications::page(db, cursor.as_ref(), *limit).boxed()
            })
            .await
    }

    async fn delete_notifications(&self, before: Timestamp) -> Result<u64> {
        self.runner
            .run_long(before, |db, before| notifications::delete_before(db, *before).boxed())
            .await
    }

    async fn insert_incident(&self, incident: StoredIncident) -> Result<bool> {
        self.runner
            .run(incident, |db, incident| incidents::insert(db, incident).boxed())
            .await
    }

    async fn update_incident(&self, id: &str, change: IncidentChange) -> Result<bool> {
        self.runner
            .run((id.to_owned(), change), |db, (id, change)| {
                incidents::update(db, id, change).boxed()
            })
            .await
    }

    async fn note_incident_told(&self, id: &str, news: IncidentNews) -> Result<bool> {
        self.runner
            .run((id.to_owned(), news), |db, (id, news)| {
                incidents::note_told(db, id, *news).boxed()
            })
            .await
    }

    async fn current_incidents(&self) -> Result<Vec<StoredIncident>> {
        self.runner.run((), |db, ()| incidents::current(db).boxed()).await
    }

    async fn incidents(&self, cursor: Option<&Cursor>, limit: u32) -> Result<IncidentPage> {
        self.runner
            .run((cursor.cloned(), limit), |db, (cursor, limit)| {
                incidents::page(db, cursor.as_ref(), *limit).boxed()
            })
            .await
    }

    async fn delete_incidents(&self, resolved_before: Timestamp) -> Result<u64> {
        self.runner
            .run_long(resolved_before, |db, before| {
                incidents::delete_before(db, *before).boxed()
            })
            .await
    }

    async fn audit_head(&self) -> Result<Option<AuditHead>> {
        self.runner.run((), |db, ()| audit::head(db).boxed()).await
    }

    async fn append_audit(&self, entry: AuditEntry, seal: Digest) -> Result<()> {
        self.runner
            .transact((entry, seal), |db, (entry, seal)| {
                audit::append(db, entry, seal).boxed()
            })
            .await
    }

    async fn audit_page(&self, filter: AuditFilter, before_seq: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>> {
        self.runner
            .run((filter, before_seq, limit), |db, (filter, before, limit)| {
                audit::page(db, filter, *before, *limit).boxed()
            })
            .await
    }

    async fn audit_from(&self, seq: u64, limit: u32) -> Result<Vec<AuditEntry>> {
        self.runner
            .run((seq, limit), |db, (seq, limit)| audit::from(db, *seq, *limit).boxed())
            .await
    }

    async fn sealed_values(&self) -> Result<Vec<SealedValue>> {
        self.runner.run((), |db, ()| secrets::all(db).boxed()).await
    }

    async fn replace_sealed(&self, record: &str, field: &str, old: Vec<u8>, new: Vec<u8>) -> Result<bool> {
        self.runner
            .transact(
                (record.to_owned(), field.to_owned(), old, new),
                |db, (record, field, old, new)| secrets::replace(db, record, field, old, new).boxed(),
            )
            .await
    }

    async fn server_secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.runner
            .run(name.to_owned(), |db, name| secrets::of_server(db, name).boxed())
            .await
    }

    async fn insert_server_secret(&self, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>> {
        self.runner
            .transact((name.to_owned(), sealed), |db, (name, sealed)| {
                secrets::insert_of_server(db, name, sealed).boxed()
            })
            .await
    }

    async fn backup(&self, _path: &Path) -> Result<()> {
        Err(StoreError::Unfit(NO_BACKUP.to_owned()))
    }
}

const NO_BACKUP: &str = "Keypool makes no backup of a MongoDB database, whose own tools also restore to a point in time: use \
                         `mongodump --oplog` and `mongorestore --oplogReplay`, or snapshots of its disks, and keep master.key (or \
                         KEYPOOL_MASTER_KEY) in another place, without which no stored secret opens";

/// What is spared where everything of a user ends.
struct Spared {
    session: Option<Digest>,
    sign_in: Option<String>,
}

impl Spared {
    fn new(session: Option<Digest>, sign_in: Option<&str>) -> Self {
        Self {
            session,
            sign_in: sign_in.map(str::to_owned),
        }
    }

    fn except(&self) -> Except<'_> {
        Except {
            session: self.session.as_ref(),
            sign_in: self.sign_in.as_deref(),
        }
    }
}
