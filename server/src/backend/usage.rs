//! Answers what the pages about usage ask.

use app::backend::UsageBackend;
use app::charts::{ChartSpec, ChartWidth};
use app::error::AppError;
use app::types::{
    ApiUsage, ErrorReport, Forecast, HourlyPattern, Overview, RequestDetail, RequestPage, RequestQuery, SeriesBy,
    Timeseries, UsageQuery,
};
use async_trait::async_trait;

use crate::analytics::Analytics;
use crate::charts;

#[async_trait]
impl UsageBackend for Analytics {
    async fn overview(&self, query: &UsageQuery) -> Result<Overview, AppError> {
        self.overview(query).await
    }

    async fn api_usage(&self, query: &UsageQuery) -> Result<ApiUsage, AppError> {
        self.api_usage(query).await
    }

    async fn timeseries(&self, query: &UsageQuery, by: SeriesBy) -> Result<Timeseries, AppError> {
        self.timeseries(query, by).await
    }

    async fn hourly_pattern(&self, query: &UsageQuery, date: Option<&str>) -> Result<HourlyPattern, AppError> {
        self.hourly_pattern(query, date).await
    }

    async fn errors(&self, query: &UsageQuery) -> Result<ErrorReport, AppError> {
        self.errors(query).await
    }

    async fn forecast(&self) -> Result<Forecast, AppError> {
        self.forecast().await
    }

    async fn requests(&self, query: &UsageQuery, wanted: &RequestQuery) -> Result<RequestPage, AppError> {
        self.requests(query, wanted).await
    }

    async fn request(&self, request_id: &str) -> Result<RequestDetail, AppError> {
        self.request(request_id).await
    }

    async fn models_seen(&self) -> Result<Vec<String>, AppError> {
        self.models_seen().await
    }

    fn draw(&self, chart: &ChartSpec, width: ChartWidth) -> String {
        charts::draw(chart, width)
    }
}
