use leptos::prelude::*;

use crate::components::Icon;
use crate::error::AppError;
use crate::pages::usage::address::FILTERS;
use crate::pages::usage::toolbar::{key_select, model_select, select};
use crate::pages::usage::{Asked, Choices};
use crate::text::usage::{self, requests as words};

/// All filters of the log in one form, folded while none is set.
pub(super) fn form(asked: &Asked, choices: Choices, refused: Option<&AppError>) -> AnyView {
    let address = &asked.address;
    let set = address.filters();
    let pairs = |names: &[&str], word: fn(&str) -> String| -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), word(name))).collect()
    };
    let statuses = words::STATUSES
        .map(|(name, word)| (name.to_owned(), word.to_owned()))
        .to_vec();
    let errors = pairs(&words::ERROR_TYPES, usage::error_type);
    let operations = pairs(&words::OPERATIONS, |name| words::operation(name).to_owned());
    let surfaces = pairs(&words::SURFACES, |name| words::surface(name).to_owned());
    let choice = |name, label, options| select("filter", name, label, words::ANY, address.get(name), options);
    let clear = address.with(&FILTERS.map(|name| (name, "")));
    let fault = refused
        .filter(|error| error.field.as_deref().is_some_and(|field| FILTERS.contains(&field)))
        .map(|error| error.message.clone());
    let is_open = set > 0 || fault.is_some();
    view! {
        <details class="card disclosure no-print" open=is_open data-testid="filter">
            <summary><h2>{words::filter(set)}</h2><Icon name="chevron-down"/></summary>
            <form method="get" action=address.path().to_owned() role="search" aria-label=words::FILTER_LABEL class="filter-form">
                {address.hidden(&FILTERS)}
                {choice("status", words::STATUS, statuses)}
                {choice("errorType", words::ERROR_TYPE, errors)}
                {key_select("filter", address.get("keyNumber"), choices.keys)}
                {model_select("filter", address.get("model"), choices.models)}
                {choice("operation", words::OPERATION, operations)}
                {choice("surface", words::SURFACE, surfaces)}
                {text("user", words::USER, Some(words::USER_HINT), address.get("user"))}
                {text("requestId", words::REQUEST_ID, None, address.get("requestId"))}
                {fault.map(|message| view! {
                    <p class="field-error" role="alert"><Icon name="major"/><span>{message}</span></p>
                })}
                <div class="row filter-end">
                    <button type="submit" class="button button-primary"><Icon name="search"/>{usage::SHOW}</button>
                    {(set > 0).then(|| view! { <a class="button" href=clear>{words::CLEAR}</a> })}
                </div>
            </form>
        </details>
    }
    .into_any()
}

fn text(name: &'static str, label: &'static str, placeholder: Option<&'static str>, value: Option<&str>) -> AnyView {
    let id = format!("filter-{name}");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class="input"
                id=id
                name=name
                type="text"
                value=value.unwrap_or_default().to_owned()
                placeholder=placeholder
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
            />
        </div>
    }
    .into_any()
}
