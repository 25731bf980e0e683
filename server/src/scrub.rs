//! The last layer against leaks: hides the secrets of this process in whatever it writes to its log and in the words of its
//! errors.
//!
//! Nothing should ever be found here, since secrets are typed, headers are marked, and errors are printed without their
//! addresses. But a provider repeats keys in its own words, and any library may log what it was given.
//!
//! One for each process, as its log is one. What was a secret once stays one: a key that was removed may still be good at
//! the provider.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::sync::{LazyLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use app::error::AppError;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::fmt::MakeWriter;

use crate::config::Config;

mod shapes;

/// What stands in a secret's place.
pub const HIDDEN: &str = "[hidden]";
/// Hiding a shorter text would hide pieces of ordinary words. In bytes.
const SECRET_BYTES_MIN: usize = 8;

static PROCESS: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

/// The scrubber of this process.
pub fn process() -> &'static Scrubber {
    &PROCESS
}

/// Knows secrets by their exact value.
#[derive(Default)]
pub struct Scrubber(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// Hidden everywhere.
    secrets: Searched,
    /// Hidden in logs alone. People choose them, so that they can be guessed, and an answer that hides what a caller wrote
    /// would tell a good guess from a bad one.
    passwords: Searched,
}

impl Scrubber {
    /// A secret that nobody can guess, hidden everywhere.
    pub fn learn(&self, secret: &SecretString) {
        self.write().secrets.learn(secret.expose_secret());
    }

    /// A secret that somebody chose, hidden in logs.
    pub fn learn_password(&self, password: &SecretString) {
        self.write().passwords.learn(password.expose_secret());
    }

    /// An address with a secret in it: as it is written, as it is sent, and its parts that are secret by themselves.
    pub fn learn_url(&self, address: &SecretString) {
        let text = address.expose_secret();
        let mut known = self.write();
        known.secrets.learn(text);
        let Ok(url) = Url::parse(text) else { return };
        known.secrets.learn(url.as_str());
        known.secrets.learn(url.path());
        known.secrets.learn(url.query().unwrap_or_default());
        if let Some(password) = url.password() {
            known.passwords.learn(password);
            let pair = format!("p={}", password.replace('+', "%2B"));
            let decoded = serde_urlencoded::from_str::<Vec<(String, String)>>(&pair).unwrap_or_default();
            decoded.iter().for_each(|(_, plain)| known.passwords.learn(plain));
        }
    }

    /// Every secret among the settings.
    pub fn learn_settings(&self, config: &Config) {
        let secrets = [
            &config.jwt_secret,
            &config.jwt_secret_previous,
            &config.master_key,
            &config.master_key_previous,
        ];
        secrets.into_iter().flatten().for_each(|secret| self.learn(secret));
        config.environment_keys.iter().for_each(|(_, key)| self.learn(key));
        if let Some(webhook) = &config.webhook {
            self.learn(&webhook.secret);
            self.learn_url(&webhook.url);
        }
        if let Some(chat) = &config.chat {
            self.learn_url(&chat.url);
        }
        if let Some(mail) = &config.mail {
            self.learn_url(&mail.smtp_url);
        }
        if let Some(mongo) = &config.mongo {
            // Not its parts: the database is called "keypool", as much else is.
            self.learn(mongo.uri());
            mongo
                .passwords()
                .iter()
                .for_each(|password| self.learn_password(password));
        }
        if let Some(admin) = &config.first_admin {
            self.learn_password(&admin.password);
        }
    }

    /// For the log: without any secret or password, and without what looks like one.
    pub fn scrub_log<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.read();
        let text = known.secrets.hide(Cow::Borrowed(text));
        let text = known.passwords.hide(text);
        drop(known);
        shapes::hide(text)
    }

    /// For an answer: without any secret, and without what looks like one.
    pub fn scrub_answer<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = self.read().secrets.hide(Cow::Borrowed(text));
        shapes::hide(text)
    }

    /// Scrubs all that an error says.
    pub fn scrub_error(&self, error: &mut AppError) {
        // The name of a field may be the caller's, who may have put anything in its place.
        let texts = [Some(&mut error.message), error.details.as_mut(), error.field.as_mut()];
        for text in texts.into_iter().flatten() {
            if let Cow::Owned(clean) = self.scrub_answer(text) {
                *text = clean;
            }
        }
    }

    // A panic elsewhere leaves a secret more or less to be found: both are sound.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Texts, found all at once. Levels double in size, so that adding one text to many does not build the search for all of
/// them again.
#[derive(Default)]
struct Searched {
    known: BTreeSet<String>,
    levels: Vec<Level>,
}

struct Level {
    texts: Vec<String>,
    search: AhoCorasick,
}

impl Searched {
    fn learn(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SECRET_BYTES_MIN {
            return;
        }
        // As logs write texts: in quotes, in JSON, and the first within the second.
        let quoted = secret.escape_debug().to_string();
        for form in [in_json(secret), in_json(&quoted), quoted, secret.to_owned()] {
            if self.known.insert(form.clone()) {
                self.add(&form);
            }
        }
    }

    fn add(&mut self, text: &str) {
        let mut texts = vec![text.to_owned()];
        while let Some(last) = self.levels.pop_if(|last| last.texts.len() <= texts.len()) {
            texts.extend(last.texts);
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&texts);
        match search {
            Ok(search) => self.levels.push(Level { texts, search }),
            // Too large for the search's own numbers: a million keys or so.
            Err(_) => tracing::error!("a secret cannot be hidden in logs: there are too many"),
        }
    }

    fn hide<'a>(&self, mut text: Cow<'a, str>) -> Cow<'a, str> {
        for level in &self.levels {
            if level.search.is_match(&*text) {
                let mut clean = String::with_capacity(text.len());
                level.search.replace_all_with(&text, &mut clean, |_, _, to| {
                    to.push_str(HIDDEN);
                    true
                });
                text = Cow::Owned(clean);
            }
        }
        text
    }
}

/// As it stands between the quotes.
fn in_json(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// Makes writers that hide secrets. A line must come in one piece, as `tracing_subscriber` hands it over.
pub struct Scrubbed<M> {
    inner: M,
    scrubber: &'static Scrubber,
}

impl<M> Scrubbed<M> {
    /// Hides the secrets of this process.
    pub fn new(inner: M) -> Self {
        Self {
            inner,
            scrubber: process(),
        }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Scrubbed<M> {
    type Writer = ScrubbedWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        ScrubbedWriter {
            inner: self.inner.make_writer(),
            scrubber: self.scrubber,
        }
    }
}

/// Hides secrets in each piece that is written.
pub struct ScrubbedWriter<W> {
    inner: W,
    scrubber: &'static Scrubber,
}

impl<W: io::Write> io::Write for ScrubbedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.inner.write_all(self.scrubber.scrub_log(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
