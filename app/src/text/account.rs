//! One's own account: name, password, sessions, second factor, data.

use crate::types::SessionKind;

pub const TITLE: &str = "Account";
pub const TABS: &str = "Parts of your account";
pub const TAB_ACCOUNT: &str = "Profile";
pub const TAB_TWO_FACTOR: &str = "Second factor";
pub const TAB_TOKENS: &str = "API tokens";
pub const FAILED: &str = "This cannot be read just now";

pub const PROFILE: &str = "Profile";
pub const EMAIL: &str = "E-mail";
pub const ROLE: &str = "Role";
pub const NAME: &str = "Name";
pub const SAVE_NAME: &str = "Save name";
pub const NAME_REFUSED: &str = "The name was not changed";

pub const PASSWORD_TITLE: &str = "Password";
pub const PASSWORD_EFFECT: &str = "A new password ends all your other sessions, in browsers and programs.";
pub const CURRENT_PASSWORD: &str = "Current password";
pub const NEW_PASSWORD: &str = "New password";
pub const CHANGE_PASSWORD: &str = "Change password";
pub const PASSWORD_REFUSED: &str = "The password was not changed";

pub const SESSIONS: &str = "Sessions";
pub const SESSIONS_HINT: &str = "Where you are signed in. End what you do not know, then change your password.";
pub const THIS_SESSION: &str = "This session";
pub const END: &str = "End";
pub const END_OTHERS: &str = "End all other sessions";
pub const BEGAN: &str = "Since";
pub const LAST_USED: &str = "last used";
pub const SESSIONS_FAILED: &str = "Your sessions cannot be read just now";

pub const DATA: &str = "Your data";
pub const DATA_HINT: &str =
    "A file with your account, your sessions, your tokens without their secrets, and every analysis in your history.";
pub const DOWNLOAD: &str = "Download your data";
pub const ERASE: &str = "Erase the history";
pub const ERASE_EFFECT: &str =
    "Every analysis of yours is deleted, with its prompt and its answer. This cannot be undone.";
pub const ERASE_CONFIRM: &str = "Type ERASE to confirm";
pub const ERASE_WORD: &str = "ERASE";
pub const ERASE_SUBMIT: &str = "Erase my history";
pub const ERASE_REFUSED: &str = "The history was not erased";
pub const ERASE_MISTYPED: &str = "Type ERASE in capital letters: nothing was erased.";

pub const DELETE: &str = "Delete the account";
pub const DELETE_EFFECT: &str = "Your account, history, sessions and tokens are deleted. Programs that use your tokens are refused. This cannot be undone.";
pub const DELETE_PASSWORD: &str = "Your password";
pub const DELETE_SUBMIT: &str = "Delete my account";
pub const DELETE_REFUSED: &str = "The account was not deleted";
pub const EMAIL_CONFIRM: &str = "Type your e-mail to confirm";
pub const EMAIL_MISTYPED: &str = "This is not the e-mail of the account: nothing was deleted.";

pub mod two_factor {
    pub const TITLE: &str = "Second factor";
    pub const STATE_ON: &str = "On";
    pub const STATE_OFF: &str = "Off";
    pub const WHAT: &str = "With a second factor, signing in takes your password and a code from an app on your phone. A stolen password alone opens nothing.";
    pub const BEGIN: &str = "Set up a second factor";
    pub const BEGIN_PASSWORD: &str = "Your password";
    pub const BEGIN_SUBMIT: &str = "Begin";
    pub const BEGIN_REFUSED: &str = "The set-up did not begin";
    pub const PENDING: &str = "Connect your app";
    pub const SCAN: &str = "Scan this picture with an authenticator app.";
    pub const QR: &str = "QR code with the secret below";
    pub const TYPE: &str = "Or type this secret into the app:";
    pub const COPY_SECRET: &str = "Copy secret";
    pub const OPEN_APP: &str = "Open in an app on this device";
    pub const CODE: &str = "Code from the app";
    pub const CODE_HINT: &str = "Six digits. They change every 30 seconds.";
    pub const CONFIRM: &str = "Turn on";
    pub const CONFIRM_REFUSED: &str = "The second factor is not on yet";
    pub const AGAIN: &str = "Begin again with a new secret";
    pub const CODES: &str = "Recovery codes";
    pub const CODES_ONCE: &str = "These codes are shown once. Keep them where your phone is not: each signs you in one time when the app is lost.";
    pub const CODES_LABEL: &str = "The codes";
    pub const COPY_CODES: &str = "Copy all codes";
    pub const CODES_DONE: &str = "I have kept them";
    pub const IS_ON: &str = "The second factor is on.";
    pub const RENEW: &str = "New recovery codes";
    pub const RENEW_EFFECT: &str = "The codes that are left stop working when new ones are made.";
    pub const RENEW_SUBMIT: &str = "Make new codes";
    pub const RENEW_REFUSED: &str = "No new codes were made";
    pub const OFF: &str = "Turn off";
    pub const OFF_EFFECT: &str = "Your password alone signs you in afterwards.";
    pub const OFF_SUBMIT: &str = "Turn off the second factor";
    pub const OFF_REFUSED: &str = "The second factor is still on";
    pub const CODE_OR_RECOVERY: &str = "Code from the app, or a recovery code";
    pub const NOT_CONFIRMED: &str = "Set-up begun, not finished";

    pub fn codes_left(left: usize) -> String {
        match left {
            0 => "No recovery code is left. Make new ones now.".to_owned(),
            1 => "1 recovery code is left. Make new ones soon.".to_owned(),
            left => format!("{left} recovery codes are left."),
        }
    }

    pub mod sign_in {
        pub const TITLE: &str = "Second step";
        pub const HINT: &str = "Enter the code that your authenticator app shows for Keypool.";
        pub const CODE: &str = "Code";
        pub const CODE_HINT: &str = "Six digits from the app. Lost it? Enter one of your recovery codes instead.";
        pub const SUBMIT: &str = "Sign in";
        pub const REFUSED: &str = "You are not signed in yet";
        pub const BACK: &str = "Sign in as somebody else";
    }
}

pub mod by_link {
    pub const INVITATION_TITLE: &str = "Create your account";
    pub const INVITATION_BAD_TITLE: &str = "This invitation does not work any more";
    pub const INVITATION_BAD: &str =
        "It was used, withdrawn, is too old, or is not complete. Ask whoever sent it for a new one.";
    pub const PASSWORD_TITLE: &str = "Choose a new password";
    pub const PASSWORD_SUBMIT: &str = "Set password";
    pub const PASSWORD_EFFECT: &str = "Setting it ends every session of this account.";
    pub const PASSWORD_BAD_TITLE: &str = "This link does not work any more";
    pub const PASSWORD_BAD: &str = "It was used, is too old, or is not complete. Ask an administrator for a new one.";
    pub const REFUSED: &str = "The password was not set";
    pub const FAILED: &str = "The link cannot be checked just now";

    pub fn invited_as(role: &str) -> String {
        format!("You were invited to use this server. Your role will be: {role}.")
    }

    pub fn password_of(email: &str) -> String {
        format!("For the account {email}.")
    }
}

/// "Firefox on Linux" for what a browser says it is; programs by their own name.
pub fn agent(kind: SessionKind, user_agent: Option<&str>) -> String {
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iPadOS"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let unknown = match kind {
        SessionKind::Browser => "A browser",
        SessionKind::Api => "A program",
    };
    let Some(agent) = user_agent.filter(|agent| !agent.is_empty()) else {
        return unknown.to_owned();
    };
    let find = |table: &[(&str, &'static str)]| {
        table
            .iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) if kind == SessionKind::Browser => format!("{unknown} on {system}"),
        _ => agent.split([' ', '/']).next().unwrap_or(unknown).to_owned(),
    }
}

pub fn kind(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Browser => "Browser",
        SessionKind::Api => "API sign-in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_browser_and_system() {
        let check = |kind, agent_line: Option<&str>, words: &str| assert_eq!(agent(kind, agent_line), words);
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1";
        check(SessionKind::Browser, Some(chrome), "Chrome on Linux");
        check(SessionKind::Browser, Some(iphone), "Safari on iOS");
        check(
            SessionKind::Browser,
            Some(&format!("{chrome} Edg/140.0")),
            "Edge on Linux",
        );
        check(SessionKind::Api, Some("curl/8.14.1"), "curl");
        check(SessionKind::Api, Some("python-requests/2.32"), "python-requests");
        check(SessionKind::Browser, None, "A browser");
        check(SessionKind::Api, Some(""), "A program");
    }
}
