//! Rollups: a document each, its id what it counts. Bins of distributions are fields, so that they are incremented.

use mongodb::bson::{Bson, Document, doc};
use pool::Timestamp;

use super::super::access::Access;
use super::super::error::{Result, unreadable};
use super::super::row::{Row, at, whole};
use super::super::schema::USAGE_ROLLUPS;
use crate::latency::Latency;
use crate::store::{self, Added, Grain, Rollup, RollupQuery, Slot, Sums};

pub(super) fn grain(grain: Grain) -> &'static str {
    match grain {
        Grain::Total => "total",
        Grain::Key => "key",
        Grain::Model => "model",
        Grain::Full => "full",
    }
}

/// The id, and what is added to it. What the grain adds up over, and what is absent, is 0 or empty.
pub(super) fn upsert(slot: &Slot<'_>, added: &Added) -> (Document, Document) {
    let id = doc! {
        "g": grain(slot.grain),
        "l": slot.level.as_str(),
        "k": slot.kind.as_str(),
        "s": at(slot.start),
        "n": slot.key.map_or(0, |(_, number)| i64::from(number)),
        "m": slot.model.unwrap_or_default(),
        "o": slot.operation.unwrap_or_default(),
        "u": slot.outcome,
        "e": slot.error_type.unwrap_or_default(),
    };
    let mut more = Document::new();
    for ((name, _), sum) in SUMS.iter().zip(sums(&added.sums)) {
        more.insert(*name, whole(sum));
    }
    for (name, latency) in [("times", &added.times), ("first_tokens", &added.first_tokens)] {
        for (bin, count) in latency.bins() {
            more.insert(format!("{name}.{bin}"), whole(count));
        }
    }
    let change = doc! {
        "$inc": more,
        "$min": { "first_at": at(added.first_at) },
        "$max": { "last_at": at(added.last_at) },
        "$set": { "key_id": slot.key.map(|(id, _)| whole(id)) },
    };
    (doc! { "_id": id }, change)
}

type Sum = fn(&mut Sums) -> &mut u64;

const SUMS: [(&str, Sum); 10] = [
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

pub(in super::super) async fn query(db: &mut Access, query: &RollupQuery) -> Result<Vec<Rollup>> {
    if query.pieces.is_empty() {
        return Ok(Vec::new());
    }
    let rows = db.aggregate(USAGE_ROLLUPS, stages(query)).await?;
    let mut rollups = rows.iter().map(read).collect::<store::Result<Vec<_>>>()?;
    rollups.sort_by(|left, right| place(left).cmp(&place(right)));
    Ok(rollups)
}

fn stages(query: &RollupQuery) -> Vec<Document> {
    let pieces: Vec<_> = query
        .pieces
        .iter()
        .map(|piece| {
            doc! { "_id.l": piece.level.as_str(), "_id.s": { "$gte": at(piece.from), "$lt": at(piece.to) } }
        })
        .collect();
    let mut wanted = doc! { "_id.g": grain(query.grain()), "_id.k": query.kind.as_str(), "$or": pieces };
    if let Some(number) = query.key_number {
        wanted.insert("_id.n", i64::from(number));
    }
    if let Some(model) = &query.model {
        wanted.insert("_id.m", model);
    }
    let by = query.by;
    let kept = |keeps: bool, field: &str| {
        if keeps {
            Bson::String(format!("$_id.{field}"))
        } else {
            Bson::Null
        }
    };
    let mut group = doc! {
        "_id": {
            "s": kept(by.start, "s"), "n": kept(by.key, "n"), "m": kept(by.model, "m"), "o": kept(by.operation, "o"),
            "u": kept(by.outcome, "u"), "e": kept(by.outcome, "e"),
        },
        "first_at": { "$min": "$first_at" },
        "last_at": { "$max": "$last_at" },
    };
    if by.key {
        group.insert("key_id", doc! { "$max": "$key_id" });
    }
    for (name, _) in SUMS {
        group.insert(name, doc! { "$sum": format!("${name}") });
    }
    if query.times {
        for name in ["times", "first_tokens"] {
            group.insert(name, doc! { "$push": format!("${name}") });
        }
    }
    vec![doc! { "$match": wanted }, doc! { "$group": group }]
}

type Place<'r> = (
    Option<Timestamp>,
    Option<u32>,
    Option<&'r str>,
    Option<&'r str>,
    Option<&'r str>,
    Option<&'r str>,
);

fn place(row: &Rollup) -> Place<'_> {
    (
        row.start,
        row.key_number,
        row.model.as_deref(),
        row.operation.as_deref(),
        row.outcome.as_deref(),
        row.error_type.as_deref(),
    )
}

fn read(row: &Row) -> store::Result<Rollup> {
    let of = row.row("_id")?;
    let text =
        |name: &str| -> store::Result<Option<String>> { Ok(of.maybe_text(name)?.filter(|text| !text.is_empty())) };
    let mut sums = Sums::default();
    for (name, sum) in SUMS {
        *sum(&mut sums) = row.whole(name)?;
    }
    Ok(Rollup {
        start: of.maybe_at("s")?,
        key_id: row.maybe_whole("key_id")?,
        key_number: of.maybe_number("n")?.filter(|number| *number > 0),
        model: text("m")?,
        operation: text("o")?,
        outcome: text("u")?,
        error_type: text("e")?,
        sums,
        times: latency(row, "times")?,
        first_tokens: latency(row, "first_tokens")?,
        first_at: row.at("first_at")?,
        last_at: row.at("last_at")?,
    })
}

/// Those of all documents of the group together.
fn latency(row: &Row, name: &str) -> store::Result<Latency> {
    let mut latency = Latency::default();
    let all = row.0.get_array(name).map(Vec::as_slice).unwrap_or_default();
    for bins in all.iter().filter_map(Bson::as_document) {
        for (bin, count) in bins {
            let bin = bin.parse().map_err(|_| unreadable(name))?;
            let count = count.as_i64().or_else(|| count.as_i32().map(Into::into));
            let count = count
                .and_then(|count| u64::try_from(count).ok())
                .ok_or_else(|| unreadable(name))?;
            latency.add_to_bin(bin, count);
        }
    }
    Ok(latency)
}
