//! Many seeds, and what came of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::shrink;
use crate::story::told;
use crate::world::{self, ExtraRule, Figures};

#[derive(Default)]
pub(crate) struct Report {
    seeds: u64,
    events: u64,
    /// Rule by rule, the seeds that broke it.
    violations: BTreeMap<&'static str, Vec<u64>>,
    figures: Figures,
    took: Duration,
    /// The story of the first failing seed, as short as it could be made.
    pub(crate) first_failure: Option<String>,
}

impl Report {
    pub(crate) fn of(seeds: Range<u64>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the time a test takes is not the product's time"
        )]
        let started = Instant::now();
        let mut report = Self::default();
        for seed in seeds {
            let plan = Plan::drawn(seed);
            let (result, story) = world::run(&plan, false, None);
            report.seeds += 1;
            report.events += story.events;
            match result {
                Ok(figures) => report.figures.add(figures),
                Err(violation) => {
                    report.violations.entry(violation.rule).or_default().push(seed);
                    if report.first_failure.is_none() {
                        let smallest = shrink::smallest(&plan, &mut |plan| {
                            let (result, _) = world::run(plan, false, None);
                            result.is_err_and(|other| other.rule == violation.rule)
                        });
                        report.first_failure = story_of(&smallest, None);
                    }
                }
            }
        }
        report.took = started.elapsed();
        report
    }

    #[expect(clippy::print_stdout, reason = "the figures are what `cargo xtask simulate` is for")]
    pub(crate) fn print(&self) {
        let Self {
            seeds,
            events,
            violations,
            figures,
            took,
            ..
        } = self;
        let seconds = took.as_secs_f64();
        println!("seeds        {seeds} x 48 simulated hours of faults, then the way back");
        println!("events       {events}, {:.0} a second", per(*events, seconds));
        println!("requests     {}, answered {}", figures.requests, figures.served);
        println!(
            "calls        {}, trials {}, probes {}",
            figures.calls, figures.trials, figures.probes
        );
        println!("restarts     {}", figures.restarts);
        println!(
            "outages      {} with 100 requests or more, at most {} calls for 100 requests",
            figures.outages, figures.outage_calls_percent_max
        );
        println!("came back    {} keys on models", figures.recovered);
        println!("violations   {}", violations.values().map(Vec::len).sum::<usize>());
        for (rule, seeds) in violations {
            println!("  {rule}: seeds {seeds:?}");
        }
        println!("took         {seconds:.1} s");
    }
}

fn per(count: u64, seconds: f64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from) / seconds
}

/// The story of a plan that fails, `None` for one that does not.
pub(crate) fn story_of(plan: &Plan, extra_rule: Option<ExtraRule>) -> Option<String> {
    let (result, story) = world::run(plan, true, extra_rule);
    result.err().map(|violation| told(plan, &violation, &story))
}
