use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{Frame, Place};
use crate::context::PageContext;
use crate::islands::LiveStatus;
use crate::text;
use crate::types::PublicStatus;

/// For anyone: how the service is doing. People who are signed in also see the keys by number.
#[component]
pub fn Status() -> impl IntoView {
    let status = expect_context::<BackendRef>().status();
    let signed_in = expect_context::<PageContext>().user.is_some();
    let keys = signed_in.then(|| status.available_keys.clone());
    view! {
        <Frame title=text::status::TITLE place=Place::Status>
            <LiveStatus status=PublicStatus::from(&status) keys/>
        </Frame>
    }
    .into_any()
}
