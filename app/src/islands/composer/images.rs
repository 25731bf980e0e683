//! Choosing images: by drop, by file dialog, by paste.

use leptos::prelude::*;

use super::field_error;
use super::picture::Picture;
use super::state::{Act, Composing, Field, Tab, act};
use crate::components::Icon;
use crate::text::compose as words;

/// Names beside the types: some systems know no type for HEIC.
const ACCEPT: &str = "image/png,image/jpeg,image/webp,image/heic,image/heif,.heic,.heif";

pub fn part(state: Composing) -> impl IntoView {
    let is_lost = move || state.images_lost > 0 && state.pictures.with(Vec::is_empty);
    let described_by = move || {
        let lost = if is_lost() { "images-lost " } else { "" };
        format!("{lost}images-hint images-limits {}", Field::Images.error_id())
    };
    view! {
        <div class="composer-images" class:composer-off=move || state.tab.get() == Tab::Text>
            <div class="drop" data-testid="drop-zone">
                <Icon name="upload" class="icon-large"/>
                <p class="drop-hint" id="images-hint">{words::DROP_HINT}</p>
                <input
                    class="drop-input"
                    type="file"
                    id="images"
                    name=Field::Images.name()
                    accept=ACCEPT
                    multiple
                    aria-describedby=described_by
                    node_ref=state.file_input
                    on:change=move |_| act(state, Act::Choose)
                />
                <label class="button" for="images">{words::CHOOSE}</label>
                <p class="field-hint" id="images-limits">{words::IMAGE_LIMITS}</p>
            </div>
            {move || is_lost().then(|| view! {
                <p class="note" id="images-lost">
                    <Icon name="info"/>
                    <span>{words::images_lost(state.images_lost)}</span>
                </p>
            })}
            {field_error(state, Field::Images)}
            {move || {
                let pictures = state.pictures.get();
                (!pictures.is_empty()).then(|| view! {
                    <ul class="pictures" aria-label=words::CHOSEN>
                        {pictures.into_iter().map(|picture| one(state, picture)).collect_view()}
                    </ul>
                })
            }}
        </div>
    }
}

fn one(state: Composing, picture: Picture) -> impl IntoView {
    let Picture {
        id,
        name,
        bytes,
        preview,
        ..
    } = picture;
    view! {
        <li class="picture">
            {match preview {
                // The name beside it says all that could be said about it here.
                Some(url) => view! { <img class="picture-thumb" src=url alt="" width="48" height="48"/> }.into_any(),
                None => view! { <span class="picture-thumb"><Icon name="image"/></span> }.into_any(),
            }}
            <span class="picture-name">{name.clone()}</span>
            <span class="field-hint number">{words::file_size(bytes)}</span>
            <button
                type="button"
                class="button button-quiet button-icon"
                aria-label=words::remove(&name)
                on:click=move |_| act(state, Act::Remove(id))
            >
                <Icon name="close"/>
            </button>
        </li>
    }
}
