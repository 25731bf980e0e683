use std::sync::Arc;

use async_trait::async_trait;

use crate::charts::{ChartSpec, ChartWidth};
use crate::error::AppError;
use crate::types::{
    ApiUsage, ErrorReport, Forecast, HourlyPattern, Overview, RequestDetail, RequestPage, RequestQuery, SeriesBy,
    Timeseries, UsageQuery,
};

pub type UsageBackendRef = Arc<dyn UsageBackend>;

/// All that the pages about usage may ask of the server, for viewers and admins. They find it in the Leptos context as
/// [`UsageBackendRef`]. A query that makes no sense is a `BAD_REQUEST` that names its field.
#[async_trait]
pub trait UsageBackend: Send + Sync + 'static {
    async fn overview(&self, query: &UsageQuery) -> Result<Overview, AppError>;

    async fn api_usage(&self, query: &UsageQuery) -> Result<ApiUsage, AppError>;

    async fn timeseries(&self, query: &UsageQuery, by: SeriesBy) -> Result<Timeseries, AppError>;

    /// `date`: a day in the query's zone, such as `2026-11-30`; today when absent.
    async fn hourly_pattern(&self, query: &UsageQuery, date: Option<&str>) -> Result<HourlyPattern, AppError>;

    async fn errors(&self, query: &UsageQuery) -> Result<ErrorReport, AppError>;

    async fn forecast(&self) -> Result<Forecast, AppError>;

    async fn requests(&self, query: &UsageQuery, wanted: &RequestQuery) -> Result<RequestPage, AppError>;

    /// # Errors
    /// `NOT_FOUND` when there is none, or it is older than events are kept.
    async fn request(&self, request_id: &str) -> Result<RequestDetail, AppError>;

    /// Models that the log of the last 30 days names, for the filter; those asked for most first.
    async fn models_seen(&self) -> Result<Vec<String>, AppError>;

    /// An SVG document for the page itself: its colours are the page's custom properties, so one serves light and dark.
    fn draw(&self, chart: &ChartSpec, width: ChartWidth) -> String;
}
