use leptos::prelude::*;

use crate::components::{Icon, Pill, When};
use crate::text::alerts as words;
use crate::types::{AlertChannel, ChannelTest, Delivery};

/// What became of a test, this once.
#[component]
pub(super) fn Tested(tests: Vec<ChannelTest>) -> impl IntoView {
    let rows = tests
        .into_iter()
        .map(|test| {
            let (tone, icon, word) = match test.delivered {
                true => ("tone-ok", "operational", words::DELIVERED),
                false => ("tone-major", "major", words::NOT_DELIVERED),
            };
            view! {
                <li class="entry">
                    <Pill tone icon word/>
                    <div class="entry-body">
                        <p class="entry-title"><strong>{words::channel(&test.channel).to_owned()}</strong></p>
                        {test.error.map(|error| view! { <p>{error}</p> })}
                    </div>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="tested" data-testid="tested">
            <div class="card-head"><h2 id="tested" tabindex="-1" autofocus>{words::TESTED}</h2></div>
            <ul class="rows" role="list">{rows}</ul>
        </section>
    }
    .into_any()
}

#[component]
pub(super) fn Channels(channels: Vec<AlertChannel>) -> impl IntoView {
    let hint = if channels.is_empty() {
        words::CHANNELS_EMPTY
    } else {
        words::CHANNELS_HINT
    };
    let rows = channels
        .into_iter()
        .map(|channel| {
            let last = match channel.last {
                Some(delivery) => view! { <Last delivery/> }.into_any(),
                None => view! { <p class="label muted">{words::NOTHING_SENT}</p> }.into_any(),
            };
            view! {
                <li class="entry">
                    <div class="entry-body">
                        <p class="entry-title"><strong>{words::channel(&channel.name).to_owned()}</strong></p>
                        {last}
                    </div>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="channels" data-testid="channels">
            <div class="card-head"><h2 id="channels">{words::CHANNELS}</h2></div>
            <p class="section-hint muted">{hint}</p>
            <ul class="rows" role="list">{rows}</ul>
            <form method="post" action="/admin/alerts/test" class="section-end no-print">
                <button type="submit" class="button"><Icon name="upload"/>{words::TEST}</button>
            </form>
        </section>
    }
    .into_any()
}

#[component]
fn Last(delivery: Delivery) -> impl IntoView {
    let word = words::delivery(&delivery.state).to_owned();
    view! {
        <p class="label muted">{word}", "<When at=delivery.updated_at/></p>
        {delivery.last_error.map(|error| view! { <p>{error}</p> })}
    }
    .into_any()
}
