//! Many keys at once, from a file or a paste.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{IMPORT_LINES_MAX, ImportReport, ImportResult, ImportedLine, KeyImport, KeyTier, NewKey};
use futures::{StreamExt, stream};
use pool::KeyId;
use tracing::info;

use super::{Keys, TESTS_AT_ONCE, remedy};
use crate::keyring::{KeyRefused, ProviderKey};
use crate::store::Digest;

/// A line that holds a key.
struct Line {
    number: u32,
    key: String,
    label: Option<String>,
}

/// What is known of a line before anything is stored.
enum Checked {
    Good {
        key: ProviderKey,
        project: Option<String>,
        /// Kept although the provider did not vouch for it.
        doubt: Option<&'static str>,
    },
    Known {
        key: ProviderKey,
        number: u32,
    },
    /// The same key stands in this earlier line.
    Repeated {
        key: ProviderKey,
        first: u32,
    },
    Refused {
        mask: Option<String>,
        message: String,
    },
}

impl Keys {
    /// Tests and keeps one key a line, and says of each line what became of it. Lines are stored as they come: what was added
    /// before an interruption stays.
    ///
    /// # Errors
    /// `BAD_REQUEST` when there is no key in the text, or when there are too many lines.
    pub async fn import(self: &Arc<Self>, import: KeyImport) -> Result<ImportReport, AppError> {
        let lines = lines(&import.text);
        check_count(lines.len())?;
        let test = import.test != Some(false);
        let mut first_lines: BTreeMap<Digest, u32> = BTreeMap::new();
        let parsed: Vec<_> = lines
            .into_iter()
            .map(|line| {
                let key = ProviderKey::parse(&line.key);
                let repeats = key.as_ref().ok().and_then(|key| {
                    let first = *first_lines.entry(self.keyring.fingerprint(key)).or_insert(line.number);
                    (first != line.number).then_some(first)
                });
                (line, key, repeats)
            })
            .collect();
        let mut checked = stream::iter(parsed)
            .map(|(line, key, repeats)| async move { (self.check(key, repeats, test).await, line) })
            .buffered(TESTS_AT_ONCE);
        let mut report = ImportReport::default();
        while let Some((checked, line)) = checked.next().await {
            let entry = self.take(line, checked, import.tier).await;
            match entry.result {
                ImportResult::Added => report.added += 1,
                ImportResult::Duplicate => report.duplicates += 1,
                ImportResult::Refused => report.refused += 1,
            }
            report.lines.push(entry);
        }
        let (added, refused) = (report.added, report.refused);
        info!(added, refused, "an admin imported keys");
        Ok(report)
    }

    async fn check(&self, key: Result<ProviderKey, KeyRefused>, repeats: Option<u32>, test: bool) -> Checked {
        let key = match key {
            Ok(key) => key,
            Err(refused) => {
                let message = AppError::from(refused).message;
                return Checked::Refused { mask: None, message };
            }
        };
        if let Some(known) = self.keyring.find(&key) {
            return Checked::Known {
                key,
                number: known.number,
            };
        }
        if let Some(first) = repeats {
            return Checked::Repeated { key, first };
        }
        let (mut project, mut doubt) = (None, None);
        if test && let Err(failure) = self.provider.probe(&key.clone().into_secret(), &self.test_model).await {
            if let Some(remedy) = remedy::of(&failure.outcome) {
                return Checked::Refused {
                    mask: Some(key.mask()),
                    message: remedy.to_owned(),
                };
            }
            project = failure.evidence.project;
            doubt = Some(remedy::ADDED_UNTESTED);
        }
        Checked::Good { key, project, doubt }
    }

    async fn take(self: &Arc<Self>, line: Line, checked: Checked, tier: Option<KeyTier>) -> ImportedLine {
        let entry = |result, mask: Option<String>, key_number, message: Option<String>| ImportedLine {
            line: line.number,
            mask,
            result,
            key_number,
            message,
        };
        match checked {
            Checked::Good { key, project, doubt } => {
                let new = NewKey {
                    key: line.key,
                    label: line.label,
                    tier,
                    ..NewKey::default()
                };
                match self.keep(new).await {
                    Ok(stored) => {
                        if let Some(project) = project {
                            self.grouping.learn(KeyId(stored.id), &project);
                        }
                        let doubt = doubt.map(str::to_owned);
                        entry(ImportResult::Added, Some(key.mask()), Some(stored.number), doubt)
                    }
                    Err(error) if error.code == ErrorCode::Conflict => {
                        entry(ImportResult::Duplicate, Some(key.mask()), None, Some(error.message))
                    }
                    Err(error) => entry(ImportResult::Refused, Some(key.mask()), None, Some(error.message)),
                }
            }
            Checked::Known { key, number } => {
                let message = format!("In the pool already, as key {number}.");
                entry(ImportResult::Duplicate, Some(key.mask()), Some(number), Some(message))
            }
            Checked::Repeated { key, first } => {
                let message = format!("The same key as in line {first}.");
                entry(ImportResult::Duplicate, Some(key.mask()), None, Some(message))
            }
            Checked::Refused { mask, message } => entry(ImportResult::Refused, mask, None, Some(message)),
        }
    }
}

fn check_count(count: usize) -> Result<(), AppError> {
    let message = match count {
        0 => "There is no key in the text: write one a line.".to_owned(),
        count if count > IMPORT_LINES_MAX => {
            format!("There are {count} lines with a key; at most {IMPORT_LINES_MAX} are taken at once.")
        }
        _ => return Ok(()),
    };
    Err(AppError::new(ErrorCode::BadRequest, message).field("text"))
}

/// Lines with something in them; `#` begins a comment line.
fn lines(text: &str) -> Vec<Line> {
    let text = text.trim_start_matches('\u{feff}');
    (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| parse(number, line))
        .collect()
}

/// `NAME=KEY` as in an environment file, `KEY LABEL` or `KEY,LABEL` as in a list, or the key alone.
fn parse(number: u32, line: &str) -> Line {
    let assignment = line.strip_prefix("export ").unwrap_or(line);
    if let Some((name, key)) = assignment.split_once('=')
        && is_variable(name)
        && !key.is_empty()
    {
        return Line {
            number,
            key: key.to_owned(),
            label: Some(name.to_owned()),
        };
    }
    let (key, label) = line
        .split_once(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
        .unwrap_or((line, ""));
    let label = label.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"'));
    Line {
        number,
        key: key.to_owned(),
        label: (!label.is_empty()).then(|| label.to_owned()),
    }
}

/// As variables are named in environment files. Keys have small letters too.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u32, &str, Option<&str>)]) {
        let found = lines(text);
        let found: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.key.as_str(), line.label.as_deref()))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn a_line_is_a_key_with_or_without_a_label() {
        check(
            "AIzaSyA\r\n\n# of the team\n  AIzaSyB  \n",
            &[(1, "AIzaSyA", None), (4, "AIzaSyB", None)],
        );
        check("\u{feff}AIzaSyA\tTeam one", &[(1, "AIzaSyA", Some("Team one"))]);
        check(
            "AIzaSyA,\"Team\"\nAIzaSyB; Other",
            &[(1, "AIzaSyA", Some("Team")), (2, "AIzaSyB", Some("Other"))],
        );
        check(
            "GOOGLE_AI_API_KEY_2=AIzaSyA\nexport TEAM_KEY='AQ.b=c'",
            &[
                (1, "AIzaSyA", Some("GOOGLE_AI_API_KEY_2")),
                (2, "'AQ.b=c'", Some("TEAM_KEY")),
            ],
        );
        check("AQ.Ab8RN=", &[(1, "AQ.Ab8RN=", None)]);
        check("\n# nothing\n", &[]);
    }
}
