//! What was measured, and whether it keeps its promise.

use std::time::Duration;

/// One line of the table.
pub(crate) struct Row {
    what: String,
    measured: String,
    target: &'static str,
    /// Absent: a figure beside the promise, that is no part of it.
    kept: Option<bool>,
}

impl Row {
    pub(crate) fn promised(
        what: impl Into<String>,
        measured: impl Into<String>,
        target: &'static str,
        kept: bool,
    ) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            target,
            kept: Some(kept),
        }
    }

    pub(crate) fn beside(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            target: "",
            kept: None,
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept != Some(false)
    }

    /// Lines of a table in Markdown, as they come.
    #[expect(clippy::print_stdout, reason = "the figures are what the benchmark is for")]
    pub(crate) fn print(&self, promise: u32) {
        let kept = match self.kept {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        let Self {
            what, measured, target, ..
        } = self;
        println!("| {promise} | {what} | {measured} | {target} | {kept} |");
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the benchmark is for")]
pub(crate) fn print_head() {
    println!("| # | what | measured | target | kept |\n| --- | --- | --- | --- | --- |");
}

/// Durations of one kind.
#[derive(Default)]
pub(crate) struct Durations(Vec<Duration>);

impl Durations {
    pub(crate) fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest one that so many per mille are not above. (Nearest rank.) Zero when there is none.
    pub(crate) fn permille(&mut self, permille: usize) -> Duration {
        self.0.sort_unstable();
        let rank = (self.0.len() * permille).div_ceil(1_000);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(crate) fn p50(&mut self) -> Duration {
        self.permille(500)
    }

    pub(crate) fn p99(&mut self) -> Duration {
        self.permille(990)
    }

    pub(crate) fn max(&mut self) -> Duration {
        self.permille(1_000)
    }
}

impl Extend<Duration> for Durations {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, durations: T) {
        self.0.extend(durations);
    }
}

impl FromIterator<Duration> for Durations {
    fn from_iter<T: IntoIterator<Item = Duration>>(durations: T) -> Self {
        Self(durations.into_iter().collect())
    }
}

/// Such as "1.25 ms".
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1_000.0)
}
