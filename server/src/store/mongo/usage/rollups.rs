//! Rollups: a document each, its id what it counts.

use std::collections::{BTreeMap, HashMap};

use mongodb::bson::{Document, doc};
use pool::Timestamp;

use super::super::access::Access;
use super::super::error::{Result, unreadable};
use super::super::row::{Row, at, bytes, whole};
use super::super::schema::USAGE_ROLLUPS;
use crate::store::{self, Dimensions, Grain, Rollup, RollupQuery, Slot, Slots, Sum, Sums};

/// `by_outcome`: of each outcome by itself, and not of all together.
pub(super) fn grain(grain: Grain, by_outcome: bool) -> &'static str {
    match (grain, by_outcome) {
        (Grain::Total, false) => "total",
        (Grain::Key, false) => "key",
        (Grain::Model, false) => "model",
        (Grain::Full, false) => "full",
        (Grain::Total, true) => "total_outcomes",
        (Grain::Key, true) => "key_outcomes",
        (Grain::Model, true) => "model_outcomes",
        (Grain::Full, true) => "full_outcomes",
    }
}

/// Adds to what is stored, in the transaction that stores the events: a writer that comes between makes it begin anew.
pub(super) async fn add(db: &mut Access, slots: &Slots<'_>) -> Result<()> {
    let ids: Vec<Document> = slots.keys().map(id).collect();
    let mut stored: HashMap<Vec<u8>, Row> = HashMap::with_capacity(ids.len());
    for row in db.find_any(USAGE_ROLLUPS, doc! { "_id": { "$in": &ids } }).await? {
        stored.insert(as_bytes(row.row("_id")?.0)?, row);
    }
    let mut changes = Vec::with_capacity(ids.len());
    for (id, (slot, added)) in ids.into_iter().zip(slots) {
        let mut sum = Sum::default();
        if let Some(row) = stored.get(&as_bytes(id.clone())?) {
            add_row(&mut sum, row, true)?;
        }
        sum.merge(added);
        changes.push((doc! { "_id": id }, document(slot, sum)));
    }
    db.upsert_each(USAGE_ROLLUPS, changes).await
}

fn as_bytes(id: Document) -> Result<Vec<u8>> {
    Ok(mongodb::bson::serialize_to_vec(&id).map_err(|_| unreadable("_id"))?)
}

/// What the grain adds up over, and what is absent, is 0 or empty.
fn id(slot: &Slot<'_>) -> Document {
    doc! {
        "g": grain(slot.grain, slot.outcome.is_some()),
        "l": slot.level.as_str(),
        "k": slot.kind.as_str(),
        "s": at(slot.start),
        "n": slot.key.map_or(0, |(_, number)| i64::from(number)),
        "m": slot.model.unwrap_or_default(),
        "o": slot.operation.unwrap_or_default(),
        "u": slot.outcome.unwrap_or_default(),
        "e": slot.error_type.unwrap_or_default(),
    }
}

fn document(slot: &Slot<'_>, sum: Sum) -> Document {
    let mut document = doc! {
        "key_id": slot.key.map(|(id, _)| whole(id)),
        "first_at": at(sum.first_at),
        "last_at": at(sum.last_at),
    };
    for ((name, _), value) in SUMS.iter().zip(sums(&sum.sums)) {
        document.insert(*name, whole(value));
    }
    document.insert("times", bytes(&sum.times.into_latency().encode()));
    document.insert("first_tokens", bytes(&sum.first_tokens.into_latency().encode()));
    document
}

type Column = fn(&mut Sums) -> &mut u64;

const SUMS: [(&str, Column); 10] = [
    ("count", |sums| &mut sums.count),
    ("successes", |sums| &mut sums.successes),
    ("quota_errors", |sums| &mut sums.quota_errors),
    ("cached", |sums| &mut sums.cached),
    ("response_time_ms", |sums| &mut sums.response_time_ms),
    ("prompt_tokens", |sums| &mut sums.prompt_tokens),
    ("output_tokens", |sums| &mut sums.output_tokens),
    ("cached_tokens", |sums| &mut sums.cached_tokens),
    ("thought_tokens", |sums| &mut sums.thought_tokens),
    ("total_tokens", |sums| &mut sums.total_tokens),
];

fn sums(of: &Sums) -> [u64; 10] {
    let mut of = *of;
    SUMS.map(|(_, sum)| *sum(&mut of))
}

/// Rows are added up here: the server's grouping would carry all distributions along.
pub(in super::super) async fn query(db: &mut Access, query: &RollupQuery) -> Result<Vec<Rollup>> {
    if query.pieces.is_empty() {
        return Ok(Vec::new());
    }
    let mut stages = vec![doc! { "$match": wanted(query) }];
    if !query.times {
        stages.push(doc! { "$project": { "times": 0, "first_tokens": 0 } });
    }
    let mut groups: BTreeMap<Group, Sum> = BTreeMap::new();
    for row in db.aggregate(USAGE_ROLLUPS, stages).await? {
        let group = Group::of(&row, query.by)?;
        add_row(groups.entry(group).or_default(), &row, query.times)?;
    }
    Ok(groups.into_iter().map(|(group, sum)| group.rollup(sum)).collect())
}

fn wanted(query: &RollupQuery) -> Document {
    let pieces: Vec<_> = query
        .pieces
        .iter()
        .map(|piece| {
            doc! { "_id.l": piece.level.as_str(), "_id.s": { "$gte": at(piece.from), "$lt": at(piece.to) } }
        })
        .collect();
    let grain = grain(query.grain(), query.by.outcome);
    let mut wanted = doc! { "_id.g": grain, "_id.k": query.kind.as_str(), "$or": pieces };
    // Also what is the same in all of the grain: only with both of them does the index lead to the time.
    let (by_key, by_model, _) = query.grain().keeps();
    match query.key_number {
        Some(number) => _ = wanted.insert("_id.n", i64::from(number)),
        None if !by_key => _ = wanted.insert("_id.n", 0_i64),
        None => {}
    }
    match &query.model {
        Some(model) => _ = wanted.insert("_id.m", model),
        None if !by_model => _ = wanted.insert("_id.m", ""),
        None => {}
    }
    wanted
}

/// What is kept apart, in the order that the port promises.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    start: Option<Timestamp>,
    key_number: Option<u32>,
    model: Option<String>,
    operation: Option<String>,
    outcome: Option<String>,
    error_type: Option<String>,
    key_id: Option<u64>,
}

impl Group {
    fn of(row: &Row, by: Dimensions) -> store::Result<Self> {
        let of = row.row("_id")?;
        let text = |is_kept: bool, name: &str| -> store::Result<Option<String>> {
            let text = if is_kept { of.maybe_text(name)? } else { None };
            Ok(text.filter(|text| !text.is_empty()))
        };
        Ok(Self {
            start: if by.start { of.maybe_at("s")? } else { None },
            key_number: if by.key { of.maybe_number("n")? } else { None }.filter(|number| *number > 0),
            model: text(by.model, "m")?,
            operation: text(by.operation, "o")?,
            outcome: text(by.outcome, "u")?,
            error_type: text(by.outcome, "e")?,
            key_id: if by.key { row.maybe_whole("key_id")? } else { None },
        })
    }

    fn rollup(self, sum: Sum) -> Rollup {
        Rollup {
            start: self.start,
            key_id: self.key_id,
            key_number: self.key_number,
            model: self.model,
            operation: self.operation,
            outcome: self.outcome,
            error_type: self.error_type,
            sums: sum.sums,
            times: sum.times.into_latency(),
            first_tokens: sum.first_tokens.into_latency(),
            first_at: sum.first_at,
            last_at: sum.last_at,
        }
    }
}

fn add_row(sum: &mut Sum, row: &Row, times: bool) -> store::Result<()> {
    let mut sums = Sums::default();
    for (name, column) in SUMS {
        *column(&mut sums) = row.whole(name)?;
    }
    sum.add(&sums, row.at("first_at")?, row.at("last_at")?);
    if times {
        for (name, total) in [("times", &mut sum.times), ("first_tokens", &mut sum.first_tokens)] {
            let encoded = row.0.get_binary_generic(name).map_err(|_| unreadable(name))?;
            if !total.add_encoded(encoded) {
                return Err(unreadable(name));
            }
        }
    }
    Ok(())
}
