//! Which names are settings, and which nearly are.

use super::settings::{self, KEY_PREFIX, SETTINGS};

/// No settings, but names that our documents, pages and browser tests use.
const NEIGHBOURS: [&str; 3] = ["KEYPOOL_URL", "KEYPOOL_TOKEN", "KEYPOOL_CHROMIUM"];

pub(super) fn is_known(name: &str) -> bool {
    let base = name.strip_suffix("_FILE").unwrap_or(name);
    settings::find(name).is_some()
        || settings::find(base).is_some_and(|setting| setting.secret)
        || key_number(base).is_some()
}

/// The n of `GOOGLE_AI_API_KEY_n`, from 1. Only as people write numbers: `_01` and `_+1` would be second names of one key.
pub(super) fn key_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(KEY_PREFIX)?;
    let number: u32 = digits.parse().ok()?;
    (number > 0 && number.to_string() == digits).then_some(number)
}

/// Whether a name in the environment is meant for us but is no setting. Most names there are other programs'.
pub(super) fn is_misspelt(name: &str) -> bool {
    let ours = name.starts_with("KEYPOOL_") || name.starts_with("GOOGLE_AI_");
    !is_known(name) && !NEIGHBOURS.contains(&name) && (ours || nearest(name).is_some())
}

/// What to write instead, as the end of a sentence; empty when nothing is near.
pub(super) fn hint(name: &str) -> String {
    if name.starts_with("GOOGLE_AI_API_KEY") {
        return format!("; keys are {KEY_PREFIX}1, {KEY_PREFIX}2 and so on");
    }
    nearest(name)
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default()
}

fn nearest(name: &str) -> Option<&'static str> {
    SETTINGS
        .iter()
        .map(|setting| setting.name)
        .find(|setting| is_near(name, setting) || is_cut_short(name, setting))
}

/// The first words of a setting with its last ones left out, such as `QUEUE_WAIT`. One word is too little to tell.
fn is_cut_short(name: &str, setting: &str) -> bool {
    name.contains('_') && setting.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
}

/// One or two typing mistakes apart. Short names have many honest neighbours: there, two letters swapped.
fn is_near(name: &str, setting: &str) -> bool {
    match setting.len() {
        9.. => distance(name, setting) <= 2,
        6..9 => distance(name, setting) <= 1,
        _ => name.len() == setting.len() && is_permutation(name, setting) && distance(name, setting) <= 1,
    }
}

fn is_permutation(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    sorted(a) == sorted(b)
}

/// Bytes inserted, left out, replaced, or swapped with the next one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, meant: Option<&str>) {
        assert_eq!(is_misspelt(name), meant.is_some(), "{name}");
        if let Some(meant) = meant {
            assert!(hint(name).contains(meant), "{name}: {}", hint(name));
        }
    }

    #[test]
    fn a_name_with_two_letters_swapped_is_one_of_ours_misspelt() {
        check("PROT", Some("PORT"));
        check("HSOT", Some("HOST"));
        check("SMTP_ULR", Some("SMTP_URL"));
        check("DATA_DRI", Some("DATA_DIR"));
        check("JWT_SERCET", Some("JWT_SECRET"));
        check("MONGO_URL", Some("MONGO_URI"));
        check("GEMINI_MODLE", Some("GEMINI_MODEL"));
    }

    #[test]
    fn a_name_without_its_last_word_is_one_of_ours_cut_short() {
        check("QUEUE_WAIT", Some("QUEUE_WAIT_MAX"));
        check("ALERT_WEBHOOK", Some("ALERT_WEBHOOK_URL"));
        check("RATE_LIMIT", Some("RATE_LIMIT_REQUESTS"));
        check("CACHE", None);
    }

    #[test]
    fn keys_are_numbered_as_people_write_numbers() {
        for name in ["_0", "_01", "_+1", "_", "_x", "_1_", "_99999999999", "S_1", ""] {
            check(&format!("GOOGLE_AI_API_KEY{name}"), Some("GOOGLE_AI_API_KEY_1"));
        }
        assert_eq!(key_number("GOOGLE_AI_API_KEY_120"), Some(120));
        assert!(is_known("GOOGLE_AI_API_KEY_3_FILE") && !is_known("GOOGLE_AI_API_KEY_03_FILE"));
    }

    #[test]
    fn the_usual_names_of_an_environment_are_other_programs_own() {
        let usual = "_ CARGO_HOME CI COLORTERM DBUS_SESSION_BUS_ADDRESS DEBIAN_FRONTEND DISPLAY EDITOR GITHUB_ACTIONS \
            GITHUB_REF GITHUB_SHA GITHUB_TOKEN GITHUB_WORKSPACE GOPATH GPG_TTY HISTFILE HOME HOMEBREW_PREFIX HOSTNAME \
            HOSTTYPE HTTP_PROXY HTTPS_PROXY INVOCATION_ID JAVA_HOME JOURNAL_STREAM LANG LANGUAGE LC_ALL LC_CTYPE LESS \
            LESSOPEN LOGNAME LS_COLORS MACHTYPE MAIL MANPATH NODE_OPTIONS NODE_PATH NODE_VERSION NO_PROXY NVM_DIR \
            OLDPWD OSTYPE PAGER PATH PROMPT PS1 PWD RUNNER_OS RUNNER_TEMP RUST_BACKTRACE RUST_LOG RUSTUP_HOME \
            SECURITYSESSIONID SHELL SHLVL SSH_AUTH_SOCK SSH_CLIENT SSH_CONNECTION SSH_TTY SUDO_USER TEMP TERM \
            TERM_PROGRAM TERM_SESSION_ID TMP TMPDIR TMUX TZ USER VISUAL WINDOWID XDG_CACHE_HOME XDG_CONFIG_HOME \
            XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR XDG_SESSION_TYPE XPC_SERVICE_NAME __CF_USER_TEXT_ENCODING \
            KUBERNETES_PORT KUBERNETES_SERVICE_HOST PGHOST PGPORT POST HOSTS PORTS SORT KEYPOOL_URL KEYPOOL_TOKEN";
        usual.split_whitespace().for_each(|name| check(name, None));
    }
}
