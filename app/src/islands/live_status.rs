mod cells;

use leptos::prelude::*;

use super::live::{Feed, Link};
use crate::components::{Icon, LevelPill, Pill, key_look, level_look};
use crate::text;
use crate::types::{KeyStatus, Obstacle, PublicStatus};

/// All that the status page says, kept up to date without a reload. `keys` are given to people who are signed in: by number,
/// never with a name or a mask. `admin` is led to the first key where there is none.
#[island]
pub fn LiveStatus(status: PublicStatus, keys: Option<Vec<KeyStatus>>, admin: bool) -> impl IntoView {
    let signed_in = keys.is_some();
    let feed = Feed::follow(status, keys, signed_in);
    view! {
        <div class="stack live-status" data-testid="status">
            {headline(feed, admin)}
            {obstacles(feed)}
            {components(feed)}
            {signed_in.then(|| keys_table(feed))}
            {signed_in.then(|| cells::table(feed))}
        </div>
    }
}

fn headline(feed: Feed, admin: bool) -> impl IntoView {
    // Changes only when the words change, not with every second of age.
    let look = Memo::new(move |_| {
        feed.live.with(|live| {
            if feed.is_stale() {
                return (
                    "tone-unknown",
                    "unknown",
                    text::live::UNKNOWN,
                    text::live::last_checked(&live.status.checked_at),
                );
            }
            let total_keys = live.status.total_keys;
            let (tone, icon) = level_look(live.status.level, total_keys);
            (
                tone,
                icon,
                text::live::level(live.status.level, total_keys),
                text::live::sentence(&live.status).to_owned(),
            )
        })
    });
    let facts = move || {
        feed.live
            .with(|live| text::capacity(live.status.healthy_keys, live.status.total_keys))
    };
    let checked = move || {
        let link = feed.live.with(|live| live.link);
        match link {
            Link::Streamed => text::live::streamed(feed.age_ms()),
            Link::Asked => text::live::checked(feed.age_ms()),
            Link::Offline => text::live::OFFLINE.to_owned(),
        }
    };
    view! {
        <section class=move || format!("card status-head {}", look.get().0) aria-labelledby="status-level">
            <Icon name=Signal::derive(move || look.get().1) class="icon-large"/>
            <div class="status-head-body" role="status">
                <h2 id="status-level" class="status-level">{move || look.get().2}</h2>
                <p class="status-message">{move || look.get().3}</p>
                {move || (admin && has_no_key(feed)).then(|| view! {
                    <p class="status-action">
                        <a class="button button-primary" href="/set-up/key">{text::analyze::NOT_SET_UP_ACTION}</a>
                    </p>
                })}
            </div>
            <dl class="status-facts">
                <div>
                    <dt>{text::live::CAPACITY}</dt>
                    <dd class="number">{facts}</dd>
                </div>
                <div>
                    <dt>{text::live::RESET}</dt>
                    <dd class="number">{move || feed.next_reset().unwrap_or_else(|| text::live::NO_RESET.to_owned())}</dd>
                </div>
                <div>
                    <dt>{text::live::UPDATED}</dt>
                    <dd class="number">{checked}</dd>
                </div>
            </dl>
        </section>
    }
}

fn has_no_key(feed: Feed) -> bool {
    feed.live.with(|live| live.status.total_keys == 0)
}

/// What keeps calls back whatever the key, and until when. There is no such part while nothing does.
fn obstacles(feed: Feed) -> impl IntoView {
    let obstacles = Memo::new(move |_| feed.live.with(|live| live.status.obstacles.clone()));
    move || {
        let obstacles = obstacles.get();
        (!obstacles.is_empty()).then(|| {
            view! {
                <section class="card" aria-labelledby="status-obstacles" data-testid="obstacles">
                    <div class="card-head">
                        <h2 id="status-obstacles">{text::live::OBSTACLES}</h2>
                    </div>
                    <ul class="status-obstacles">
                        {obstacles.into_iter().map(|obstacle| one_obstacle(feed, obstacle)).collect_view()}
                    </ul>
                </section>
            }
        })
    }
}

fn one_obstacle(feed: Feed, obstacle: Obstacle) -> impl IntoView {
    let sentence = text::outage::obstacle(&obstacle);
    let next = move || text::outage::what_next(obstacle.kind, obstacle.retry_in_ms.map(|ms| feed.left_ms(ms)));
    view! {
        <li class="tone-degraded">
            <Icon name="degraded"/>
            <div>
                <p>{sentence}</p>
                <p class="muted label number">{next}</p>
            </div>
        </li>
    }
}

fn components(feed: Feed) -> impl IntoView {
    let components = Memo::new(move |_| {
        feed.live
            .with(|live| (live.status.components.clone(), live.status.total_keys))
    });
    view! {
        <section class="card" aria-labelledby="status-components">
            <div class="card-head">
                <h2 id="status-components">{text::live::COMPONENTS}</h2>
            </div>
            <ul class="status-components">
                {move || {
                    let (components, total_keys) = components.get();
                    components.into_iter().map(|component| view! {
                        <li>
                            <span>{component.name}</span>
                            <LevelPill level=component.level total_keys/>
                        </li>
                    }).collect_view()
                }}
            </ul>
        </section>
    }
}

fn keys_table(feed: Feed) -> impl IntoView {
    let keys = Memo::new(move |_| feed.live.with(|live| live.keys.clone().unwrap_or_default()));
    view! {
        <section class="card" aria-labelledby="status-keys" data-testid="keys">
            <div class="card-head">
                <h2 id="status-keys">{text::live::KEYS}</h2>
            </div>
            {move || keys.with(Vec::is_empty).then(|| view! { <p class="muted">{text::live::NO_KEYS}</p> })}
            // Wider than a phone: it scrolls by itself, also by keyboard.
            <div
                class="table-wrap"
                role="region"
                aria-labelledby="status-keys"
                tabindex="0"
                hidden=move || keys.with(Vec::is_empty)
            >
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">{text::live::KEY}</th>
                            <th scope="col">{text::live::STATE}</th>
                            <th scope="col">{text::live::BACK}</th>
                            <th scope="col" class="table-number">{text::live::REQUESTS}</th>
                            <th scope="col" class="table-number">{text::live::SUCCESS}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || keys.get().into_iter().map(|key| key_row(feed, key)).collect_view()}
                    </tbody>
                </table>
            </div>
        </section>
    }
}

fn key_row(feed: Feed, key: KeyStatus) -> impl IntoView {
    let (tone, icon) = key_look(key.state);
    let ready_in_ms = key.ready_in_ms.filter(|_| !key.state.serves());
    let back = move || back_in(feed, ready_in_ms);
    view! {
        <tr>
            <th scope="row" class="nowrap">{text::live::key(key.key_number)}</th>
            <td><Pill tone icon word=key.state.label()/></td>
            <td class="nowrap">{back}</td>
            <td class="table-number">{text::count(key.request_count)}</td>
            <td class="table-number">{text::live::success_rate(key.success_count, key.success_count + key.error_count)}</td>
        </tr>
    }
}

/// When a rest ends, as read with the state and counted down since.
fn back_in(feed: Feed, ready_in_ms: Option<u64>) -> String {
    match ready_in_ms.map(|ms| feed.left_ms(ms)) {
        Some(left_ms) if left_ms > 0 => text::live::ready_in(left_ms),
        Some(_) => text::live::ANY_MOMENT.to_owned(),
        None => text::NEVER.to_owned(),
    }
}
