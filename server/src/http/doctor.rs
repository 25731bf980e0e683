//! The debug report, for programs and as a page.

use app::types::{DoctorReport, DoctorTests};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::answer::{Answer, Success};
use super::{AppState, body};
use crate::audit::Actor;

const PAGE: &str = "/admin/doctor";

pub(super) async fn report(State(state): State<AppState>) -> Success<DoctorReport> {
    Success(state.doctor.report().await)
}

/// Without a body it tests nothing.
pub(super) async fn test(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<DoctorReport>> {
    let asked: DoctorTests = body::optional_json(&headers, body).await?;
    Ok(Success(state.doctor.test(asked).await))
}

#[derive(Deserialize)]
struct TestForm {
    test: Test,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Test {
    Keys,
    Request,
}

/// A button of the page. The page shows the results, also when it is loaded again.
pub(super) async fn test_form(State(state): State<AppState>, request: Request) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let form: TestForm = body::form(&parts.headers, body).await?;
    let asked = match form.test {
        Test::Keys => DoctorTests {
            keys: true,
            ..DoctorTests::default()
        },
        Test::Request => DoctorTests {
            performance: true,
            ..DoctorTests::default()
        },
    };
    state.doctor.test(asked).await;
    Ok(Redirect::to(&format!("{PAGE}#tests")).into_response())
}

#[derive(Deserialize)]
struct SiblingForm {
    id: String,
    answer: SiblingAnswer,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum SiblingAnswer {
    Confirm,
    Dismiss,
}

/// An admin's answer to a proposal that keys share a project.
pub(super) async fn sibling_form(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let form: SiblingForm = body::form(&parts.headers, body).await?;
    match form.answer {
        SiblingAnswer::Confirm => state.managed_keys(actor).confirm_siblings(&form.id).await?,
        SiblingAnswer::Dismiss => state.managed_keys(actor).dismiss_siblings(&form.id).await?,
    }
    Ok(Redirect::to(PAGE).into_response())
}
