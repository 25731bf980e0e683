//! A backend that answers what a test says, and pages rendered against it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use leptos::prelude::*;
use leptos_router::location::RequestUrl;

use crate::backend::{Backend, BackendRef};
use crate::context::{PageContext, RefusedForm, Theme};
use crate::error::{AppError, ErrorCode};
use crate::types::{
    Analysis, AnalysisPage, AnalysisState, AnalysisSummary, Attempt, CellState, CellStatus, Component, DoctorReport,
    KeyState, KeyStatus, Kind, Level, Obstacle, ObstacleKind, PoolKey, Role, ServiceStatus, SetUp, TokenUsage, User,
};
use crate::{PageStatus, shell};

pub(super) struct Fixture {
    pub(super) keys: u32,
    pub(super) analyses: Result<Vec<Analysis>, AppError>,
    pub(super) set_up: SetUp,
    pub(super) open: bool,
    pub(super) simulated: bool,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            keys: 3,
            analyses: Ok(Vec::new()),
            set_up: SetUp {
                has_admin: true,
                has_key: true,
            },
            open: true,
            simulated: false,
        }
    }
}

#[async_trait]
impl Backend for Fixture {
    fn status(&self) -> ServiceStatus {
        let keys = (1..=self.keys).map(key).collect::<Vec<_>>();
        let level = if self.keys == 0 {
            Level::MajorOutage
        } else {
            Level::Degraded
        };
        ServiceStatus {
            total_keys: self.keys,
            current_key_index: 0,
            healthy_keys: self.keys.saturating_sub(1),
            available_keys: keys,
            level,
            message: "1 of 3 keys has reached its quota. Requests still work.".to_owned(),
            next_reset: Some("2026-11-24T08:00:00Z".to_owned()),
            next_reset_in_ms: Some(15_120_000),
            components: vec![
                Component {
                    name: "Text analysis".to_owned(),
                    level,
                },
                Component {
                    name: "Image analysis".to_owned(),
                    level: Level::Operational,
                },
                Component {
                    name: "API".to_owned(),
                    level: Level::Operational,
                },
            ],
            obstacles: vec![Obstacle {
                kind: ObstacleKind::ModelDown,
                model: Some("gemini-2.5-flash".to_owned()),
                retry_in_ms: Some(12_000),
            }],
            simulated: self.simulated,
            checked_at: "2026-11-24T03:48:00Z".to_owned(),
        }
    }

    fn keys(&self) -> Vec<PoolKey> {
        Vec::new()
    }

    fn models(&self) -> Vec<String> {
        vec!["gemini-2.5-flash".to_owned(), "gemini-2.5-pro".to_owned()]
    }

    async fn analyses(&self, _user_id: &str, _cursor: Option<&str>) -> Result<AnalysisPage, AppError> {
        let items = self
            .analyses
            .clone()?
            .into_iter()
            .map(|analysis| analysis.summary)
            .collect();
        Ok(AnalysisPage {
            items,
            next_cursor: Some("a+b".to_owned()),
        })
    }

    async fn analysis(&self, _user_id: &str, id: &str) -> Result<Analysis, AppError> {
        let found = self
            .analyses
            .clone()?
            .into_iter()
            .find(|analysis| analysis.summary.id == id);
        found.ok_or_else(|| AppError::new(ErrorCode::NotFound, "There is no such analysis."))
    }

    async fn set_up(&self) -> Result<SetUp, AppError> {
        Ok(self.set_up)
    }

    async fn set_up_link_is_good(&self, token: &str) -> Result<bool, AppError> {
        Ok(token == "t0k3n")
    }

    async fn doctor(&self) -> DoctorReport {
        DoctorReport {
            generated_at: "2026-11-24T03:48:00Z".to_owned(),
            version: "0.1.0".to_owned(),
            environment: Vec::new(),
            checks: Vec::new(),
            service_status: Some(self.status()),
            usage_statistics: None,
            key_tests: None,
            performance_test: None,
            tested_at: None,
            queue: None,
            cache: None,
            siblings: Vec::new(),
        }
    }

    fn registration_open(&self) -> bool {
        self.open
    }
}

pub(super) fn key(number: u32) -> KeyStatus {
    let spent = number == 1;
    KeyStatus {
        key_number: number,
        state: if spent {
            KeyState::QuotaReached
        } else {
            KeyState::Available
        },
        quota_exceeded: spent,
        quota_reset_time: spent.then_some(1_795_507_200_000),
        ready_in_ms: spent.then_some(15_120_000),
        request_count: 9_120,
        success_count: 8_900,
        error_count: 220,
        last_used: Some("2026-11-24T03:47:00Z".to_owned()),
        cells: vec![CellStatus {
            model: "gemini-2.5-flash".to_owned(),
            state: if spent {
                CellState::QuotaReached
            } else {
                CellState::Available
            },
            ready_in_ms: spent.then_some(15_120_000),
            used_minute: 4,
            limit_per_minute: Some(10),
            used_today: 250,
            limit_per_day: Some(250),
        }],
    }
}

pub(super) fn analysis(id: &str, state: AnalysisState, prompt: &str, text: &str) -> Analysis {
    let attempts = [("day_quota", 212), ("rate_limited", 95), ("success", 3_100)]
        .into_iter()
        .zip(1..)
        .map(|((outcome, ms), key_number)| Attempt {
            key_number,
            outcome: outcome.to_owned(),
            ms,
        })
        .collect();
    Analysis {
        summary: AnalysisSummary {
            id: id.to_owned(),
            created_at: "2026-11-23T18:07:12.345Z".to_owned(),
            kind: Kind::Text,
            title: prompt.lines().next().unwrap_or_default().to_owned(),
            state,
            model: "gemini-2.5-flash".to_owned(),
            response_time_ms: 3_480,
        },
        prompt: prompt.to_owned(),
        system: None,
        image_count: 0,
        text: text.to_owned(),
        finish_reason: Some("STOP".to_owned()),
        usage: TokenUsage {
            prompt_tokens: 812,
            output_tokens: 1_204,
            total_tokens: 2_016,
        },
        attempts,
        error: None,
    }
}

pub(super) fn signed_in() -> PageContext {
    let user = User {
        id: "u1".to_owned(),
        email: "ada@example.com".to_owned(),
        name: "Ada Lovelace".to_owned(),
        role: Role::Admin,
    };
    PageContext {
        user: Some(user),
        ..signed_out()
    }
}

pub(super) fn signed_out() -> PageContext {
    PageContext {
        user: None,
        theme: Theme::System,
        path: "/".to_owned(),
        request_id: "req-7".to_owned(),
        refused: None,
        demo: None,
    }
}

pub(super) fn refused(field: &str, message: &str, kept: &[(&str, &str)]) -> RefusedForm {
    let kept = kept
        .iter()
        .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()))
        .collect::<BTreeMap<_, _>>();
    RefusedForm {
        error: AppError::new(ErrorCode::BadRequest, message).field(field),
        kept,
    }
}

/// Status and document of one page.
pub(super) fn render(path: &str, context: PageContext, fixture: Fixture) -> (u16, String) {
    let owner = Owner::new_root(None);
    let status = PageStatus::default();
    let stream = owner.with(|| {
        provide_context(PageContext {
            path: path.to_owned(),
            ..context
        });
        provide_context::<BackendRef>(Arc::new(fixture));
        provide_context(RequestUrl::new(path));
        provide_context(status.clone());
        let options = LeptosOptions::builder().output_name("keypool").build();
        shell(options).into_view().to_html_stream_in_order()
    });
    let html = futures::executor::block_on(owner.with(|| stream.collect::<String>()));
    (status.get(), html)
}

pub(super) fn stored() -> Vec<Analysis> {
    let answer = "# Findings\n\nThe text makes **three** claims.\n\n<script>alert(1)</script>";
    vec![
        analysis("a1", AnalysisState::Complete, "Summarise the report", answer),
        analysis("a2", AnalysisState::Failed, "<b>Bold</b> claims", ""),
    ]
}
