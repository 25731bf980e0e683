//! Notifications as signed HTTP posts: [Standard Webhooks](https://www.standardwebhooks.com) 1.0.0.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ipnet::IpNet;
use pool::Timestamp;
use reqwest::header;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Channel, Notification, SendError, SetupError};
use crate::clock::rfc3339;
use crate::url_guard::{self, GuardedResolver};

/// From connecting to the status line.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts to one address. The address is a secret too: most services put a token into it.
pub struct Webhook {
    http: reqwest::Client,
    url: SecretString,
    secret: SecretSlice<u8>,
}

impl Webhook {
    /// `secret`: `whsec_` and base64. `networks`: where it may lead beside public addresses.
    ///
    /// # Errors
    /// When the address or the secret cannot be used.
    pub fn new(url: &SecretString, secret: &SecretString, networks: &[IpNet]) -> Result<Self, SetupError> {
        let wrong = |setting, must| SetupError { setting, must };
        let encoded = secret.expose_secret().strip_prefix("whsec_").unwrap_or_default();
        let key = STANDARD
            .decode(encoded)
            .ok()
            .filter(|key| !key.is_empty())
            .ok_or_else(|| wrong("ALERT_WEBHOOK_SECRET", "must be whsec_ and base64"))?;
        let checked = url_guard::check_url(url.expose_secret(), networks)
            .map_err(|fault| wrong("ALERT_WEBHOOK_URL", fault.must()))?;
        // The signature is for the address that was set, and nobody else's: redirects are not followed.
        let http = url_guard::client(&checked, GuardedResolver::new(networks), TIMEOUT)
            .map_err(|_| wrong("ALERT_WEBHOOK_URL", "cannot be called: the TLS library did not start"))?;
        Ok(Self {
            http,
            url: String::from(checked).into(),
            secret: key.into(),
        })
    }
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn send(&self, notification: &Notification, now: Timestamp) -> Result<(), SendError> {
        let sent_at = (now.as_millis() / 1000).to_string();
        let body = body(notification).to_string();
        let signature = sign(self.secret.expose_secret(), &notification.id, &sent_at, &body);
        let request = self
            .http
            .post(self.url.expose_secret())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &notification.id)
            .header("webhook-timestamp", sent_at)
            .header("webhook-signature", signature)
            .body(body);
        // reqwest's errors name the address; what the receiver says is not read.
        let response = request.send().await.map_err(|error| no_answer(&error))?;
        judge(response.status().as_u16())
    }
}

fn body(notification: &Notification) -> Value {
    let mut data = json!({
        "id": notification.id,
        "severity": notification.severity.as_str(),
        "title": notification.title,
        "text": notification.text,
    });
    if let (Some(data), Some(facts)) = (data.as_object_mut(), notification.data.as_object()) {
        data.extend(facts.clone());
    }
    json!({
        "type": notification.kind,
        "timestamp": rfc3339(notification.created_at),
        "data": data,
    })
}

/// The value of `webhook-signature`.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn sign(secret: &[u8], id: &str, sent_at: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    for part in [id, ".", sent_at, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn no_answer(error: &reqwest::Error) -> SendError {
    let what = if url_guard::is_refused(error) {
        "The webhook's name leads to an address that is not public, so nothing was sent: check the name, or add the \
         receiver's network to ENDPOINT_ALLOWED_NETWORKS."
            .to_owned()
    } else if error.is_timeout() {
        format!("The webhook did not answer within {} s.", TIMEOUT.as_secs())
    } else if error.is_connect() {
        "The webhook cannot be reached: check the address, its name, its certificate and the network.".to_owned()
    } else {
        "The connection to the webhook broke.".to_owned()
    };
    SendError { retryable: true, what }
}

fn judge(status: u16) -> Result<(), SendError> {
    // Time-out, conflict, too early, too many: the same message may be welcome later, as after any fault of the server.
    let retryable = matches!(status, 408 | 409 | 425 | 429 | 500..=599);
    let what = match status {
        200..=299 => return Ok(()),
        300..=399 => {
            format!("The webhook answered with a redirect ({status}), which is not followed: set its final address.")
        }
        _ if retryable => format!("The webhook answered with status {status}."),
        _ => format!("The webhook refused the message with status {status}: check its address and its secret."),
    };
    Err(SendError { retryable, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Severity;

    #[test]
    fn the_signature_is_the_one_of_the_specifications_example() {
        // From the reference implementations' tests: github.com/standard-webhooks/standard-webhooks.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        assert_eq!(
            sign(
                &secret,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                "1614265330",
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn only_what_may_pass_by_itself_is_tried_again() {
        let check = |code: u16, expected: Option<bool>| {
            let judged = judge(code);
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
    fn the_body_has_the_facts_beside_the_words() {
        let notification = Notification {
            id: "0190".to_owned(),
            created_at: Timestamp::from_millis(1_700_000_000_123),
            kind: "service.down".into(),
            severity: Severity::Critical,
            title: "All keys are down".to_owned(),
            text: "Why.".to_owned(),
            data: json!({ "totalKeys": 3 }),
        };
        let expected = json!({
            "type": "service.down",
            "timestamp": "2023-11-14T22:13:20.123Z",
            "data": { "id": "0190", "severity": "critical", "title": "All keys are down", "text": "Why.", "totalKeys": 3 },
        });
        assert_eq!(body(&notification), expected);
    }
}
