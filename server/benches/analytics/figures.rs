//! What was measured, beside the targets.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::ingest::{RATE, Recorded};
use crate::stores::{Bytes, Kind};

const QUERY_MAX: Duration = Duration::from_millis(50);
/// So many times what it takes with the fewest events …
const GROWTH_MAX: f64 = 2.0;
/// … where it is longer than what anybody could tell from noise.
const NOISE: Duration = Duration::from_millis(2);

/// With so many events stored.
pub(crate) struct Measured {
    events: u64,
    pub(crate) history_per_second: f64,
    pub(crate) pruned_in: Duration,
    pub(crate) bytes: Bytes,
    pub(crate) appended_per_second: f64,
    pub(crate) recorded: Vec<Recorded>,
    asked: Vec<Asked>,
}

struct Asked {
    name: &'static str,
    rows: usize,
    p50: Duration,
    max: Duration,
}

impl Measured {
    pub(crate) fn new(events: u64) -> Self {
        Self {
            events,
            history_per_second: 0.0,
            pruned_in: Duration::ZERO,
            bytes: Bytes::default(),
            appended_per_second: 0.0,
            recorded: Vec::new(),
            asked: Vec::new(),
        }
    }

    pub(crate) fn asked(&mut self, name: &'static str, mut took: Vec<Duration>, rows: usize) {
        took.sort_unstable();
        self.asked.push(Asked {
            name,
            rows,
            p50: took.get(took.len() / 2).copied().unwrap_or_default(),
            max: took.last().copied().unwrap_or_default(),
        });
    }
}

/// Tables in Markdown, a column for each number of events.
pub(crate) struct Report {
    kind: Kind,
    measured: Vec<Measured>,
}

impl Report {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            measured: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, measured: Measured) {
        self.measured.push(measured);
    }

    pub(crate) fn print(&self) {
        if self.measured.is_empty() {
            return;
        }
        self.print_recording();
        self.print_queries();
    }

    fn print_head(&self, what: &str, last: &str) {
        let sizes = self.measured.iter().map(|measured| thousands(measured.events));
        let sizes: Vec<_> = sizes.collect();
        say(&format!("\n| {}: {what} | {} | {last} |", self.kind, sizes.join(" | ")));
        say(&format!("| --- |{} --- |", " --- |".repeat(sizes.len())));
    }

    fn row(&self, what: &str, shown: impl Fn(&Measured) -> String, target: &str) {
        let cells: Vec<_> = self.measured.iter().map(shown).collect();
        say(&format!("| {what} | {} | {target} |", cells.join(" | ")));
    }

    fn print_recording(&self) {
        self.print_head("recording", "target");
        let whole = |figure: f64| thousands(figure.round() as u64);
        let at_least = format!("≥ {}", thousands(RATE));
        if self.measured.iter().all(|measured| !measured.recorded.is_empty()) {
            let appended = |measured: &Measured| whole(measured.appended_per_second);
            self.row("events/s, groups of 1,000 to the store", appended, &at_least);
            let rates = self.measured.first().map_or(0, |measured| measured.recorded.len());
            for place in 0..rates {
                let Some(offered) = self.measured.first().and_then(|measured| measured.recorded.get(place)) else {
                    continue;
                };
                let rate = thousands(offered.offered_per_second);
                let stored = |measured: &Measured| {
                    let recorded = measured.recorded.get(place);
                    recorded.map_or_else(String::new, |recorded| {
                        let (stored, lost) = (whole(recorded.stored_per_second), thousands(recorded.lost));
                        format!("{stored}, {lost} lost, {}", ms(recorded.settled_in))
                    })
                };
                self.row(
                    &format!("through the recorder, offered {rate}/s: stored/s, lost, settled after"),
                    stored,
                    if place == 0 { "none lost" } else { "" },
                );
            }
        }
        let history = |measured: &Measured| whole(measured.history_per_second);
        self.row("events/s of a history, groups of 1,000", history, "");
        self.row("pruning minutes older than 48 h", |measured| ms(measured.pruned_in), "");
        let per_event =
            |bytes: u64, measured: &Measured| format!("{:.0}", bytes as f64 / measured.events.max(1) as f64);
        let on_disk = |measured: &Measured| per_event(measured.bytes.on_disk, measured);
        self.row("bytes an event on the disk", on_disk, "");
        let in_use = |measured: &Measured| per_event(measured.bytes.in_use, measured);
        self.row("bytes an event in use", in_use, "");
    }

    fn print_queries(&self) {
        self.print_head("p50 (max) ms", "rows | times the first | ≤ 50 ms and ≤ 2 times");
        let (Some(first), Some(last)) = (self.measured.first(), self.measured.last()) else {
            return;
        };
        for (place, (asked, before)) in last.asked.iter().zip(&first.asked).enumerate() {
            let mut line = format!("| {} |", asked.name);
            for measured in &self.measured {
                let cell = measured.asked.get(place);
                let cell = cell.map_or_else(String::new, |asked| {
                    format!("{} ({})", figure(asked.p50), figure(asked.max))
                });
                let _ = write!(line, " {cell} |");
            }
            let growth = asked.p50.as_secs_f64() / before.p50.as_secs_f64().max(1e-9);
            let kept = asked.p50 <= QUERY_MAX && (growth <= GROWTH_MAX || asked.p50 <= NOISE);
            let kept = if kept { "yes" } else { "NO" };
            let _ = write!(line, " {} | {growth:.1} | {kept} |", asked.rows);
            say(&line);
        }
        say(&format!(
            "\nTimes below {} are not held against their growth.",
            ms(NOISE)
        ));
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the benchmark is for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// A whole number, or thousands (k) or millions (m).
pub(crate) fn count(text: &str) -> Result<u64> {
    let (digits, times) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => text.strip_suffix('m').map_or((text, 1), |digits| (digits, 1_000_000)),
    };
    let number: u64 = digits
        .parse()
        .with_context(|| format!("{text} is no number such as 100k or 10m"))?;
    Ok(number * times)
}

fn figure(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1_000.0)
}

fn ms(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1_000.0)
}

/// Such as "1,250,000".
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
