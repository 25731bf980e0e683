//! The document around every page, and the table of routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::{MetaTags, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::context::{PageContext, Theme};
use crate::pages;

/// Loads the WebAssembly and hydrates the islands, then marks `<html>` with `data-hydrated`.
/// Ours instead of Leptos' `HydrationScripts`: its preload links carry no nonce, which `'strict-dynamic'` demands.
const HYDRATE: &str = include_str!("document/hydrate.js");

/// The status a page answers with. The server puts one into the context and reads it after rendering; 200 until a page
/// found otherwise, such as an analysis that does not exist.
#[derive(Debug, Clone)]
pub struct PageStatus(Arc<AtomicU16>);

impl Default for PageStatus {
    fn default() -> Self {
        Self(Arc::new(AtomicU16::new(200)))
    }
}

impl PageStatus {
    pub fn get(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(code: u16) {
        if let Some(status) = use_context::<Self>() {
            status.0.store(code, Ordering::Relaxed);
        }
    }
}

/// The whole document with the app in it.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let hydration = hydration(&options);
    document(&options, hydration, view! { <App/> }).into_any()
}

/// Any view as a whole document. `head` comes after the style sheet.
pub(crate) fn document<H: IntoView, B: IntoView>(
    options: &LeptosOptions,
    head: H,
    body: B,
) -> impl IntoView + use<H, B> {
    let theme = use_context::<PageContext>()
        .map(|context| context.theme)
        .unwrap_or_default();
    let color_scheme = match theme {
        Theme::System => "light dark",
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    let pkg = &options.site_pkg_dir;
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.as_str()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content=color_scheme/>
                <link rel="stylesheet" href=format!("/{pkg}/keypool.css")/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <MetaTags/>
                {head}
            </head>
            <body>{body}</body>
        </html>
    }
}

fn hydration(options: &LeptosOptions) -> impl IntoView + use<> {
    let nonce = use_nonce();
    let module = format!("/{}/{}.js", options.site_pkg_dir, options.output_name);
    let wasm = format!("/{}/{}_bg.wasm", options.site_pkg_dir, options.output_name);
    let script = format!("{HYDRATE}({module:?}, {wasm:?});");
    view! {
        <link rel="modulepreload" href=module nonce=nonce.clone()/>
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="module" nonce=nonce inner_html=script></script>
    }
}

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=pages::NotFound>
                <Route path=path!("/") view=pages::Analyze ssr=SsrMode::Async/>
                <Route path=path!("/history") view=pages::History ssr=SsrMode::Async/>
                <Route path=path!("/history/:id") view=pages::AnalysisDetail ssr=SsrMode::Async/>
                <Route path=path!("/status") view=pages::Status ssr=SsrMode::Async/>
                <Route path=path!("/overview") view=pages::OverviewPage ssr=SsrMode::Async/>
                <Route path=path!("/analytics/usage") view=pages::UsagePage ssr=SsrMode::Async/>
                <Route path=path!("/analytics/hourly-pattern") view=pages::HourlyPage ssr=SsrMode::Async/>
                <Route path=path!("/analytics/errors") view=pages::ErrorsPage ssr=SsrMode::Async/>
                <Route path=path!("/analytics/latency") view=pages::LatencyPage ssr=SsrMode::Async/>
                <Route path=path!("/analytics/forecast") view=pages::ForecastPage ssr=SsrMode::Async/>
                <Route path=path!("/requests") view=pages::RequestsPage ssr=SsrMode::Async/>
                <Route path=path!("/requests/:id") view=pages::OneRequestPage ssr=SsrMode::Async/>
                <Route path=path!("/admin/alerts") view=pages::Alerts ssr=SsrMode::Async/>
                <Route path=path!("/admin/doctor") view=pages::Doctor ssr=SsrMode::Async/>
                <Route path=path!("/admin/users") view=pages::Users ssr=SsrMode::Async/>
                <Route path=path!("/admin/users/:id") view=pages::User ssr=SsrMode::Async/>
                <Route path=path!("/admin/audit") view=pages::Audit ssr=SsrMode::Async/>
                <Route path=path!("/account") view=pages::Account ssr=SsrMode::Async/>
                <Route path=path!("/account/two-factor") view=pages::TwoFactor ssr=SsrMode::Async/>
                <Route path=path!("/account/tokens") view=pages::Tokens ssr=SsrMode::Async/>
                <Route path=path!("/sign-in") view=pages::SignIn ssr=SsrMode::Async/>
                <Route path=path!("/sign-in/code") view=pages::SignInCode ssr=SsrMode::Async/>
                <Route path=path!("/invitation") view=pages::AcceptInvitation ssr=SsrMode::Async/>
                <Route path=path!("/password") view=pages::SetPassword ssr=SsrMode::Async/>
                <Route path=path!("/register") view=pages::Register ssr=SsrMode::Async/>
                <Route path=path!("/set-up") view=pages::SetUpAdmin ssr=SsrMode::Async/>
                <Route path=path!("/set-up/key") view=pages::SetUpKey ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
    .into_any()
}
