//! Which passwords are taken.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use app::error::{AppError, ErrorCode};
use secrecy::{ExposeSecret, SecretString};

use crate::email::Email;

pub const PASSWORD_CHARS_MIN: usize = 12;
/// Long ones are welcome; this is what is worth hashing.
pub const PASSWORD_CHARS_MAX: usize = 1024;
/// What must be left of a password when everything guessable is taken away.
const OWN_CHARS_MIN: usize = 8;
/// From this length on, `1234` and `aaaa` are taken away.
const RUN_CHARS_MIN: usize = 4;

/// What people choose most, one a line, in lower case.
static COMMON: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    include_str!("common-passwords.txt")
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= RUN_CHARS_MIN)
        .collect()
});

/// A password on its way to the hash. Its `Debug` is hidden.
#[derive(Debug)]
pub struct Password(SecretString);

impl Password {
    /// Takes a new password as it is: nothing is trimmed or folded.
    ///
    /// # Errors
    /// `BAD_REQUEST` on the field `password` when it is short, long or easy to guess.
    pub fn parse(text: &str, email: &Email) -> Result<Self, AppError> {
        let refuse = |message: String| Err(AppError::new(ErrorCode::BadRequest, message).field("password"));
        let chars = text.chars().count();
        if chars < PASSWORD_CHARS_MIN {
            return refuse(format!(
                "The password needs at least {PASSWORD_CHARS_MIN} characters. Three or four words do well."
            ));
        }
        if chars > PASSWORD_CHARS_MAX {
            return refuse(format!("The password has more than {PASSWORD_CHARS_MAX} characters."));
        }
        if own_chars(text, email) < OWN_CHARS_MIN {
            let message = "This password is easy to guess: it is made of common words, repetitions, sequences or your e-mail. Choose another.";
            return refuse(message.to_owned());
        }
        Ok(Self(text.into()))
    }

    /// For checking only, where the rules of today do not matter. Too long a one is cut: it matches nothing then.
    pub(super) fn unchecked(text: String) -> Self {
        let cut = text
            .char_indices()
            .nth(PASSWORD_CHARS_MAX + 1)
            .map(|(index, _)| text[..index].to_owned());
        Self(cut.unwrap_or(text).into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

/// Characters that are part of no common password, of no run and not of the e-mail; of a repeated unit only the first
/// counts.
fn own_chars(text: &str, email: &Email) -> usize {
    let plain: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let plain = first_unit(&plain);
    let letters: Vec<char> = plain.iter().map(|c| without_disguise(*c)).collect();
    let mut guessable = vec![false; plain.len()];
    for chars in [plain, &letters] {
        for word in COMMON.iter().copied().chain([email.as_str(), email.local_part()]) {
            mark_word(chars, word, &mut guessable);
        }
    }
    mark_runs(plain, &mut guessable);
    guessable.iter().filter(|is_guessable| !**is_guessable).count()
}

/// `abcabcabc` is `abc`; a text that is no repetition is itself.
fn first_unit(chars: &[char]) -> &[char] {
    (1..=chars.len() / 2)
        .find(|period| {
            chars
                .iter()
                .zip(chars.iter().skip(*period))
                .all(|(one, other)| one == other)
        })
        .and_then(|period| chars.get(..period))
        .unwrap_or(chars)
}

/// The letter a digit or sign stands for in `p4$$w0rd`.
fn without_disguise(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

fn mark_word(chars: &[char], word: &str, guessable: &mut [bool]) {
    let word: Vec<char> = word.chars().collect();
    if word.len() < RUN_CHARS_MIN {
        return;
    }
    for (start, window) in chars.windows(word.len()).enumerate() {
        if window == word {
            guessable
                .iter_mut()
                .skip(start)
                .take(word.len())
                .for_each(|mark| *mark = true);
        }
    }
}

/// Marks `aaaa`, `1234`, `fedc`.
fn mark_runs(chars: &[char], guessable: &mut [bool]) {
    for (start, window) in chars.windows(RUN_CHARS_MIN).enumerate() {
        let steps: BTreeSet<i64> = window
            .iter()
            .zip(window.iter().skip(1))
            .map(|(one, next)| i64::from(u32::from(*next)) - i64::from(u32::from(*one)))
            .collect();
        if steps.len() == 1 && steps.iter().all(|step| (-1..=1).contains(step)) {
            guessable
                .iter_mut()
                .skip(start)
                .take(RUN_CHARS_MIN)
                .for_each(|mark| *mark = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, taken: bool) {
        let email = Email::parse("marguerite@example.com").expect("an address");
        let parsed = Password::parse(password, &email);
        assert_eq!(parsed.is_ok(), taken, "{password:?}");
        if let Err(error) = parsed {
            assert_eq!(
                (error.code, error.field.as_deref()),
                (ErrorCode::BadRequest, Some("password"))
            );
            assert!(
                password.is_empty() || !error.message.contains(password),
                "the password is in the message"
            );
        }
    }

    #[test]
    fn long_passwords_that_are_ones_own_are_taken() {
        check("correct horse battery staple", true);
        check("we love long walks in the rain", true);
        check("vK3#tq9!Lw2z", true);
        check(" spaces are kept ", true);
        check("пароль из нескольких слов", true);
        check(&"Zwölf Boxkämpfer jagen Viktor. ".repeat(33)[..1000], true);
    }

    #[test]
    fn short_and_overlong_ones_are_refused() {
        check("", false);
        check("vK3#tq9!Lw2", false);
        check(&format!("vK3#tq9!{}", "x9".repeat(512)), false);
    }

    #[test]
    fn common_repeated_and_sequential_ones_are_refused() {
        for password in [
            "password1234",
            "Password1234!",
            "p4$$w0rdp4$$w0rd",
            "passwordpassword",
            "qwertyuiop123",
            "iloveyou1234",
            "123456789012",
        ] {
            check(password, false);
        }
        for password in [
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "abcdefghijklm",
            "987654321098",
            "letmein-letmein",
            "1q2w3e4r5t6y",
            "adminadmin2024",
            "dragonmonkey12",
        ] {
            check(password, false);
        }
    }

    #[test]
    fn the_email_is_no_password() {
        check("marguerite@example.com", false);
        check("Marguerite1985", false);
        check("marguerite likes sardines", true);
    }

    #[test]
    fn a_password_is_hidden_from_debug_texts() {
        assert!(!format!("{:?}", Password::unchecked("CANARY".to_owned())).contains("CANARY"));
    }
}
