//! One's own account: what stands on its pages, and what is shown once.

use super::fixture::{Fixture, refused, render, signed_in, signed_out, token};
use crate::context::{PageContext, RefusedForm, Shown};
use crate::types::{CreatedToken, NewLink, Role, TwoFactor, TwoFactorSecret, User};

fn shown(path: &str, shown: Shown) -> String {
    let context = PageContext {
        shown: Some(shown),
        ..signed_in()
    };
    render(path, context, Fixture::default()).1
}

fn secret() -> TwoFactorSecret {
    TwoFactorSecret {
        secret: "JBSWY3DPEHPK3PXP".to_owned(),
        uri: "otpauth://totp/Keypool:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Keypool".to_owned(),
    }
}

#[test]
fn every_session_but_this_one_can_be_ended() {
    let (_, html) = render("/account", signed_in(), Fixture::default());
    assert!(html.contains("This session") && html.contains("203.0.113.7"), "{html}");
    assert!(html.contains(r#"action="/account/sessions/s2/end""#));
    assert!(
        !html.contains(r#"action="/account/sessions/s1/end""#),
        "signing out is another button"
    );
    assert!(!html.contains("<b>evil</b>"), "what a browser says of itself is text");
}

#[test]
fn a_refusal_stands_in_the_form_it_belongs_to() {
    let mut wrong = refused(
        "password",
        "The password is not right.",
        &[("form", "delete"), ("email", "ada@example.com")],
    );
    let page = |refused: RefusedForm| {
        let context = PageContext {
            refused: Some(refused),
            ..signed_in()
        };
        render("/account", context, Fixture::default()).1
    };
    let html = page(wrong.clone());
    assert!(
        html.contains(r##"href="#delete-password""##) && html.contains("The account was not deleted"),
        "{html}"
    );
    assert!(!html.contains("The password was not changed") && !html.contains("The history was not erased"));
    assert!(html.contains(r#"value="ada@example.com""#), "what was typed stays");
    wrong.kept.insert("form".to_owned(), "name".to_owned());
    assert!(!page(wrong).contains("The account was not deleted"));
}

#[test]
fn an_enrolment_is_a_picture_and_a_text() {
    let fixture = Fixture {
        pending: Some(secret()),
        ..Fixture::default()
    };
    let (_, html) = render("/account/two-factor", signed_in(), fixture);
    assert!(html.contains("JBSW Y3DP EHPK 3PXP"), "{html}");
    assert!(
        html.contains(r##"fill="#ffffff""##) && html.contains(r#"class="qr""#),
        "white stands around the code in every theme"
    );
    assert!(html.contains(r#"action="/account/two-factor/confirm""#));
}

#[test]
fn a_second_factor_that_is_on_shows_no_secret() {
    let fixture = Fixture {
        two_factor: TwoFactor {
            enabled: true,
            recovery_codes_left: 1,
        },
        pending: Some(secret()),
        ..Fixture::default()
    };
    let (_, html) = render("/account/two-factor", signed_in(), fixture);
    assert!(
        html.contains("1 recovery code is left") && !html.contains("JBSW"),
        "{html}"
    );
    assert!(html.contains(r#"action="/account/two-factor/off""#));
}

#[test]
fn recovery_codes_and_a_new_token_are_shown_once() {
    let codes = ["abcd-efgh-jkmn", "pqrs-tuvw-xyz2"].map(str::to_owned).to_vec();
    let html = shown("/account/two-factor", Shown::RecoveryCodes(codes));
    assert!(html.contains("abcd-efgh-jkmn") && html.contains("shown once"), "{html}");
    let created = CreatedToken {
        token: "kp_s3cr3t".to_owned(),
        facts: token(),
    };
    let html = shown("/account/tokens", Shown::Token(created));
    assert!(html.contains("kp_s3cr3t") && html.contains("shown once"), "{html}");
    assert!(
        html.contains("Authorization: Bearer kp_s3cr3t"),
        "the first call can be copied"
    );
    let (_, html) = render("/account/tokens", signed_in(), Fixture::default());
    assert!(
        !html.contains("kp_s3cr3t") && html.contains("kp_…x9Qz") && !html.contains("<i>Nightly"),
        "{html}"
    );
}

#[test]
fn what_is_shown_once_is_not_in_what_is_logged() {
    let link = NewLink {
        id: "l1".to_owned(),
        url: "https://keypool.example/password?token=s3cr3t".to_owned(),
        expires_at: "2026-11-26T18:07:12Z".to_owned(),
    };
    let all = [
        Shown::RecoveryCodes(vec!["s3cr3t".to_owned()]),
        Shown::Token(CreatedToken {
            token: "s3cr3t".to_owned(),
            facts: token(),
        }),
        Shown::Invitation(link.clone()),
        Shown::PasswordLink(link),
    ];
    for shown in all {
        let context = PageContext {
            shown: Some(shown),
            ..signed_in()
        };
        let printed = format!("{context:?}");
        assert!(!printed.contains("s3cr3t"), "{printed}");
    }
}

#[test]
fn a_token_can_be_given_no_more_than_its_owner_may() {
    let user = User {
        id: "u2".to_owned(),
        email: "grace@example.com".to_owned(),
        name: "Grace".to_owned(),
        role: Role::User,
    };
    let context = PageContext {
        user: Some(user),
        ..signed_out()
    };
    let (_, html) = render("/account/tokens", context, Fixture::default());
    assert!(
        html.contains(r#"value="history""#) && !html.contains(r#"value="admin""#),
        "{html}"
    );
    let (_, html) = render("/account/tokens", signed_in(), Fixture::default());
    assert!(html.contains(r#"value="admin""#));
}

#[test]
fn a_link_that_is_used_or_old_offers_no_form() {
    for (path, form, over) in [
        (
            "/invitation",
            r#"action="/invitation""#,
            "This invitation does not work any more",
        ),
        ("/password", r#"action="/password""#, "This link does not work any more"),
    ] {
        let good = render(&format!("{path}?token=g00d"), signed_out(), Fixture::default()).1;
        assert!(
            good.contains(form) && good.contains(r#"name="token" value="g00d""#),
            "{good}"
        );
        for bad in [path.to_owned(), format!("{path}?token=0ld")] {
            let html = render(&bad, signed_out(), Fixture::default()).1;
            assert!(html.contains(over) && !html.contains(form), "{bad}: {html}");
        }
    }
}

#[test]
fn what_was_done_is_said_by_name_and_no_other_text_is() {
    let (_, html) = render("/account?done=password", signed_in(), Fixture::default());
    assert!(html.contains("Your password was changed"), "{html}");
    let (_, html) = render("/account?done=You%20have%20won", signed_in(), Fixture::default());
    assert!(!html.contains(r#"data-testid="done""#), "{html}");
}

#[test]
fn a_store_that_is_down_takes_only_its_part_of_the_page() {
    let down = || Fixture {
        down: true,
        ..Fixture::default()
    };
    let (_, html) = render("/account", signed_in(), down());
    assert!(
        html.contains("Your sessions cannot be read just now") && html.contains("Change password"),
        "{html}"
    );
    for path in ["/account/tokens", "/account/two-factor", "/admin/users", "/admin/audit"] {
        let (_, html) = render(path, signed_in(), down());
        assert!(
            html.contains("region-error") && html.contains("req-7"),
            "{path}: {html}"
        );
    }
}
