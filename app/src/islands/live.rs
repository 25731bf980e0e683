//! The live state of the service as every island of a page shares it: one stream a tab, whoever asks.

pub(super) mod pace;

#[cfg(target_arch = "wasm32")]
mod hub;

use leptos::prelude::*;

use crate::text;
use crate::types::{KeyStatus, Level, PublicStatus};

/// From this age on the state is called unknown.
const STALE_MS: u64 = 120_000;

/// How the newest state came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// With the page, or by asking every now and then.
    Asked,
    /// By the stream, the moment it changed.
    Streamed,
    /// The browser has no network.
    Offline,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Live {
    pub(super) status: PublicStatus,
    /// Only for people who are signed in.
    pub(super) keys: Option<Vec<KeyStatus>>,
    /// By the same clock as [`Feed::now_ms`].
    pub(super) read_at_ms: u64,
    pub(super) link: Link,
}

/// What an island reads. Both stand at 0 on the server, so that the browser starts from the very same HTML.
#[derive(Clone, Copy)]
pub(super) struct Feed {
    pub(super) live: RwSignal<Live>,
    /// Moves once a second.
    pub(super) now_ms: RwSignal<u64>,
}

impl Feed {
    /// Starts from what came with the page and follows the live state once the island is hydrated.
    pub(super) fn follow(status: PublicStatus, keys: Option<Vec<KeyStatus>>, signed_in: bool) -> Self {
        let live = Live {
            status,
            keys,
            read_at_ms: 0,
            link: Link::Asked,
        };
        let feed = Self {
            live: RwSignal::new(live),
            now_ms: RwSignal::new(0),
        };
        Effect::new(move |_| start(feed, signed_in));
        feed
    }

    pub(super) fn age_ms(self) -> u64 {
        self.now_ms.get().saturating_sub(self.live.with(|live| live.read_at_ms))
    }

    pub(super) fn is_stale(self) -> bool {
        self.age_ms() >= STALE_MS
    }

    pub(super) fn level(self) -> Level {
        self.live.with(|live| live.status.level)
    }

    /// What is left of a duration that was read with the state.
    pub(super) fn left_ms(self, when_read_ms: u64) -> u64 {
        when_read_ms.saturating_sub(self.age_ms())
    }

    /// "Next reset in …", while one is ahead.
    pub(super) fn next_reset(self) -> Option<String> {
        let left_ms = self
            .live
            .with(|live| live.status.next_reset_in_ms)
            .map(|ms| self.left_ms(ms))?;
        (left_ms > 0).then(|| text::live::next_reset(left_ms))
    }
}

#[cfg(target_arch = "wasm32")]
fn start(feed: Feed, signed_in: bool) {
    hub::join(feed, signed_in);
}

/// Effects do not run on the server.
#[cfg(not(target_arch = "wasm32"))]
fn start(_: Feed, _: bool) {}
