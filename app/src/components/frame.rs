use leptos::prelude::*;
use leptos_meta::{ServerMetaContext, Title};

use super::Icon;
use super::header::{Header, PublicHeader};
use super::nav::{Nav, Place};
use crate::backend::BackendRef;
use crate::context::PageContext;
use crate::done::Done;
use crate::islands::LiveBanner;
use crate::text;
use crate::types::{PublicStatus, Role};

/// A page: header, navigation and banner for people who are signed in, header alone for others; footer for all.
#[component]
pub fn Frame(
    title: &'static str,
    #[prop(optional)] place: Option<Place>,
    /// The page itself says how the service is doing.
    #[prop(optional)]
    without_banner: bool,
    /// Of the times on the page, when it is not UTC.
    #[prop(optional, into)]
    zone: Option<String>,
    children: Children,
) -> impl IntoView {
    let context = expect_context::<PageContext>();
    let status = status();
    let simulated = status.as_ref().is_some_and(|status| status.simulated);
    let done = Done::of(&context.path);
    match context.user.clone() {
        Some(user) => {
            let user_role = user.role;
            let admin = user_role == Role::Admin;
            let banner = status.filter(|_| !without_banner);
            view! {
                <PageTitle title/>
                <SkipLink/>
                <div class="frame frame-app">
                    <Header title user context/>
                    <Nav place role=user_role/>
                    <div class="frame-main">
                        {simulated.then(|| view! { <Simulated/> })}
                        {banner.map(|status| view! { <LiveBanner status signed_in=true admin/> }.into_any())}
                        <main id="main" class="content" tabindex="-1" aria-labelledby="page-title">
                            <DoneNote done/>
                            {children()}
                        </main>
                        <Footer zone/>
                    </div>
                </div>
            }
            .into_any()
        }
        None => view! {
            <PageTitle title/>
            <SkipLink/>
            <div class="frame frame-public">
                <PublicHeader context sign_in=true/>
                {simulated.then(|| view! { <Simulated/> })}
                <main id="main" class="content content-public" tabindex="-1" aria-labelledby="page-title">
                    <h1 id="page-title">{title}</h1>
                    {children()}
                </main>
                <Footer zone/>
            </div>
        }
        .into_any(),
    }
}

/// A page that is one card in the middle: signing in, setting up, an error.
#[component]
pub fn CardFrame(
    title: &'static str,
    /// Wider than a form.
    #[prop(optional)]
    wide: bool,
    children: Children,
) -> impl IntoView {
    let context = expect_context::<PageContext>();
    let simulated = status().is_some_and(|status| status.simulated);
    let done = Done::of(&context.path);
    let class = if wide {
        "card-column card-column-wide"
    } else {
        "card-column"
    };
    view! {
        <PageTitle title/>
        <SkipLink/>
        <div class="frame frame-public">
            <PublicHeader context sign_in=false/>
            {simulated.then(|| view! { <Simulated/> })}
            <main id="main" class=class tabindex="-1" aria-labelledby="page-title">
                <DoneNote done/>
                {children()}
            </main>
            <Footer zone=None/>
        </div>
    }
    .into_any()
}

/// None where a page is rendered without the server behind it, as after a panic.
fn status() -> Option<PublicStatus> {
    use_context::<BackendRef>().map(|backend| PublicStatus::from(&backend.status()))
}

#[component]
fn PageTitle(title: &'static str) -> impl IntoView {
    use_context::<ServerMetaContext>().map(|_| view! { <Title text=format!("{title} · {}", text::PRODUCT)/> })
}

/// What the form did that led here.
#[component]
fn DoneNote(done: Option<Done>) -> impl IntoView {
    done.map(|done| {
        view! {
            <div class="banner tone-ok" role="status" data-testid="done">
                <Icon name="check"/>
                <p class="banner-body">{done.words()}</p>
            </div>
        }
    })
}

#[component]
fn SkipLink() -> impl IntoView {
    view! { <a class="skip-link" href="#main">{text::SKIP_TO_CONTENT}</a> }
}

#[component]
fn Simulated() -> impl IntoView {
    view! {
        <aside class="simulated" aria-label=text::NOTICE data-testid="simulated">
            <Icon name="info"/>
            <p>{text::SIMULATED}</p>
        </aside>
    }
    .into_any()
}

#[component]
fn Footer(zone: Option<String>) -> impl IntoView {
    let version = use_context::<BackendRef>().map(|backend| format!(" {}", backend.version()));
    view! {
        <footer class="footer">
            <span>{text::PRODUCT}{version}</span>
            <a href="/status">{text::nav::STATUS}</a>
            <span>{text::times_in(zone.as_deref().unwrap_or("UTC"))}</span>
        </footer>
    }
    .into_any()
}
