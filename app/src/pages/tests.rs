//! Pages rendered whole, as the server does, against a backend that answers what a test says.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use leptos::prelude::*;
use leptos_router::location::RequestUrl;

use crate::backend::{Backend, BackendRef};
use crate::context::{DemoAccount, PageContext, RefusedForm, Theme};
use crate::error::{AppError, ErrorCode};
use crate::types::{
    Analysis, AnalysisPage, AnalysisState, AnalysisSummary, Attempt, CellState, CellStatus, Component, KeyState,
    KeyStatus, Kind, Level, PoolKey, Role, ServiceStatus, SetUp, TokenUsage, User,
};
use crate::{PageStatus, shell};

struct Fixture {
    keys: u32,
    analyses: Result<Vec<Analysis>, AppError>,
    set_up: SetUp,
    open: bool,
    simulated: bool,
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

    fn registration_open(&self) -> bool {
        self.open
    }
}

fn key(number: u32) -> KeyStatus {
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
            used_today: 250,
            limit_per_day: Some(250),
        }],
    }
}

fn analysis(id: &str, state: AnalysisState, prompt: &str, text: &str) -> Analysis {
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

fn signed_in() -> PageContext {
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

fn signed_out() -> PageContext {
    PageContext {
        user: None,
        theme: Theme::System,
        path: "/".to_owned(),
        request_id: "req-7".to_owned(),
        refused: None,
        demo: None,
    }
}

fn refused(field: &str, message: &str, kept: &[(&str, &str)]) -> RefusedForm {
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
fn render(path: &str, context: PageContext, fixture: Fixture) -> (u16, String) {
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

fn stored() -> Vec<Analysis> {
    let answer = "# Findings\n\nThe text makes **three** claims.\n\n<script>alert(1)</script>";
    vec![
        analysis("a1", AnalysisState::Complete, "Summarise the report", answer),
        analysis("a2", AnalysisState::Failed, "<b>Bold</b> claims", ""),
    ]
}

#[test]
fn a_refused_sign_in_keeps_the_e_mail_and_never_the_password() {
    let kept = [("email", "ada@example.com"), ("next", "/history")];
    let context = PageContext {
        refused: Some(refused("password", "E-mail or password is wrong.", &kept)),
        ..signed_out()
    };
    let (status, html) = render("/sign-in", context, Fixture::default());
    assert_eq!(status, 200);
    assert!(html.contains(r#"type="email" value="ada@example.com""#), "{html}");
    assert!(html.contains(r#"name="next" value="/history""#));
    assert!(html.contains(r#"type="password" value="""#));
    assert!(
        html.contains(r#"aria-invalid="true" aria-describedby="password-error""#),
        "{html}"
    );
    assert_eq!(
        html.matches("E-mail or password is wrong.").count(),
        2,
        "beside the field and in the summary"
    );
}

#[test]
fn a_sign_in_goes_on_to_where_it_came_from() {
    let (_, html) = render(
        "/sign-in?next=%2Fhistory%3Fcursor%3Dx%22%3E",
        signed_out(),
        Fixture::default(),
    );
    assert!(
        html.contains(r#"name="next" value="/history?cursor=x&quot;&gt;""#),
        "{html}"
    );
}

#[test]
fn registering_instead_keeps_where_to_go() {
    let (_, html) = render("/sign-in?next=/history?cursor=x", signed_out(), Fixture::default());
    assert!(
        html.contains(r#"href="/register?next=%2Fhistory%3Fcursor%3Dx""#),
        "{html}"
    );
    let (_, html) = render(
        "/register?next=%2Fhistory%3Fcursor%3Dx",
        signed_out(),
        Fixture::default(),
    );
    assert!(html.contains(r#"name="next" value="/history?cursor=x""#), "{html}");
}

#[test]
fn demo_accounts_are_shown_in_a_demo_only() {
    let demo = vec![DemoAccount {
        role: "admin",
        email: "admin@demo.example".to_owned(),
        password: "demo-admin-pass".to_owned(),
    }];
    let (_, html) = render(
        "/sign-in",
        PageContext {
            demo: Some(demo),
            ..signed_out()
        },
        Fixture::default(),
    );
    assert!(html.contains("Sign in as admin") && html.contains(r#"name="password" value="demo-admin-pass""#));
    let (_, html) = render("/sign-in", signed_out(), Fixture::default());
    assert!(!html.contains("Demo accounts"));
}

#[test]
fn registering_is_offered_only_where_it_is_open() {
    let closed = || Fixture {
        open: false,
        ..Fixture::default()
    };
    assert!(
        render("/sign-in", signed_out(), Fixture::default())
            .1
            .contains(r#"href="/register"#)
    );
    assert!(
        !render("/sign-in", signed_out(), closed())
            .1
            .contains(r#"href="/register"#)
    );
    assert!(
        render("/register", signed_out(), closed())
            .1
            .contains("Registration is closed")
    );
}

#[test]
fn the_first_administrator_needs_the_link() {
    let fresh = || Fixture {
        set_up: SetUp {
            has_admin: false,
            has_key: false,
        },
        ..Fixture::default()
    };
    let (_, html) = render("/set-up?token=t0k3n", signed_out(), fresh());
    assert!(html.contains(r#"name="token" value="t0k3n""#) && html.contains("Create administrator"));
    assert!(!render("/set-up", signed_out(), fresh()).1.contains("<input class"));
    let (_, html) = render("/set-up?token=0ld", signed_out(), fresh());
    assert!(html.contains("does not work any more") && !html.contains(r#"name="token""#));
    assert!(
        render("/set-up?token=t0k3n", signed_out(), Fixture::default())
            .1
            .contains("Already set up")
    );
}

#[test]
fn a_refused_key_is_not_sent_back() {
    let context = PageContext {
        refused: Some(refused("key", "The provider refused this key.", &[("label", "Team")])),
        ..signed_in()
    };
    let (_, html) = render(
        "/set-up/key",
        context,
        Fixture {
            keys: 0,
            ..Fixture::default()
        },
    );
    assert!(
        html.contains(r#"type="password" value="""#) && html.contains(r#"value="Team""#),
        "{html}"
    );
}

#[test]
fn without_a_key_only_an_administrator_is_led_to_add_one() {
    let (_, html) = render(
        "/",
        signed_in(),
        Fixture {
            keys: 0,
            ..Fixture::default()
        },
    );
    assert!(html.contains(r#"href="/set-up/key""#));
    let user = signed_in().user.map(|user| User {
        role: Role::User,
        ..user
    });
    let (_, html) = render(
        "/",
        PageContext { user, ..signed_in() },
        Fixture {
            keys: 0,
            ..Fixture::default()
        },
    );
    assert!(html.contains("Not set up yet") && !html.contains(r#"href="/set-up/key""#));
}

#[test]
fn running_again_fills_the_composer() {
    let (_, html) = render(
        "/?again=a1",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert!(html.contains("Summarise the report</textarea>"), "{html}");
    let (_, html) = render(
        "/?again=gone",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert!(html.contains("was not found"));
}

#[test]
fn the_history_escapes_what_people_wrote() {
    let (status, html) = render(
        "/history",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert_eq!(status, 200);
    assert!(html.contains("&lt;b&gt;Bold&lt;/b&gt; claims") && !html.contains("<b>Bold"));
    assert!(html.contains("23 Nov 2026, 18:07") && html.contains("Time (UTC)"));
    assert!(html.contains(r#"href="/history?cursor=a%2Bb""#), "{html}");
}

#[test]
fn an_empty_history_leads_to_the_first_analysis() {
    let (_, html) = render("/history", signed_in(), Fixture::default());
    assert!(html.contains("Nothing analysed yet") && html.contains("region-empty"));
}

#[test]
fn a_history_that_cannot_be_read_says_its_code_and_request_id() {
    let (_, html) = render(
        "/history",
        signed_in(),
        Fixture {
            analyses: Err(AppError::internal()),
            ..Fixture::default()
        },
    );
    assert!(html.contains("region-error") && html.contains("INTERNAL") && html.contains("req-7"));
}

#[test]
fn an_answer_is_sanitised_markdown() {
    let (_, html) = render(
        "/history/a1",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert!(
        html.contains("<h3>Findings</h3>") && html.contains("<strong>three</strong>"),
        "{html}"
    );
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script>alert"));
    assert!(
        html.contains("1. Key 1") && html.contains("Day quota") && html.contains("2,016 (812 prompt, 1,204 output)")
    );
}

#[test]
fn an_unknown_analysis_and_an_unknown_address_are_not_found() {
    for path in ["/history/gone", "/nowhere"] {
        let (status, html) = render(path, signed_in(), Fixture::default());
        assert_eq!(status, 404, "{path}");
        assert!(html.contains("Page not found") && html.contains("req-7"));
    }
}

#[test]
fn the_public_status_names_no_key() {
    let (_, html) = render("/status", signed_out(), Fixture::default());
    assert!(
        html.contains("Text analysis") && !html.contains("Key 1") && !html.contains("keyNumber"),
        "{html}"
    );
    let (_, html) = render("/status", signed_in(), Fixture::default());
    assert!(html.contains("Key 1"));
}

#[test]
fn a_server_without_a_key_is_not_set_up_rather_than_down() {
    let fresh = || Fixture {
        keys: 0,
        ..Fixture::default()
    };
    for path in ["/status", "/history"] {
        let (_, html) = render(path, signed_in(), fresh());
        assert!(
            html.contains("Not set up yet") && !html.contains("Major outage"),
            "{path}: {html}"
        );
        assert!(html.contains(r#"href="/set-up/key""#), "{path}");
    }
    let (_, html) = render("/status", signed_out(), fresh());
    assert!(
        html.contains("Not set up yet") && !html.contains("Major outage"),
        "{html}"
    );
    assert!(!html.contains(r#"href="/set-up/key""#));
}

#[test]
fn the_banner_is_one_line_that_leads_to_the_status_page_which_has_none() {
    let (_, html) = render("/history", signed_in(), Fixture::default());
    let banner = html
        .split_once(r#"data-testid="banner""#)
        .and_then(|(_, after)| after.split_once("<main"));
    let banner = banner.expect("a banner above the content").0;
    assert!(
        banner.contains("Degraded: 1 of 3 keys") && banner.contains(r#"href="/status""#),
        "{banner}"
    );
    let (_, html) = render("/status", signed_in(), Fixture::default());
    assert!(!html.contains(r#"data-testid="banner""#));
}

#[test]
fn simulated_answers_are_said_on_every_page() {
    for path in ["/", "/history", "/status", "/sign-in", "/register"] {
        let line = r#"data-testid="simulated""#;
        assert!(
            render(
                path,
                signed_in(),
                Fixture {
                    simulated: true,
                    ..Fixture::default()
                }
            )
            .1
            .contains(line),
            "{path}"
        );
        assert!(
            !render(path, signed_in(), Fixture::default()).1.contains(line),
            "{path}"
        );
    }
}

#[test]
fn a_page_holds_nothing_the_content_security_policy_forbids() {
    let paths = [
        "/",
        "/history",
        "/history/a1",
        "/status",
        "/sign-in",
        "/register",
        "/set-up",
        "/set-up/key",
        "/nowhere",
    ];
    for path in paths {
        let (_, html) = render(
            path,
            signed_in(),
            Fixture {
                analyses: Ok(stored()),
                ..Fixture::default()
            },
        );
        for forbidden in [" style=", " onclick=", " onsubmit=", "<style", "javascript:"] {
            assert!(!html.contains(forbidden), "{path} has {forbidden}");
        }
        assert_eq!(html.matches("<h1").count(), 1, "{path}");
    }
}

#[test]
fn an_error_document_needs_neither_server_nor_script() {
    let options = LeptosOptions::builder().output_name("keypool").build();
    let html = super::error_document(
        &options,
        PageContext {
            theme: Theme::Dark,
            ..signed_out()
        },
        500,
    );
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains(r#"data-theme="dark""#),
        "{html}"
    );
    assert!(html.contains("<title>Something went wrong · Keypool</title>") && html.contains("req-7"));
    assert!(!html.contains("<script"));
}
