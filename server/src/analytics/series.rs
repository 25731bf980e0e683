//! Lines over time.

use std::collections::BTreeMap;

use app::error::AppError;
use app::types::{Measures, Series, SeriesBy, Timeseries};

use super::buckets::Buckets;
use super::measures::{add, measures};
use super::range::Range;
use super::{Analytics, pieces};
use crate::store::{Dimensions, EventKind, Rollup, RollupQuery};

/// More lines than that nobody can tell apart: the rest is one together.
const SERIES_MAX: usize = 12;

/// What a line is of; in the order of the lines where that is not by size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    All,
    Key(u32),
    Named(String),
    Others,
}

impl Of {
    /// `None`: the row belongs to no line.
    fn row(row: &Rollup, by: SeriesBy) -> Option<Self> {
        Some(match by {
            SeriesBy::Total => Self::All,
            SeriesBy::Key => Self::Key(row.key_number?),
            SeriesBy::Model => Self::Named(row.model.clone()?),
            SeriesBy::ErrorType => Self::Named(row.error_type.clone()?),
        })
    }

    fn name(&self, by: SeriesBy) -> String {
        match self {
            Self::All => "All requests".to_owned(),
            Self::Key(number) => format!("Key {number}"),
            Self::Named(name) => name.clone(),
            Self::Others => match by {
                SeriesBy::Key => "Other keys",
                SeriesBy::Model => "Other models",
                SeriesBy::Total | SeriesBy::ErrorType => "Others",
            }
            .to_owned(),
        }
    }
}

impl Analytics {
    /// `times`: whether percentiles are wanted.
    pub(super) async fn series(&self, range: &Range, by: SeriesBy, times: bool) -> Result<Timeseries, AppError> {
        let buckets = Buckets::of(range);
        let kind = match by {
            SeriesBy::Key => EventKind::Attempt,
            SeriesBy::Total | SeriesBy::Model | SeriesBy::ErrorType => EventKind::Request,
        };
        let query = RollupQuery {
            kind,
            pieces: pieces(range.from, range.to, buckets.level, range.now),
            key_number: range.key_number,
            model: range.model.clone(),
            by: Dimensions {
                start: true,
                key: by == SeriesBy::Key,
                model: by == SeriesBy::Model,
                outcome: by == SeriesBy::ErrorType,
                ..Dimensions::default()
            },
            times,
        };
        let rows = self.store.usage_rollups(query).await?;
        Ok(Timeseries {
            time_range: range.shown(),
            step: buckets.step,
            by,
            series: lines(&rows, &buckets, by),
            buckets: buckets.shown(),
            coverage: self.coverage(),
        })
    }
}

fn lines(rows: &[Rollup], buckets: &Buckets, by: SeriesBy) -> Vec<Series> {
    let mut sizes: BTreeMap<Of, u64> = BTreeMap::new();
    for row in rows {
        if let Some(of) = Of::row(row, by) {
            *sizes.entry(of).or_default() += row.sums.count;
        }
    }
    // A line of all is there also when nothing happened.
    if by == SeriesBy::Total {
        sizes.entry(Of::All).or_default();
    }
    let mut shown: Vec<_> = sizes.into_iter().collect();
    shown.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let is_cut = shown.len() > SERIES_MAX;
    if is_cut {
        shown.truncate(SERIES_MAX - 1);
    }
    if by == SeriesBy::Key {
        shown.sort();
    }
    let mut places: BTreeMap<Of, usize> = BTreeMap::new();
    for (place, (of, _)) in shown.iter().enumerate() {
        places.insert(of.clone(), place);
    }
    let mut of: Vec<_> = shown.into_iter().map(|(of, _)| of).collect();
    if is_cut {
        of.push(Of::Others);
    }
    let mut totals = vec![Rollup::default(); of.len()];
    let mut points = vec![vec![Rollup::default(); buckets.len()]; of.len()];
    for row in rows {
        let Some(line) = Of::row(row, by) else { continue };
        let place = places.get(&line).copied().unwrap_or(of.len() - 1);
        if let Some(total) = totals.get_mut(place) {
            add(total, row);
        }
        let bucket = row.start.and_then(|start| buckets.place(start));
        let point = points
            .get_mut(place)
            .zip(bucket)
            .and_then(|(line, at)| line.get_mut(at));
        if let Some(point) = point {
            add(point, row);
        }
    }
    of.iter()
        .zip(totals.iter().zip(&points))
        .map(|(of, (total, points))| Series {
            name: of.name(by),
            key_number: match of {
                Of::Key(number) => Some(*number),
                _ => None,
            },
            total: measures(total),
            points: points.iter().map(measures).collect::<Vec<Measures>>(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use app::types::UsageQuery;
    use pool::Timestamp;

    use super::super::range::tests::at;
    use super::*;
    use crate::store::Sums;

    fn buckets() -> Buckets {
        let some = |text: &str| Some(text.to_owned());
        let query = UsageQuery {
            start_date: some("2026-11-29"),
            end_date: some("2026-11-29"),
            ..UsageQuery::default()
        };
        Buckets::of(&Range::parse(&query, "7d", at("2026-11-30T00:00:00Z")).unwrap())
    }

    fn row(hour: u64, key_number: u32, count: u64) -> Rollup {
        let midnight = at("2026-11-29T00:00:00Z");
        Rollup {
            start: Some(Timestamp::from_millis(midnight.as_millis() + hour * 3_600_000)),
            key_number: Some(key_number),
            sums: Sums {
                count,
                ..Sums::default()
            },
            ..Rollup::default()
        }
    }

    #[test]
    fn lines_of_keys_come_by_number_and_each_count_in_its_hour() {
        let found = lines(&[row(0, 2, 5), row(23, 1, 7), row(23, 2, 1)], &buckets(), SeriesBy::Key);
        let shown: Vec<_> = found
            .iter()
            .map(|line| {
                (
                    line.name.as_str(),
                    line.total.requests,
                    line.points[0].requests,
                    line.points[23].requests,
                )
            })
            .collect();
        assert_eq!(shown, [("Key 1", 7, 0, 7), ("Key 2", 6, 5, 1)]);
        assert_eq!(found[0].points.len(), 24);
    }

    #[test]
    fn the_smallest_of_many_keys_are_one_line() {
        let rows: Vec<_> = (1..=30).map(|number| row(3, number, u64::from(number))).collect();
        let found = lines(&rows, &buckets(), SeriesBy::Key);
        let names: Vec<_> = found.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names.len(), SERIES_MAX);
        assert_eq!((names[0], names[10], names[11]), ("Key 20", "Key 30", "Other keys"));
        assert_eq!(found[11].total.requests, (1..=19).sum::<u64>());
    }

    #[test]
    fn nothing_is_one_empty_line_of_all_and_none_of_keys() {
        assert_eq!(lines(&[], &buckets(), SeriesBy::Total)[0].points.len(), 24);
        assert!(lines(&[], &buckets(), SeriesBy::Key).is_empty());
    }
}
