use leptos::prelude::*;

use super::Icon;
use crate::context::RefusedForm;
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
    #[prop(optional)] min_length: Option<u16>,
    #[prop(optional)] autofocus: bool,
    #[prop(optional_no_strip)] refused: Option<RefusedForm>,
) -> impl IntoView {
    let error = refused
        .filter(|refused| refused.error.field.as_deref() == Some(name))
        .map(|refused| refused.error.message);
    let invalid = error.is_some().then_some("true");
    let (hint_id, error_id) = (format!("{name}-hint"), format!("{name}-error"));
    let described = [hint.map(|_| hint_id.clone()), error.as_ref().map(|_| error_id.clone())];
    let described = described.into_iter().flatten().collect::<Vec<_>>().join(" ");
    view! {
        <div class="field">
            <label for=name>{label}</label>
            {hint.map(|hint| view! { <p class="field-hint" id=hint_id>{hint}</p> })}
            <input
                class="input"
                id=name
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                required=required
                minlength=min_length.map(|length| length.to_string())
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

/// What was wrong with the whole form, first on the page and first read.
#[component]
pub fn RefusedSummary(title: &'static str, refused: Option<RefusedForm>) -> impl IntoView {
    refused.map(|refused| {
        let error = refused.error;
        let wait = error.retry_after_seconds.map(text::error::wait);
        let link = error.field.clone().map(|field| format!("#{field}"));
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
