//! The frame of the pages under *Analytics*.

use leptos::prelude::*;

use super::toolbar::Toolbar;
use super::{Asked, Choices};
use crate::components::{Frame, Place};
use crate::error::AppError;
use crate::text::usage as words;
use crate::types::TimeRange;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Usage,
    Hourly,
    Errors,
    Latency,
    Forecast,
}

impl Tab {
    const ALL: [Self; 5] = [Self::Usage, Self::Hourly, Self::Errors, Self::Latency, Self::Forecast];

    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Usage => ("/analytics/usage", words::TAB_USAGE),
            Self::Hourly => ("/analytics/hourly-pattern", words::TAB_HOURLY),
            Self::Errors => ("/analytics/errors", words::TAB_ERRORS),
            Self::Latency => ("/analytics/latency", words::TAB_LATENCY),
            Self::Forecast => ("/analytics/forecast", words::TAB_FORECAST),
        }
    }
}

/// Title, links between the pages, and what the page brings.
#[component]
pub(super) fn TabFrame(tab: Tab, asked: Asked, children: Children) -> impl IntoView {
    let links = Tab::ALL
        .into_iter()
        .map(|other| {
            let (path, word) = other.link();
            let current = (other == tab).then_some("page");
            view! { <li><a href=asked.address.at(path, &[]) aria-current=current>{word}</a></li> }
        })
        .collect::<Vec<_>>();
    view! {
        <Frame title=tab.link().1 place=Place::Analytics zone=asked.zone.word().to_owned()>
            <nav class="tabs no-print" aria-label=words::TABS>
                <ul role="list">{links}</ul>
            </nav>
            {children()}
        </Frame>
    }
    .into_any()
}

/// [`TabFrame`] with the toolbar. `shown` is what the figures are about, or why there are none.
#[component]
pub(super) fn RangeFrame(
    tab: Tab,
    asked: Asked,
    choices: Choices,
    shown: Result<TimeRange, AppError>,
    children: Children,
) -> impl IntoView {
    view! {
        <TabFrame tab asked=asked.clone()>
            <Toolbar asked choices shown/>
            {children()}
        </TabFrame>
    }
    .into_any()
}
