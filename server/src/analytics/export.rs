//! Events as a file of any size, a page at a time.

use app::error::AppError;
use app::types::{RequestQuery, UsageQuery};
use futures::{Stream, stream};
use serde_json::json;

use super::Analytics;
use super::buckets::in_zone;
use super::range::Range;
use crate::store::{Cursor, EventBounds, EventFilter, Order, StoreError, UsageEvent};

const BOUNDS: EventBounds = EventBounds {
    events_max: 1_000,
    looked_at_max: 20_000,
};

const COLUMNS: [&str; 26] = [
    "time",
    "timeZone",
    "kind",
    "requestId",
    "keyNumber",
    "project",
    "model",
    "operation",
    "surface",
    "success",
    "outcome",
    "errorType",
    "responseTimeMs",
    "firstTokenMs",
    "promptTokens",
    "outputTokens",
    "cachedTokens",
    "thoughtTokens",
    "totalTokens",
    "cached",
    "attempts",
    "userId",
    "tokenId",
    "userAgent",
    "id",
    "timeUtc",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Json,
}

/// What is written, and where the next page begins.
struct Export {
    analytics: Analytics,
    range: Range,
    filter: EventFilter,
    format: Format,
    next: Next,
    /// An event was written.
    has_events: bool,
}

enum Next {
    Head,
    Page(Option<Cursor>),
    Tail,
    Nothing,
}

impl Analytics {
    /// A file's name without its ending, and its pieces. A failure on the way breaks the stream off: what is there then must
    /// not be taken for the whole.
    ///
    /// # Errors
    /// `BAD_REQUEST` as for lists, before anything is written.
    pub async fn export(
        &self,
        query: &UsageQuery,
        wanted: &RequestQuery,
        format: Format,
    ) -> Result<(String, impl Stream<Item = Result<String, StoreError>> + Send + use<>), AppError> {
        let range = Range::parse(query, "7d", self.clock.now())?;
        let filter = self.filter(&range, wanted).await?;
        let day = |at| in_zone(at, &range.zone).chars().take(10).collect::<String>();
        let name = format!("keypool-usage-{}-{}", day(range.from), day(range.to));
        let export = Export {
            analytics: self.clone(),
            range,
            filter,
            format,
            next: Next::Head,
            has_events: false,
        };
        let pieces = stream::try_unfold(export, |mut export| async move {
            let piece = export.piece().await?;
            Ok::<_, StoreError>(piece.map(|text| (text, export)))
        });
        Ok((name, pieces))
    }
}

impl Export {
    /// `None` at the end.
    async fn piece(&mut self) -> Result<Option<String>, StoreError> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Head => {
                self.next = Next::Page(None);
                Ok(Some(self.head()))
            }
            Next::Page(cursor) => {
                let page = self
                    .analytics
                    .store
                    .usage_events(self.filter.clone(), Order::OldestFirst, cursor, BOUNDS)
                    .await?;
                self.next = match page.next {
                    Some(next) => Next::Page(Some(next)),
                    None => Next::Tail,
                };
                Ok(Some(self.events(&page.events)))
            }
            Next::Tail => Ok(match self.format {
                Format::Csv => None,
                Format::Json => Some("\n]}\n".to_owned()),
            }),
            Next::Nothing => Ok(None),
        }
    }

    fn head(&self) -> String {
        match self.format {
            Format::Csv => csv_line(&COLUMNS.map(str::to_owned)),
            Format::Json => {
                let range = json!({
                    "start": in_zone(self.range.from, &self.range.zone),
                    "end": in_zone(self.range.to, &self.range.zone),
                    "tz": self.range.zone_name,
                });
                format!("{{\"timeRange\":{range},\"events\":[")
            }
        }
    }

    fn events(&mut self, events: &[UsageEvent]) -> String {
        let mut text = String::new();
        for event in events {
            let values = self.values(event);
            match self.format {
                Format::Csv => text.push_str(&csv_line(&values.map(|value| plain(&value)))),
                Format::Json => {
                    let object: serde_json::Map<_, _> =
                        COLUMNS.iter().map(|name| (*name).to_owned()).zip(values).collect();
                    text.push_str(if self.has_events { ",\n" } else { "\n" });
                    text.push_str(&serde_json::Value::Object(object).to_string());
                }
            }
            self.has_events = true;
        }
        text
    }

    /// In the order of the columns.
    fn values(&self, event: &UsageEvent) -> [serde_json::Value; 26] {
        let key = event.key.as_ref();
        [
            json!(in_zone(event.at, &self.range.zone)),
            json!(self.range.zone_name),
            json!(event.kind.as_str()),
            json!(event.request_id),
            json!(key.map(|key| key.number)),
            json!(key.and_then(|key| key.project.as_deref())),
            json!(event.model),
            json!(event.operation),
            json!(event.surface),
            json!(event.success),
            json!(event.outcome),
            json!(event.error_type),
            json!(event.response_time_ms),
            json!(event.first_token_ms),
            json!(event.prompt_tokens),
            json!(event.output_tokens),
            json!(event.cached_tokens),
            json!(event.thought_tokens),
            json!(event.total_tokens),
            json!(event.cached),
            json!(event.attempts),
            json!(event.user_id),
            json!(event.token_id),
            json!(event.user_agent),
            json!(event.id),
            json!(crate::clock::rfc3339(event.at)),
        ]
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => harmless(text),
        other => other.to_string(),
    }
}

/// A cell that begins like a formula is one to a spreadsheet, and would run (CWE-1236).
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn csv_line(cells: &[String]) -> String {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(cells);
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        assert_eq!(harmless("curl/8.5 (=)"), "curl/8.5 (=)");
        assert_eq!(
            csv_line(&["a,\"b\"".to_owned(), "c\nd".to_owned()]),
            "\"a,\"\"b\"\"\",\"c\nd\"\r\n"
        );
    }
}
