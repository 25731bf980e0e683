use app::types::KeyOrigin;
use mongodb::bson::{Document, doc};
use pool::Tier;

use super::access::Access;
use super::error::{Result, conflict};
use super::row::{Row, at, bytes, whole};
use super::schema::{COUNTERS, KEY_NUMBERS, KEYS};
use crate::store::{self, EnvironmentKey, KeyChange, NewStoredKey, StoreError, StoredKey};

pub(super) async fn all(db: &mut Access) -> Result<Vec<StoredKey>> {
    let rows = db.find(KEYS, doc! {}, doc! { "number": 1 }, 0).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

/// In a transaction.
pub(super) async fn next_id(db: &mut Access) -> Result<u64> {
    let count = doc! { "$inc": { "value": 1_i64 } };
    let counted = db.changed_or_made(COUNTERS, doc! { "_id": "key_id" }, count).await?;
    let lost = || StoreError::Unavailable("a number was not given out".to_owned());
    Ok(counted.ok_or_else(lost)?.whole("value")?)
}

/// In a transaction: a number that is not used is not taken.
pub(super) async fn insert(db: &mut Access, new: &NewStoredKey) -> Result<StoredKey> {
    let number = take_number(db, None).await?;
    let label = if new.label.is_empty() {
        format!("Key {number}")
    } else {
        new.label.clone()
    };
    let wanted = new.wanted.clone();
    let key = StoredKey {
        id: new.id,
        number,
        label,
        origin: KeyOrigin::Console,
        fingerprint: new.fingerprint,
        sealed: new.sealed.clone(),
        project: wanted.project.flatten(),
        account: wanted.account.flatten(),
        tier: wanted.tier.unwrap_or(Tier::Free),
        priority: wanted.priority.unwrap_or(0),
        weight: wanted.weight.unwrap_or(1),
        tags: wanted.tags.unwrap_or_default(),
        enabled: wanted.enabled.unwrap_or(true),
        created_at: new.created_at,
    };
    write_new(db, &key).await?;
    Ok(key)
}

/// In a transaction.
pub(super) async fn adopt(db: &mut Access, wanted: &EnvironmentKey) -> Result<StoredKey> {
    let filter = doc! { "fingerprint": bytes(&wanted.fingerprint) };
    if let Some(known) = db.find_one(KEYS, filter).await? {
        let known = read(&known)?;
        if known.origin == KeyOrigin::Console || known.label == wanted.label {
            return Ok(known);
        }
        let change = KeyChange {
            label: Some(wanted.label.clone()),
            ..KeyChange::default()
        };
        return update(db, known.id, &change).await;
    }
    let key = StoredKey {
        id: next_id(db).await?,
        number: take_number(db, Some(wanted.preferred_number)).await?,
        label: wanted.label.clone(),
        origin: KeyOrigin::Environment,
        fingerprint: wanted.fingerprint,
        sealed: Vec::new(),
        project: None,
        account: None,
        tier: Tier::Free,
        priority: 0,
        weight: 1,
        tags: Vec::new(),
        enabled: true,
        created_at: wanted.now,
    };
    write_new(db, &key).await?;
    Ok(key)
}

pub(super) async fn update(db: &mut Access, id: u64, change: &KeyChange) -> Result<StoredKey> {
    let filter = doc! { "_id": whole(id) };
    let fields = changed_fields(change);
    let changed = if fields.is_empty() {
        db.find_one(KEYS, filter).await?
    } else {
        db.changed(KEYS, filter, doc! { "$set": fields }).await?
    };
    let changed = changed.ok_or(StoreError::NotFound { what: "This key" })?;
    Ok(read(&changed)?)
}

fn changed_fields(change: &KeyChange) -> Document {
    let mut fields = Document::new();
    if let Some(label) = &change.label {
        fields.insert("label", label);
    }
    if let Some(project) = &change.project {
        fields.insert("project", project);
    }
    if let Some(account) = &change.account {
        fields.insert("account", account);
    }
    if let Some(tier) = change.tier {
        fields.insert("tier", tier_word(tier));
    }
    if let Some(priority) = change.priority {
        fields.insert("priority", i64::from(priority));
    }
    if let Some(weight) = change.weight {
        fields.insert("weight", i64::from(weight));
    }
    if let Some(tags) = &change.tags {
        fields.insert("tags", tags);
    }
    if let Some(enabled) = change.enabled {
        fields.insert("enabled", enabled);
    }
    if let Some(sealed) = &change.sealed {
        fields.insert("sealed", bytes(sealed));
        fields.insert("origin", origin_word(KeyOrigin::Console));
    }
    fields
}

/// In a transaction.
pub(super) async fn delete(db: &mut Access, id: u64) -> Result<bool> {
    db.delete(KEYS, doc! { "_id": whole(id) }).await
}

/// The preferred number unless a key ever had it, else the one after the highest ever. Two that take the same one at once
/// meet there, and one of them tries again.
async fn take_number(db: &mut Access, preferred: Option<u32>) -> Result<u32> {
    let mut number = preferred.filter(|number| *number > 0);
    if let Some(preferred) = number
        && db
            .find_one(KEY_NUMBERS, doc! { "_id": i64::from(preferred) })
            .await?
            .is_some()
    {
        number = None;
    }
    let number = match number {
        Some(free) => free,
        None => {
            let last = db.find(KEY_NUMBERS, doc! {}, doc! { "_id": -1 }, 1).await?;
            let last: Option<u32> = last.first().map(|row| row.number("_id")).transpose()?;
            last.unwrap_or(0).saturating_add(1)
        }
    };
    let document = doc! { "_id": i64::from(number) };
    db.insert(KEY_NUMBERS, document)
        .await
        .map_err(conflict("This key's number"))?;
    Ok(number)
}

async fn write_new(db: &mut Access, key: &StoredKey) -> Result<()> {
    let document = doc! {
        "_id": whole(key.id),
        "number": i64::from(key.number),
        "label": &key.label,
        "origin": origin_word(key.origin),
        "fingerprint": bytes(&key.fingerprint),
        "sealed": bytes(&key.sealed),
        "project": &key.project,
        "account": &key.account,
        "tier": tier_word(key.tier),
        "priority": i64::from(key.priority),
        "weight": i64::from(key.weight),
        "tags": &key.tags,
        "enabled": key.enabled,
        "created_at": at(key.created_at),
    };
    db.insert(KEYS, document).await.map_err(conflict("This key"))
}

fn read(row: &Row) -> store::Result<StoredKey> {
    Ok(StoredKey {
        id: row.whole("_id")?,
        number: row.number("number")?,
        label: row.text("label")?,
        origin: row.word("origin", &[KeyOrigin::Environment, KeyOrigin::Console], origin_word)?,
        fingerprint: row.digest("fingerprint")?,
        sealed: row.bytes("sealed")?,
        project: row.maybe_text("project")?,
        account: row.maybe_text("account")?,
        tier: row.word("tier", &[Tier::Free, Tier::Paid], tier_word)?,
        priority: row.number("priority")?,
        weight: row.number("weight")?,
        tags: row.texts("tags")?,
        enabled: row.flag("enabled")?,
        created_at: row.at("created_at")?,
    })
}

fn origin_word(origin: KeyOrigin) -> &'static str {
    match origin {
        KeyOrigin::Environment => "environment",
        KeyOrigin::Console => "console",
    }
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Free => "free",
        Tier::Paid => "paid",
    }
}
