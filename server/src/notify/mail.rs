//! Notifications as plain-text e-mails over SMTP.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use pool::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Channel, Notification, SendError, SetupError, Severity};
use crate::clock::rfc3339;

/// Of each answer of the mail server.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of the whole conversation.
const TIMEOUT_WHOLE: Duration = Duration::from_secs(30);

pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// `smtp_url`: `smtps://user:password@host` for TLS from the start, `smtp://…?tls=required` for STARTTLS,
    /// `smtp://host` in the clear.
    ///
    /// # Errors
    /// When one of the settings cannot be used.
    pub fn new(smtp_url: &SecretString, from: &str, to: &[String]) -> Result<Self, SetupError> {
        let wrong = |setting, must| SetupError { setting, must };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp_url.expose_secret())
            .map_err(|_| {
                wrong(
                    "SMTP_URL",
                    "must be an address such as smtps://user:password@mail.example.org",
                )
            })?
            .timeout(Some(TIMEOUT))
            .build();
        let address = |text: &str, setting| {
            text.trim()
                .parse::<Mailbox>()
                .map_err(|_| wrong(setting, "must be an e-mail address"))
        };
        Ok(Self {
            transport,
            from: address(from, "ALERT_EMAIL_FROM")?,
            to: to
                .iter()
                .map(|text| address(text, "ALERT_EMAIL_TO"))
                .collect::<Result<_, _>>()?,
        })
    }

    fn message(&self, notification: &Notification, now: Timestamp) -> Result<Message, SendError> {
        let addressed = self
            .to
            .iter()
            .fold(Message::builder().from(self.from.clone()), |builder, to| {
                MessageBuilder::to(builder, to.clone())
            });
        addressed
            // The same for every try, so that mailboxes can tell a repeated one.
            .message_id(Some(format!("<{}@{}>", notification.id, self.from.email.domain())))
            .date(UNIX_EPOCH + Duration::from_millis(now.as_millis()))
            .subject(subject(notification))
            .header(ContentType::TEXT_PLAIN)
            .body(text(notification))
            .map_err(|_| SendError {
                retryable: false,
                what: "The e-mail could not be put together: check ALERT_EMAIL_FROM and ALERT_EMAIL_TO.".to_owned(),
            })
    }
}

#[async_trait]
impl Channel for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    async fn send(&self, notification: &Notification, now: Timestamp) -> Result<(), SendError> {
        let message = self.message(notification, now)?;
        match tokio::time::timeout(TIMEOUT_WHOLE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => Err(too_slow()),
        }
    }
}

/// Whether an `SMTP_URL` makes a password cross the network where anybody between can read it. TLS that is merely offered
/// does not count: whoever is between can take the offer away.
pub fn password_is_in_the_clear(smtp_url: &SecretString) -> bool {
    let Ok(url) = Url::parse(smtp_url.expose_secret()) else {
        return false;
    };
    let is_here = url.host_str().is_some_and(|host| {
        let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
        address.map_or(host == "localhost", |address| address.is_loopback())
    });
    let is_encrypted = url.scheme() != "smtp"
        || url
            .query_pairs()
            .any(|(name, value)| name == "tls" && value == "required");
    url.password().is_some() && !is_encrypted && !is_here
}

fn subject(notification: &Notification) -> String {
    let title = &notification.title;
    match notification.severity {
        Severity::Info => format!("[Keypool] {title}"),
        Severity::Warning => format!("[Keypool] Warning: {title}"),
        Severity::Critical => format!("[Keypool] Critical: {title}"),
    }
}

fn text(notification: &Notification) -> String {
    let Notification {
        text,
        kind,
        severity,
        id,
        created_at,
        ..
    } = notification;
    let (severity, at) = (severity.as_str(), rfc3339(*created_at));
    format!("{text}\n\n-- \nKeypool, {at}\n{kind}, {severity}, {id}\n")
}

fn too_slow() -> SendError {
    SendError {
        retryable: true,
        what: format!("The mail server did not answer within {} s.", TIMEOUT.as_secs()),
    }
}

/// lettre's texts may quote the server, so none of them is passed on.
fn judge(error: &Error) -> SendError {
    if error.is_timeout() {
        return too_slow();
    }
    let code = error.status().map(|code| format!(" ({code})")).unwrap_or_default();
    let (retryable, what) = if error.is_permanent() {
        (
            false,
            format!("The mail server refused the message{code}: check the user, the password and the addresses."),
        )
    } else if error.is_transient() {
        (
            true,
            format!("The mail server does not take messages at the moment{code}."),
        )
    } else if error.is_tls() {
        (
            true,
            "No TLS with the mail server: check its certificate, and the port and scheme in SMTP_URL.".to_owned(),
        )
    } else if error.is_client() {
        (
            false,
            "The mail server offers none of the ways to sign in that Keypool knows.".to_owned(),
        )
    } else {
        (
            true,
            "The mail server cannot be reached: check the host and port in SMTP_URL, and the network.".to_owned(),
        )
    };
    SendError { retryable, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_cannot_be_used_is_named_without_its_value() {
        let check = |url: &str, from: &str, to: &str, setting: &str| {
            let refused = Mail::new(&url.into(), from, &[to.to_owned()]).err().expect("refused");
            assert_eq!(refused.setting, setting);
            assert!(!refused.to_string().contains("CANARY"), "{refused}");
        };
        check("CANARY", "a@example.org", "b@example.org", "SMTP_URL");
        check("http://CANARY@host", "a@example.org", "b@example.org", "SMTP_URL");
        check("smtp://host", "CANARY", "b@example.org", "ALERT_EMAIL_FROM");
        check("smtp://host", "a@example.org", "CANARY", "ALERT_EMAIL_TO");
    }

    #[test]
    fn a_password_is_in_the_clear_without_tls_to_another_machine() {
        let check =
            |url: &str, expected: bool| assert_eq!(password_is_in_the_clear(&url.to_owned().into()), expected, "{url}");
        check("smtp://user:word@mail.example.org", true);
        check("smtp://user:word@mail.example.org:25", true);
        check("smtp://user:word@mail.example.org?tls=opportunistic", true);
        check("smtp://user:word@192.0.2.1", true);
        check("smtp://user:word@mail.example.org?tls=required", false);
        check("smtps://user:word@mail.example.org", false);
        check("smtp://mail.example.org", false);
        check("smtp://user:word@localhost:2525", false);
        check("smtp://user:word@127.0.0.1", false);
        check("smtp://user:word@[::1]:25", false);
    }

    #[test]
    fn an_address_on_this_machine_is_a_sender() {
        assert!(
            Mail::new(
                &"smtp://localhost".into(),
                "keypool@localhost",
                &["ops@example.org".to_owned()]
            )
            .is_ok()
        );
    }
}
