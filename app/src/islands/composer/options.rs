//! Model and options, folded away until someone wants them.

use leptos::prelude::*;

use super::field_error;
use super::state::{Composing, Field};
use crate::text::compose as words;

pub fn part(
    state: Composing,
    models: Vec<String>,
    model: String,
    system: String,
    temperature: String,
    max_output_tokens: String,
) -> impl IntoView {
    let in_use = !(model.is_empty() && system.is_empty() && temperature.is_empty() && max_output_tokens.is_empty());
    let choices = models.into_iter().map(|name| {
        let is_chosen = name == model;
        view! { <option value=name.clone() selected=is_chosen>{name.clone()}</option> }
    });
    view! {
        <details class="composer-options" id="composer-options" open=in_use>
            <summary>{words::OPTIONS}</summary>
            <div class="composer-options-grid">
                <div class="field">
                    <label for="model">{words::MODEL}</label>
                    <select class="input" id="model" name="model">
                        <option value="">{words::MODEL_DEFAULT}</option>
                        {choices.collect_view()}
                    </select>
                </div>
                {number(state, Field::Temperature, words::TEMPERATURE_LABEL, words::TEMPERATURE_HINT, ["0", "2", "0.1"], temperature)}
                {number(state, Field::MaxOutputTokens, words::TOKENS_LABEL, words::TOKENS_HINT, ["1", "65536", "1"], max_output_tokens)}
                <div class="field composer-system">
                    <label for="system">{words::SYSTEM}</label>
                    <textarea
                        class="input"
                        id="system"
                        name=Field::System.name()
                        rows="2"
                        aria-describedby=format!("system-hint {}", Field::System.error_id())
                        aria-invalid=move || state.is_wrong(Field::System).then_some("true")
                        inner_html=super::fields::escaped(&system)
                    ></textarea>
                    <p class="field-hint" id="system-hint">{words::SYSTEM_HINT}</p>
                    {field_error(state, Field::System)}
                </div>
            </div>
        </details>
    }
}

/// `range`: least, most and step.
fn number(
    state: Composing,
    field: Field,
    label: &'static str,
    hint: &'static str,
    [min, max, step]: [&'static str; 3],
    value: String,
) -> impl IntoView {
    let name = field.name();
    let hint_id = format!("{name}-hint");
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                class="input number"
                type="number"
                id=name
                name=name
                min=min
                max=max
                step=step
                value=value
                aria-describedby=format!("{hint_id} {}", field.error_id())
                aria-invalid=move || state.is_wrong(field).then_some("true")
            />
            <p class="field-hint" id=hint_id>{hint}</p>
            {field_error(state, field)}
        </div>
    }
}
