//! Accounts of others, for admins.

pub const TITLE: &str = "Users";
pub const USER_TITLE: &str = "User";
pub const FAILED: &str = "The accounts cannot be read just now";
pub const LIST: &str = "Accounts";
pub const WHO: &str = "Account";
pub const ROLE: &str = "Role";
pub const STATE: &str = "State";
pub const ACTIVE: &str = "Active";
pub const DISABLED: &str = "Disabled";
pub const TWO_FACTOR: &str = "Second factor";
pub const ON: &str = "On";
pub const OFF: &str = "Off";
pub const LAST_SIGN_IN: &str = "Last sign-in (UTC)";
pub const LAST_SIGN_IN_FACT: &str = "Last sign-in";
pub const NEVER: &str = "Never";
pub const CREATED: &str = "Created";
pub const ID: &str = "Id";
pub const YOU: &str = "You";
pub const BACK: &str = "All users";
pub const YOURSELF: &str = "This is your own account. Change your name, password and second factor under";

pub const INVITE: &str = "Invite somebody";
pub const INVITE_HINT: &str = "You get a link to send. Whoever opens it first creates one account with this role.";
pub const INVITE_EMAIL: &str = "E-mail (optional)";
pub const INVITE_EMAIL_HINT: &str = "With it, the link is good for this address only. No mail is sent from here.";
pub const INVITE_HOURS: &str = "The link is good for";
pub const INVITE_SUBMIT: &str = "Create invitation";
pub const INVITE_REFUSED: &str = "The invitation was not created";
pub const INVITE_MISTYPED: &str = "Choose one of the roles and one of the times.";
pub const INVITED: &str = "Invitation created";
pub const LINK_ONCE: &str = "The link is shown once, now. Send it to the person in a way that only they can read.";
pub const LINK: &str = "The link";
pub const COPY_LINK: &str = "Copy link";
pub const LINK_UNTIL: &str = "It works once, until";
pub const LINK_DONE: &str = "I have kept it";
pub const INVITATIONS: &str = "Open invitations";
pub const ANY_EMAIL: &str = "Any address";
pub const UNTIL: &str = "until";
pub const WITHDRAW: &str = "Withdraw";

/// Hours an invitation may be good for, shortest first.
pub const HOURS: [u32; 3] = [24, 72, 168];
/// Chosen at first.
pub const HOURS_USUAL: u32 = 72;

pub fn hours(hours: u32) -> String {
    match hours / 24 {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

pub const ROLE_HINT: &str =
    "A user analyses; a viewer also reads usage; an administrator also manages keys and people.";
pub const ROLE_EFFECT: &str = "With another role the account has to sign in again, everywhere.";
pub const SAVE_ROLE: &str = "Save role";
pub const ROLE_REFUSED: &str = "The account was not changed";
pub const ACCESS: &str = "Access";
pub const DISABLE: &str = "Disable";
pub const DISABLE_EFFECT: &str = "The account is signed out everywhere, its tokens are refused, and it cannot sign in until it is enabled again. Nothing is deleted.";
pub const ENABLE: &str = "Enable";
pub const ENABLE_EFFECT: &str = "The account can sign in again, with everything it had.";
pub const SIGN_OUT: &str = "Sign out everywhere";
pub const SIGN_OUT_EFFECT: &str =
    "Every session of the account ends, in browsers and programs, and so does every API token.";
pub const PASSWORD_LINK: &str = "Create password link";
pub const PASSWORD_LINK_EFFECT: &str =
    "For somebody who forgot the password: a link on which a new one is chosen. It works once.";
pub const PASSWORD_LINK_MADE: &str = "Password link created";
pub const RESET_TWO_FACTOR: &str = "Remove second factor";
pub const RESET_TWO_FACTOR_EFFECT: &str = "For somebody who lost phone and recovery codes: the password alone signs in afterwards. Make sure that it is them who ask.";
pub const RESET_TWO_FACTOR_SUBMIT: &str = "Remove the second factor";
pub const DELETE: &str = "Delete account";
pub const DELETE_EFFECT: &str = "The account, its history, sessions and tokens are deleted. This cannot be undone. To keep the data, disable it instead.";
pub const DELETE_CONFIRM: &str = "Type the account's e-mail to confirm";
pub const DELETE_SUBMIT: &str = "Delete this account";
pub const DELETE_REFUSED: &str = "The account was not deleted";
