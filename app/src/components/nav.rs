use leptos::prelude::*;

use super::Icon;
use super::header::Brand;
use crate::text;

/// Where a page belongs in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Analyze,
    History,
    Status,
    Alerts,
    Users,
    Audit,
    Doctor,
}

impl Place {
    const USE: [Self; 3] = [Self::Analyze, Self::History, Self::Status];
    /// For admins.
    const OPERATE: [Self; 4] = [Self::Alerts, Self::Users, Self::Audit, Self::Doctor];

    fn link(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Analyze => ("/", "analyze", text::nav::ANALYZE),
            Self::History => ("/history", "history", text::nav::HISTORY),
            Self::Status => ("/status", "status", text::nav::STATUS),
            Self::Alerts => ("/admin/alerts", "alerts", text::nav::ALERTS),
            Self::Users => ("/admin/users", "users", text::nav::USERS),
            Self::Audit => ("/admin/audit", "audit", text::nav::AUDIT),
            Self::Doctor => ("/admin/doctor", "doctor", text::nav::DOCTOR),
        }
    }
}

/// A column of words on wide screens, a rail of icons on middle ones, a bar at the bottom of narrow ones.
#[component]
pub(super) fn Nav(place: Option<Place>, admin: bool) -> impl IntoView {
    view! {
        <nav class="nav no-print" aria-label=text::nav::LABEL>
            <div class="nav-column">
                <Brand/>
                <NavGroup name=text::nav::USE places=&Place::USE here=place/>
                {admin.then(|| view! { <NavGroup name=text::nav::OPERATE places=&Place::OPERATE here=place/> })}
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
