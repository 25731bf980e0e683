//! Alerts and their rules, for admins.

use std::collections::BTreeMap;

use app::context::Shown;
use app::done::Done;
use app::error::{AppError, ErrorCode};
use app::text::alerts as words;
use app::types::{AlertRulePatch, AlertSeverity};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;

use super::{kept_by, read, see_other};
use crate::audit::Actor;
use crate::http::alerts::{acknowledge_for, change_rule_for, resolve_for, silence_for};
use crate::http::answer::Answer;
use crate::http::extract::Path;
use crate::http::notifications::test_for;
use crate::http::pages::Asked;
use crate::http::{AppState, pages};

const PAGE: &str = "/admin/alerts";
/// Of forms that are about no rule.
const ACTS: &str = "acts";

pub(in crate::http) async fn acknowledge(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let done = acknowledge_for(&state, &actor, id).await;
    answer(&state, asked, done.map(|_| Done::AlertAcknowledged)).await
}

#[derive(Deserialize)]
struct SilenceForm {
    minutes: String,
}

pub(in crate::http) async fn silence(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<SilenceForm>(request).await?;
    let done = match form.minutes.parse() {
        Ok(minutes) => silence_for(&state, &actor, id, minutes).await.map(|_| minutes),
        Err(_) => Err(AppError::new(ErrorCode::BadRequest, words::SILENCE_MISTYPED).field("minutes")),
    };
    let done = done.map(|minutes| match minutes {
        0 => Done::AlertUnsilenced,
        _ => Done::AlertSilenced,
    });
    Ok(answer(&state, asked, done).await)
}

pub(in crate::http) async fn resolve(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let done = resolve_for(&state, &actor, id).await;
    answer(&state, asked, done.map(|_| Done::AlertResolved)).await
}

async fn answer(state: &AppState, asked: Asked, done: Result<Done, AppError>) -> Response {
    match done {
        Ok(done) => see_other(&done.at(PAGE)),
        Err(error) => pages::refused(state, asked.at(PAGE), error, kept_by(ACTS, [])).await,
    }
}

/// The page that answers shows what became of it, this once.
pub(in crate::http) async fn test(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request).at(PAGE);
    match test_for(&state, actor).await {
        Ok(tests) => pages::shown(&state, asked, Shown::ChannelTests(tests)).await,
        Err(error) => pages::refused(&state, asked, error, kept_by(ACTS, [])).await,
    }
}

/// A rule as its form has it: what the rule does not have is absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleForm {
    #[serde(default)]
    enabled: String,
    #[serde(default)]
    severity: String,
    threshold: Option<String>,
    window_minutes: Option<String>,
    min_samples: Option<String>,
}

impl RuleForm {
    fn patch(&self) -> Result<AlertRulePatch, AppError> {
        let severity = match self.severity.as_str() {
            "low" => AlertSeverity::Low,
            "medium" => AlertSeverity::Medium,
            "critical" => AlertSeverity::Critical,
            _ => return Err(AppError::new(ErrorCode::BadRequest, words::SEVERITY_MISTYPED).field("severity")),
        };
        Ok(AlertRulePatch {
            enabled: Some(Some(!self.enabled.is_empty())),
            severity: Some(Some(severity)),
            threshold: number(self.threshold.as_ref(), "threshold")?,
            window_minutes: number(self.window_minutes.as_ref(), "windowMinutes")?,
            min_samples: number(self.min_samples.as_ref(), "minSamples")?,
        })
    }

    fn kept(&self, rule: &str) -> BTreeMap<String, String> {
        let empty = String::new();
        let number = |value: &'_ Option<String>| value.clone().unwrap_or_default();
        let (threshold, window, samples) = (
            number(&self.threshold),
            number(&self.window_minutes),
            number(&self.min_samples),
        );
        let fields = [
            ("enabled", if self.enabled.is_empty() { &empty } else { &self.enabled }),
            ("severity", &self.severity),
            ("threshold", &threshold),
            ("windowMinutes", &window),
            ("minSamples", &samples),
        ];
        kept_by(rule, fields)
    }
}

/// An empty field is as the rule comes.
fn number<T: std::str::FromStr>(text: Option<&String>, field: &str) -> Result<Option<Option<T>>, AppError> {
    let Some(text) = text else { return Ok(None) };
    if text.trim().is_empty() {
        return Ok(Some(None));
    }
    let wrong = |_| AppError::new(ErrorCode::BadRequest, words::NUMBER_MISTYPED).field(field);
    Ok(Some(Some(text.trim().parse().map_err(wrong)?)))
}

pub(in crate::http) async fn change_rule(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<RuleForm>(request).await?;
    let changed = match form.patch() {
        Ok(patch) => change_rule_for(&state, &actor, id.clone(), patch).await,
        Err(error) => Err(error),
    };
    Ok(match changed {
        Ok(_) => see_other(&Done::AlertRuleChanged.at(PAGE)),
        Err(error) => pages::refused(&state, asked.at(PAGE), error, form.kept(&id)).await,
    })
}

/// Nothing is changed: the page that answers shows what the rule would have found, and keeps the form as it was typed.
pub(in crate::http) async fn preview_rule(
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<RuleForm>(request).await?;
    let asked = asked.at(PAGE);
    let tried = match form.patch() {
        Ok(patch) => state.alerts.preview(&id, &patch).await,
        Err(error) => Err(error),
    };
    Ok(match tried {
        Ok(preview) => pages::shown(&state, asked, Shown::AlertPreview(Box::new(preview))).await,
        Err(error) => pages::refused(&state, asked, error, form.kept(&id)).await,
    })
}

/// As the rule comes.
pub(in crate::http) async fn reset_rule(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let usual = AlertRulePatch {
        enabled: Some(None),
        severity: Some(None),
        threshold: Some(None),
        window_minutes: Some(None),
        min_samples: Some(None),
    };
    let changed = change_rule_for(&state, &actor, id, usual).await;
    answer(&state, asked, changed.map(|_| Done::AlertRuleChanged)).await
}
