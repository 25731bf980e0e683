//! When to read the region anew. A tick every second does what is due; a change of the stream and the reader's wish do so too.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::Closure;

use super::{Live, Phase, morph};
use crate::islands::browser::source::Source;
use crate::islands::browser::{self, http};
use crate::islands::live::pace::Pace;

const STREAM_URL: &str = "/api/analytics/stream";

type Shared = Rc<RefCell<Follower>>;

struct Follower {
    live: Live,
    url: String,
    /// Id of the element.
    region: String,
    holds: bool,
    pace: Pace,
    stream: Option<Source>,
    /// The stream said so, and the region does not show it yet.
    changed: bool,
    /// The region is being read.
    reading: bool,
    read_at_ms: u64,
    failed: bool,
}

/// Lives as long as the page.
pub(super) fn follow(live: Live, url: String, region: String, holds: bool) {
    let now_ms = browser::now_ms();
    let mut pace = Pace::default();
    // What came with the page is news enough for the first seconds.
    pace.polled(now_ms, js_sys::Math::random());
    let follower = Rc::new(RefCell::new(Follower {
        live,
        url,
        region,
        holds,
        pace,
        stream: None,
        changed: false,
        reading: false,
        read_at_ms: now_ms,
        failed: false,
    }));
    {
        let follower = follower.clone();
        set_interval(move || tick(&follower), Duration::from_secs(1));
    }
    for name in ["visibilitychange", "online", "offline"] {
        let follower = follower.clone();
        let on_change = Closure::<dyn FnMut()>::new(move || hurry(&follower));
        let _ = browser::window().add_event_listener_with_callback(name, on_change.as_ref().unchecked_ref());
        on_change.forget();
    }
    // Runs at once, and whenever the reader changes their mind.
    Effect::new(move |was_wanted: Option<bool>| {
        let is_wanted = live.is_wanted.get();
        match was_wanted {
            Some(_) if is_wanted => hurry(&follower),
            _ => tick(&follower),
        }
        is_wanted
    });
}

/// Now is the time for everything.
fn hurry(follower: &Shared) {
    follower.borrow_mut().pace.hurry();
    tick(follower);
}

fn tick(follower: &Shared) {
    let now_ms = browser::now_ms();
    let (phase, reads, live) = {
        let mut this = follower.borrow_mut();
        this.live.age_ms.set(now_ms.saturating_sub(this.read_at_ms));
        if browser::is_hidden() {
            this.stream = None;
            return;
        }
        if !this.live.is_wanted.get_untracked() {
            this.stream = None;
            (Phase::Paused, false, this.live)
        } else if !browser::is_online() {
            (Phase::Offline, false, this.live)
        } else {
            this.keep_stream(follower, now_ms);
            let is_due = this.changed || this.pace.wants_poll(now_ms);
            let is_held = this.is_held();
            let reads = is_due && !is_held && !this.reading;
            if reads {
                this.changed = false;
                this.reading = true;
                this.pace.polled(now_ms, js_sys::Math::random());
            }
            (this.phase(is_held), reads, this.live)
        }
    };
    if live.phase.get_untracked() != phase {
        live.phase.set(phase);
    }
    if reads {
        leptos::task::spawn_local(read(follower.clone()));
    }
}

impl Follower {
    fn phase(&self, is_held: bool) -> Phase {
        if self.failed {
            Phase::Stale
        } else if is_held {
            Phase::Held
        } else if self.streams() {
            Phase::Streamed
        } else {
            Phase::Asked
        }
    }

    fn streams(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| !stream.is_broken())
    }

    fn keep_stream(&mut self, shared: &Shared, now_ms: u64) {
        let is_broken = self.stream.as_ref().is_some_and(Source::is_broken);
        if is_broken {
            self.stream = None;
            self.pace.stream_broke(now_ms, js_sys::Math::random());
        }
        if self.stream.is_none() && self.pace.wants_stream(now_ms) {
            self.stream = open(shared);
            if self.stream.is_none() {
                self.pace.stream_broke(now_ms, js_sys::Math::random());
            }
        }
    }

    fn element(&self) -> Option<web_sys::Element> {
        document().get_element_by_id(&self.region)
    }

    /// Whether the reader is at it.
    fn is_held(&self) -> bool {
        let Some(region) = self.element().filter(|_| self.holds) else {
            return false;
        };
        let has_focus = document()
            .active_element()
            .is_some_and(|focus| region.contains(Some(&focus)));
        has_focus || matches!(region.matches(":hover"), Ok(true)) || is_selected(&region)
    }
}

/// Whether text of the region is selected.
fn is_selected(region: &web_sys::Element) -> bool {
    let selection = browser::window().get_selection().ok().flatten();
    selection.is_some_and(|selection| {
        let starts_here = selection.anchor_node().is_some_and(|node| region.contains(Some(&node)));
        starts_here && !selection.is_collapsed()
    })
}

fn open(shared: &Shared) -> Option<Source> {
    let shared = shared.clone();
    Source::open(STREAM_URL, &["open", "changed"], move |name, _| {
        {
            let mut this = shared.borrow_mut();
            this.pace.streamed(browser::now_ms());
            this.changed |= name == "changed";
        }
        tick(&shared);
    })
}

async fn read(follower: Shared) {
    let (url, region) = {
        let this = follower.borrow();
        (this.url.clone(), this.element())
    };
    if let Some(region) = &region {
        let _ = region.set_attribute("aria-busy", "true");
    }
    let answer = http::get_text(&url).await;
    if let Some(region) = &region {
        let _ = region.remove_attribute("aria-busy");
    }
    let now_ms = browser::now_ms();
    let live = {
        let mut this = follower.borrow_mut();
        this.reading = false;
        this.pace.poll_ended(answer.is_ok());
        this.failed = answer.is_err();
        if this.streams() && answer.is_ok() {
            this.pace.streamed(now_ms);
        }
        // Whoever came to it meanwhile keeps what they see.
        if this.is_held() {
            this.changed = true;
            None
        } else {
            if answer.is_ok() {
                this.read_at_ms = now_ms;
            }
            Some(this.live)
        }
    };
    if let Some(live) = live {
        match answer {
            Ok(html) => show(live, region.as_ref(), &html),
            Err(failure) => live.failure.set(Some(failure.to_string())),
        }
    }
    tick(&follower);
}

fn show(live: Live, region: Option<&web_sys::Element>, html: &str) {
    let Some(region) = region else { return };
    morph::inner_html(region, html);
    live.failure.set(None);
    let as_of = region.query_selector("[data-as-of]").ok().flatten();
    if let Some(as_of) = as_of.and_then(|part| part.get_attribute("data-as-of")) {
        live.as_of.set(as_of);
    }
}
