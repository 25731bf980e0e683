//! Notifications as messages of a chat, over its incoming webhook: Slack's shape (`{"text":…}`, which Mattermost, Rocket.Chat
//! and Google Chat take too) or [Discord's](https://discord.com/developers/docs/resources/webhook) (`{"content":…}`).

use async_trait::async_trait;
use ipnet::IpNet;
use pool::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::posting::Poster;
use super::{Channel, Notification, SendError, SetupError, Severity};
use crate::config::ChatFormat;

/// Slack cuts longer ones: <https://docs.slack.dev/reference/methods/chat.postMessage>.
const SLACK_CHARS_MAX: usize = 40_000;
/// Discord refuses longer ones.
const DISCORD_CHARS_MAX: usize = 2_000;

pub struct Chat {
    poster: Poster,
    format: ChatFormat,
}

impl Chat {
    /// `format`: by the address when absent.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(url: &SecretString, format: Option<ChatFormat>, networks: &[IpNet]) -> Result<Self, SetupError> {
        Ok(Self {
            poster: Poster::new("chat", "ALERT_CHAT_URL", url, networks)?,
            format: format.unwrap_or_else(|| format_of(url.expose_secret())),
        })
    }
}

#[async_trait]
impl Channel for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    async fn send(&self, notification: &Notification, _now: Timestamp) -> Result<(), SendError> {
        let body = body(notification, self.format).to_string();
        self.poster.post(&[], body).await
    }
}

fn format_of(url: &str) -> ChatFormat {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let is_at = |name: &str| host == name || host.strip_suffix(name).is_some_and(|sub| sub.ends_with('.'));
    if is_at("discord.com") || is_at("discordapp.com") {
        ChatFormat::Discord
    } else {
        ChatFormat::Slack
    }
}

fn body(notification: &Notification, format: ChatFormat) -> Value {
    let lead = match notification.severity {
        Severity::Info => "",
        Severity::Warning => "Warning: ",
        Severity::Critical => "Critical: ",
    };
    let text = format!("[Keypool] {lead}{}\n{}", notification.title, notification.text);
    match format {
        ChatFormat::Slack => json!({ "text": cut(&escaped_for_slack(&text), SLACK_CHARS_MAX) }),
        ChatFormat::Discord => json!({
            "content": cut(&escaped_for_discord(&text), DISCORD_CHARS_MAX),
            // Labels are typed by people: none of them calls everybody to the channel.
            "allowed_mentions": { "parse": [] },
        }),
    }
}

/// Slack's three control characters: <https://docs.slack.dev/messaging/formatting-message-text>. They also make mentions.
fn escaped_for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Names of models and labels are no Markdown. An address stays as it is: nothing in it is read as such.
fn escaped_for_discord(text: &str) -> String {
    let escape = |word: &str| {
        if word.starts_with("https://") {
            return word.to_owned();
        }
        let escaped = word.chars().flat_map(|letter| {
            let is_markdown = matches!(letter, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '#' | '[');
            is_markdown.then_some('\\').into_iter().chain([letter])
        });
        escaped.collect()
    };
    text.split_inclusive([' ', '\n']).map(escape).collect()
}

/// At most so many characters, and whether some are missing.
fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max - 1).collect();
    format!("{}…", kept.trim_end_matches('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(severity: Severity, text: &str) -> Notification {
        Notification {
            id: "0190".to_owned(),
            created_at: Timestamp::from_millis(1_700_000_000_123),
            kind: "alert.opened".into(),
            severity,
            title: "Low success rate of a key".to_owned(),
            text: text.to_owned(),
            data: json!({}),
        }
    }

    #[test]
    fn the_format_is_that_of_the_host() {
        let check = |url: &str, expected: ChatFormat| assert_eq!(format_of(url), expected, "{url}");
        check("https://discord.com/api/webhooks/1/x", ChatFormat::Discord);
        check("https://ptb.discord.com/api/webhooks/1/x", ChatFormat::Discord);
        check("https://discordapp.com/api/webhooks/1/x", ChatFormat::Discord);
        check("https://notdiscord.com/x", ChatFormat::Slack);
        check("https://hooks.slack.com/services/T/B/x", ChatFormat::Slack);
        check("https://chat.example.org/hooks/x", ChatFormat::Slack);
    }

    #[test]
    fn a_message_is_its_words_in_the_shape_of_the_chat_and_calls_nobody() {
        let told = notification(
            Severity::Critical,
            "Key 2 (<!channel> & @everyone_*now*). See https://a.example/b_c_d",
        );
        assert_eq!(
            body(&told, ChatFormat::Slack),
            json!({
                "text": "[Keypool] Critical: Low success rate of a key\nKey 2 (&lt;!channel&gt; &amp; @everyone_*now*). \
                         See https://a.example/b_c_d"
            })
        );
        assert_eq!(
            body(&told, ChatFormat::Discord),
            json!({
                "content": "\\[Keypool] Critical: Low success rate of a key\nKey 2 (\\<!channel\\> & @everyone\\_\\*now\\*). \
                            See https://a.example/b_c_d",
                "allowed_mentions": { "parse": [] },
            })
        );
        let info = body(&notification(Severity::Info, "Well."), ChatFormat::Slack);
        assert_eq!(info["text"], "[Keypool] Low success rate of a key\nWell.");
    }

    #[test]
    fn a_long_message_is_cut_to_what_the_chat_takes() {
        for (format, field, max) in [
            (ChatFormat::Discord, "content", DISCORD_CHARS_MAX),
            (ChatFormat::Slack, "text", SLACK_CHARS_MAX),
        ] {
            let told = body(&notification(Severity::Warning, &"ü_".repeat(50_000)), format);
            let text = told[field].as_str().unwrap_or_default();
            assert!(text.ends_with('…') && text.chars().count() <= max, "{format:?}");
            assert!(text.chars().count() >= max - 2, "{format:?}");
        }
    }
}
