//! Keeps one part of a page up to date: a stream says that something changed, and the server renders the part anew.

#[cfg(target_arch = "wasm32")]
mod follow;
#[cfg(target_arch = "wasm32")]
mod morph;

use leptos::prelude::*;

use crate::components::Icon;
use crate::text::compose;
use crate::text::usage::live as words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody asked for it, or a person paused it.
    Paused,
    /// By the stream, the moment something changed.
    Streamed,
    /// By asking every now and then.
    Asked,
    /// The reader is at it: it must not move under their hands.
    Held,
    /// It cannot be read; why is in [`Live::failure`].
    Stale,
    Offline,
}

/// What the island shows, and whether it is wanted. Stands still on the server, so that the browser starts from the same HTML.
#[derive(Clone, Copy)]
struct Live {
    phase: RwSignal<Phase>,
    /// Of what the region shows.
    age_ms: RwSignal<u64>,
    /// When that is from, such as "14:02:12 UTC".
    as_of: RwSignal<String>,
    failure: RwSignal<Option<String>>,
    is_wanted: RwSignal<bool>,
}

impl Live {
    /// `holds`: it does nothing until somebody asks for it, which is no pause.
    fn pill(self, holds: bool) -> (&'static str, &'static str, String) {
        let age_ms = self.age_ms.get();
        match self.phase.get() {
            Phase::Paused if holds => ("tone-unknown", "disabled", words::asked(age_ms)),
            Phase::Paused => ("tone-unknown", "disabled", words::paused(age_ms)),
            Phase::Streamed => ("tone-ok", "operational", words::streamed(age_ms)),
            Phase::Asked => ("tone-maintenance", "resting", words::asked(age_ms)),
            Phase::Held => ("tone-unknown", "disabled", words::HELD.to_owned()),
            Phase::Stale => ("tone-degraded", "degraded", words::stale(&self.as_of.get())),
            Phase::Offline => ("tone-unknown", "unknown", words::OFFLINE.to_owned()),
        }
    }

    /// Said to those who do not see the pill, when it changes: not every second.
    fn said(self) -> String {
        match self.phase.get() {
            Phase::Paused => words::SAID_PAUSED.to_owned(),
            Phase::Streamed | Phase::Asked => words::SAID_LIVE.to_owned(),
            Phase::Held => words::HELD.to_owned(),
            Phase::Stale => self.failure.get().map(|why| words::stale_why(&why)).unwrap_or_default(),
            Phase::Offline => words::stale_why(compose::UNREACHABLE),
        }
    }
}

/// Says how fresh a part of the page is, and pauses it. The part itself is outside: it is HTML of the server, and stays so.
#[island]
pub fn LiveRegion(
    /// Answers the HTML inside of the region.
    url: String,
    /// Id of the element.
    region: String,
    /// When what came with the page is from, such as "14:02:12 UTC".
    as_of: String,
    /// Without being asked.
    starts: bool,
    /// Not while the pointer, the focus or a selection is in the region.
    holds: bool,
) -> impl IntoView {
    let live = Live {
        phase: RwSignal::new(if starts { Phase::Asked } else { Phase::Paused }),
        age_ms: RwSignal::new(0),
        as_of: RwSignal::new(as_of),
        failure: RwSignal::new(None),
        is_wanted: RwSignal::new(starts),
    };
    Effect::new(move |_| follow(live, url.clone(), region.clone(), holds));
    let pill = Memo::new(move |_| live.pill(holds));
    let tone = move || format!("pill live-pill {}", pill.read().0);
    let icon = Signal::derive(move || pill.read().1);
    let (on, off) = if holds {
        (words::STOP_FOLLOWING, words::FOLLOW)
    } else {
        (words::PAUSE, words::RESUME)
    };
    let said = Memo::new(move |_| live.said());
    view! {
        <div class="live no-print" role="group" aria-label=words::LABEL data-testid="live">
            <span class=tone>
                <Icon name=icon/>
                <span class="number">{move || pill.get().2}</span>
            </span>
            <button type="button" class="button" on:click=move |_| live.is_wanted.update(|wanted| *wanted = !*wanted)>
                <Icon name=Signal::derive(move || if live.is_wanted.get() { "disabled" } else { "play" })/>
                {move || if live.is_wanted.get() { on } else { off }}
            </button>
            <span class="visually-hidden" role="status">{move || said.get()}</span>
        </div>
    }
}

#[cfg(target_arch = "wasm32")]
use follow::follow;

/// Effects do not run on the server.
#[cfg(not(target_arch = "wasm32"))]
fn follow(_: Live, _: String, _: String, _: bool) {}
