//! One document with typed fields. BSON's integers are signed, ours are not; JSON is kept as text, so that it comes back
//! as it was, numbers above 2^63 included.

use app::types::Role;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document};
use pool::Timestamp;
use serde_json::Value;

use super::error::unreadable;
use crate::email::Email;
use crate::store::{Digest, Result};

pub(super) fn at(at: Timestamp) -> DateTime {
    DateTime::from_millis(whole(at.as_millis()))
}

/// What is above 2^63 is "for ever" and stays so.
pub(super) fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn bytes(bytes: &[u8]) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    }
}

pub(super) fn json(value: Option<&Value>) -> Option<String> {
    value.map(Value::to_string)
}

#[derive(Debug)]
pub(super) struct Row(pub(super) Document);

impl Row {
    /// A field; absent and null are one.
    fn get(&self, name: &str) -> Option<&Bson> {
        self.0.get(name).filter(|value| !matches!(value, Bson::Null))
    }

    fn must<T>(name: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| unreadable(name))
    }

    /// `None` when it is absent, an error when it is of another type.
    fn maybe<T>(&self, name: &str, read: impl Fn(&Bson) -> Option<T>) -> Result<Option<T>> {
        self.get(name).map(|value| Self::must(name, read(value))).transpose()
    }

    fn have<T>(&self, name: &str, read: impl Fn(&Bson) -> Option<T>) -> Result<T> {
        Self::must(name, self.maybe(name, read)?)
    }

    pub(super) fn text(&self, name: &str) -> Result<String> {
        self.have(name, |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<String>> {
        self.maybe(name, |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.have(name, |value| {
            let items = value.as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }

    pub(super) fn at(&self, name: &str) -> Result<Timestamp> {
        self.have(name, instant)
    }

    pub(super) fn maybe_at(&self, name: &str) -> Result<Option<Timestamp>> {
        self.maybe(name, instant)
    }

    pub(super) fn whole(&self, name: &str) -> Result<u64> {
        self.have(name, |value| {
            integer(value).map(|value| u64::try_from(value).unwrap_or(0))
        })
    }

    pub(super) fn maybe_whole(&self, name: &str) -> Result<Option<u64>> {
        self.maybe(name, |value| {
            integer(value).map(|value| u64::try_from(value).unwrap_or(0))
        })
    }

    /// A number of another type of integer.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &str) -> Result<T> {
        self.have(name, |value| T::try_from(integer(value)?).ok())
    }

    pub(super) fn maybe_number<T: TryFrom<i64>>(&self, name: &str) -> Result<Option<T>> {
        self.maybe(name, |value| T::try_from(integer(value)?).ok())
    }

    pub(super) fn maybe_real(&self, name: &str) -> Result<Option<f64>> {
        self.maybe(name, Bson::as_f64)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        self.have(name, Bson::as_bool)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        self.have(name, binary)
    }

    pub(super) fn digest(&self, name: &str) -> Result<Digest> {
        self.have(name, |value| binary(value)?.try_into().ok())
    }

    pub(super) fn digests(&self, name: &str) -> Result<Vec<Digest>> {
        self.have(name, |value| {
            let items = value.as_array()?.iter();
            items.map(|item| binary(item)?.try_into().ok()).collect()
        })
    }

    pub(super) fn json(&self, name: &str) -> Result<Value> {
        self.have(name, |value| serde_json::from_str(value.as_str()?).ok())
    }

    pub(super) fn maybe_json(&self, name: &str) -> Result<Option<Value>> {
        self.maybe(name, |value| serde_json::from_str(value.as_str()?).ok())
    }

    /// What is stored as the JSON text of a type of ours.
    pub(super) fn parsed<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        self.have(name, |value| serde_json::from_str(value.as_str()?).ok())
    }

    pub(super) fn role(&self, name: &str) -> Result<Role> {
        self.have(name, |value| Role::parse(value.as_str()?))
    }

    pub(super) fn maybe_role(&self, name: &str) -> Result<Option<Role>> {
        self.maybe(name, |value| Role::parse(value.as_str()?))
    }

    pub(super) fn email(&self, name: &str) -> Result<Email> {
        self.have(name, |value| Email::parse(value.as_str()?).ok())
    }

    pub(super) fn maybe_email(&self, name: &str) -> Result<Option<Email>> {
        self.maybe(name, |value| Email::parse(value.as_str()?).ok())
    }

    /// A word of a closed list.
    pub(super) fn word<T: Copy>(&self, name: &str, all: &[T], as_str: impl Fn(T) -> &'static str) -> Result<T> {
        let word = self.text(name)?;
        Self::must(name, all.iter().copied().find(|known| as_str(*known) == word))
    }

    pub(super) fn maybe_word<T: Copy>(
        &self,
        name: &str,
        all: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>> {
        let word = self.maybe_text(name)?;
        let known = |word: String| all.iter().copied().find(|known| as_str(*known) == word);
        word.map(|word| Self::must(name, known(word))).transpose()
    }

    pub(super) fn row(&self, name: &str) -> Result<Self> {
        self.have(name, |value| value.as_document().cloned().map(Self))
    }

    pub(super) fn rows(&self, name: &str) -> Result<Vec<Self>> {
        self.have(name, |value| {
            let items = value.as_array()?.iter();
            items.map(|item| item.as_document().cloned().map(Self)).collect()
        })
    }
}

fn instant(value: &Bson) -> Option<Timestamp> {
    let ms = value.as_datetime()?.timestamp_millis();
    Some(Timestamp::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// The server sums small numbers as 32 bits.
fn integer(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(Into::into))
}

fn binary(value: &Bson) -> Option<Vec<u8>> {
    match value {
        Bson::Binary(binary) => Some(binary.bytes.clone()),
        _ => None,
    }
}
