//! Charts by name, for those who want one alone.

use app::charts::{ChartSpec, usage};
use app::error::{AppError, ErrorCode};
use app::text::usage as words;
use app::types::{SeriesBy, UsageQuery};

use super::Analytics;

/// Those that there are.
pub const CHARTS: [&str; 5] = [
    "calls-by-key",
    "requests-by-model",
    "errors",
    "latency",
    "time-to-first-token",
];

impl Analytics {
    /// As the pages show it.
    ///
    /// # Errors
    /// `NotFound` for a name that is none of [`CHARTS`]; those of a query that makes no sense, and of the store.
    pub async fn chart(&self, name: &str, query: &UsageQuery) -> Result<ChartSpec, AppError> {
        Ok(match name {
            "calls-by-key" => {
                let by_key = self.timeseries(query, SeriesBy::Key).await?;
                usage::stacked(words::analytics::BY_KEY_CHART, &by_key, words::other_keys)
            }
            "requests-by-model" => {
                let by_model = self.timeseries(query, SeriesBy::Model).await?;
                usage::stacked(words::analytics::BY_MODEL_CHART, &by_model, words::others)
            }
            "errors" => {
                let report = self.errors(query).await?;
                let rows = report.rows.iter();
                usage::errors(
                    words::analytics::ERRORS_CHART,
                    rows.map(|row| (row.error_type.as_str(), row.count)),
                )
            }
            "latency" => usage::latency(&self.timeseries(query, SeriesBy::Total).await?),
            "time-to-first-token" => usage::first_token(&self.timeseries(query, SeriesBy::Total).await?),
            _ => {
                let message = format!("There is no such chart. There are {}.", CHARTS.join(", "));
                return Err(AppError::new(ErrorCode::NotFound, message));
            }
        })
    }
}
