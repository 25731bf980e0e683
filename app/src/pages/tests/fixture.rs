//! A backend that answers what a test says, and pages rendered against it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use leptos::prelude::*;
use leptos_router::location::RequestUrl;

use super::usage_fixture::UsageFixture;
use crate::backend::{AuditQuery, Backend, BackendRef, MayRegister, UsageBackendRef};
use crate::context::{PageContext, RefusedForm, Theme};
use crate::error::{AppError, ErrorCode};
use crate::types::{
    Account, ActiveSession, AlertChannel, AlertRule, AlertSeverity, AlertThreshold, Alerts, Analysis, AnalysisPage,
    AnalysisState, AnalysisSummary, ApiToken, Attempt, AuditEntry, AuditFault, AuditPage, AuditVerdict, CellState,
    CellStatus, Component, Delivery, DoctorReport, Incident, IncidentPage, IncidentState, Invitation, KeyState,
    KeyStatus, Kind, Level, Obstacle, ObstacleKind, PoolKey, PreviewBasis, Role, ServiceStatus, SessionKind, SetUp,
    TokenScope, TokenUsage, TwoFactor, TwoFactorSecret, User,
};
use crate::{PageStatus, shell};

pub(super) struct Fixture {
    pub(super) keys: u32,
    pub(super) analyses: Result<Vec<Analysis>, AppError>,
    pub(super) set_up: SetUp,
    pub(super) may_register: MayRegister,
    pub(super) two_factor: TwoFactor,
    pub(super) pending: Option<TwoFactorSecret>,
    /// The store is down.
    pub(super) down: bool,
    pub(super) tampered: bool,
    pub(super) simulated: bool,
    pub(super) usage: UsageFixture,
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
            may_register: MayRegister::Anyone,
            two_factor: TwoFactor {
                enabled: false,
                recovery_codes_left: 0,
            },
            pending: None,
            down: false,
            tampered: false,
            simulated: false,
            usage: UsageFixture::default(),
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

    fn may_register(&self) -> MayRegister {
        self.may_register
    }

    async fn sessions(&self, _user_id: &str) -> Result<Vec<ActiveSession>, AppError> {
        self.up()?;
        let session = |id: &str, kind, current| ActiveSession {
            id: id.to_owned(),
            kind,
            current,
            began_at: "2026-11-24T01:00:00Z".to_owned(),
            last_used_at: "2026-11-24T03:00:00Z".to_owned(),
            user_agent: Some("<b>evil</b>/1".to_owned()),
            address: Some("203.0.113.7".to_owned()),
        };
        Ok(vec![
            session("s1", SessionKind::Browser, true),
            session("s2", SessionKind::Api, false),
        ])
    }

    async fn two_factor(&self, _user_id: &str) -> Result<TwoFactor, AppError> {
        self.up()?;
        Ok(self.two_factor)
    }

    async fn pending_two_factor(&self, _user_id: &str) -> Result<Option<TwoFactorSecret>, AppError> {
        Ok(self.pending.clone())
    }

    async fn tokens(&self, _user_id: &str) -> Result<Vec<ApiToken>, AppError> {
        self.up()?;
        Ok(vec![token()])
    }

    async fn invitation(&self, token: &str) -> Result<Option<Invitation>, AppError> {
        Ok((token == "g00d").then(invitation))
    }

    async fn password_link_email(&self, token: &str) -> Result<Option<String>, AppError> {
        Ok((token == "g00d").then(|| "ada@example.com".to_owned()))
    }

    async fn accounts(&self) -> Result<Vec<Account>, AppError> {
        self.up()?;
        Ok(vec![account("u1", Role::Admin), account("u2", Role::User)])
    }

    async fn account(&self, id: &str) -> Result<Account, AppError> {
        let found = ["u1", "u2"].contains(&id).then(|| account(id, Role::User));
        found.ok_or_else(|| AppError::new(ErrorCode::NotFound, "There is no such account."))
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, AppError> {
        Ok(vec![invitation()])
    }

    async fn alerts(&self) -> Result<Alerts, AppError> {
        self.up()?;
        let store = AlertRule {
            id: "store_trouble".to_owned(),
            threshold: None,
            window_minutes: None,
            min_samples: None,
            ..alert_rule()
        };
        let refused = Delivery {
            channel: "webhook".to_owned(),
            state: "failed".to_owned(),
            attempts: 1,
            next_try_at: None,
            last_error: Some("The webhook refused the message with status 404.".to_owned()),
            updated_at: "2026-11-24T03:47:00Z".to_owned(),
        };
        Ok(Alerts {
            incidents: vec![incident("i1", true), incident("i2", false)],
            rules: vec![alert_rule(), store],
            channels: vec![AlertChannel {
                name: "webhook".to_owned(),
                last: Some(refused),
            }],
            evaluated_at: Some("2026-11-24T03:48:00Z".to_owned()),
        })
    }

    async fn recent_alerts(&self) -> Result<Vec<Incident>, AppError> {
        Ok(self.alerts().await?.incidents)
    }

    async fn alert_history(&self, cursor: Option<&str>) -> Result<IncidentPage, AppError> {
        self.up()?;
        Ok(IncidentPage {
            items: vec![incident("i2", false)],
            next_cursor: cursor.is_none().then(|| "a+b".to_owned()),
        })
    }

    async fn audit_page(&self, query: &AuditQuery) -> Result<AuditPage, AppError> {
        self.up()?;
        let items = match query.actor.as_deref() {
            None => vec![audit_entry()],
            Some(_) => Vec::new(),
        };
        Ok(AuditPage {
            items,
            next_cursor: Some("41".to_owned()),
        })
    }

    async fn audit_verdict(&self) -> Result<AuditVerdict, AppError> {
        Ok(AuditVerdict {
            intact: !self.tampered,
            entries: 42,
            head: Some("9f8e7d".to_owned()),
            fault: self.tampered.then(|| AuditFault {
                seq: 17,
                message: "its hash does not fit.".to_owned(),
            }),
        })
    }
}

impl Fixture {
    fn up(&self) -> Result<(), AppError> {
        match self.down {
            true => Err(AppError::new(ErrorCode::NoCapacity, "The store does not answer.")),
            false => Ok(()),
        }
    }
}

pub(super) fn token() -> ApiToken {
    ApiToken {
        id: "t1".to_owned(),
        name: "<i>Nightly</i> report".to_owned(),
        mask: "kp_…x9Qz".to_owned(),
        scopes: vec![TokenScope::Analyze, TokenScope::History],
        created_at: "2026-11-23T18:07:12Z".to_owned(),
        expires_at: None,
        expired: false,
        requests_per_minute: Some(30),
        last_used_at: None,
    }
}

fn account(id: &str, role: Role) -> Account {
    Account {
        id: id.to_owned(),
        email: format!("{id}@example.com"),
        name: "<b>Grace</b> Hopper".to_owned(),
        role,
        disabled: id == "u2",
        two_factor: true,
        created_at: "2026-11-23T18:07:12Z".to_owned(),
        last_sign_in_at: None,
    }
}

fn invitation() -> Invitation {
    Invitation {
        id: "i1".to_owned(),
        role: Role::Viewer,
        email: Some("new@example.com".to_owned()),
        created_by: "u1".to_owned(),
        created_at: "2026-11-23T18:07:12Z".to_owned(),
        expires_at: "2026-11-26T18:07:12Z".to_owned(),
    }
}

pub(super) fn alert_rule() -> AlertRule {
    AlertRule {
        id: "low_success_rate".to_owned(),
        title: "Low success rate of a key".to_owned(),
        description: "Fewer than this share of a key's calls succeeded.".to_owned(),
        enabled: true,
        severity: AlertSeverity::Medium,
        threshold: Some(AlertThreshold {
            value: 80.0,
            unit: "percent".to_owned(),
            min: 1.0,
            max: 100.0,
        }),
        window_minutes: Some(60),
        min_samples: Some(11),
        hold_seconds: 60,
        changed: false,
        told_as: "alert".to_owned(),
        basis: PreviewBasis::Last24Hours,
    }
}

/// Acknowledged and silenced, or neither.
pub(super) fn incident(id: &str, handled: bool) -> Incident {
    Incident {
        id: id.to_owned(),
        rule: "low_success_rate".to_owned(),
        title: "Low success rate of a key".to_owned(),
        subject: "key/2".to_owned(),
        severity: AlertSeverity::Medium,
        escalated: false,
        state: if handled {
            IncidentState::Silenced
        } else {
            IncidentState::Open
        },
        message: "API Key 2 has low success rate: 61.5%".to_owned(),
        advice: "See the page <b>evil</b>.".to_owned(),
        opened_at: "2026-11-24T03:40:00Z".to_owned(),
        last_seen_at: "2026-11-24T03:48:00Z".to_owned(),
        acknowledged_at: handled.then(|| "2026-11-24T03:45:00Z".to_owned()),
        acknowledged_by: handled.then(|| "ada@example.com".to_owned()),
        silenced_until: handled.then(|| "2026-11-24T04:45:00Z".to_owned()),
        resolved_at: None,
    }
}

fn audit_entry() -> AuditEntry {
    AuditEntry {
        seq: 42,
        at: "2026-11-24T03:48:00Z".to_owned(),
        actor_id: "u1".to_owned(),
        actor: "ada@example.com".to_owned(),
        surface: "cli".to_owned(),
        address: Some("203.0.113.7".to_owned()),
        request_id: None,
        action: "key.update".to_owned(),
        target: "key/7".to_owned(),
        before: Some(serde_json::json!({ "label": "<img src=x>" })),
        after: None,
        hash: "9f8e7d".to_owned(),
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

pub(super) fn signed_in_as(role: Role) -> PageContext {
    let user = signed_in().user.map(|user| User { role, ..user });
    PageContext { user, ..signed_in() }
}

pub(super) fn signed_out() -> PageContext {
    PageContext {
        user: None,
        theme: Theme::System,
        path: "/".to_owned(),
        request_id: "req-7".to_owned(),
        refused: None,
        shown: None,
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
        provide_context::<UsageBackendRef>(Arc::new(fixture.usage.clone()));
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
