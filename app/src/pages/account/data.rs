use leptos::prelude::*;

use crate::components::{Confirm, Field, Icon, RefusedSummary};
use crate::context::RefusedForm;
use crate::text::account as words;

/// What is kept of the account: to be had, and to be erased.
#[component]
pub(super) fn HistorySection(refused: Option<RefusedForm>) -> impl IntoView {
    let open = refused.is_some();
    view! {
        <section class="card" aria-labelledby="data">
            <div class="card-head"><h2 id="data">{words::DATA}</h2></div>
            <div class="stack">
                <p class="muted">{words::DATA_HINT}</p>
                <div>
                    <a class="button" href="/account/export" download="keypool-account.json">
                        <Icon name="download"/>
                        {words::DOWNLOAD}
                    </a>
                </div>
                <Confirm label=words::ERASE effect=words::ERASE_EFFECT open>
                    <RefusedSummary title=words::ERASE_REFUSED refused=refused.clone() form="erase"/>
                    <form method="post" action="/account/erase" class="stack form-narrow">
                        <Field name="word" form="erase" label=words::ERASE_CONFIRM autocomplete="off" refused/>
                        <div><button type="submit" class="button button-danger">{words::ERASE_SUBMIT}</button></div>
                    </form>
                </Confirm>
            </div>
        </section>
    }
    .into_any()
}

/// The end of the account.
#[component]
pub(super) fn DeleteSection(refused: Option<RefusedForm>) -> impl IntoView {
    let open = refused.is_some();
    let email = refused
        .as_ref()
        .map(|refused| refused.kept("email"))
        .unwrap_or_default();
    view! {
        <section class="card" aria-labelledby="delete">
            <div class="card-head"><h2 id="delete">{words::DELETE}</h2></div>
            <Confirm label=words::DELETE effect=words::DELETE_EFFECT open>
                <RefusedSummary title=words::DELETE_REFUSED refused=refused.clone() form="delete"/>
                <form method="post" action="/account/delete" class="stack form-narrow">
                    <Field
                        name="email"
                        form="delete"
                        label=words::EMAIL_CONFIRM
                        autocomplete="off"
                        value=email
                        refused=refused.clone()
                    />
                    <Field
                        name="password"
                        form="delete"
                        label=words::DELETE_PASSWORD
                        kind="password"
                        autocomplete="current-password"
                        refused
                    />
                    <div><button type="submit" class="button button-danger">{words::DELETE_SUBMIT}</button></div>
                </form>
            </Confirm>
        </section>
    }
    .into_any()
}
