use leptos::prelude::*;

use crate::text::usage as words;

/// Offers the zone that the browser is set to, once it is known; nothing where that zone is chosen already, or UTC.
#[island]
pub fn BrowserZone(
    /// IANA name.
    chosen: String,
    /// The page without a zone.
    link: String,
) -> impl IntoView {
    let zone = RwSignal::new(None::<String>);
    Effect::new(move |_| zone.set(browser_zone()));
    let offer = move || {
        let zone = zone.get().filter(|zone| *zone != chosen && zone != "UTC")?;
        let sign = if link.contains('?') { '&' } else { '?' };
        let href = format!("{link}{sign}tz={}", zone.replace('/', "%2F").replace('+', "%2B"));
        Some(view! { <a class="button" href=href>{words::own_zone(&zone)}</a> })
    };
    view! { {offer} }
}

/// Such as `Europe/Berlin`.
#[cfg(target_arch = "wasm32")]
fn browser_zone() -> Option<String> {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let zone = js_sys::Reflect::get(&format.resolved_options(), &"timeZone".into()).ok()?;
    zone.as_string()
}

/// Effects do not run on the server.
#[cfg(not(target_arch = "wasm32"))]
fn browser_zone() -> Option<String> {
    None
}
