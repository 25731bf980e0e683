use leptos::prelude::*;

use super::Icon;
use crate::text;
use crate::types::{AnalysisState, CellState, KeyState, Level};

/// Tone (the class that gives the colours) and icon of a service level. A server without any key has not failed: it is not
/// set up, and must not look like an outage.
pub fn level_look(level: Level, total_keys: u32) -> (&'static str, &'static str) {
    match level {
        Level::MajorOutage if total_keys == 0 => ("tone-unknown", "unknown"),
        Level::Operational => ("tone-ok", "operational"),
        Level::Degraded => ("tone-degraded", "degraded"),
        Level::PartialOutage => ("tone-partial", "partial"),
        Level::MajorOutage => ("tone-major", "major"),
    }
}

/// Tone and icon of a key's state.
pub fn key_look(state: KeyState) -> (&'static str, &'static str) {
    match state {
        KeyState::Available => ("tone-ok", "operational"),
        KeyState::InUse => ("tone-ok", "busy"),
        KeyState::CoolingDown => ("tone-maintenance", "resting"),
        KeyState::QuotaReached => ("tone-degraded", "degraded"),
        KeyState::Checking => ("tone-unknown", "unknown"),
        KeyState::Invalid | KeyState::Revoked | KeyState::NoCredit => ("tone-major", "major"),
        KeyState::NeedsSetup => ("tone-partial", "partial"),
        KeyState::Disabled => ("tone-unknown", "disabled"),
    }
}

/// Tone and icon of what a project may do with a model.
pub fn cell_look(state: CellState) -> (&'static str, &'static str) {
    match state {
        CellState::Available => ("tone-ok", "operational"),
        CellState::Trial | CellState::Busy => ("tone-maintenance", "busy"),
        CellState::CoolingDown => ("tone-maintenance", "resting"),
        CellState::QuotaReached => ("tone-degraded", "degraded"),
        CellState::NotEntitled => ("tone-unknown", "disabled"),
    }
}

/// A state as a shape and a word.
#[component]
pub fn Pill(tone: &'static str, icon: &'static str, #[prop(into)] word: String) -> impl IntoView {
    view! {
        <span class=format!("pill {tone}")>
            <Icon name=icon/>
            {word}
        </span>
    }
}

#[component]
pub fn LevelPill(level: Level, total_keys: u32) -> impl IntoView {
    let (tone, icon) = level_look(level, total_keys);
    view! { <Pill tone icon word=text::live::level(level, total_keys)/> }
}

#[component]
pub fn AnalysisPill(state: AnalysisState) -> impl IntoView {
    let (tone, icon) = match state {
        AnalysisState::Complete => ("tone-ok", "operational"),
        AnalysisState::Interrupted => ("tone-partial", "partial"),
        AnalysisState::Failed => ("tone-major", "major"),
        AnalysisState::Stopped => ("tone-unknown", "stop"),
    };
    view! { <Pill tone icon word=text::analysis_state(state)/> }
}
