//! Time series as charts.

use crate::charts::{ChartKind, ChartSeries, ChartSpec, Unit};
use crate::text::usage as words;
use crate::types::{Measures, Series, Timeseries};

/// More colours than these cannot be told apart.
const COLORS: usize = 6;

/// Requests of each series upon each other. Of more than six series the largest stand alone and the rest are one.
pub(super) fn stacked(title: &str, of: &Timeseries, others: fn(usize) -> String) -> ChartSpec {
    let count = |measures: &Measures| measures.requests as f64;
    let (alone, together) = split(of);
    let mut series: Vec<ChartSeries> = alone
        .into_iter()
        .zip(1..)
        .map(|(series, color)| ChartSeries {
            name: series.name.clone(),
            values: series.points.iter().map(|point| Some(count(point))).collect(),
            color: series.key_number.map_or(color, key_color),
        })
        .collect();
    if !together.is_empty() {
        let values = (0..of.buckets.len()).map(|place| {
            let points = together.iter().filter_map(|series| series.points.get(place));
            Some(points.map(count).sum())
        });
        series.push(ChartSeries {
            name: others(together.len()),
            values: values.collect(),
            color: COLORS as u8,
        });
        // With the rest in one colour, a key's own may be taken by another.
        for (series, color) in series.iter_mut().zip(1..) {
            series.color = color;
        }
    }
    ChartSpec {
        kind: ChartKind::StackedBars,
        title: title.to_owned(),
        labels: labels(of),
        series,
        unit: Unit::Count,
    }
}

/// A line's name and its milliseconds at one moment.
pub(super) type Line = (&'static str, fn(&Measures) -> Option<u64>);

/// Lines of one series, such as its percentiles. Moments without requests are gaps.
pub(super) fn lines(title: &str, of: &Timeseries, lines: &[Line]) -> ChartSpec {
    let points = of
        .series
        .first()
        .map(|series| series.points.as_slice())
        .unwrap_or_default();
    let series = lines.iter().zip(1..).map(|((name, value), color)| ChartSeries {
        name: (*name).to_owned(),
        values: points.iter().map(|point| value(point).map(|ms| ms as f64)).collect(),
        color,
    });
    ChartSpec {
        kind: ChartKind::Lines,
        title: title.to_owned(),
        labels: labels(of),
        series: series.collect(),
        unit: Unit::Milliseconds,
    }
}

/// Errors from the top down, the most frequent first.
pub(super) fn errors<'a>(title: &str, rows: impl Iterator<Item = (&'a str, u64)>) -> ChartSpec {
    let (labels, values) = rows
        .map(|(error_type, count)| (words::error_type(error_type), Some(count as f64)))
        .unzip();
    ChartSpec {
        kind: ChartKind::HorizontalBars,
        title: title.to_owned(),
        labels,
        series: vec![ChartSeries {
            name: title.to_owned(),
            values,
            color: COLORS as u8,
        }],
        unit: Unit::Count,
    }
}

fn labels(of: &Timeseries) -> Vec<String> {
    of.buckets.iter().map(|bucket| bucket.label.clone()).collect()
}

/// The same colour for a key in every chart.
fn key_color(number: u32) -> u8 {
    (number.saturating_sub(1) % COLORS as u32) as u8 + 1
}

/// Those with most requests in their given order, and the rest.
fn split(of: &Timeseries) -> (Vec<&Series>, Vec<&Series>) {
    if of.series.len() <= COLORS {
        return (of.series.iter().collect(), Vec::new());
    }
    let mut by_size: Vec<usize> = (0..of.series.len()).collect();
    by_size.sort_by_key(|&place| std::cmp::Reverse(of.series[place].total.requests));
    let largest = &by_size[..COLORS - 1];
    let is_large = |place: usize| largest.contains(&place);
    let (alone, together): (Vec<_>, Vec<_>) = of.series.iter().enumerate().partition(|(place, _)| is_large(*place));
    (
        alone.into_iter().map(|(_, series)| series).collect(),
        together.into_iter().map(|(_, series)| series).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Bucket, Coverage, SeriesBy, Step, TimeRange};

    fn timeseries(requests: &[u64]) -> Timeseries {
        let measures = |requests| Measures {
            requests,
            ..Measures::default()
        };
        let series = requests.iter().zip(1..).map(|(&requests, number)| Series {
            name: format!("Key {number}"),
            key_number: Some(number),
            total: measures(requests),
            points: vec![measures(requests)],
        });
        Timeseries {
            time_range: TimeRange {
                start: String::new(),
                end: String::new(),
                tz: "UTC".to_owned(),
                range: None,
            },
            step: Step::Hour,
            by: SeriesBy::Key,
            buckets: vec![Bucket {
                start: String::new(),
                end: String::new(),
                label: "14:00".to_owned(),
            }],
            series: series.collect(),
            coverage: Coverage::default(),
        }
    }

    fn drawn(requests: &[u64]) -> Vec<(String, f64, u8)> {
        let spec = stacked("Calls", &timeseries(requests), words::other_keys);
        spec.series
            .into_iter()
            .map(|series| (series.name, series.values[0].unwrap(), series.color))
            .collect()
    }

    #[test]
    fn few_keys_have_a_colour_each() {
        let colors = drawn(&[5, 4]).into_iter().map(|(name, _, color)| (name, color));
        assert_eq!(
            colors.collect::<Vec<_>>(),
            [("Key 1".to_owned(), 1), ("Key 2".to_owned(), 2)]
        );
    }

    #[test]
    fn of_many_keys_the_small_ones_are_one_bar_and_nothing_is_lost() {
        let drawn = drawn(&[1, 50, 40, 2, 30, 20, 10, 3]);
        let names: Vec<&str> = drawn.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["Key 2", "Key 3", "Key 5", "Key 6", "Key 7", "3 other keys"]);
        assert_eq!(drawn.iter().map(|(_, count, _)| count).sum::<f64>(), 156.0);
        let colors: Vec<u8> = drawn.iter().map(|(.., color)| *color).collect();
        assert_eq!(colors, [1, 2, 3, 4, 5, 6]);
    }
}
