//! Files as the browser hands them over. They stay here, under the ids of their [`Picture`]s, until they are sent.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use leptos::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, DataTransfer, File, FileList, FormData, Url};

use crate::image_type::SNIFF_BYTES;
use crate::islands::composer::picture::{self, Picture};
use crate::islands::composer::state::{Composing, Field, Problem, Tab};
use crate::text::compose as words;

thread_local! {
    static FILES: RefCell<BTreeMap<u32, File>> = const { RefCell::new(BTreeMap::new()) };
    static LAST_ID: Cell<u32> = const { Cell::new(0) };
}

/// What the file dialog brought, also before hydration. The input is emptied, so that the same file can be chosen again.
pub(super) fn chosen(state: Composing) {
    let Some(input) = state.file_input.get_untracked() else {
        return;
    };
    let files = listed(input.files());
    input.set_value("");
    add(state, files);
}

/// Text may still be dragged into the prompt.
pub(super) fn drag_over(state: Composing, event: &web_sys::DragEvent) {
    if event
        .data_transfer()
        .is_some_and(|transfer| transfer.types().includes(&"Files".into(), 0))
    {
        event.prevent_default();
        state.dragging.set(true);
    }
}

pub(super) fn dropped(state: Composing, event: &web_sys::DragEvent) {
    state.dragging.set(false);
    let files = transferred(event.data_transfer());
    if !files.is_empty() {
        // Otherwise the browser would leave the page and show the file.
        event.prevent_default();
        add(state, files);
    }
}

pub(super) fn pasted(state: Composing, event: &web_sys::ClipboardEvent) {
    let files = transferred(event.clipboard_data());
    if !files.is_empty() {
        event.prevent_default();
        add(state, files);
    }
}

pub(super) fn remove(state: Composing, id: u32) {
    FILES.with_borrow_mut(|files| files.remove(&id));
    state.pictures.update(|pictures| {
        pictures.retain(|picture| {
            if let (true, Some(url)) = (picture.id == id, &picture.preview) {
                let _ = Url::revoke_object_url(url);
            }
            picture.id != id
        });
    });
    clear_problem(state);
    // The pressed button is gone; the focus must not be lost with it.
    super::view::focus(Field::Images);
}

/// Adds the chosen files to a form that is about to be sent, with the type that their content has.
pub(super) fn append(state: Composing, form: &FormData) {
    let pictures = state.pictures.get_untracked();
    FILES.with_borrow(|files| {
        for picture in &pictures {
            let Some(file) = files.get(&picture.id) else { continue };
            let whole = file.slice_with_f64_and_f64_and_content_type(0.0, file.size(), picture.mime_type);
            if let Ok(blob) = whole {
                let _ = form.append_with_blob_and_filename(Field::Images.name(), &blob, &picture.name);
            }
        }
    });
}

fn add(state: Composing, files: Vec<File>) {
    if files.is_empty() {
        return;
    }
    state.tab.set(Tab::Image);
    clear_problem(state);
    leptos::task::spawn_local(async move {
        let mut refusals = Vec::new();
        for file in files {
            if let Err(refusal) = add_one(state, file).await {
                refusals.push(refusal);
            }
        }
        if !refusals.is_empty() {
            state.problem.set(Some(Problem {
                field: Field::Images,
                text: refusals.join(" "),
            }));
        }
    });
}

async fn add_one(state: Composing, file: File) -> Result<(), String> {
    let start = first_bytes(&file).await.ok_or_else(|| words::UNREADABLE.to_owned())?;
    let (name, bytes) = (file.name(), file.size() as u64);
    let mime_type = state
        .pictures
        .with_untracked(|pictures| picture::admit(&name, bytes, &start, pictures))?;
    let id = LAST_ID.get() + 1;
    LAST_ID.set(id);
    let preview = picture::can_be_shown(mime_type)
        .then(|| Url::create_object_url_with_blob(&file).ok())
        .flatten();
    FILES.with_borrow_mut(|files| files.insert(id, file));
    state.pictures.update(|pictures| {
        pictures.push(Picture {
            id,
            name,
            bytes,
            mime_type,
            preview,
        })
    });
    Ok(())
}

async fn first_bytes(file: &Blob) -> Option<Vec<u8>> {
    let start = file.slice_with_f64_and_f64(0.0, SNIFF_BYTES as f64).ok()?;
    let buffer = JsFuture::from(start.array_buffer()).await.ok()?;
    Some(js_sys::Uint8Array::new(&buffer).to_vec())
}

fn clear_problem(state: Composing) {
    if state
        .problem
        .with_untracked(|problem| problem.as_ref().is_some_and(|problem| problem.field == Field::Images))
    {
        state.problem.set(None);
    }
}

fn transferred(transfer: Option<DataTransfer>) -> Vec<File> {
    listed(transfer.and_then(|transfer| transfer.files()))
}

fn listed(files: Option<FileList>) -> Vec<File> {
    files
        .map(|files| (0..files.length()).filter_map(|index| files.item(index)).collect())
        .unwrap_or_default()
}

/// Whether anything is chosen and the reader means images.
pub(super) fn are_meant(state: Composing) -> bool {
    state.tab.get_untracked() == Tab::Image
}
