//! JSON values by name: records of the pool, settings.

use std::collections::BTreeMap;

use mongodb::bson::doc;
use serde_json::Value;

use super::access::Access;
use super::error::Result;
use crate::store;

/// In the order of their names.
pub(super) async fn all(db: &mut Access, collection: &str) -> Result<Vec<(String, Value)>> {
    let rows = db.find(collection, doc! {}, doc! { "_id": 1 }, 0).await?;
    let values = rows.iter().map(|row| Ok((row.text("_id")?, row.json("value")?)));
    Ok(values.collect::<store::Result<_>>()?)
}

/// Each value replaces the one of the same name, `None` removes it; of two of one name the later counts. In a transaction.
pub(super) async fn save(
    db: &mut Access,
    collection: &str,
    changes: impl Iterator<Item = (&String, Option<&Value>)> + Send,
) -> Result<()> {
    let changes: BTreeMap<&String, Option<&Value>> = changes.collect();
    if changes.is_empty() {
        return Ok(());
    }
    // Two round trips, however many there are.
    delete(db, collection, changes.keys().copied()).await?;
    let kept = changes
        .iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)));
    let documents = kept.map(|(name, value)| doc! { "_id": *name, "value": value.to_string() });
    db.insert_many(collection, documents.collect()).await
}

pub(super) async fn delete(
    db: &mut Access,
    collection: &str,
    names: impl Iterator<Item = &String> + Send,
) -> Result<()> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    db.delete_many(collection, doc! { "_id": { "$in": names } })
        .await
        .map(|_| ())
}
