use leptos::prelude::*;

use super::live::{Feed, Link};
use crate::components::{Icon, level_look};
use crate::text;
use crate::types::{Level, PublicStatus};

/// The line under the header: nothing while all is well. Follows the live state; `signed_in` decides how.
#[island]
pub fn LiveBanner(status: PublicStatus, signed_in: bool) -> impl IntoView {
    let feed = Feed::follow(status, None, signed_in);
    let news = Memo::new(move |_| news(feed));
    view! {
        <div class="banner-slot" role="status" data-testid="banner">
            {move || news.get().map(|news| view! {
                <div class=format!("banner {}", news.tone)>
                    <Icon name=news.icon/>
                    <div class="banner-body">
                        <p class="banner-title">{news.title}</p>
                        // Read out once, not every minute.
                        <p class="banner-more" aria-live="off">{move || feed.next_reset()}</p>
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
}

fn news(feed: Feed) -> Option<News> {
    let unknown = |title: String| {
        Some(News {
            tone: "tone-unknown",
            icon: "unknown",
            title,
        })
    };
    feed.live.with(|live| {
        if live.link == Link::Offline {
            return unknown(text::live::OFFLINE.to_owned());
        }
        if feed.is_stale() {
            return unknown(text::live::last_checked(&live.status.checked_at));
        }
        let level = live.status.level;
        let (tone, icon) = level_look(level);
        (level != Level::Operational).then(|| News {
            tone,
            icon,
            title: text::live::headline(&live.status),
        })
    })
}
