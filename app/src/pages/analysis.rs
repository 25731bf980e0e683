use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::backend::BackendRef;
use crate::components::{AnalysisPill, Call, Frame, Icon, Pill, Place, RegionError, Waterfall, When};
use crate::context::PageContext;
use crate::document::PageStatus;
use crate::error::{AppError, ErrorCode};
use crate::islands::CopyButton;
use crate::markdown;
use crate::pages::error_page;
use crate::text::{self, analysis as words};
use crate::types::{Analysis, AnalysisState};

/// Prompts up to here are shown unfolded.
const SHORT_PROMPT_CHARS: usize = 1_200;

/// One stored analysis of the caller. Somebody else's is answered as if it did not exist.
#[component]
pub fn AnalysisDetail() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    Suspend::new(async move {
        let user_id = context.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        match backend.analysis(&user_id, &id).await {
            Ok(analysis) => view! {
                <Frame title=words::TITLE place=Place::History>
                    <Whole analysis/>
                </Frame>
            }
            .into_any(),
            Err(error)
                if matches!(
                    error.code,
                    ErrorCode::NotFound | ErrorCode::Forbidden | ErrorCode::BadRequest
                ) =>
            {
                PageStatus::set(404);
                error_page(404, &context.request_id).into_any()
            }
            Err(error) => {
                PageStatus::set(error.code.http_status());
                view! {
                    <Frame title=words::TITLE place=Place::History>
                        <RegionError title=words::FAILED error request_id=context.request_id retry=context.path/>
                    </Frame>
                }
                .into_any()
            }
        }
    })
}

#[component]
fn Whole(analysis: Analysis) -> impl IntoView {
    let summary = analysis.summary.clone();
    let has_text = !analysis.text.trim().is_empty();
    // Nothing else completes without a call.
    let cached = summary.state == AnalysisState::Complete && analysis.attempts.is_empty();
    let no_call = if cached {
        words::ATTEMPTS_CACHED
    } else {
        words::ATTEMPTS_NONE
    };
    view! {
        <div class="analysis">
            <div class="analysis-head">
                <a class="analysis-back" href="/history"><Icon name="chevron-left"/>{words::BACK}</a>
                <p class="analysis-line">
                    <AnalysisPill state=summary.state/>
                    {cached.then(|| view! { <Pill tone="tone-unknown" icon="history" word=words::CACHED/> })}
                    <span>{text::kind(summary.kind)}</span>
                    <When at=summary.created_at.clone()/>
                    <span class="number">{text::took(summary.response_time_ms)}</span>
                </p>
                <div class="row no-print">
                    {has_text.then(|| view! { <CopyButton text=analysis.text.clone() label=words::COPY_ANSWER.to_owned()/> })}
                    <a class="button" href=format!("/?again={}", summary.id)><Icon name="retry"/>{words::RUN_AGAIN}</a>
                </div>
            </div>
            <div class="analysis-main">
                <Prompt prompt=analysis.prompt.clone() system=analysis.system.clone() images=analysis.image_count/>
                {analysis.error.clone().map(|error| view! { <Failure error/> })}
                <Answer text=analysis.text.clone()/>
                <Waterfall calls=Call::in_turn(&analysis.attempts) whole_ms=summary.response_time_ms none=no_call/>
            </div>
            <Facts analysis/>
        </div>
    }
    .into_any()
}

#[component]
fn Prompt(prompt: String, system: Option<String>, images: u32) -> impl IntoView {
    let short = prompt.chars().count() <= SHORT_PROMPT_CHARS;
    view! {
        <details class="card disclosure" open=short>
            <summary><h2>{words::PROMPT}</h2><Icon name="chevron-down"/></summary>
            <div class="stack">
                <p class="plain-text">{prompt}</p>
                {(images > 0).then(|| view! { <p class="note"><Icon name="image"/>{words::images(images)}</p> })}
                {system
                    .filter(|system| !system.is_empty())
                    .map(|system| view! { <div><h3>{words::SYSTEM}</h3><p class="plain-text">{system}</p></div> })}
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn Failure(error: AppError) -> impl IntoView {
    let reset_at = error.reset_at.filter(|_| error.code == ErrorCode::QuotaExceeded);
    view! {
        <section class="banner tone-major" data-testid="analysis-error">
            <Icon name="major"/>
            <div class="banner-body">
                <p class="banner-title">{error.message}</p>
                {error.details.map(|details| view! { <p>{text::compose::plain(&details)}</p> })}
                {reset_at.map(|at| view! { <p>{text::compose::reset_at(&at)}</p> })}
                <p class="label">
                    <code>{error.code.as_str()}</code>
                    {error.request_id.map(|id| view! { " · "{text::error::REQUEST_ID}" "<code>{id}</code> })}
                </p>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Answer(text: String) -> impl IntoView {
    let empty = text.trim().is_empty();
    let size = (!empty).then(|| words::words(&text));
    view! {
        <section class="card" aria-labelledby="answer-title">
            <div class="card-head">
                <h2 id="answer-title">{words::ANSWER}</h2>
                <span class="muted label">{size}</span>
            </div>
            {if empty {
                view! { <p class="muted">{words::NO_ANSWER}</p> }.into_any()
            } else {
                view! { <div class="prose" data-testid="answer" inner_html=markdown::to_html(&text)></div> }.into_any()
            }}
        </section>
    }
    .into_any()
}

#[component]
fn Facts(analysis: Analysis) -> impl IntoView {
    let usage = analysis.usage;
    let id = analysis.summary.id;
    view! {
        <section class="card" aria-labelledby="facts-title">
            <div class="card-head"><h2 id="facts-title">{words::FACTS}</h2></div>
            <dl class="facts">
                <dt>{words::MODEL}</dt>
                <dd>{analysis.summary.model}</dd>
                <dt>{words::TOKENS}</dt>
                <dd class="number">{words::tokens(usage.prompt_tokens, usage.output_tokens, usage.total_tokens)}</dd>
                {analysis.finish_reason.map(|reason| view! { <dt>{words::FINISH}</dt><dd><code>{reason}</code></dd> })}
                <dt>{words::ID}</dt>
                <dd class="row"><code>{id.clone()}</code><CopyButton text=id label=words::COPY_ID.to_owned()/></dd>
            </dl>
        </section>
    }
    .into_any()
}
