use leptos::prelude::*;

use super::Icon;
use crate::context::RefusedForm;
use crate::islands::CopyButton;
use crate::text;

/// One labelled input of a form that works without script. Says its error beside it when the refused form names its field.
#[component]
pub fn Field(
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    autocomplete: &'static str,
    #[prop(optional)] hint: Option<&'static str>,
    /// What was typed before; never given for passwords and keys.
    #[prop(optional, into)]
    value: String,
    #[prop(default = true)] required: bool,
    /// Said, not asked.
    #[prop(optional)]
    read_only: bool,
    #[prop(optional)] min_length: Option<u16>,
    /// The keyboard that a phone shows.
    #[prop(optional)]
    input_mode: Option<&'static str>,
    #[prop(optional)] autofocus: bool,
    /// Where several forms of a page have a field of this name, the form's: the id begins with it.
    #[prop(optional)]
    form: Option<&'static str>,
    #[prop(optional_no_strip)] refused: Option<RefusedForm>,
) -> impl IntoView {
    let error = refused
        .filter(|refused| refused.error.field.as_deref() == Some(name))
        .map(|refused| refused.error.message);
    let invalid = error.is_some().then_some("true");
    let id = field_id(form, name);
    let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
    let described = [hint.map(|_| hint_id.clone()), error.as_ref().map(|_| error_id.clone())];
    let described = described.into_iter().flatten().collect::<Vec<_>>().join(" ");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            {hint.map(|hint| view! { <p class="field-hint" id=hint_id>{hint}</p> })}
            <input
                class="input"
                id=id
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                required=required
                readonly=read_only
                minlength=min_length.map(|length| length.to_string())
                inputmode=input_mode
                autofocus=autofocus
                autocapitalize=(kind != "text").then_some("none")
                spellcheck="false"
                aria-invalid=invalid
                aria-describedby=(!described.is_empty()).then_some(described)
            />
            {error.map(|error| view! {
                <p class="field-error" id=error_id>
                    <Icon name="major"/>
                    <span>{error}</span>
                </p>
            })}
        </div>
    }
    .into_any()
}

fn field_id(form: Option<&str>, name: &str) -> String {
    match form {
        Some(form) => format!("{form}-{name}"),
        None => name.to_owned(),
    }
}

/// One of a few, by name. `choices` are values with their words.
#[component]
pub fn Choice(
    name: &'static str,
    label: &'static str,
    choices: Vec<(String, String)>,
    #[prop(into)] chosen: String,
    #[prop(optional)] hint: Option<&'static str>,
) -> impl IntoView {
    let hint_id = format!("{name}-hint");
    let described = hint.map(|_| hint_id.clone());
    let options = choices
        .into_iter()
        .map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            {hint.map(|hint| view! { <p class="field-hint" id=hint_id>{hint}</p> })}
            <select class="input" id=name name=name aria-describedby=described>{options}</select>
        </div>
    }
    .into_any()
}

/// An act that cannot be taken back: opens to say its effect and to ask once more. Works without script.
#[component]
pub fn Confirm(
    label: &'static str,
    /// What it is about, for those who hear the page.
    #[prop(optional, into)]
    about: String,
    effect: &'static str,
    #[prop(optional)] open: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <details class="confirm" open=open>
            <summary class="button button-danger">
                {label}
                {(!about.is_empty()).then(|| view! { <span class="visually-hidden">": "{about}</span> })}
            </summary>
            <div class="confirm-body stack">
                <p>{effect}</p>
                {children()}
            </div>
        </details>
    }
    .into_any()
}

/// A secret that stands on the page this once, with a button that copies it.
#[component]
pub fn Once(
    title: &'static str,
    hint: &'static str,
    label: &'static str,
    copy: &'static str,
    secret: String,
    /// Where to go once it was kept.
    #[prop(into)]
    onward: String,
    /// What going there is called.
    onward_word: &'static str,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <section class="once tone-ok" aria-labelledby="once-title" data-testid="once">
            <h2 id="once-title" class="once-title" tabindex="-1" autofocus>
                <Icon name="key"/>
                {title}
            </h2>
            <p>{hint}</p>
            <pre class="code" tabindex="0" role="region" aria-label=label>{secret.clone()}</pre>
            {children.map(|children| children())}
            <div class="row no-print">
                <CopyButton text=secret label=copy.to_owned()/>
                <a class="button" href=onward>{onward_word}</a>
            </div>
        </section>
    }
    .into_any()
}

/// What was wrong with the whole form, first on the page and first read.
#[component]
pub fn RefusedSummary(
    title: &'static str,
    refused: Option<RefusedForm>,
    /// As the fields have it.
    #[prop(optional)]
    form: Option<&'static str>,
) -> impl IntoView {
    refused.map(|refused| {
        let error = refused.error;
        let wait = error.retry_after_seconds.map(text::error::wait);
        let link = error.field.clone().map(|field| format!("#{}", field_id(form, &field)));
        view! {
            <div class="banner tone-major" role="alert" tabindex="-1" autofocus data-testid="refused">
                <Icon name="major"/>
                <div class="banner-body">
                    <p class="banner-title">{title}</p>
                    <p>
                        {match link {
                            Some(link) => view! { <a href=link>{error.message}</a> }.into_any(),
                            None => error.message.into_any(),
                        }}
                    </p>
                    {wait.map(|wait| view! { <p>{wait}</p> })}
                    {error.request_id.map(|id| view! { <p class="label">{text::error::REQUEST_ID}" "<code>{id}</code></p> })}
                </div>
            </div>
        }
    })
}
