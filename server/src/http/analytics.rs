//! Usage, for viewers and admins.

use std::convert::Infallible;
use std::time::Duration;

use app::error::AppError;
use app::types::{
    ApiUsage, ErrorReport, Forecast, HourlyPattern, Overview, RealTimeMetrics, RequestDetail, RequestPage,
    RequestQuery, SeriesBy, Timeseries, UsageQuery,
};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, stream};
use serde::Deserialize;

use super::AppState;
use super::answer::{Answer, Success};
use super::extract::{Path, Query};
use super::guard::SignedIn;
use super::status::{HEARTBEAT, Turn, Viewer};
use crate::analytics::Format;

/// Between two words that there is something new.
const TELL_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn overview(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
) -> Answer<Success<Overview>> {
    Ok(Success(state.analytics.overview(&query).await?))
}

pub(super) async fn api_usage(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
) -> Answer<Success<ApiUsage>> {
    Ok(Success(state.analytics.api_usage(&query).await?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Day {
    date: Option<String>,
}

pub(super) async fn hourly_pattern(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
    Query(day): Query<Day>,
) -> Answer<Success<HourlyPattern>> {
    Ok(Success(
        state.analytics.hourly_pattern(&query, day.date.as_deref()).await?,
    ))
}

pub(super) async fn real_time_metrics(State(state): State<AppState>) -> Answer<Success<RealTimeMetrics>> {
    Ok(Success(state.analytics.real_time_metrics().await?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Lines {
    by: Option<String>,
}

impl Lines {
    fn by(&self) -> Result<SeriesBy, AppError> {
        match self.by.as_deref().map(str::trim).unwrap_or_default() {
            "" | "total" => Ok(SeriesBy::Total),
            "key" => Ok(SeriesBy::Key),
            "model" => Ok(SeriesBy::Model),
            "errorType" => Ok(SeriesBy::ErrorType),
            _ => Err(AppError::new(
                app::error::ErrorCode::BadRequest,
                "by must be total, key, model or errorType.",
            )
            .field("by")),
        }
    }
}

pub(super) async fn timeseries(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
    Query(lines): Query<Lines>,
) -> Answer<Success<Timeseries>> {
    Ok(Success(state.analytics.timeseries(&query, lines.by()?).await?))
}

pub(super) async fn errors(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
) -> Answer<Success<ErrorReport>> {
    Ok(Success(state.analytics.errors(&query).await?))
}

pub(super) async fn forecast(State(state): State<AppState>) -> Answer<Success<Forecast>> {
    Ok(Success(state.analytics.forecast().await?))
}

pub(super) async fn requests(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
    Query(wanted): Query<RequestQuery>,
) -> Answer<Success<RequestPage>> {
    Ok(Success(state.analytics.requests(&query, &wanted).await?))
}

pub(super) async fn request(State(state): State<AppState>, Path(id): Path<String>) -> Answer<Success<RequestDetail>> {
    Ok(Success(state.analytics.request(&id).await?))
}

pub(super) async fn export_csv(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
    Query(wanted): Query<RequestQuery>,
) -> Answer<Response> {
    export(&state, &query, &wanted, Format::Csv).await
}

pub(super) async fn export_json(
    State(state): State<AppState>,
    Query(query): Query<UsageQuery>,
    Query(wanted): Query<RequestQuery>,
) -> Answer<Response> {
    export(&state, &query, &wanted, Format::Json).await
}

async fn export(state: &AppState, query: &UsageQuery, wanted: &RequestQuery, format: Format) -> Answer<Response> {
    let (name, pieces) = state.analytics.export(query, wanted, format).await?;
    let (ending, kind) = match format {
        Format::Csv => ("csv", "text/csv; charset=utf-8; header=present"),
        Format::Json => ("json", "application/json"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.{ending}\""),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// An event named `changed` when there is something new, at most one in [`TELL_EVERY`], until the viewer is not signed in
/// any more.
pub(super) async fn stream(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = (state.analytics.recorder.subscribe(), state.analysis.pool.subscribe());
    let viewer = Viewer::new(state, signed_in);
    let events = stream::unfold(
        (viewer, changes, false),
        |(mut viewer, mut changes, has_told)| async move {
            loop {
                let changed = async {
                    tokio::select! {
                        stored = changes.0.changed() => stored,
                        pool = changes.1.changed() => pool,
                    }
                };
                match viewer.wait(changed).await {
                    Turn::Changed => {}
                    Turn::Nothing => continue,
                    Turn::Closing(event) => return Some((Ok(event), (viewer, changes, has_told))),
                    Turn::Over => return None,
                }
                if has_told {
                    tokio::select! {
                        () = viewer.stop().cancelled_owned() => continue,
                        () = tokio::time::sleep(TELL_EVERY) => {}
                    }
                }
                if !viewer.may_look_on().await {
                    return None;
                }
                changes.0.mark_unchanged();
                changes.1.mark_unchanged();
                let event = Event::default().event("changed").data("{}");
                return Some((Ok(event), (viewer, changes, true)));
            }
        },
    );
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}
