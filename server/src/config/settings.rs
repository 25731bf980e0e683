/// One setting as people write it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name in the environment and, in any case, in `keypool.toml`.
    pub name: &'static str,
    pub default: Option<&'static str>,
    /// Never printed; may come from the file named by `NAME_FILE`.
    pub secret: bool,
    /// Accepted, but without effect in this version.
    pub later: bool,
    pub meaning: &'static str,
}

const fn plain(name: &'static str, default: Option<&'static str>, meaning: &'static str) -> Setting {
    Setting {
        name,
        default,
        secret: false,
        later: false,
        meaning,
    }
}

const fn secret(name: &'static str, meaning: &'static str) -> Setting {
    Setting {
        name,
        default: None,
        secret: true,
        later: false,
        meaning,
    }
}

const fn later(name: &'static str, default: Option<&'static str>, meaning: &'static str) -> Setting {
    Setting {
        later: true,
        ..plain(name, default, meaning)
    }
}

const fn later_secret(name: &'static str, meaning: &'static str) -> Setting {
    Setting {
        later: true,
        ..secret(name, meaning)
    }
}

/// Numbered provider keys: any number from 1, gaps allowed.
pub(super) const KEY_PREFIX: &str = "GOOGLE_AI_API_KEY_";

pub const SETTINGS: &[Setting] = &[
    plain("HOST", Some("127.0.0.1"), "address to listen on"),
    plain("PORT", Some("5000"), "port to listen on; 0 takes a free one"),
    plain(
        "DATA_DIR",
        Some("./data"),
        "folder of the SQLite file and of generated secrets",
    ),
    secret(
        "MONGO_URI",
        "stores in MongoDB instead of SQLite, such as mongodb://user:password@db.example.org/keypool?replicaSet=rs0",
    ),
    plain("SITE_DIR", Some("target/site"), "folder of the built browser half"),
    secret(
        "JWT_SECRET",
        "signs access tokens; at least 32 characters; generated once when absent",
    ),
    secret(
        "JWT_SECRET_PREVIOUS",
        "the JWT_SECRET before this one: tokens signed with it stay good until they end",
    ),
    secret(
        "KEYPOOL_MASTER_KEY",
        "32 bytes in base64, encrypts provider keys at rest; generated once when absent",
    ),
    secret(
        "KEYPOOL_MASTER_KEY_PREVIOUS",
        "the KEYPOOL_MASTER_KEY before this one: opens what `keypool keys rewrap` has not sealed anew yet",
    ),
    plain(
        "GOOGLE_AI_BASE_URL",
        Some("https://generativelanguage.googleapis.com"),
        "where Gemini requests go",
    ),
    plain(
        "GEMINI_MODEL",
        Some("gemini-2.5-flash"),
        "model for text when a request names none",
    ),
    plain(
        "GEMINI_VISION_MODEL",
        Some("gemini-2.5-flash"),
        "model for images when a request names none",
    ),
    plain("KEYPOOL_ADMIN_EMAIL", None, "first admin, created if there is none"),
    secret("KEYPOOL_ADMIN_PASSWORD", "the first admin's password"),
    plain(
        "KEYPOOL_REGISTRATION",
        Some("open"),
        "open, invite or closed: whether people may create accounts themselves, with an invitation only, or not at all",
    ),
    plain(
        "KEYPOOL_HISTORY",
        Some("on"),
        "on or off: whether analyses are kept as their owner's history",
    ),
    plain(
        "HISTORY_RETENTION",
        Some("90d"),
        "how long an analysis is kept; 0d is until its owner deletes it",
    ),
    plain(
        "KEYPOOL_STRATEGY",
        Some("headroom"),
        "headroom, sticky, fill_first, round_robin or weighted: how the next key is chosen",
    ),
    plain(
        "KEYPOOL_LIMITS",
        None,
        "the provider's limits by model and tier, such as `gemini-2.5-flash free rpm=10 tpm=250000 rpd=250; * paid rpm=1000`",
    ),
    plain(
        "UPSTREAM_RPS",
        Some("10"),
        "requests a second towards the provider, per key; 0 is off",
    ),
    plain("QUEUE_MAX", Some("1000"), "most requests waiting for a key; 0 is off"),
    plain("QUEUE_WAIT_MAX", Some("30s"), "longest wait for a key; 0s is off"),
    plain(
        "CACHE_MAX_ENTRIES",
        Some("1000"),
        "size of the response cache; 0 is off",
    ),
    plain("CACHE_TTL", Some("900s"), "how long a cached answer lives; 0s is off"),
    plain(
        "GEMINI_FALLBACK_MODELS",
        None,
        "models asked, in this order, when the wanted one cannot answer; separated by commas",
    ),
    secret("ALERT_WEBHOOK_URL", "notifications by webhook (Standard Webhooks)"),
    secret(
        "ALERT_WEBHOOK_SECRET",
        "signs those notifications: whsec_ and 24 to 64 bytes in base64",
    ),
    secret(
        "ALERT_CHAT_URL",
        "notifications as messages of a chat: the address of its incoming webhook, Slack's, Discord's or one like them",
    ),
    plain(
        "ALERT_CHAT_FORMAT",
        None,
        "slack or discord: the shape of those messages; by the address when absent",
    ),
    secret(
        "SMTP_URL",
        "notifications by e-mail, such as smtps://user:password@mail.example.org",
    ),
    plain("ALERT_EMAIL_TO", None, "who gets those e-mails; separated by commas"),
    plain(
        "ALERT_EMAIL_FROM",
        Some("keypool@localhost"),
        "the sender of those e-mails",
    ),
    plain(
        "LOG_LEVEL",
        Some("info"),
        "error, warn, info, debug or trace, or a list such as info,keypool=debug",
    ),
    plain("LOG_FORMAT", None, "pretty or json; pretty on a terminal when absent"),
    plain("ENABLE_ANALYTICS", Some("true"), "true or false: record usage events"),
    plain(
        "ANALYTICS_RETENTION",
        Some("30d"),
        "how long single usage events are kept; sums by hour are kept 400 days, by day for ever",
    ),
    plain(
        "ANALYTICS_DURABILITY",
        Some("group"),
        "group or strict: whether a crash may cost the usage events of its last second, or an answer waits until its own are stored",
    ),
    plain("NODE_ENV", None, "production turns on the checks of production"),
    plain(
        "RATE_LIMIT_REQUESTS",
        Some("1000"),
        "requests a caller may make in a window; 0 is off",
    ),
    plain("RATE_LIMIT_WINDOW", Some("900000"), "that window, in milliseconds"),
    plain(
        "CONNECTIONS_MAX",
        Some("10000"),
        "connections open at once; 0 is as many as the system allows",
    ),
    plain(
        "CONNECTIONS_PER_ADDRESS_MAX",
        Some("1000"),
        "of those, from one address that is no trusted proxy; 0 is off",
    ),
    plain(
        "TRUSTED_PROXIES",
        None,
        "proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8; separated by commas",
    ),
    plain(
        "CORS_ALLOWED_ORIGINS",
        None,
        "origins whose pages may call the API, such as https://app.example.org; separated by commas",
    ),
    plain(
        "ENDPOINT_ALLOWED_NETWORKS",
        None,
        "networks that are not public and may be called all the same, such as 10.1.0.0/16; separated by commas",
    ),
    later_secret("REDIS_URL", "cache and rate limits shared through Redis"),
    later_secret("SENTRY_DSN", "error reporting"),
    later("OTEL_EXPORTER_OTLP_ENDPOINT", None, "traces"),
];

pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}
