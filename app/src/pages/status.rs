use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{Frame, Place};
use crate::context::PageContext;
use crate::islands::LiveStatus;
use crate::text;
use crate::types::{PublicStatus, Role};

/// For anyone: how the service is doing. People who are signed in also see the keys by number.
#[component]
pub fn Status() -> impl IntoView {
    let status = expect_context::<BackendRef>().status();
    let user = expect_context::<PageContext>().user;
    let keys = user.is_some().then(|| status.available_keys.clone());
    let admin = user.is_some_and(|user| user.role == Role::Admin);
    view! {
        <Frame title=text::status::TITLE place=Place::Status without_banner=true>
            <LiveStatus status=PublicStatus::from(&status) keys admin/>
        </Frame>
    }
    .into_any()
}
