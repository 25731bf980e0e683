use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::backend::BackendRef;
use crate::components::{AnalysisPill, Frame, Icon, Place, Region, When};
use crate::context::{PageContext, RefusedForm};
use crate::error::AppError;
use crate::islands::{Composer, Draft};
use crate::text::{EXAMPLES, analyze as text};
use crate::types::{Analysis, AnalysisPage, AnalysisState, AnalysisSummary, PublicStatus, Role};

/// Rows of the list beside the composer.
const RECENT_MAX: usize = 8;

#[component]
pub fn Analyze() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let query = use_query_map().get_untracked();
    let status = PublicStatus::from(&backend.status());
    if status.total_keys == 0 {
        return view! { <NotSetUp admin=context.user.is_some_and(|user| user.role == Role::Admin)/> }.into_any();
    }
    Suspend::new(async move {
        let user_id = context.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        let again = match query.get("again") {
            Some(id) => Some(backend.analysis(&user_id, &id).await),
            None => None,
        };
        let gone = matches!(again, Some(Err(_)));
        let models = backend.models();
        let draft = match (&context.refused, again) {
            (Some(refused), _) => kept_draft(refused),
            (None, Some(Ok(analysis))) => draft_again(analysis, &models),
            (None, _) => example(query.get("example").as_deref()),
        };
        let recent = backend.analyses(&user_id, None).await;
        view! {
            <Frame title=text::TITLE place=Place::Analyze>
                <div class="analyze">
                    <div class="analyze-main">
                        {gone.then(|| view! { <p class="note" role="status"><Icon name="info"/>{text::AGAIN_GONE}</p> })}
                        <Composer models draft refused=context.refused.map(|refused| refused.error) status user_id/>
                    </div>
                    <Recent recent/>
                </div>
            </Frame>
        }
    })
    .into_any()
}

fn kept_draft(refused: &RefusedForm) -> Draft {
    Draft {
        prompt: refused.kept("prompt"),
        model: refused.kept("model"),
        system: refused.kept("system"),
        temperature: refused.kept("temperature"),
        max_output_tokens: refused.kept("maxOutputTokens"),
        images_lost: 0,
    }
}

/// Temperature and the bound on tokens are not stored, images neither.
fn draft_again(analysis: Analysis, models: &[String]) -> Draft {
    let model = analysis.summary.model;
    Draft {
        prompt: analysis.prompt,
        model: if models.first() == Some(&model) {
            String::new()
        } else {
            model
        },
        system: analysis.system.unwrap_or_default(),
        images_lost: analysis.image_count,
        ..Draft::default()
    }
}

fn example(number: Option<&str>) -> Draft {
    let prompt = number
        .and_then(|number| number.parse::<usize>().ok())
        .and_then(|number| EXAMPLES.get(number));
    Draft {
        prompt: prompt.copied().unwrap_or_default().to_owned(),
        ..Draft::default()
    }
}

#[component]
fn NotSetUp(admin: bool) -> impl IntoView {
    let (reason, action) = if admin {
        (text::NOT_SET_UP_ADMIN, Some(("/set-up/key", text::NOT_SET_UP_ACTION)))
    } else {
        (text::NOT_SET_UP_USER, None)
    };
    view! {
        <Frame title=text::TITLE place=Place::Analyze without_banner=true>
            <Region icon="key" title=text::NOT_SET_UP_TITLE reason action/>
        </Frame>
    }
    .into_any()
}

/// Beside the composer on wide screens; narrow ones have the history in the navigation.
#[component]
fn Recent(recent: Result<AnalysisPage, AppError>) -> impl IntoView {
    let list = recent_list(recent);
    view! {
        <aside class="recent" aria-labelledby="recent-title">
            <div class="card-head">
                <h2 id="recent-title">{text::RECENT}</h2>
                <a class="label" href="/history">{text::RECENT_ALL}</a>
            </div>
            <div data-recent="">{list}</div>
        </aside>
    }
    .into_any()
}

/// The list alone, for a page whose analysis has just ended.
pub fn recent_fragment(recent: Result<AnalysisPage, AppError>) -> String {
    Owner::new().with(|| recent_list(recent).to_html())
}

fn recent_list(recent: Result<AnalysisPage, AppError>) -> AnyView {
    match recent {
        Err(_) => view! { <p class="muted label">{text::RECENT_FAILED}</p> }.into_any(),
        Ok(page) if page.items.is_empty() => view! { <p class="muted label">{text::RECENT_EMPTY}</p> }.into_any(),
        Ok(page) => {
            let items = page
                .items
                .into_iter()
                .take(RECENT_MAX)
                .map(recent_item)
                .collect::<Vec<_>>();
            view! { <ul role="list" class="recent-list">{items}</ul> }.into_any()
        }
    }
}

fn recent_item(item: AnalysisSummary) -> impl IntoView {
    view! {
        <li>
            <a class="recent-link" href=format!("/history/{}", item.id)>
                <span class="recent-title">{item.title}</span>
                <span class="recent-facts">
                    <When at=item.created_at/>
                    {(item.state != AnalysisState::Complete).then(|| view! { <AnalysisPill state=item.state/> })}
                </span>
            </a>
        </li>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_fills_the_prompt_and_a_wrong_number_nothing() {
        assert_eq!(example(Some("1")).prompt, EXAMPLES[1]);
        for number in [None, Some("99"), Some("-1"), Some("first")] {
            assert_eq!(example(number), Draft::default());
        }
    }
}
