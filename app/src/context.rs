//! What the server gives a page to render, beside the [`Backend`](crate::backend::Backend). Found in the Leptos context.

use std::collections::BTreeMap;

use crate::error::AppError;
use crate::types::{ChannelTest, CreatedToken, NewLink, RulePreview, User};

/// One request for a page.
#[derive(Debug, Clone)]
pub struct PageContext {
    pub user: Option<User>,
    pub theme: Theme,
    /// Path and query asked for: where the theme form and the sign-in come back to.
    pub path: String,
    pub request_id: String,
    /// A form that was sent to this page and refused.
    pub refused: Option<RefusedForm>,
    /// What a form that was sent to this page made, for this one time.
    pub shown: Option<Shown>,
    /// Where to sign in to a demo; none outside of it.
    pub demo: Option<Vec<DemoAccount>>,
}

/// What was wrong with a form and what it held, so that nothing typed is lost. Passwords and keys are never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedForm {
    pub error: AppError,
    pub kept: BTreeMap<String, String>,
}

impl RefusedForm {
    pub fn kept(&self, field: &str) -> String {
        self.kept.get(field).cloned().unwrap_or_default()
    }

    /// Itself when it is the form of this name: pages with several forms say with each refusal which it was.
    pub fn of(refused: Option<&Self>, form: &str) -> Option<Self> {
        refused.filter(|refused| refused.kept(FORM) == form).cloned()
    }
}

/// Under this name [`RefusedForm::kept`] holds which form of the page it was.
pub const FORM: &str = "form";

/// What is shown once: on the page that answers the form which made it. It is in no address and not stored; most are
/// secrets.
#[derive(Clone)]
pub enum Shown {
    Token(CreatedToken),
    RecoveryCodes(Vec<String>),
    Invitation(NewLink),
    PasswordLink(NewLink),
    /// No secret, but gone with the next look at the page.
    ChannelTests(Vec<ChannelTest>),
    /// As are the alerts that a rule would have opened.
    AlertPreview(Box<RulePreview>),
}

/// Which kind, and no more: the rest is secret.
impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::RecoveryCodes(_) => "RecoveryCodes",
            Self::Invitation(_) => "Invitation",
            Self::PasswordLink(_) => "PasswordLink",
            Self::ChannelTests(_) => "ChannelTests",
            Self::AlertPreview(_) => "AlertPreview",
        })
    }
}

/// The public accounts of a demo, shown on its sign-in page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoAccount {
    pub role: &'static str,
    pub email: String,
    pub password: String,
}

/// Chosen in the header, kept in the cookie `theme`, written to `<html data-theme>` by the server: no flash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Anything unknown is the system's theme.
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|theme| theme.as_str() == text)
            .unwrap_or_default()
    }
}
