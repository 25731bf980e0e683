//! Where notifications go: the webhook, the mail server and the chat.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use reqwest::Url;

use super::Checker;
use super::access::networks_of;
use crate::config::{ChatFormat, ChatSettings, MailSettings, WebhookSettings};
use crate::url_guard::check_url;

impl Checker<'_> {
    pub(super) fn webhook(&mut self) -> Option<WebhookSettings> {
        let (url, secret) = (self.given("ALERT_WEBHOOK_URL"), self.given("ALERT_WEBHOOK_SECRET"));
        self.check_endpoint("ALERT_WEBHOOK_URL", url.as_deref());
        if let Some(secret) = &secret
            && !is_webhook_secret(secret)
        {
            self.mistake(
                "ALERT_WEBHOOK_SECRET",
                "must be whsec_ and 24 to 64 bytes in base64: make one with `echo whsec_$(openssl rand -base64 32)`",
            );
        }
        match (url, secret) {
            (Some(url), Some(secret)) => Some(WebhookSettings {
                url: url.into(),
                secret: secret.into(),
            }),
            (None, None) => None,
            (Some(_), None) => {
                self.mistake("ALERT_WEBHOOK_SECRET", "is missing beside ALERT_WEBHOOK_URL");
                None
            }
            (None, Some(_)) => {
                self.mistake("ALERT_WEBHOOK_URL", "is missing beside ALERT_WEBHOOK_SECRET");
                None
            }
        }
    }

    fn check_endpoint(&mut self, name: &str, url: Option<&str>) {
        // An unreadable list of networks is a mistake of its own, told where it is read for the settings.
        let networks = networks_of(&self.list("ENDPOINT_ALLOWED_NETWORKS")).unwrap_or_default();
        if let Some(Err(fault)) = url.map(|url| check_url(url, &networks)) {
            self.mistake(name, fault.must());
        }
    }

    pub(super) fn chat(&mut self) -> Option<ChatSettings> {
        let url = self.given("ALERT_CHAT_URL");
        self.check_endpoint("ALERT_CHAT_URL", url.as_deref());
        let format = self.given("ALERT_CHAT_FORMAT").map(|_| {
            let choices = [("slack", ChatFormat::Slack), ("discord", ChatFormat::Discord)];
            self.choice("ALERT_CHAT_FORMAT", &choices)
        });
        if url.is_none() && format.is_some() {
            self.mistake("ALERT_CHAT_URL", "is missing beside ALERT_CHAT_FORMAT");
        }
        Some(ChatSettings {
            url: url?.into(),
            format,
        })
    }

    pub(super) fn mail(&mut self) -> Option<MailSettings> {
        let (smtp_url, to) = (self.given("SMTP_URL"), self.list("ALERT_EMAIL_TO"));
        let from = self.text("ALERT_EMAIL_FROM");
        if !is_mailbox(&from) {
            self.mistake("ALERT_EMAIL_FROM", "must be an e-mail address");
        }
        if let Some(url) = &smtp_url
            && !is_mail_server(url)
        {
            self.mistake(
                "SMTP_URL",
                "must be an address such as smtps://user:password@mail.example.org",
            );
        }
        if to.iter().any(|address| !is_mailbox(address)) {
            self.mistake("ALERT_EMAIL_TO", "must be e-mail addresses, separated by commas");
        }
        match (smtp_url, to.is_empty()) {
            (Some(smtp_url), false) => Some(MailSettings {
                smtp_url: smtp_url.into(),
                from,
                to,
            }),
            (None, true) => None,
            (Some(_), true) => {
                self.mistake("ALERT_EMAIL_TO", "is missing beside SMTP_URL");
                None
            }
            (None, false) => {
                self.mistake("SMTP_URL", "is missing beside ALERT_EMAIL_TO");
                None
            }
        }
    }
}

fn is_webhook_secret(text: &str) -> bool {
    let decoded = text.strip_prefix("whsec_").map(|secret| STANDARD.decode(secret));
    matches!(decoded, Some(Ok(bytes)) if (24..=64).contains(&bytes.len()))
}

/// As the sender of mails reads it, so that a start that passes this check does not fail on it later.
fn is_mailbox(text: &str) -> bool {
    text.trim().parse::<Mailbox>().is_ok()
}

/// What the sender of mails takes. Not asked of it, because it loads the machine's certificates on the way.
fn is_mail_server(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let tls = url.query_pairs().find(|(name, _)| name == "tls");
    let is_encrypted_as_known = match url.scheme() {
        "smtps" => true,
        "smtp" => tls.is_none_or(|(_, value)| matches!(&*value, "required" | "opportunistic")),
        _ => false,
    };
    is_encrypted_as_known && url.host_str().is_some_and(|host| !host.is_empty())
}
