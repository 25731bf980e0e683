//! The one stream of a tab. A tick every second moves the clock and does what [`Pace`] says is due.

use std::cell::RefCell;
use std::time::Duration;

use leptos::prelude::*;
use serde::Deserialize;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::Closure;

use super::pace::Pace;
use super::{Feed, Link};
use crate::islands::browser::source::Source;
use crate::islands::browser::{self, http};
use crate::types::{KeyStatus, PublicStatus, ServiceStatus};

const STREAM_URL: &str = "/api/ai-analysis/service-status/stream";
const STATUS_URL: &str = "/api/ai-analysis/service-status";
const PUBLIC_URL: &str = "/api/status.json";

thread_local! {
    static HUB: RefCell<Hub> = RefCell::new(Hub::default());
}

#[derive(Default)]
struct Hub {
    feeds: Vec<Feed>,
    signed_in: bool,
    pace: Pace,
    stream: Option<Source>,
}

/// Adds an island. The first one starts the clock.
pub(super) fn join(feed: Feed, signed_in: bool) {
    let now_ms = browser::now_ms();
    feed.now_ms.set(now_ms);
    feed.live.update(|live| live.read_at_ms = now_ms);
    let is_first = HUB.with_borrow_mut(|hub| {
        hub.feeds.push(feed);
        hub.signed_in |= signed_in;
        if hub.feeds.len() == 1 {
            // What came with the page is news enough for the first seconds.
            hub.pace.polled(now_ms, js_sys::Math::random());
        }
        hub.feeds.len() == 1
    });
    if is_first {
        // Neither is ever undone: they live as long as the page.
        set_interval(tick, Duration::from_secs(1));
        for name in ["visibilitychange", "online", "offline"] {
            let on_change = Closure::<dyn FnMut()>::new(hurry);
            // `visibilitychange` bubbles from the document to the window.
            let _ = browser::window().add_event_listener_with_callback(name, on_change.as_ref().unchecked_ref());
            on_change.forget();
        }
        tick();
    }
}

fn hurry() {
    HUB.with_borrow_mut(|hub| {
        hub.pace.hurry();
        if browser::is_hidden() {
            hub.stream = None;
        }
    });
    if !browser::is_online() {
        publish(|feed| feed.live.update(|live| live.link = Link::Offline));
    }
    tick();
}

fn tick() {
    if browser::is_hidden() {
        return;
    }
    let now_ms = browser::now_ms();
    publish(|feed| feed.now_ms.set(now_ms));
    if !browser::is_online() {
        return;
    }
    let poll = HUB.with_borrow_mut(|hub| {
        if hub.stream.as_ref().is_some_and(Source::is_broken) {
            hub.stream = None;
            hub.pace.stream_broke(now_ms, js_sys::Math::random());
        }
        if hub.signed_in && hub.stream.is_none() && hub.pace.wants_stream(now_ms) {
            hub.stream = open();
            if hub.stream.is_none() {
                hub.pace.stream_broke(now_ms, js_sys::Math::random());
            }
        }
        let due = hub.pace.wants_poll(now_ms);
        if due {
            hub.pace.polled(now_ms, js_sys::Math::random());
        }
        due.then_some(hub.signed_in)
    });
    if let Some(signed_in) = poll {
        leptos::task::spawn_local(ask(signed_in));
    }
}

fn open() -> Option<Source> {
    Source::open(STREAM_URL, &["status"], |_, data| {
        if let Ok(status) = serde_json::from_str::<ServiceStatus>(&data) {
            HUB.with_borrow_mut(|hub| hub.pace.streamed(browser::now_ms()));
            deliver(PublicStatus::from(&status), Some(status.available_keys), Link::Streamed);
        }
    })
}

async fn ask(signed_in: bool) {
    #[derive(Deserialize)]
    struct Envelope {
        data: ServiceStatus,
    }
    let worked = if signed_in {
        match http::get_json::<Envelope>(STATUS_URL).await {
            Ok(Envelope { data }) => {
                deliver(PublicStatus::from(&data), Some(data.available_keys), Link::Asked);
                true
            }
            Err(_) => false,
        }
    } else {
        match http::get_json::<PublicStatus>(PUBLIC_URL).await {
            Ok(status) => {
                deliver(status, None, Link::Asked);
                true
            }
            Err(_) => false,
        }
    };
    HUB.with_borrow_mut(|hub| hub.pace.poll_ended(worked));
}

fn deliver(status: PublicStatus, keys: Option<Vec<KeyStatus>>, link: Link) {
    let now_ms = browser::now_ms();
    // An answer to a question does not end a stream that runs beside it.
    let streams = HUB.with_borrow(|hub| hub.stream.as_ref().is_some_and(|stream| !stream.is_broken()));
    publish(|feed| {
        feed.now_ms.set(now_ms);
        feed.live.update(|live| {
            live.link = if streams && live.link == Link::Streamed {
                Link::Streamed
            } else {
                link
            };
            live.status = status.clone();
            live.keys.clone_from(&keys);
            live.read_at_ms = now_ms;
        });
    });
}

/// Not while the hub is borrowed: a signal may wake code that asks for the hub.
fn publish(change: impl Fn(Feed)) {
    let feeds = HUB.with_borrow(|hub| hub.feeds.clone());
    for feed in feeds {
        change(feed);
    }
}
