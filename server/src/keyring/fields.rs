//! What people may say of a key beside its secret, checked.

use app::error::{AppError, ErrorCode};
use app::types::{KeyPatch, KeyTier, NewKey};
use pool::Tier;

use crate::store::KeyChange;

/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 60;
/// Longest name of a project or an account, in characters.
const NAME_CHARS_MAX: usize = 100;
const TAGS_MAX: usize = 20;
/// Longest tag, in characters.
const TAG_CHARS_MAX: usize = 40;
const WEIGHT_MAX: u32 = 1000;
/// Either way from 0.
const PRIORITY_MAX: i32 = 1000;

pub(super) fn check_label(text: &str) -> Result<String, AppError> {
    let message = || format!("A label has at most {LABEL_CHARS_MAX} characters on one line.");
    one_line(text, LABEL_CHARS_MAX).ok_or_else(|| refused(message(), "label"))
}

/// What a new key has besides its secret and its label.
///
/// # Errors
/// `BAD_REQUEST` with the field at fault.
pub(super) fn of_new(new: &NewKey) -> Result<KeyChange, AppError> {
    let name = |text: &Option<String>, field| text.as_deref().map(|text| check_name(text, field)).transpose();
    Ok(KeyChange {
        project: name(&new.project, "project")?,
        account: name(&new.account, "account")?,
        tier: new.tier.map(tier),
        priority: new.priority.map(check_priority).transpose()?,
        weight: new.weight.map(check_weight).transpose()?,
        tags: new.tags.as_deref().map(check_tags).transpose()?,
        ..KeyChange::default()
    })
}

/// # Errors
/// `BAD_REQUEST` with the field at fault.
pub fn of_patch(patch: &KeyPatch) -> Result<KeyChange, AppError> {
    let name = |text: &Option<Option<String>>, field| {
        text.as_ref()
            .map(|text| check_name(text.as_deref().unwrap_or_default(), field))
            .transpose()
    };
    let label = patch.label.as_deref().map(check_label).transpose()?;
    if label.as_ref().is_some_and(String::is_empty) {
        return Err(refused("Give the key a label.".to_owned(), "label"));
    }
    Ok(KeyChange {
        label,
        project: name(&patch.project, "project")?,
        account: name(&patch.account, "account")?,
        tier: patch.tier.map(tier),
        priority: patch.priority.map(check_priority).transpose()?,
        weight: patch.weight.map(check_weight).transpose()?,
        tags: patch.tags.as_deref().map(check_tags).transpose()?,
        enabled: patch.enabled,
        sealed: None,
    })
}

/// Empty means none. The provider writes `projects/123` in places.
fn check_name(text: &str, field: &str) -> Result<Option<String>, AppError> {
    let text = text.trim();
    let text = text.strip_prefix("projects/").unwrap_or(text);
    let message = || format!("The name has at most {NAME_CHARS_MAX} characters on one line.");
    let name = one_line(text, NAME_CHARS_MAX).ok_or_else(|| refused(message(), field))?;
    Ok((!name.is_empty()).then_some(name))
}

/// Without doubles, in the order given.
fn check_tags(tags: &[String]) -> Result<Vec<String>, AppError> {
    let message = || format!("A key has at most {TAGS_MAX} tags of 1 to {TAG_CHARS_MAX} characters on one line.");
    let mut checked = Vec::new();
    for tag in tags {
        let tag = one_line(tag, TAG_CHARS_MAX).filter(|tag| !tag.is_empty());
        let tag = tag.ok_or_else(|| refused(message(), "tags"))?;
        if !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    if checked.len() > TAGS_MAX {
        return Err(refused(message(), "tags"));
    }
    Ok(checked)
}

fn check_weight(weight: u32) -> Result<u32, AppError> {
    if (1..=WEIGHT_MAX).contains(&weight) {
        return Ok(weight);
    }
    Err(refused(
        format!("The weight is a number from 1 to {WEIGHT_MAX}."),
        "weight",
    ))
}

fn check_priority(priority: i32) -> Result<i32, AppError> {
    if (-PRIORITY_MAX..=PRIORITY_MAX).contains(&priority) {
        return Ok(priority);
    }
    let message = format!("The priority is a number from -{PRIORITY_MAX} to {PRIORITY_MAX}.");
    Err(refused(message, "priority"))
}

fn one_line(text: &str, chars_max: usize) -> Option<String> {
    let text = text.trim();
    let fits = text.chars().count() <= chars_max && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn tier(tier: KeyTier) -> Tier {
    match tier {
        KeyTier::Free => Tier::Free,
        KeyTier::Paid => Tier::Paid,
    }
}

fn refused(message: String, field: &str) -> AppError {
    AppError::new(ErrorCode::BadRequest, message).field(field)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(patch: Value) -> Result<KeyChange, String> {
        let patch: KeyPatch = serde_json::from_value(patch).expect("a patch");
        of_patch(&patch).map_err(|error| error.field.unwrap_or_default())
    }

    #[test]
    fn what_is_said_of_a_key_is_trimmed_and_an_empty_name_is_none() {
        let patch = json!({
            "label": " Team ", "project": " projects/123456789012 ", "account": "  ", "tags": ["eu", " eu ", "batch"], "tier": "paid",
        });
        let change = KeyChange {
            label: Some("Team".to_owned()),
            project: Some(Some("123456789012".to_owned())),
            account: Some(None),
            tags: Some(vec!["eu".to_owned(), "batch".to_owned()]),
            tier: Some(Tier::Paid),
            ..KeyChange::default()
        };
        assert_eq!(read(patch), Ok(change));
        assert_eq!(read(json!({})), Ok(KeyChange::default()));
        let taken_away = KeyChange {
            project: Some(None),
            ..KeyChange::default()
        };
        assert_eq!(read(json!({ "project": null })), Ok(taken_away));
    }

    #[test]
    fn what_does_not_fit_names_its_field() {
        let tags: Vec<String> = (0..21).map(|tag| tag.to_string()).collect();
        for (patch, field) in [
            (json!({ "label": "x".repeat(61) }), "label"),
            (json!({ "label": " " }), "label"),
            (json!({ "label": "a\u{1b}[2Jb" }), "label"),
            (json!({ "project": "x\ny" }), "project"),
            (json!({ "account": "x".repeat(101) }), "account"),
            (json!({ "weight": 0 }), "weight"),
            (json!({ "weight": 1001 }), "weight"),
            (json!({ "priority": -1001 }), "priority"),
            (json!({ "priority": i32::MIN }), "priority"),
            (json!({ "tags": [""] }), "tags"),
            (json!({ "tags": tags }), "tags"),
        ] {
            assert_eq!(read(patch.clone()), Err(field.to_owned()), "{patch}");
        }
    }
}
