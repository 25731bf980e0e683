use leptos::prelude::*;

use crate::components::{Icon, Pill, RefusedSummary, SeverityPill, When};
use crate::context::RefusedForm;
use crate::text::alerts as words;
use crate::types::{AlertRule, AlertSeverity, PreviewBasis, PreviewedIncident, RulePreview};

#[component]
pub(super) fn Rules(
    rules: Vec<AlertRule>,
    preview: Option<RulePreview>,
    refused: Option<RefusedForm>,
) -> impl IntoView {
    let rows = rules
        .into_iter()
        .map(|rule| {
            let preview = preview.clone().filter(|preview| preview.rule.id == rule.id);
            let refused = RefusedForm::of(refused.as_ref(), &rule.id);
            view! { <Row rule preview refused/> }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="rules" data-testid="alert-rules">
            <div class="card-head"><h2 id="rules">{words::RULES}</h2></div>
            <p class="section-hint muted">{words::RULES_HINT}</p>
            <ul class="rows" role="list">{rows}</ul>
        </section>
    }
    .into_any()
}

#[component]
fn Row(rule: AlertRule, preview: Option<RulePreview>, refused: Option<RefusedForm>) -> impl IntoView {
    let (tone, icon, word) = match rule.enabled {
        true => ("tone-ok", "operational", words::ON),
        false => ("tone-unknown", "disabled", words::OFF),
    };
    let open = preview.is_some() || refused.is_some();
    let changed = rule.changed;
    let severity = rule.severity;
    let title = rule.title.clone();
    let description = rule.description.clone();
    let hold = words::hold(rule.hold_seconds, &rule.told_as);
    // As it was tried, so that what was typed is there to be saved.
    let typed = preview.as_ref().map_or(rule, |preview| preview.rule.clone());
    view! {
        <li class="entry">
            <details class="entry-body rule" open=open>
                <summary>
                    <strong>{title}</strong>
                    <Pill tone icon word/>
                    <SeverityPill severity/>
                    {changed.then(|| view! { <span class="label muted">{words::CHANGED}</span> })}
                </summary>
                <div class="stack">
                    <p class="section-hint">{description}" "{hold}</p>
                    <RefusedSummary title=words::RULE_REFUSED refused=unlinked(refused.as_ref())/>
                    {preview.map(|preview| view! { <Previewed preview/> })}
                    <RuleForm rule=typed refused/>
                </div>
            </details>
        </li>
    }
    .into_any()
}

/// The fields of a rule have ids of their own, which the summary does not know.
fn unlinked(refused: Option<&RefusedForm>) -> Option<RefusedForm> {
    let mut refused = refused?.clone();
    refused.error.field = None;
    Some(refused)
}

#[component]
fn RuleForm(rule: AlertRule, refused: Option<RefusedForm>) -> impl IntoView {
    let action = format!("{}/rules/{}", super::PAGE, rule.id);
    let kept = |field: &str, usual: String| refused.as_ref().map_or(usual, |refused| refused.kept(field));
    let enabled = refused
        .as_ref()
        .map_or(rule.enabled, |refused| !refused.kept("enabled").is_empty());
    let chosen = kept("severity", value_of(rule.severity).to_owned());
    let number = |name: &'static str, label: String, min: f64, max: f64, step: &'static str, usual: String| {
        let error = refused
            .as_ref()
            .filter(|refused| refused.error.field.as_deref() == Some(name));
        let error = error.map(|refused| refused.error.message.clone());
        view! {
            <Number rule=rule.id.clone() name label min max step value=kept(name, usual) error/>
        }
    };
    let threshold = rule.threshold.clone().map(|threshold| {
        let label = format!("{} ({})", words::THRESHOLD, words::unit(&threshold.unit));
        number(
            "threshold",
            label,
            threshold.min,
            threshold.max,
            "any",
            threshold.value.to_string(),
        )
    });
    let window = rule.window_minutes.map(|minutes| {
        number(
            "windowMinutes",
            words::WINDOW.to_owned(),
            1.0,
            360.0,
            "1",
            minutes.to_string(),
        )
    });
    let samples = rule.min_samples.map(|samples| {
        number(
            "minSamples",
            words::SAMPLES.to_owned(),
            1.0,
            1_000_000.0,
            "1",
            samples.to_string(),
        )
    });
    let severity_id = format!("{}-severity", rule.id);
    let choices = [AlertSeverity::Low, AlertSeverity::Medium, AlertSeverity::Critical]
        .into_iter()
        .map(|severity| {
            let value = value_of(severity);
            view! { <option value=value selected=value == chosen>{words::severity(severity)}</option> }
        })
        .collect::<Vec<_>>();
    view! {
        <form method="post" action=action.clone() class="stack form-narrow no-print">
            <label class="row">
                <input type="checkbox" name="enabled" value="on" checked=enabled/>
                <span>{words::ENABLED}</span>
            </label>
            <div class="field">
                <label for=severity_id.clone()>{words::SEVERITY}</label>
                <select class="input" id=severity_id name="severity">{choices}</select>
            </div>
            {threshold}
            {window}
            {samples}
            <div class="row">
                <button type="submit" class="button button-primary">{words::SAVE}</button>
                <button type="submit" class="button" formaction=format!("{action}/preview")>{words::PREVIEW}</button>
                <button type="submit" class="button" formnovalidate formaction=format!("{action}/reset")>{words::RESET}</button>
            </div>
        </form>
    }
    .into_any()
}

fn value_of(severity: AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Low => "low",
        AlertSeverity::Medium => "medium",
        AlertSeverity::Critical => "critical",
    }
}

#[component]
fn Number(
    rule: String,
    name: &'static str,
    label: String,
    min: f64,
    max: f64,
    step: &'static str,
    value: String,
    error: Option<String>,
) -> impl IntoView {
    let id = format!("{rule}-{name}");
    let error_id = format!("{id}-error");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class="input"
                id=id
                name=name
                type="number"
                min=min.to_string()
                max=max.to_string()
                step=step
                value=value
                autocomplete="off"
                aria-invalid=error.is_some().then_some("true")
                aria-describedby=error.is_some().then(|| error_id.clone())
            />
            {error
                .map(|error| {
                    view! {
                        <p class="field-error" id=error_id>
                            <Icon name="major"/>
                            <span>{error}</span>
                        </p>
                    }
                })}
        </div>
    }
    .into_any()
}

#[component]
fn Previewed(preview: RulePreview) -> impl IntoView {
    let basis = match preview.basis {
        PreviewBasis::Last24Hours => words::PREVIEW_OF_USAGE,
        PreviewBasis::Now => words::PREVIEW_OF_NOW,
    };
    let count = preview.incidents.len();
    let left_out = count.saturating_sub(words::PREVIEWED_MAX);
    let rows = preview
        .incidents
        .into_iter()
        .take(words::PREVIEWED_MAX)
        .map(|incident| view! { <PreviewedRow incident/> })
        .collect::<Vec<_>>();
    view! {
        <div class="banner tone-maintenance" role="status" tabindex="-1" autofocus data-testid="preview">
            <Icon name="info"/>
            <div class="banner-body">
                <p class="banner-title">{words::PREVIEWED}</p>
                <p>{basis}" "{words::previewed(count)}</p>
                <ul>{rows}</ul>
                {(left_out > 0).then(|| view! { <p>{words::previewed_more(left_out)}</p> })}
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn PreviewedRow(incident: PreviewedIncident) -> impl IntoView {
    let ended = match incident.resolved_at {
        Some(at) => view! { {words::UNTIL}" "<When at/> }.into_any(),
        None => words::STILL_OPEN.into_any(),
    };
    view! {
        <li>
            {words::severity(incident.severity)}": "{incident.message}" · "<When at=incident.opened_at/>", "{ended}
        </li>
    }
    .into_any()
}
