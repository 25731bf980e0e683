//! Tables for people, at most 100 columns wide.

use app::types::{AddedKey, ImportReport, ImportResult, KeyOrigin, KeyTest, PoolKey};

const COLUMNS_MAX: usize = 100;

/// Such as `key 4 (Team, ••••cafe)`.
pub(super) fn name(key: &PoolKey) -> String {
    format!("key {} ({}, {})", key.status.key_number, key.label, key.mask)
}

pub(super) fn added(added: &AddedKey) -> String {
    let name = name(&added.key);
    match &added.message {
        None => format!("added {name}"),
        Some(message) => lines(std::iter::once(name).chain(note(Some(message)))),
    }
}

pub(super) fn keys(keys: &[PoolKey]) -> String {
    if keys.is_empty() {
        return "There are no keys yet: `keypool keys add` adds one.".to_owned();
    }
    let header = row(["No.", "Label", "Key", "From", "Tier", "State", "Today", "Project"]);
    let rows = keys.iter().map(|key| {
        let today: u64 = key.status.cells.iter().map(|cell| cell.used_today).sum();
        let from = match key.origin {
            KeyOrigin::Environment => "environment",
            KeyOrigin::Console => "console",
        };
        row([
            &key.status.key_number.to_string(),
            &key.label,
            &key.mask,
            from,
            key.tier.as_str(),
            key.status.state.label(),
            &today.to_string(),
            key.project.as_deref().unwrap_or("its own"),
        ])
    });
    lines(std::iter::once(header).chain(rows))
}

pub(super) fn tests(tests: &[KeyTest]) -> String {
    lines(tests.iter().flat_map(|test| {
        let word = if test.status == "success" { "passed" } else { "failed" };
        let why = test.outcome.as_deref().unwrap_or_default();
        let head = format!("key {:<5} {word:<8} {:>6} ms  {why}", test.key_number, test.ms);
        std::iter::once(head.trim_end().to_owned()).chain(note(test.error.as_deref()))
    }))
}

pub(super) fn import(report: &ImportReport) -> String {
    let entries = report.lines.iter().flat_map(|line| {
        let word = match line.result {
            ImportResult::Added => "added",
            ImportResult::Duplicate => "duplicate",
            ImportResult::Refused => "refused",
        };
        let mask = line.mask.as_deref().unwrap_or_default();
        let number = line
            .key_number
            .map(|number| format!("key {number}"))
            .unwrap_or_default();
        let head = format!("line {:<5} {word:<10} {mask:<9} {number}", line.line);
        std::iter::once(head.trim_end().to_owned()).chain(note(line.message.as_deref()))
    });
    let (added, duplicates, refused) = (report.added, report.duplicates, report.refused);
    let sum = format!("{added} added, {duplicates} already there, {refused} refused");
    lines(entries.chain([sum]))
}

fn row(cells: [&str; 8]) -> String {
    let [number, label, key, from, tier, state, today, project] = cells;
    let (label, project) = (cut(label, 24), cut(project, 18));
    let line = format!("{number:<5} {label:<24} {key:<9} {from:<11} {tier:<4} {state:<13} {today:>6}  {project}");
    line.trim_end().to_owned()
}

fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}

/// What to do, on lines of its own.
fn note(text: Option<&str>) -> Vec<String> {
    const INDENT: &str = "          ";
    let mut lines: Vec<String> = Vec::new();
    for word in text.unwrap_or_default().split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS_MAX => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{INDENT}{word}")),
        }
    }
    lines
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_hundred_columns() {
        let wide = "w".repeat(60);
        let cells = [
            "12345",
            &wide,
            "••••cafe",
            "environment",
            "paid",
            "Quota reached",
            "123456",
            &wide,
        ];
        assert!(row(cells).chars().count() <= COLUMNS_MAX, "{}", row(cells));
        let text = "word ".repeat(60);
        for line in note(Some(&text)) {
            assert!(line.chars().count() <= COLUMNS_MAX, "{line}");
        }
        assert_eq!(note(Some(&text)).join(" ").split_whitespace().count(), 60);
    }
}
