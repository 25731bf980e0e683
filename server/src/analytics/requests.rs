//! The log of requests, and one request with its calls.

use std::collections::BTreeMap;

use app::error::{AppError, ErrorCode};
use app::types::{AttemptRow, RequestDetail, RequestPage, RequestQuery, RequestRow, TokenUsage, UsageQuery};

use super::Analytics;
use super::range::{Range, given, wrong};
use crate::clock::rfc3339;
use crate::email::Email;
use crate::store::{Cursor, EventBounds, EventFilter, EventKind, Order, UsageEvent};

const PAGE_SIZE: u32 = 50;
const PAGE_SIZE_MAX: u32 = 200;
/// Events that one page looks at: a few hundredths of a second.
const LOOKED_AT_MAX: u32 = 20_000;
/// More calls than any request makes, and the request itself.
const CALLS_MAX: u32 = 200;

impl Analytics {
    pub async fn requests(&self, query: &UsageQuery, wanted: &RequestQuery) -> Result<RequestPage, AppError> {
        let range = Range::parse(query, "7d", self.clock.now())?;
        let limit = limit(given(&wanted.limit))?;
        let cursor = given(&wanted.cursor).map(cursor).transpose()?;
        let filter = EventFilter {
            kind: Some(EventKind::Request),
            ..self.filter(&range, wanted).await?
        };
        let bounds = EventBounds {
            events_max: limit,
            looked_at_max: LOOKED_AT_MAX,
        };
        let page = self
            .store
            .usage_events(filter, Order::NewestFirst, cursor, bounds)
            .await?;
        let is_cut = page.events.len() < limit as usize;
        let searched_back_to = page
            .next
            .as_ref()
            .filter(|_| is_cut)
            .map(|next| rfc3339(next.created_at));
        Ok(RequestPage {
            time_range: range.shown(),
            items: self.rows(page.events).await?,
            next_cursor: page.next.map(|next| next.encode()),
            searched_back_to,
            coverage: self.coverage(),
        })
    }

    /// # Errors
    /// `NOT_FOUND` when there is none, or it is older than events are kept.
    pub async fn request(&self, request_id: &str) -> Result<RequestDetail, AppError> {
        let filter = EventFilter {
            request_id: Some(request_id.to_owned()),
            ..EventFilter::default()
        };
        let bounds = EventBounds {
            events_max: CALLS_MAX,
            looked_at_max: CALLS_MAX,
        };
        let page = self
            .store
            .usage_events(filter, Order::OldestFirst, None, bounds)
            .await?;
        let (requests, calls): (Vec<_>, Vec<_>) = page
            .events
            .into_iter()
            .partition(|event| event.kind == EventKind::Request);
        let Some(request) = requests.into_iter().next() else {
            let message = "There is no request with this id, or it is older than requests are kept.";
            return Err(AppError::new(ErrorCode::NotFound, message));
        };
        let attempts = calls.into_iter().map(|call| attempt(call, &request)).collect();
        let mut rows = self.rows(vec![request]).await?;
        let request = rows.pop().ok_or_else(AppError::internal)?;
        Ok(RequestDetail { request, attempts })
    }

    pub(super) async fn filter(&self, range: &Range, wanted: &RequestQuery) -> Result<EventFilter, AppError> {
        let text = |text: &Option<String>| given(text).map(str::to_owned);
        let success = match given(&wanted.status) {
            None => None,
            Some("ok") => Some(true),
            Some("failed") => Some(false),
            Some(_) => return Err(wrong("status", "status must be ok or failed.")),
        };
        Ok(EventFilter {
            kind: None,
            from: Some(range.from),
            to: Some(range.to),
            key_number: range.key_number,
            model: range.model.clone(),
            operation: text(&wanted.operation),
            surface: text(&wanted.surface),
            success,
            error_type: text(&wanted.error_type),
            user_id: self.user(given(&wanted.user)).await?,
            token_id: None,
            request_id: text(&wanted.request_id),
        })
    }

    /// The id of whom an id or an address names; an address that nobody has finds nothing, as an id would.
    async fn user(&self, named: Option<&str>) -> Result<Option<String>, AppError> {
        let Some(named) = named else { return Ok(None) };
        let Ok(email) = Email::parse(named) else {
            return Ok(Some(named.to_owned()));
        };
        let user = self.store.user_by_email(&email).await?;
        Ok(Some(user.map_or_else(|| named.to_owned(), |user| user.id)))
    }

    async fn rows(&self, events: Vec<UsageEvent>) -> Result<Vec<RequestRow>, AppError> {
        let mut emails: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut rows = Vec::with_capacity(events.len());
        for event in events {
            let email = match &event.user_id {
                None => None,
                Some(id) if emails.contains_key(id) => emails.get(id).cloned().flatten(),
                Some(id) => {
                    let email = self.store.user(id).await?.map(|user| user.email.to_string());
                    emails.insert(id.clone(), email.clone());
                    email
                }
            };
            rows.push(row(event, email));
        }
        Ok(rows)
    }
}

fn row(event: UsageEvent, user_email: Option<String>) -> RequestRow {
    RequestRow {
        request_id: event.request_id,
        at: rfc3339(event.at),
        operation: event.operation.into_owned(),
        surface: event.surface.into_owned(),
        model: event.model,
        key_number: event.key.map(|key| key.number),
        success: event.success,
        outcome: event.outcome.into_owned(),
        error_type: event.error_type.map(std::borrow::Cow::into_owned),
        response_time_ms: event.response_time_ms,
        first_token_ms: event.first_token_ms,
        usage: TokenUsage {
            prompt_tokens: event.prompt_tokens,
            output_tokens: event.output_tokens,
            total_tokens: event.total_tokens,
        },
        cached: event.cached,
        attempts: event.attempts,
        user_email,
        token_id: event.token_id,
        user_agent: event.user_agent,
    }
}

/// Both are recorded when they end.
fn attempt(call: UsageEvent, request: &UsageEvent) -> AttemptRow {
    let began = |event: &UsageEvent| event.at.as_millis().saturating_sub(event.response_time_ms);
    let started_ms = began(&call).saturating_sub(began(request));
    let (key_number, project) = call.key.map(|key| (key.number, key.project)).unzip();
    AttemptRow {
        key_number,
        project: project.flatten(),
        model: call.model,
        success: call.success,
        outcome: call.outcome.into_owned(),
        error_type: call.error_type.map(std::borrow::Cow::into_owned),
        started_ms,
        ms: call.response_time_ms,
        first_token_ms: call.first_token_ms,
    }
}

fn limit(text: Option<&str>) -> Result<u32, AppError> {
    let Some(text) = text else { return Ok(PAGE_SIZE) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_SIZE_MAX).contains(limit));
    limit.ok_or_else(|| wrong("limit", "limit must be a whole number from 1 to 200."))
}

fn cursor(text: &str) -> Result<Cursor, AppError> {
    Cursor::parse(text).ok_or_else(|| {
        wrong(
            "cursor",
            "cursor must be one that an earlier page gave; without it the list begins anew.",
        )
    })
}
