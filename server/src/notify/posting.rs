//! Posts to one address that an operator typed in, and what its answers mean.

use std::time::Duration;

use ipnet::IpNet;
use reqwest::header;
use secrecy::{ExposeSecret as _, SecretString};

use super::{SendError, SetupError};
use crate::url_guard::{self, GuardedResolver};

/// From connecting to the status line.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The address is a secret: most services put a token into it.
pub(super) struct Poster {
    http: reqwest::Client,
    url: SecretString,
    /// What people call the receiver, such as `webhook`.
    what: &'static str,
}

impl Poster {
    /// `networks`: where the address may lead beside public ones.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub(super) fn new(
        what: &'static str,
        setting: &'static str,
        url: &SecretString,
        networks: &[IpNet],
    ) -> Result<Self, SetupError> {
        let wrong = |must| SetupError { setting, must };
        let checked = url_guard::check_url(url.expose_secret(), networks).map_err(|fault| wrong(fault.must()))?;
        // What is sent is for the address that was set, and nobody else's: redirects are not followed.
        let http = url_guard::client(&checked, GuardedResolver::new(networks), TIMEOUT)
            .map_err(|_| wrong("cannot be called: the TLS library did not start"))?;
        Ok(Self {
            http,
            url: String::from(checked).into(),
            what,
        })
    }

    /// Posts JSON.
    pub(super) async fn post(&self, headers: &[(&'static str, &str)], body: String) -> Result<(), SendError> {
        let request = self.http.post(self.url.expose_secret()).body(body);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        // reqwest's errors name the address; what the receiver says is not read.
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        self.judge(response.status().as_u16())
    }

    fn no_answer(&self, error: &reqwest::Error) -> SendError {
        let what = self.what;
        let what = if url_guard::is_refused(error) {
            format!(
                "The {what}'s name leads to an address that is not public, so nothing was sent: check the name, or add the \
                 receiver's network to ENDPOINT_ALLOWED_NETWORKS."
            )
        } else if error.is_timeout() {
            format!("The {what} did not answer within {} s.", TIMEOUT.as_secs())
        } else if error.is_connect() {
            format!("The {what} cannot be reached: check the address, its name, its certificate and the network.")
        } else {
            format!("The connection to the {what} broke.")
        };
        SendError { retryable: true, what }
    }

    fn judge(&self, status: u16) -> Result<(), SendError> {
        let what = self.what;
        // Time-out, conflict, too early, too many: the same message may be welcome later, as after any fault of the server.
        let retryable = matches!(status, 408 | 409 | 425 | 429 | 500..=599);
        let what = match status {
            200..=299 => return Ok(()),
            300..=399 => {
                format!("The {what} answered with a redirect ({status}), which is not followed: set its final address.")
            }
            _ if retryable => format!("The {what} answered with status {status}."),
            _ => format!("The {what} refused the message with status {status}: check its address and its secret."),
        };
        Err(SendError { retryable, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_tried_again() {
        let url = "https://hooks.example.org/canary".to_owned().into();
        let poster = Poster::new("webhook", "ALERT_WEBHOOK_URL", &url, &[]).expect("an address");
        let check = |code: u16, expected: Option<bool>| {
            let judged = poster.judge(code);
            assert_eq!(judged.err().map(|error| error.retryable), expected, "{code}");
        };
        for code in [200, 202, 204] {
            check(code, None);
        }
        for code in [408, 409, 425, 429, 500, 502, 503, 504] {
            check(code, Some(true));
        }
        for code in [301, 307, 400, 401, 403, 404, 410, 413] {
            check(code, Some(false));
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_named_by_its_setting_alone() {
        let url = "ftp://hooks.example.org/canary".to_owned().into();
        let refused = Poster::new("chat", "ALERT_CHAT_URL", &url, &[]).err().expect("refused");
        assert_eq!(refused.setting, "ALERT_CHAT_URL");
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }
}
