//! Accounts of others, and the audit log.

use super::fixture::{Fixture, refused, render, signed_in};
use crate::context::{PageContext, Shown};
use crate::types::NewLink;

#[test]
fn names_of_others_are_text() {
    for path in ["/admin/users", "/admin/users/u2"] {
        let (_, html) = render(path, signed_in(), Fixture::default());
        assert!(
            html.contains("Hopper") && !html.contains("<b>Grace</b>"),
            "{path}: {html}"
        );
    }
}

#[test]
fn an_account_is_deleted_by_typing_its_e_mail_and_enabled_by_a_button() {
    let (status, html) = render("/admin/users/u2", signed_in(), Fixture::default());
    assert_eq!(status, 200);
    assert!(
        html.contains(r#"action="/admin/users/u2/delete""#) && html.contains("Type the account's e-mail"),
        "{html}"
    );
    assert!(
        html.contains(r#"action="/admin/users/u2/enable""#) && !html.contains(r#"action="/admin/users/u2/disable""#)
    );
    let context = PageContext {
        refused: Some(refused(
            "email",
            "This is not the e-mail.",
            &[("form", "delete"), ("email", "u3@")],
        )),
        ..signed_in()
    };
    let (_, html) = render("/admin/users/u2", context, Fixture::default());
    assert!(
        html.contains("<details open class=\"confirm\"") && html.contains(r#"value="u3@""#),
        "{html}"
    );
}

#[test]
fn nobody_disables_themselves_here() {
    let (_, html) = render("/admin/users/u1", signed_in(), Fixture::default());
    assert!(
        html.contains("This is your own account") && !html.contains("/admin/users/u1/"),
        "{html}"
    );
}

#[test]
fn an_account_that_does_not_exist_is_not_found() {
    let (status, html) = render("/admin/users/nobody", signed_in(), Fixture::default());
    assert_eq!(status, 404);
    assert!(html.contains("There is no such account."), "{html}");
}

#[test]
fn an_invitation_is_shown_once_and_withdrawn_later() {
    let link = NewLink {
        id: "i1".to_owned(),
        url: "https://keypool.example/invitation?token=s3cr3t".to_owned(),
        expires_at: "2026-11-26T18:07:12Z".to_owned(),
    };
    let context = PageContext {
        shown: Some(Shown::Invitation(link)),
        ..signed_in()
    };
    let (_, html) = render("/admin/users", context, Fixture::default());
    assert!(html.contains("token=s3cr3t") && html.contains("shown once"), "{html}");
    let (_, html) = render("/admin/users", signed_in(), Fixture::default());
    assert!(
        html.contains(r#"action="/admin/invitations/i1/delete""#) && !html.contains("s3cr3t"),
        "{html}"
    );
}

#[test]
fn the_audit_log_is_read_filtered_and_checked() {
    let (_, html) = render("/admin/audit", signed_in(), Fixture::default());
    for said in ["key.update", "key/7", "ada@example.com", "Command line", "#42"] {
        assert!(html.replace("<!>", "").contains(said), "{said} in {html}");
    }
    assert!(!html.contains("<img src=x>"), "what was changed is text");
    assert!(html.contains(r#"href="/admin/audit?cursor=41""#) && !html.contains("The log is whole"));
    let (_, html) = render("/admin/audit?action=key.&target=a%26b", signed_in(), Fixture::default());
    assert!(
        html.contains("action=key.&amp;target=a%26b&amp;cursor=41"),
        "the filter stays on the next page: {html}"
    );
    let (_, html) = render("/admin/audit?actor=nobody", signed_in(), Fixture::default());
    assert!(html.contains("No entry matches"), "{html}");
    let (_, html) = render("/admin/audit?check=1", signed_in(), Fixture::default());
    assert!(
        html.contains("The log is whole") && html.contains("All 42 entries"),
        "{html}"
    );
    let tampered = Fixture {
        tampered: true,
        ..Fixture::default()
    };
    let (_, html) = render("/admin/audit?check=1", signed_in(), tampered);
    assert!(
        html.contains("The log was changed from outside") && html.contains("Entry 17"),
        "{html}"
    );
}
