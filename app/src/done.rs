//! What a form did, said on the page that it leads to. Only a name from this list is in the address, never a text: nobody can
//! write on our pages by a link.

use crate::text::done as words;

/// As `?done=name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Name,
    Password,
    PasswordSet,
    SessionEnded,
    SessionsEnded,
    TwoFactorOff,
    TokenRevoked,
    HistoryErased,
    AccountDeleted,
    UserChanged,
    UserDisabled,
    UserEnabled,
    UserSignedOut,
    UserTwoFactorReset,
    UserDeleted,
    InvitationDeleted,
    AlertAcknowledged,
    AlertSilenced,
    AlertUnsilenced,
    AlertResolved,
    AlertRuleChanged,
}

impl Done {
    pub const ALL: [Self; 21] = [
        Self::Name,
        Self::Password,
        Self::PasswordSet,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::TwoFactorOff,
        Self::TokenRevoked,
        Self::HistoryErased,
        Self::AccountDeleted,
        Self::UserChanged,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::UserSignedOut,
        Self::UserTwoFactorReset,
        Self::UserDeleted,
        Self::InvitationDeleted,
        Self::AlertAcknowledged,
        Self::AlertSilenced,
        Self::AlertUnsilenced,
        Self::AlertResolved,
        Self::AlertRuleChanged,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Password => "password",
            Self::PasswordSet => "password-set",
            Self::SessionEnded => "session-ended",
            Self::SessionsEnded => "sessions-ended",
            Self::TwoFactorOff => "two-factor-off",
            Self::TokenRevoked => "token-revoked",
            Self::HistoryErased => "history-erased",
            Self::AccountDeleted => "account-deleted",
            Self::UserChanged => "user-changed",
            Self::UserDisabled => "user-disabled",
            Self::UserEnabled => "user-enabled",
            Self::UserSignedOut => "user-signed-out",
            Self::UserTwoFactorReset => "user-two-factor-reset",
            Self::UserDeleted => "user-deleted",
            Self::InvitationDeleted => "invitation-deleted",
            Self::AlertAcknowledged => "alert-acknowledged",
            Self::AlertSilenced => "alert-silenced",
            Self::AlertUnsilenced => "alert-unsilenced",
            Self::AlertResolved => "alert-resolved",
            Self::AlertRuleChanged => "alert-rule-changed",
        }
    }

    /// Where a form goes on: `/account?done=name`.
    pub fn at(self, path: &str) -> String {
        format!("{path}?done={}", self.as_str())
    }

    /// What the path and query asked for say; `None` for any other name.
    pub fn of(path_and_query: &str) -> Option<Self> {
        let (_, query) = path_and_query.split_once('?')?;
        let name = query.split('&').find_map(|pair| pair.strip_prefix("done="))?;
        Self::ALL.into_iter().find(|done| done.as_str() == name)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Name => words::NAME,
            Self::Password => words::PASSWORD,
            Self::PasswordSet => words::PASSWORD_SET,
            Self::SessionEnded => words::SESSION_ENDED,
            Self::SessionsEnded => words::SESSIONS_ENDED,
            Self::TwoFactorOff => words::TWO_FACTOR_OFF,
            Self::TokenRevoked => words::TOKEN_REVOKED,
            Self::HistoryErased => words::HISTORY_ERASED,
            Self::AccountDeleted => words::ACCOUNT_DELETED,
            Self::UserChanged => words::USER_CHANGED,
            Self::UserDisabled => words::USER_DISABLED,
            Self::UserEnabled => words::USER_ENABLED,
            Self::UserSignedOut => words::USER_SIGNED_OUT,
            Self::UserTwoFactorReset => words::USER_TWO_FACTOR_RESET,
            Self::UserDeleted => words::USER_DELETED,
            Self::InvitationDeleted => words::INVITATION_DELETED,
            Self::AlertAcknowledged => words::ALERT_ACKNOWLEDGED,
            Self::AlertSilenced => words::ALERT_SILENCED,
            Self::AlertUnsilenced => words::ALERT_UNSILENCED,
            Self::AlertResolved => words::ALERT_RESOLVED,
            Self::AlertRuleChanged => words::ALERT_RULE_CHANGED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Done;

    #[test]
    fn what_was_done_is_read_from_the_address_by_name_only() {
        for done in Done::ALL {
            assert_eq!(Done::of(&done.at("/account")), Some(done));
        }
        for path in [
            "/account",
            "/account?done=",
            "/account?done=You+won",
            "/account?undone=name",
        ] {
            assert_eq!(Done::of(path), None, "{path}");
        }
    }
}
