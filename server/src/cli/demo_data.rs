//! `keypool demo-data`: a made-up history of usage.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use server::audit::Actor;
use server::clock::rfc3339;
use server::config::Config;
use server::demo_data::{self, Plan};
use server::startup::{self, DemoStore};

use super::print::ask;
use super::say;

/// Events that are written in one go.
const AT_ONCE: usize = 5_000;
const EVENTS_MAX: u64 = 1_000_000_000;

#[derive(Args)]
pub(super) struct DemoData {
    /// How many events, requests and attempts together: 20000, 100k, 10m.
    #[arg(long, value_name = "N", default_value = "20k", value_parser = count)]
    events: u64,
    /// How many days they are spread over.
    #[arg(long, value_name = "D", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=400))]
    days: u32,
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Use so many made-up keys, and end now. Without it: the store's keys where it has some, and the history ends before today's
    /// quotas began, so that nothing is counted as used of them; else three made-up ones.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    keys: Option<u32>,
    /// Also where usage is stored already. It cannot be told apart afterwards.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Folder of the data.
    #[arg(long)]
    data_dir: Option<String>,
}

impl DemoData {
    pub(super) fn flags(&self) -> BTreeMap<String, String> {
        let data_dir = self.data_dir.iter().map(|dir| ("DATA_DIR".to_owned(), dir.clone()));
        data_dir.collect()
    }
}

pub(super) async fn run(config: Config, command: &DemoData) -> Result<(), anyhow::Error> {
    let opened = startup::open_for_demo_data(&config).await?;
    let done = make(&config, &opened, command).await;
    opened.store.close().await?;
    done
}

async fn make(config: &Config, opened: &DemoStore, command: &DemoData) -> Result<(), anyhow::Error> {
    let DemoStore { store, audit, clock } = opened;
    let now = clock.now();
    if !command.yes && demo_data::has_usage(store.as_ref(), now).await? {
        bail!(
            "usage is stored in {} already, and made-up events could not be told from it or taken out again: use another \
             folder with --data-dir, or say --yes",
            config.data_dir.display()
        );
    }
    let stored = store.keys().await?;
    let is_own = command.keys.is_none() && !stored.is_empty();
    let keys = if is_own {
        demo_data::keys_of(&stored)
    } else {
        let last = stored.iter().map(|key| key.number).max().unwrap_or(0);
        demo_data::made_up_keys(command.keys.unwrap_or(3), last.saturating_add(1))
    };
    let to = if is_own { demo_data::end_of_yesterday(now) } else { now };
    let plan = Plan {
        seed: command.seed,
        events: command.events,
        keys,
        models: startup::demo_models(config),
        ..Plan::of_days(command.days, to)
    };
    let (from, to) = (rfc3339(plan.from), rfc3339(plan.to));
    let numbers: Vec<u32> = plan.keys.iter().map(|key| key.number).collect();
    let facts = json!({
        "events": plan.events, "from": from, "to": to, "seed": plan.seed, "keyNumbers": numbers, "madeUpKeys": !is_own,
    });
    let actor = Actor::command_line();
    // Before: what is added stays, also when it is broken off.
    let recorded = audit.record(&actor, "usage.make_up", "usage", None, Some(facts.clone()));
    recorded.await?;
    let shows = !command.json && std::io::stderr().is_terminal();
    let mut shown = 0;
    let filled = demo_data::fill(store.as_ref(), plan.events(), AT_ONCE, |filled| {
        let percent = filled * 100 / plan.events.max(1);
        if shows && percent != shown {
            shown = percent;
            ask(&format!("\r{filled} of {} events", plan.events));
        }
    });
    let filled = filled.await;
    if shows && shown > 0 {
        ask("\n");
    }
    filled?;
    if command.json {
        say(facts);
    } else {
        let whose = if is_own { "the store's" } else { "made-up" };
        let count = plan.keys.len();
        say(format_args!(
            "{} made-up events from {from} to {to}, of {count} {whose} key(s)",
            plan.events
        ));
    }
    Ok(())
}

/// A whole number, or thousands (k) or millions (m).
fn count(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let (digits, times) = match text.strip_suffix(['k', 'm']) {
        Some(digits) if text.ends_with('k') => (digits, 1_000),
        Some(digits) => (digits, 1_000_000),
        None => (text.as_str(), 1),
    };
    let count = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(times));
    count
        .filter(|count| (1..=EVENTS_MAX).contains(count))
        .ok_or_else(|| "give a number from 1 to 1000m, such as 20000, 100k or 10m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_are_whole_numbers_thousands_or_millions() {
        let read = |text| count(text).ok();
        assert_eq!(
            [read("1"), read("20k"), read("10M")],
            [Some(1), Some(20_000), Some(10_000_000)]
        );
        for wrong in ["0", "", "k", "1.5m", "-1", "1001m", "99999999999999999999m"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
