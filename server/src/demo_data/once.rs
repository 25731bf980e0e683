//! The demo's own history: made once, and gone on with where a start before was ended too soon.

use std::sync::Arc;

use pool::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Plan, fill, keys_of};
use crate::store::{Result, Store};

/// What is remembered of it: where it ends, and whether all of it is stored.
const SETTING: &str = "demo_history";
const EVENTS: u64 = 20_000;
const DAYS: u32 = 14;
/// Few: visitors' requests are stored between them.
const AT_ONCE: usize = 500;

/// Beside a running demo, until `stop`. Its events end when the demo first started. They may be of that very day: a demo's
/// provider begins anew with the process, and nothing is counted on from what is stored.
pub async fn fill_once(store: Arc<dyn Store>, models: Vec<String>, now: Timestamp, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        filled = fill_if_new(store.as_ref(), models, now) => match filled {
            Ok(0) => {}
            Ok(count) => info!(count, "the demo has a made-up history of {DAYS} days"),
            Err(error) => warn!(%error, "the demo's history could not be made up; the next start tries again"),
        }
    }
}

async fn fill_if_new(store: &dyn Store, models: Vec<String>, now: Timestamp) -> Result<u64> {
    let settings = store.settings().await?;
    let known = settings
        .into_iter()
        .find(|(name, _)| name == SETTING)
        .map(|(_, value)| value);
    let to = match known {
        Some(value) if value["done"] == true => return Ok(0),
        // The same events again: those that are stored are not stored twice.
        Some(value) => value["to"].as_u64().map_or(now, Timestamp::from_millis),
        None => {
            store
                .save_setting(SETTING.to_owned(), Some(remembered(now, false)))
                .await?;
            now
        }
    };
    let plan = Plan {
        events: EVENTS,
        keys: keys_of(&store.keys().await?),
        models,
        ..Plan::of_days(DAYS, to)
    };
    let count = fill(store, plan.events(), AT_ONCE, |_| {}).await?;
    store
        .save_setting(SETTING.to_owned(), Some(remembered(to, true)))
        .await?;
    Ok(count)
}

fn remembered(to: Timestamp, done: bool) -> Value {
    json!({ "to": to.as_millis(), "done": done })
}
