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
                <caption>{caption.clone()}</caption>
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
