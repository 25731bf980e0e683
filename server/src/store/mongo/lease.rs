//! One Keypool at a time on a database: the pool in memory is the only truth about its keys, and two of them would not know
//! of each other's calls. Whoever works on the database holds a lease, by the database's clock, and renews it.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::options::UpdateModifications;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::error::Result;
use super::runner::Gate;
use super::schema::LEASES;
use crate::store::StoreError;

const SERVER: &str = "server";
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// After a try that failed: nothing goes on before one does not.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Without a word for so long, whoever holds it is taken to be gone.
const STALE_AFTER_MS: i64 = 30_000;
/// Without a renewal for so long, nothing is written until there is one. Less than the above, for what is on its way.
const OURS_FOR: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(super) struct Lease {
    /// Of this process.
    holder: String,
    /// Of its data folder, which one process has at a time.
    place: String,
}

impl Lease {
    /// With it, until when the database is ours unless it is renewed.
    ///
    /// # Errors
    /// `InUse` while another holds it.
    pub(super) async fn take(access: &mut Access, place: &str) -> Result<(Self, Instant)> {
        let asked_at = Instant::now();
        let lease = Self {
            holder: uuid::Uuid::new_v4().to_string(),
            place: place.to_owned(),
        };
        let stale =
            doc! { "_id": SERVER, "$expr": { "$lt": ["$renewed_at", { "$subtract": ["$$NOW", STALE_AFTER_MS] }] } };
        if access.update(LEASES, stale, lease.renewed()).await? {
            return Ok((lease, asked_at + OURS_FOR));
        }
        let ours = doc! { "_id": SERVER, "place": &lease.place };
        match access.changed_or_made(LEASES, ours, lease.renewed()).await {
            Ok(_) => Ok((lease, asked_at + OURS_FOR)),
            // There is one, neither stale nor ours.
            Err(failure) if failure.is_duplicate() => {
                let database = access.database.name();
                Err(StoreError::InUse(format!("the MongoDB database {database}")).into())
            }
            Err(failure) => Err(failure),
        }
    }

    fn renewed(&self) -> UpdateModifications {
        let fields: Document = doc! {
            "holder": { "$literal": &self.holder },
            "place": { "$literal": &self.place },
            "renewed_at": "$$NOW",
        };
        UpdateModifications::Pipeline(vec![doc! { "$set": fields }])
    }

    /// Renews it until `stop`, then gives it back. Keeps the gate open meanwhile; when another has taken the database, the
    /// gate is closed for good.
    pub(super) async fn keep(self, mut access: Access, stop: CancellationToken, gate: Gate) {
        let held = doc! { "_id": SERVER, "holder": &self.holder };
        let mut pause = RENEW_EVERY;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
            pause = RENEW_EVERY;
            let asked_at = Instant::now();
            match access.update(LEASES, held.clone(), self.renewed()).await {
                Ok(true) => gate.open_until(asked_at + OURS_FOR),
                Ok(false) => {
                    tracing::error!("another Keypool has taken the database: this one was away from it for too long");
                    gate.end(StoreError::Unavailable(
                        "another Keypool has taken the database: restart this one when the other has ended".to_owned(),
                    ));
                    return;
                }
                // Whoever wants something of the store is told by itself.
                Err(failure) => {
                    let error = StoreError::from(failure);
                    tracing::debug!(%error, "the lease could not be renewed");
                    pause = RETRY_EVERY;
                }
            }
        }
        if let Err(failure) = access.delete(LEASES, held).await {
            let error = StoreError::from(failure);
            tracing::debug!(%error, "the lease is left to run out");
        }
    }
}
