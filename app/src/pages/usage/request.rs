use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::requests::status;
use super::{Asked, notices};
use crate::components::{Call, Frame, Icon, Place, Waterfall};
use crate::document::PageStatus;
use crate::error::ErrorCode;
use crate::islands::CopyButton;
use crate::pages::error_page;
use crate::text::usage::{self, requests as words};
use crate::text::{self, analysis};
use crate::types::{RequestDetail, RequestRow};

/// One request with its calls to the provider. Prompt and answer are no part of what is recorded.
#[component]
pub fn OneRequestPage() -> impl IntoView {
    let asked = Asked::here();
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    Suspend::new(async move {
        let body = match asked.usage.request(&id).await {
            Ok(detail) => whole(&asked, detail),
            Err(error) if matches!(error.code, ErrorCode::NotFound | ErrorCode::BadRequest) => {
                PageStatus::set(404);
                return error_page(404, &asked.request_id).into_any();
            }
            Err(error) => {
                PageStatus::set(error.code.http_status());
                notices::failed(words::ONE_FAILED, error, &asked)
            }
        };
        let zone = asked.zone.word().to_owned();
        view! { <Frame title=words::ONE_TITLE place=Place::Requests zone>{body}</Frame> }.into_any()
    })
}

fn whole(asked: &Asked, detail: RequestDetail) -> AnyView {
    let request = detail.request;
    let back = asked.address.whole_at("/requests");
    let path = words::path(&detail.attempts);
    let none = if request.cached {
        words::NO_CALL_CACHED
    } else {
        words::NO_CALL
    };
    let whole_ms = request.response_time_ms;
    let calls = detail
        .attempts
        .into_iter()
        .zip(1..)
        .map(|(attempt, number)| Call {
            // The model is named where it was not the one of the request: a fallback.
            word: words::call(
                number,
                attempt.key_number,
                (attempt.model != request.model).then_some(attempt.model.as_str()),
            ),
            outcome: text::outcome(&attempt.outcome),
            is_answer: attempt.success,
            started_ms: attempt.started_ms,
            ms: attempt.ms,
        })
        .collect::<Vec<_>>();
    view! {
        <div class="analysis">
            <div class="analysis-head">
                <a class="analysis-back" href=back><Icon name="chevron-left"/>{words::BACK}</a>
                <p class="analysis-line">
                    {status(&request)}
                    <span>{words::operation(&request.operation).to_owned()}</span>
                    {asked.zone.time(&request.at)}
                    <span class="number">{text::took(request.response_time_ms)}</span>
                </p>
            </div>
            <div class="analysis-main">
                {(!path.is_empty()).then(|| view! { <p class="request-path" data-testid="path">{path}</p> })}
                <Waterfall calls whole_ms none/>
            </div>
            {facts(asked, request)}
        </div>
    }
    .into_any()
}

fn facts(asked: &Asked, request: RequestRow) -> AnyView {
    let fact = |word: &'static str, value: Option<String>| value.map(|value| view! { <dt>{word}</dt><dd>{value}</dd> });
    let spent = request.usage;
    let tokens = analysis::tokens(spent.prompt_tokens, spent.output_tokens, spent.total_tokens);
    let id = request.request_id.clone();
    let error = request.error_type.clone().map(|error_type| {
        let href = asked.address.at("/requests", &[("errorType", &error_type)]);
        view! {
            <dt>{words::ERROR_TYPE}</dt>
            <dd>
                <p>{usage::error_type(&error_type)}</p>
                <p class="label muted">{usage::analytics::what_to_do(&error_type)}</p>
                <p><a href=href>{words::SAME_FAILED}</a></p>
            </dd>
        }
    });
    view! {
        <section class="card" aria-labelledby="facts-title" data-testid="facts">
            <div class="card-head"><h2 id="facts-title">{words::FACTS}</h2></div>
            <dl class="facts">
                {error}
                {fact(words::OUTCOME, Some(text::outcome(&request.outcome)))}
                <dt>{words::AT}</dt>
                <dd>{asked.zone.time(&request.at)}" "{asked.zone.word().to_owned()}</dd>
                {fact(words::MODEL, Some(request.model))}
                {fact(words::KEY, request.key_number.map(usage::key))}
                {fact(words::CAME_BY, Some(words::surface(&request.surface).to_owned()))}
                {fact(words::WHO, Some(request.user_email.unwrap_or_else(|| words::SOMEBODY_GONE.to_owned())))}
                {fact(words::TOKEN, request.token_id)}
                {fact(words::USER_AGENT, request.user_agent)}
                {fact(words::FIRST_TOKEN, request.first_token_ms.map(text::took))}
                {fact(words::TOKENS, Some(tokens))}
                <dt>{words::REQUEST_ID}</dt>
                <dd class="row"><code>{id.clone()}</code><CopyButton text=id label=words::COPY_ID.to_owned()/></dd>
            </dl>
        </section>
    }
    .into_any()
}
