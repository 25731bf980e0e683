//! Sealed values, wherever they are kept.

use mongodb::bson::{Bson, doc};

use super::access::Access;
use super::error::Result;
use super::row::{bytes, whole};
use super::schema::{KEYS, SECOND_FACTORS, SERVER_SECRETS};
use crate::store::SealedValue;

pub(super) async fn all(db: &mut Access) -> Result<Vec<SealedValue>> {
    let mut values = Vec::new();
    for (collection, kind, field) in [
        (KEYS, "key", "secret"),
        (SECOND_FACTORS, "user", "totp"),
        (SERVER_SECRETS, "server", "secret"),
    ] {
        let rows = db.find(collection, doc! {}, doc! { "_id": 1 }, 0).await?;
        for row in rows {
            let id = if collection == KEYS {
                row.whole("_id")?.to_string()
            } else {
                row.text("_id")?
            };
            let value = SealedValue {
                record: format!("{kind}/{id}"),
                field: field.to_owned(),
                sealed: row.bytes("sealed")?,
            };
            values.push(value);
        }
    }
    // Keys of the environment have nothing sealed.
    values.retain(|value| !value.sealed.is_empty());
    Ok(values)
}

/// In a transaction.
pub(super) async fn replace(db: &mut Access, record: &str, field: &str, old: &[u8], new: &[u8]) -> Result<bool> {
    let (collection, id) = match (record.split_once('/'), field) {
        (Some(("key", id)), "secret") => match id.parse::<u64>() {
            Ok(id) => (KEYS, Bson::from(whole(id))),
            Err(_) => return Ok(false),
        },
        (Some(("user", id)), "totp") => (SECOND_FACTORS, Bson::from(id)),
        (Some(("server", name)), "secret") => (SERVER_SECRETS, Bson::from(name)),
        _ => return Ok(false),
    };
    let is_old = doc! { "_id": id, "sealed": bytes(old) };
    db.update(collection, is_old, doc! { "$set": { "sealed": bytes(new) } })
        .await
}

pub(super) async fn of_server(db: &mut Access, name: &str) -> Result<Option<Vec<u8>>> {
    let found = db.find_one(SERVER_SECRETS, doc! { "_id": name }).await?;
    Ok(found.map(|row| row.bytes("sealed")).transpose()?)
}

/// In a transaction.
pub(super) async fn insert_of_server(db: &mut Access, name: &str, sealed: &[u8]) -> Result<Vec<u8>> {
    if let Some(kept) = of_server(db, name).await? {
        return Ok(kept);
    }
    let document = doc! { "_id": name, "sealed": bytes(sealed) };
    db.insert(SERVER_SECRETS, document).await?;
    Ok(sealed.to_vec())
}
