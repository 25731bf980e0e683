//! The browser's side of the islands: requests, storage, clipboard, time. Nothing here knows an island.

pub(super) mod http;
pub(super) mod source;

use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;

/// Milliseconds since the Unix epoch by the browser's clock. Only differences are used: the clock may be wrong.
pub(super) fn now_ms() -> u64 {
    let now = js_sys::Date::now();
    if now.is_finite() && now > 0.0 { now as u64 } else { 0 }
}

pub(super) fn window() -> web_sys::Window {
    leptos::prelude::window()
}

/// Whether the tab cannot be seen; then nothing needs to be kept up to date.
pub(super) fn is_hidden() -> bool {
    leptos::prelude::document().hidden()
}

/// False only when the browser is sure that there is no network.
pub(super) fn is_online() -> bool {
    window().navigator().on_line()
}

/// Puts `text` into the clipboard; false when the browser does not allow it.
pub(super) async fn copy(text: &str) -> bool {
    // The clipboard is missing on pages that are neither https nor on this machine.
    let clipboard: wasm_bindgen::JsValue =
        js_sys::Reflect::get(&window().navigator(), &"clipboard".into()).unwrap_or_default();
    let Some(clipboard) = clipboard.dyn_ref::<web_sys::Clipboard>() else {
        return false;
    };
    JsFuture::from(clipboard.write_text(text)).await.is_ok()
}

/// Values of this tab only. Storage may be full or switched off; then nothing is kept.
pub(super) mod storage {
    fn session() -> Option<web_sys::Storage> {
        super::window().session_storage().ok().flatten()
    }

    pub(in crate::islands) fn get(name: &str) -> Option<String> {
        session()?.get_item(name).ok().flatten()
    }

    pub(in crate::islands) fn set(name: &str, value: &str) {
        if let Some(storage) = session() {
            let _ = storage.set_item(name, value);
        }
    }

    pub(in crate::islands) fn remove(name: &str) {
        if let Some(storage) = session() {
            let _ = storage.remove_item(name);
        }
    }
}

/// Offers `text` as a file called `name`, of a type such as `text/markdown`.
pub(super) fn download(name: &str, mime_type: &str, text: &str) {
    let parts = js_sys::Array::of1(&text.into());
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(&format!("{mime_type};charset=utf-8"));
    let Ok(blob) = web_sys::Blob::new_with_str_sequence_and_options(&parts, &options) else {
        return;
    };
    let Ok(url) = web_sys::Url::create_object_url_with_blob(&blob) else {
        return;
    };
    if let Ok(element) = leptos::prelude::document().create_element("a") {
        let link: web_sys::HtmlAnchorElement = element.unchecked_into();
        link.set_href(&url);
        link.set_download(name);
        link.click();
    }
    let _ = web_sys::Url::revoke_object_url(&url);
}
