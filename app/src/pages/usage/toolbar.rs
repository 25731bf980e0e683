//! Range, key, model, zone and export, the same on every page. Links and forms only: it works without script.

use leptos::prelude::*;

use super::{Asked, Choices};
use crate::components::Icon;
use crate::error::AppError;
use crate::islands::BrowserZone;
use crate::text::usage as words;
use crate::types::TimeRange;

/// What a refused query says beside the field it is about.
type Refused = Option<AppError>;

#[component]
pub(super) fn Toolbar(
    asked: Asked,
    choices: Choices,
    /// What the figures are about, or why there are none.
    shown: Result<TimeRange, AppError>,
    /// The page has key and model in a form of its own.
    #[prop(optional)]
    without_filters: bool,
    /// What keeps the page up to date.
    #[prop(optional_no_strip)]
    live: Option<AnyView>,
) -> impl IntoView {
    let (range, refused) = match shown {
        Ok(range) => (Some(range), None),
        Err(error) => (None, Some(error)),
    };
    view! {
        <div class="toolbar no-print" role="group" aria-label=words::TOOLBAR data-testid="toolbar">
            {ranges(&asked, range.as_ref())}
            {custom(&asked, range.as_ref(), &refused)}
            <Zones asked=asked.clone() refused/>
            {(!without_filters).then(|| filters(&asked, choices))}
            <div class="tool-end">
                {live}
                {exports(&asked)}
            </div>
        </div>
    }
    .into_any()
}

fn ranges(asked: &Asked, range: Option<&TimeRange>) -> AnyView {
    let chosen = match range {
        Some(range) => range.range.as_deref(),
        None => asked.address.get("range"),
    };
    let links = words::RANGE_WORDS
        .map(|(name, word, whole)| {
            let href = asked.address.with(&[("range", name), ("startDate", ""), ("endDate", "")]);
            let current = (chosen == Some(name)).then_some("true");
            view! { <li><a href=href aria-current=current title=whole><span class="visually-hidden">{words::RANGE_LAST}" "</span>{word}</a></li> }
        })
        .to_vec();
    view! { <ul class="segmented segmented-links" role="list" aria-label=words::RANGES>{links}</ul> }.into_any()
}

/// From and to, filled in with what is shown.
fn custom(asked: &Asked, range: Option<&TimeRange>, refused: &Refused) -> AnyView {
    let address = &asked.address;
    let is_chosen = address.get("startDate").is_some() || address.get("endDate").is_some();
    let (from, to) = match range {
        Some(range) => (asked.zone.local(&range.start), asked.zone.local(&range.end)),
        None => (typed(address.get("startDate")), typed(address.get("endDate"))),
    };
    let fault = ["startDate", "endDate", "range"]
        .iter()
        .find_map(|field| fault(refused, field));
    let is_refused = fault.is_some();
    let invalid = is_refused.then_some("true");
    let described = is_refused.then_some("range-error");
    view! {
        <details class="tool-menu" open=is_refused name="toolbar">
            <summary class="button" class:tool-chosen=is_chosen><Icon name="history"/>{words::CUSTOM}<Icon name="chevron-down"/></summary>
            <form method="get" action=address.path().to_owned() class="tool-panel">
                {address.hidden(&["range", "startDate", "endDate"])}
                <div class="field">
                    <label for="range-from">{words::FROM}</label>
                    <input class="input" id="range-from" name="startDate" type="datetime-local" value=from required aria-invalid=invalid aria-describedby=described/>
                </div>
                <div class="field">
                    <label for="range-to">{words::TO}</label>
                    <p class="field-hint" id="range-to-hint">{words::TO_HINT}</p>
                    <input class="input" id="range-to" name="endDate" type="datetime-local" value=to aria-describedby="range-to-hint"/>
                </div>
                {fault.map(|message| view! { <FieldError id="range-error" message/> })}
                <button type="submit" class="button button-primary">{words::SHOW}</button>
            </form>
        </details>
    }
    .into_any()
}

/// What an input of the type `datetime-local` can show of what is in the address.
fn typed(date: Option<&str>) -> String {
    let date = date.unwrap_or_default();
    match date.len() {
        10 => format!("{date}T00:00"),
        _ => date.get(..16).unwrap_or_default().to_owned(),
    }
}

fn filters(asked: &Asked, choices: Choices) -> AnyView {
    let address = &asked.address;
    view! {
        <form method="get" action=address.path().to_owned() class="tool-filters">
            {address.hidden(&["keyNumber", "model"])}
            {key_select("tool", address.get("keyNumber"), choices.keys)}
            {model_select("tool", address.get("model"), choices.models)}
            <button type="submit" class="button">{words::SHOW}</button>
        </form>
    }
    .into_any()
}

pub(super) fn key_select(form: &str, chosen: Option<&str>, keys: Vec<String>) -> AnyView {
    let options = keys
        .into_iter()
        .map(|key| (key.clone(), key.parse().map_or(key, words::key)))
        .collect();
    select(form, "keyNumber", words::KEY, words::ALL_KEYS, chosen, options)
}

pub(super) fn model_select(form: &str, chosen: Option<&str>, models: Vec<String>) -> AnyView {
    let options = models.into_iter().map(|model| (model.clone(), model)).collect();
    select(form, "model", words::MODEL, words::ALL_MODELS, chosen, options)
}

/// A labelled choice with one for all of them. What is chosen is offered even when nobody else does.
pub(super) fn select(
    form: &str,
    name: &'static str,
    label: &'static str,
    all: &'static str,
    chosen: Option<&str>,
    mut options: Vec<(String, String)>,
) -> AnyView {
    let id = format!("{form}-{name}");
    if let Some(chosen) = chosen
        && !options.iter().any(|(value, _)| value == chosen)
    {
        options.push((chosen.to_owned(), chosen.to_owned()));
    }
    let options = options
        .into_iter()
        .map(|(value, word)| {
            let selected = chosen == Some(value.as_str());
            view! { <option value=value selected=selected>{word}</option> }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <select class="input" id=id name=name>
                <option value="">{all}</option>
                {options}
            </select>
        </div>
    }
    .into_any()
}

#[component]
fn Zones(asked: Asked, refused: Refused) -> impl IntoView {
    let address = &asked.address;
    let chosen = asked.zone.name().to_owned();
    let links = [("UTC", words::ZONE_UTC), ("America/Los_Angeles", words::ZONE_PACIFIC)]
        .map(|(name, word)| {
            let current = (chosen == name).then_some("true");
            view! { <a class="button" href=address.with(&[("tz", name)]) aria-current=current>{word}</a> }
        })
        .to_vec();
    let options = words::ZONES.map(|name| view! { <option value=name></option> }).to_vec();
    let typed = address.get("tz").unwrap_or("UTC").to_owned();
    let fault = fault(&refused, "tz");
    let is_refused = fault.is_some();
    let invalid = is_refused.then_some("true");
    let described = if is_refused {
        "zone-hint zone-error"
    } else {
        "zone-hint"
    };
    view! {
        <details class="tool-menu" open=is_refused name="toolbar">
            <summary class="button">{words::zone_now(&chosen)}<Icon name="chevron-down"/></summary>
            <form method="get" action=address.path().to_owned() class="tool-panel">
                {address.hidden(&["tz"])}
                <div class="row">
                    {links}
                    <BrowserZone chosen=chosen.clone() link=address.with(&[("tz", "")])/>
                </div>
                <div class="field">
                    <label for="zone">{words::ZONE_OTHER}</label>
                    <p class="field-hint" id="zone-hint">{words::ZONE_HINT}</p>
                    <input class="input" id="zone" name="tz" value=typed list="zones" autocomplete="off" spellcheck="false" aria-invalid=invalid aria-describedby=described/>
                    <datalist id="zones">{options}</datalist>
                    {fault.map(|message| view! { <FieldError id="zone-error" message/> })}
                </div>
                <button type="submit" class="button button-primary">{words::SHOW}</button>
            </form>
        </details>
    }
    .into_any()
}

fn exports(asked: &Asked) -> AnyView {
    let csv = asked.address.whole_at("/api/analytics/export.csv");
    let json = asked.address.whole_at("/api/analytics/export.json");
    view! {
        <div class="row" role="group" aria-label=words::EXPORT>
            <a class="button" href=csv download="" title=words::EXPORT_CSV><Icon name="download"/>{words::CSV}</a>
            <a class="button" href=json download="" title=words::EXPORT_JSON><Icon name="download"/>{words::JSON}</a>
        </div>
    }
    .into_any()
}

fn fault(refused: &Refused, field: &str) -> Option<String> {
    let error = refused.as_ref()?;
    (error.field.as_deref() == Some(field)).then(|| error.message.clone())
}

#[component]
fn FieldError(id: &'static str, message: String) -> impl IntoView {
    view! {
        <p class="field-error" id=id>
            <Icon name="major"/>
            <span>{message}</span>
        </p>
    }
}
