use leptos::prelude::*;

use super::frame::{Tab, TabFrame};
use super::toolbar::key_select;
use super::{Asked, Choices, notices, zone};
use crate::charts::{ChartKind, ChartSeries, ChartSpec, Unit};
use crate::components::{Chart, HeatCell, HeatTable, Icon};
use crate::error::AppError;
use crate::text::usage::{self, analytics as words};
use crate::types::HourlyPattern;

/// More keys than these are one column.
const COLUMNS_MAX: usize = 12;

/// One day by the hours of its clock and by key.
#[component]
pub fn HourlyPage() -> impl IntoView {
    let asked = Asked::here();
    Suspend::new(async move {
        let choices = asked.choices().await;
        let date = asked.address.get("date").map(str::to_owned);
        let pattern = asked.usage.hourly_pattern(&asked.query, date.as_deref()).await;
        let shown = match &pattern {
            Ok(pattern) => pattern.date.clone(),
            Err(_) => date.unwrap_or_default(),
        };
        let form = day_form(&asked, choices, &shown, pattern.as_ref().err());
        let body = match pattern {
            Err(error) => notices::failed(words::HOURLY_FAILED, error, &asked),
            Ok(pattern) => day(pattern),
        };
        view! {
            <TabFrame tab=Tab::Hourly asked>
                {form}
                {body}
            </TabFrame>
        }
    })
}

/// Day, zone and key. The range of the other pages goes along unused, so that it is still there on the way back.
fn day_form(asked: &Asked, choices: Choices, date: &str, error: Option<&AppError>) -> AnyView {
    let address = &asked.address;
    let typed_zone = address.get("tz").unwrap_or(asked.zone.name()).to_owned();
    let fault = error.filter(|error| matches!(error.field.as_deref(), Some("tz" | "date" | "keyNumber")));
    let is_zone = fault.is_some_and(|error| error.field.as_deref() == Some("tz"));
    let message = fault.map(|error| error.message.clone());
    let described = fault.is_some().then_some("hourly-error");
    let steps = zone::neighbours(date).map(|(before, after)| {
        view! {
            <nav class="row" aria-label=words::DAYS>
                <a class="button" href=address.with(&[("date", &before)])><Icon name="chevron-left"/>{words::DAY_BEFORE}</a>
                <a class="button" href=address.with(&[("date", &after)])>{words::DAY_AFTER}<Icon name="chevron-right"/></a>
            </nav>
        }
    });
    let zones = usage::ZONES.map(|name| view! { <option value=name></option> }).to_vec();
    view! {
        <div class="toolbar no-print">
            <form method="get" action=address.path().to_owned() class="tool-filters" aria-label=usage::TOOLBAR>
                {address.hidden(&["date", "tz", "keyNumber"])}
                <div class="field">
                    <label for="hourly-date">{words::HOURLY_DATE}</label>
                    <input class="input" id="hourly-date" name="date" type="date" value=date.to_owned()
                        aria-invalid=(fault.is_some() && !is_zone).then_some("true") aria-describedby=described/>
                </div>
                <div class="field">
                    <label for="hourly-zone">{usage::ZONE}</label>
                    <input class="input" id="hourly-zone" name="tz" value=typed_zone list="hourly-zones" autocomplete="off" spellcheck="false"
                        aria-invalid=is_zone.then_some("true") aria-describedby=described/>
                    <datalist id="hourly-zones">{zones}</datalist>
                </div>
                {key_select("hourly", address.get("keyNumber"), choices.keys)}
                <button type="submit" class="button">{usage::SHOW}</button>
            </form>
            {steps}
        </div>
        {message.map(|message| view! {
            <p class="field-error" id="hourly-error"><Icon name="major"/><span>{message}</span></p>
        })}
    }
    .into_any()
}

fn day(pattern: HourlyPattern) -> AnyView {
    let odd = words::odd_day(&pattern.hours, &pattern.tz);
    let body = if pattern.hourly_pattern.is_empty() {
        notices::nothing(words::HOURLY_EMPTY_TITLE, words::HOURLY_EMPTY, None)
    } else {
        let (columns, rows) = table(&pattern);
        let caption = format!(
            "{}, {}, {}",
            words::HOURLY_CAPTION,
            pattern.date,
            usage::zone(&pattern.tz)
        );
        view! {
            <Chart spec=bars(&pattern) id="hours"/>
            <HeatTable caption columns rows/>
        }
        .into_any()
    };
    view! {
        <notices::NotWhole coverage=pattern.coverage/>
        {odd.map(|words| view! { <p class="note" data-testid="odd-day"><Icon name="info"/><span>{words}</span></p> })}
        {body}
    }
    .into_any()
}

/// The hours of the clock, each once.
fn hours(pattern: &HourlyPattern) -> Vec<u8> {
    let mut hours = pattern.hours.clone();
    hours.dedup();
    hours
}

fn bars(pattern: &HourlyPattern) -> ChartSpec {
    let hours = hours(pattern);
    let sum = |of: fn(u64, u64) -> u64| {
        hours
            .iter()
            .map(|&hour| {
                let rows = pattern.hourly_pattern.iter().filter(|row| row.id.hour == hour);
                Some(rows.map(|row| of(row.requests, row.successes)).sum::<u64>() as f64)
            })
            .collect()
    };
    let series = |name: &str, values, color| ChartSeries {
        name: name.to_owned(),
        values,
        color,
    };
    ChartSpec {
        kind: ChartKind::StackedBars,
        title: words::HOURLY_CHART.to_owned(),
        labels: hours.iter().map(|&hour| clock(hour)).collect(),
        series: vec![
            series(words::OK, sum(|_, successes| successes), 1),
            series(
                words::FAILED,
                sum(|requests, successes| requests.saturating_sub(successes)),
                6,
            ),
        ],
        unit: Unit::Count,
    }
}

fn clock(hour: u8) -> String {
    format!("{hour:02}:00")
}

type Rows = Vec<(String, Vec<HeatCell>)>;

/// A row an hour, a column a key: those with most calls, in the order of their numbers, and the rest as one.
fn table(pattern: &HourlyPattern) -> (Vec<String>, Rows) {
    let mut totals = std::collections::BTreeMap::<u32, u64>::new();
    for row in &pattern.hourly_pattern {
        *totals.entry(row.id.key_number).or_default() += row.requests;
    }
    let mut alone: Vec<u32> = totals.keys().copied().collect();
    if alone.len() > COLUMNS_MAX {
        alone.sort_by_key(|key| std::cmp::Reverse(totals.get(key).copied()));
        alone.truncate(COLUMNS_MAX - 1);
        alone.sort_unstable();
    }
    let has_others = alone.len() < totals.len();
    let cell = |hour: u8, is_in: &dyn Fn(u32) -> bool| {
        let rows = pattern.hourly_pattern.iter();
        let rows = rows.filter(|row| row.id.hour == hour && is_in(row.id.key_number));
        rows.fold(HeatCell::default(), |sum, row| HeatCell {
            count: sum.count + row.requests,
            successes: sum.successes + row.successes,
        })
    };
    let rows = hours(pattern).into_iter().map(|hour| {
        let mut cells: Vec<HeatCell> = alone.iter().map(|&key| cell(hour, &|other| other == key)).collect();
        if has_others {
            cells.push(cell(hour, &|key| !alone.contains(&key)));
        }
        (clock(hour), cells)
    });
    let rows = rows.collect();
    let mut columns: Vec<String> = alone.iter().map(|&key| usage::key(key)).collect();
    if has_others {
        columns.push(words::OTHER_KEYS.to_owned());
    }
    (columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Coverage, HourOfKey, HourlyRow};

    fn pattern(hours: Vec<u8>, keys: u32) -> HourlyPattern {
        let rows = (1..=keys).map(|key_number| HourlyRow {
            id: HourOfKey { hour: 2, key_number },
            requests: u64::from(key_number),
            successes: 1,
        });
        HourlyPattern {
            date: "2026-10-25".to_owned(),
            tz: "Europe/Berlin".to_owned(),
            hourly_pattern: rows.collect(),
            hours,
            coverage: Coverage::default(),
        }
    }

    #[test]
    fn an_hour_that_came_twice_is_one_row() {
        let mut hours: Vec<u8> = (0..24).collect();
        hours.insert(2, 2);
        let (columns, rows) = table(&pattern(hours, 2));
        assert_eq!(columns, ["Key 1", "Key 2"]);
        assert_eq!(rows.len(), 24);
        assert_eq!(rows[2].1[1], HeatCell { count: 2, successes: 1 });
    }

    #[test]
    fn of_many_keys_the_quiet_ones_are_one_column_and_nothing_is_lost() {
        let (columns, rows) = table(&pattern((0..24).collect(), 20));
        assert_eq!(columns.len(), COLUMNS_MAX);
        assert_eq!(columns.first().map(String::as_str), Some("Key 10"));
        assert_eq!(rows[2].1.iter().map(|cell| cell.count).sum::<u64>(), 210);
    }
}
