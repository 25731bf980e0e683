//! What each key's project has used of each model, and what it may.

use leptos::prelude::*;

use super::back_in;
use crate::components::{Pill, cell_look};
use crate::islands::live::Feed;
use crate::text;
use crate::types::{CellState, CellStatus};

/// A minute without news is a minute without a call.
const MINUTE_MS: u64 = 60_000;

/// One row a key and model that was asked for; no part at all before the first call.
pub fn table(feed: Feed) -> impl IntoView {
    let cells = Memo::new(move |_| {
        feed.live.with(|live| {
            let keys = live.keys.iter().flatten();
            keys.flat_map(|key| key.cells.iter().map(|cell| (key.key_number, cell.clone())))
                .collect::<Vec<_>>()
        })
    });
    let is_minute_over = Memo::new(move |_| feed.age_ms() >= MINUTE_MS);
    view! {
        <section
            class="card"
            aria-labelledby="status-cells"
            data-testid="cells"
            hidden=move || cells.with(Vec::is_empty)
        >
            <div class="card-head">
                <h2 id="status-cells">{text::live::CELLS}</h2>
            </div>
            // Wider than a phone: it scrolls by itself, also by keyboard.
            <div class="table-wrap" role="region" aria-labelledby="status-cells" tabindex="0">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">{text::live::KEY}</th>
                            <th scope="col">{text::live::MODEL}</th>
                            <th scope="col">{text::live::STATE}</th>
                            <th scope="col" class="table-number">{text::live::MINUTE}</th>
                            <th scope="col" class="table-number">{text::live::TODAY}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || {
                            let rows = cells.get().into_iter();
                            rows.map(|(number, cell)| row(feed, is_minute_over, number, cell)).collect_view()
                        }}
                    </tbody>
                </table>
            </div>
        </section>
    }
}

fn row(feed: Feed, is_minute_over: Memo<bool>, key_number: u32, cell: CellStatus) -> impl IntoView {
    let (tone, icon) = cell_look(cell.state);
    let rests = !matches!(cell.state, CellState::Available | CellState::Trial | CellState::Busy);
    let ready_in_ms = cell.ready_in_ms.filter(|_| rests);
    let (used_minute, limit_per_minute) = (cell.used_minute, cell.limit_per_minute);
    let minute = move || {
        let used = if is_minute_over.get() { 0 } else { used_minute };
        text::live::used(used, limit_per_minute)
    };
    view! {
        <tr>
            <th scope="row" class="nowrap">{text::live::key(key_number)}</th>
            <td class="nowrap">{cell.model}</td>
            <td class="nowrap">
                <Pill tone icon word=text::cell_state(cell.state)/>
                {ready_in_ms.map(|ms| view! { <small class="status-back">{move || back_in(feed, Some(ms))}</small> })}
            </td>
            <td class="table-number nowrap">{minute}</td>
            <td class="table-number nowrap">{text::live::used(cell.used_today, cell.limit_per_day)}</td>
        </tr>
    }
}
