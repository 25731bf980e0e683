//! The report for people, in the seed's order. Plain text that fits 100 columns where names allow it.

use std::fmt::Write;

use super::headline;
use crate::types::{CheckLevel, DoctorReport, EnvironmentState, KeyStatus};

const NOT_KNOWN: &str = "  Not known: the pool could not be opened; the checks below say why.\n";

/// Sections with a number each, then what it all comes to.
pub fn plain(report: &DoctorReport) -> String {
    let sections = [
        ("Environment configuration", environment(report)),
        ("Service status", service(report)),
        ("Usage statistics", usage(report)),
        ("Key testing", key_tests(report)),
        ("Performance test", performance_test(report)),
        ("Checks", checks(report)),
    ];
    let mut text = format!(
        "Keypool {} - debug report of {}\n{}\n",
        report.version,
        report.generated_at,
        "=".repeat(60)
    );
    for (number, (title, body)) in (1..).zip(sections) {
        // Writing into a string does not fail.
        let _ = write!(text, "\n{number}. {title}\n{body}");
    }
    text + &format!("\n{}", summary(report))
}

fn environment(report: &DoctorReport) -> String {
    let rows = report.environment.iter().map(|entry| {
        let source = match entry.state {
            EnvironmentState::Set | EnvironmentState::Invalid => format!("  ({})", entry.source),
            EnvironmentState::Missing | EnvironmentState::Default => String::new(),
        };
        format!("  {:<28} {}{source}\n", entry.name, entry.state.label())
    });
    rows.collect()
}

fn service(report: &DoctorReport) -> String {
    let Some(status) = &report.service_status else {
        return NOT_KNOWN.to_owned();
    };
    let mut text = format!(
        "  {}\n  {} of {} keys can be used.\n",
        status.message, status.healthy_keys, status.total_keys
    );
    for component in &status.components {
        text += &format!("  {:<28} {}\n", component.name, crate::text::level(component.level));
    }
    text += &status.available_keys.iter().map(key).collect::<String>();
    if let Some(queue) = report.queue {
        text += &format!("  Requests waiting for a key: {}\n", queue.length);
    }
    if let Some(cache) = report.cache {
        text += &format!(
            "  Cache: {} of {} answers kept, {} hits, {} misses\n",
            cache.size, cache.max, cache.hits, cache.misses
        );
    }
    text
}

fn key(key: &KeyStatus) -> String {
    let name = format!("Key {}", key.key_number);
    let back = key
        .ready_in_ms
        .map_or_else(String::new, |ms| format!(", back in {}", crate::text::remaining(ms)));
    format!("  {name:<28} {}{back}\n", key.state.label())
}

fn usage(report: &DoctorReport) -> String {
    let Some(usage) = &report.usage_statistics else {
        return NOT_KNOWN.to_owned();
    };
    let performance = &usage.performance;
    let mut text = format!("  Calls to the provider since {}:\n", usage.day_since);
    if usage.keys.is_empty() {
        text += "  none\n";
    }
    for key in &usage.keys {
        let name = format!("Key {}", key.key_number);
        text += &format!(
            "  {name:<12} {} calls, {} answered, {} failed, {} tokens\n",
            key.requests, key.successes, key.failures, key.total_tokens
        );
    }
    text += &format!(
        "  Requests since {}: {}, {:.0} ms on average, {} from the cache\n",
        performance.since, performance.requests, performance.average_response_time, performance.cache_hit_rate
    );
    text
}

fn key_tests(report: &DoctorReport) -> String {
    match report.key_tests.as_deref() {
        None => "  Not run.\n".to_owned(),
        Some([]) => "  There is no key.\n".to_owned(),
        Some(tests) => tests
            .iter()
            .map(|test| {
                let error = test
                    .error
                    .as_ref()
                    .map_or_else(String::new, |error| format!("    Error: {error}\n"));
                format!("  Key {}: {} ({} ms)\n{error}", test.key_number, test.status, test.ms)
            })
            .collect(),
    }
}

fn performance_test(report: &DoctorReport) -> String {
    match &report.performance_test {
        None => "  Not run.\n".to_owned(),
        Some(test) if test.passed => {
            let key = test
                .key_number
                .map_or_else(String::new, |number| format!(" by key {number}"));
            format!("  Passed: {} ms, {}{key}\n", test.ms, test.model)
        }
        Some(test) => format!("  Failed: {}\n", test.error.as_deref().unwrap_or("no reason is known")),
    }
}

fn checks(report: &DoctorReport) -> String {
    let rows = report.checks.iter().map(|check| {
        let remedy = check
            .remedy
            .as_ref()
            .map_or_else(String::new, |remedy| format!("            -> {remedy}\n"));
        let level = format!("[{}]", check.level.label());
        format!("  {level:<9} {}: {}\n{remedy}", check.name, check.message)
    });
    rows.collect()
}

fn summary(report: &DoctorReport) -> String {
    let (warnings, failures) = (report.count(CheckLevel::Warning), report.count(CheckLevel::Failed));
    format!(
        "Debug report complete. {}",
        headline(report.level(), warnings, failures)
    )
}
