use leptos::prelude::*;

use super::live::{Feed, Link};
use crate::components::{Icon, level_look};
use crate::text;
use crate::types::{Level, PublicStatus};

/// The line under the header: nothing while all is well. Follows the live state; `signed_in` decides how.
/// Administrators of a server without a key are led to add one.
#[island]
pub fn LiveBanner(status: PublicStatus, signed_in: bool, admin: bool) -> impl IntoView {
    let feed = Feed::follow(status, None, signed_in);
    let news = Memo::new(move |_| news(feed, admin));
    view! {
        <div class="banner-slot" role="status" data-testid="banner">
            {move || news.get().map(|news| view! {
                <div class=format!("banner {}", news.tone)>
                    <Icon name=news.icon/>
                    <div class="banner-body banner-row">
                        <p class="banner-line">
                            <strong>{news.title}</strong>
                            // Read out once, not every minute.
                            <span aria-live="off">{move || feed.next_reset().map(|reset| format!(" {reset}"))}</span>
                        </p>
                        {news.action.map(|(href, word)| view! { <a class="banner-action" href=href>{word}</a> })}
                    </div>
                </div>
            })}
        </div>
    }
}

#[derive(Clone, PartialEq)]
struct News {
    tone: &'static str,
    icon: &'static str,
    title: String,
    /// Where it leads and what it says.
    action: Option<(&'static str, &'static str)>,
}

const SEE_STATUS: Option<(&str, &str)> = Some(("/status", text::live::SEE_STATUS));

fn news(feed: Feed, admin: bool) -> Option<News> {
    let unknown = |title: String, action| {
        Some(News {
            tone: "tone-unknown",
            icon: "unknown",
            title,
            action,
        })
    };
    feed.live.with(|live| {
        if live.link == Link::Offline {
            // Without a network no link leads anywhere.
            return unknown(text::live::OFFLINE.to_owned(), None);
        }
        if feed.is_stale() {
            return unknown(text::live::last_checked(&live.status.checked_at), SEE_STATUS);
        }
        let level = live.status.level;
        let total_keys = live.status.total_keys;
        let (tone, icon) = level_look(level, total_keys);
        (level != Level::Operational).then(|| News {
            tone,
            icon,
            title: text::live::headline(&live.status),
            action: if total_keys == 0 && admin {
                Some(("/set-up/key", text::analyze::NOT_SET_UP_ACTION))
            } else {
                SEE_STATUS
            },
        })
    })
}
