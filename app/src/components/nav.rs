use leptos::prelude::*;

use super::Icon;
use super::header::Brand;
use crate::text;
use crate::types::Role;

/// Where a page belongs in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Analyze,
    History,
    Status,
    Overview,
    Analytics,
    Requests,
    Alerts,
    Users,
    Audit,
    Doctor,
}

impl Place {
    const USE: [Self; 3] = [Self::Analyze, Self::History, Self::Status];
    /// For admins. Viewers see those of them that come first.
    const OPERATE: [Self; 7] = [
        Self::Overview,
        Self::Analytics,
        Self::Requests,
        Self::Alerts,
        Self::Users,
        Self::Audit,
        Self::Doctor,
    ];
    const VIEWED: usize = 3;

    /// What is in the group *Operate* for a role.
    fn operate(role: Role) -> &'static [Self] {
        match role {
            Role::User => &[],
            Role::Viewer => Self::OPERATE.split_at(Self::VIEWED).0,
            Role::Admin => &Self::OPERATE,
        }
    }

    fn link(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Analyze => ("/", "analyze", text::nav::ANALYZE),
            Self::History => ("/history", "history", text::nav::HISTORY),
            Self::Status => ("/status", "status", text::nav::STATUS),
            Self::Overview => ("/overview", "overview", text::nav::OVERVIEW),
            Self::Analytics => ("/analytics/usage", "analytics", text::nav::ANALYTICS),
            Self::Requests => ("/requests", "requests", text::nav::REQUESTS),
            Self::Alerts => ("/admin/alerts", "alerts", text::nav::ALERTS),
            Self::Users => ("/admin/users", "users", text::nav::USERS),
            Self::Audit => ("/admin/audit", "audit", text::nav::AUDIT),
            Self::Doctor => ("/admin/doctor", "doctor", text::nav::DOCTOR),
        }
    }
}

/// A column of words on wide screens, a rail of icons on middle ones, a bar at the bottom of narrow ones. There the second group
/// does not fit: it is a sheet that a button of the bar opens, without script. Elsewhere its style makes it part of the column.
#[component]
pub(super) fn Nav(place: Option<Place>, role: Role) -> impl IntoView {
    let operate = Place::operate(role);
    let is_here = place.is_some_and(|place| operate.contains(&place));
    view! {
        <nav class="nav no-print" aria-label=text::nav::LABEL>
            <div class="nav-column">
                <Brand/>
                <NavGroup name=text::nav::USE places=&Place::USE here=place/>
                {(!operate.is_empty()).then(|| view! {
                    <button
                        type="button"
                        class="nav-link nav-more"
                        class:nav-more-here=is_here
                        popovertarget="nav-sheet"
                    >
                        <Icon name="menu"/>
                        <span>{text::nav::MORE}</span>
                    </button>
                    <div id="nav-sheet" class="nav-sheet" popover="auto">
                        <NavGroup name=text::nav::OPERATE places=operate here=place/>
                    </div>
                })}
            </div>
        </nav>
    }
    .into_any()
}

#[component]
fn NavGroup(name: &'static str, places: &'static [Place], here: Option<Place>) -> impl IntoView {
    let links = places
        .iter()
        .map(|&place| {
            let (href, icon, word) = place.link();
            let current = (here == Some(place)).then_some("page");
            view! {
                <li>
                    <a class="nav-link" href=href aria-current=current>
                        <Icon name=icon/>
                        <span>{word}</span>
                    </a>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <p class="nav-group" aria-hidden="true">{name}</p>
        <ul class="nav-list" role="list" aria-label=name>{links}</ul>
    }
    .into_any()
}
