use leptos::prelude::*;

use crate::text::{self, charts as words};

/// What happened in one hour on one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeatCell {
    pub count: u64,
    /// Of `count`.
    pub successes: u64,
}

impl HeatCell {
    fn total<'a>(cells: impl IntoIterator<Item = &'a Self>) -> Self {
        cells.into_iter().fold(Self::default(), |sum, cell| Self {
            count: sum.count + cell.count,
            successes: sum.successes + cell.successes,
        })
    }
}

/// Requests by hour and key with the share that succeeded; the fuller a cell, the deeper its colour. All of it is in the
/// numbers too. A row has a cell for each column.
#[component]
pub fn HeatTable(caption: String, columns: Vec<String>, rows: Vec<(String, Vec<HeatCell>)>) -> impl IntoView {
    let count_max = rows
        .iter()
        .flat_map(|(_, cells)| cells)
        .map(|cell| cell.count)
        .max()
        .unwrap_or(0);
    let totals =
        (0..columns.len()).map(|column| HeatCell::total(rows.iter().filter_map(|(_, cells)| cells.get(column))));
    let totals = totals.collect::<Vec<_>>();
    let heads = columns
        .into_iter()
        .map(|column| view! { <th scope="col" class="table-number">{column}</th> })
        .collect::<Vec<_>>();
    let body = rows
        .into_iter()
        .map(|(hour, cells)| {
            let total = HeatCell::total(&cells);
            let cells = cells
                .into_iter()
                .map(|cell| view! { <td class=format!("table-number heat-{}", step(cell.count, count_max))><Cell cell/></td> })
                .collect::<Vec<_>>();
            view! {
                <tr>
                    <th scope="row">{hour}</th>
                    {cells}
                    <td class="table-number heat-total"><Cell cell=total/></td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let all = HeatCell::total(&totals);
    let foot = totals
        .into_iter()
        .chain([all])
        .map(|cell| view! { <td class="table-number heat-total"><Cell cell/></td> })
        .collect::<Vec<_>>();
    view! {
        <div class="table-wrap heat" tabindex="0" role="region" aria-label=caption data-testid="heat-table">
            <table class="table heat-table">
                <caption><span class="heat-caption">{caption.clone()}</span></caption>
                <thead>
                    <tr>
                        <th scope="col">{words::HOUR}</th>
                        {heads}
                        <th scope="col" class="table-number">{words::TOTAL}</th>
                    </tr>
                </thead>
                <tbody>{body}</tbody>
                <tfoot>
                    <tr><th scope="row">{words::TOTAL}</th>{foot}</tr>
                </tfoot>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Cell(cell: HeatCell) -> impl IntoView {
    let rate = (cell.count > 0).then(|| text::live::success_rate(cell.successes, cell.count));
    view! {
        <span class="heat-count">{text::count(cell.count)}</span>
        {rate.map(|rate| view! { " " <span class="heat-rate">{rate}</span> })}
    }
    .into_any()
}

/// 0 for none, and 1 to 5 for a fifth of the fullest cell to all of it.
fn step(count: u64, count_max: u64) -> u64 {
    count.saturating_mul(5).div_ceil(count_max.max(1)).min(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(count: u64, successes: u64) -> HeatCell {
        HeatCell { count, successes }
    }

    fn check(rows: Vec<(String, Vec<HeatCell>)>, words: &[&str]) {
        let columns = vec!["Key 1".to_owned(), "<b>Key 2</b>".to_owned()];
        let html = Owner::new_root(None)
            .with(|| view! { <HeatTable caption="By hour".to_owned() columns=columns rows=rows/> }.to_html());
        let text = html.replace("<!>", "");
        let mut rest = text.as_str();
        for word in words {
            match rest.split_once(word) {
                Some((_, after)) => rest = after,
                None => panic!("{word} is not in, or not after the others:\n{text}"),
            }
        }
    }

    #[test]
    fn every_cell_has_its_numbers_and_every_row_and_column_its_total() {
        let rows = vec![
            ("08:00".to_owned(), vec![cell(1_000, 990), cell(0, 0)]),
            ("09:00".to_owned(), vec![cell(200, 100), cell(10, 10)]),
        ];
        check(
            rows,
            &[
                r#"role="region""#,
                "By hour</span></caption>",
                r#"<th scope="col">Hour</th>"#,
                "Key 1</th>",
                "&lt;b&gt;Key 2&lt;/b&gt;</th>",
                "Total</th>",
                r#"<th scope="row">08:00</th>"#,
                "heat-5",
                "1,000</span>",
                "99.0 %",
                "heat-0",
                ">0</span></td>",
                "heat-total",
                "1,000</span>",
                r#"<th scope="row">09:00</th>"#,
                "heat-1",
                "200</span>",
                "50.0 %",
                "heat-1",
                "10</span>",
                "100.0 %",
                "210</span>",
                "52.4 %",
                r#"<tfoot><tr><th scope="row">Total</th>"#,
                "1,200</span>",
                "90.8 %",
                "10</span>",
                "1,210</span>",
                "90.9 %",
            ],
        );
    }

    #[test]
    fn a_day_without_requests_is_a_table_of_zeros() {
        check(
            vec![("08:00".to_owned(), vec![cell(0, 0), cell(0, 0)])],
            &["heat-0", ">0</span>", "heat-0", ">0</span>", "<tfoot>", ">0</span>"],
        );
    }

    #[test]
    fn steps_rise_to_the_fullest_cell_and_only_none_is_nothing() {
        let steps = [0, 1, 20, 21, 40, 41, 80, 81, 100].map(|count| step(count, 100));
        assert_eq!(steps, [0, 1, 1, 2, 2, 3, 4, 5, 5]);
        assert_eq!((step(0, 0), step(u64::MAX, u64::MAX)), (0, 1));
    }
}
