//! What a form did, in one sentence.

pub const NAME: &str = "Your name was changed.";
pub const PASSWORD: &str = "Your password was changed. All your other sessions have ended.";
pub const PASSWORD_SET: &str = "The password was set. Sign in with it now.";
pub const SESSION_ENDED: &str = "The session was ended.";
pub const SESSIONS_ENDED: &str = "All your other sessions were ended.";
pub const TWO_FACTOR_OFF: &str = "The second factor is off. Your password alone signs you in now.";
pub const TOKEN_REVOKED: &str = "The token was revoked. Programs that use it are refused from now on.";
pub const HISTORY_ERASED: &str = "Your history was erased.";
pub const ACCOUNT_DELETED: &str = "Your account was deleted, with everything that belonged to it.";
pub const USER_CHANGED: &str = "The account was changed.";
pub const USER_DISABLED: &str = "The account was disabled and signed out everywhere. You can enable it again.";
pub const USER_ENABLED: &str = "The account was enabled.";
pub const USER_SIGNED_OUT: &str = "The account was signed out everywhere.";
pub const USER_TWO_FACTOR_RESET: &str = "The second factor was removed. The password alone signs in now.";
pub const USER_DELETED: &str = "The account was deleted, with everything that belonged to it.";
pub const INVITATION_DELETED: &str = "The invitation was withdrawn. Its link does not work any more.";
pub const ALERT_ACKNOWLEDGED: &str = "The alert was acknowledged. It is told when it becomes worse and when it ends.";
pub const ALERT_SILENCED: &str = "The alert was silenced. Nothing is told of it meanwhile.";
pub const ALERT_UNSILENCED: &str = "The silence has ended.";
pub const ALERT_RESOLVED: &str = "The alert was ended. It opens again when its cause holds on for 10 minutes.";
pub const ALERT_RULE_CHANGED: &str = "The rule was changed and looks like this from now on.";
