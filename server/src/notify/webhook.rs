//! Notifications as signed HTTP posts: [Standard Webhooks](https://www.standardwebhooks.com) 1.0.0.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ipnet::IpNet;
use pool::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

use super::posting::Poster;
use super::{Channel, Notification, SendError, SetupError};
use crate::clock::rfc3339;

/// Posts to one address.
pub struct Webhook {
    poster: Poster,
    secret: SecretSlice<u8>,
}

impl Webhook {
    /// `secret`: `whsec_` and base64. `networks`: where it may lead beside public addresses.
    ///
    /// # Errors
    /// When the address or the secret cannot be used.
    pub fn new(url: &SecretString, secret: &SecretString, networks: &[IpNet]) -> Result<Self, SetupError> {
        let encoded = secret.expose_secret().strip_prefix("whsec_").unwrap_or_default();
        let key = STANDARD
            .decode(encoded)
            .ok()
            .filter(|key| !key.is_empty())
            .ok_or(SetupError {
                setting: "ALERT_WEBHOOK_SECRET",
                must: "must be whsec_ and base64",
            })?;
        Ok(Self {
            poster: Poster::new("webhook", "ALERT_WEBHOOK_URL", url, networks)?,
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
        let headers = [
            ("webhook-id", notification.id.as_str()),
            ("webhook-timestamp", &sent_at),
            ("webhook-signature", &signature),
        ];
        self.poster.post(&headers, body).await
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
