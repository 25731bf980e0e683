//! Signing in, registering, setting up.

use super::fixture::{Fixture, refused, render, signed_in, signed_out};
use crate::backend::MayRegister;
use crate::context::{DemoAccount, PageContext};
use crate::types::SetUp;

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
    let closed = || with(MayRegister::Nobody);
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
    let (_, html) = render("/register", signed_out(), with(MayRegister::Invited));
    assert!(
        html.contains("An invitation is needed") && !html.contains("<input class"),
        "{html}"
    );
    let (_, html) = render("/sign-in", signed_out(), with(MayRegister::Invited));
    assert!(!html.contains(r#"href="/register"#), "{html}");
}

fn with(may_register: MayRegister) -> Fixture {
    Fixture {
        may_register,
        ..Fixture::default()
    }
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
