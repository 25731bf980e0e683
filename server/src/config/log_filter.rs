//! `LOG_LEVEL`, turned into the directives of `tracing_subscriber`'s `EnvFilter`.

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The crates that people mean by `keypool`: the program, and what it is made of.
const CRATES: [&str; 5] = ["keypool", "server", "app", "pool", "simulator"];

/// A level, or a list of levels and `target=level` separated by commas. `None` when any of it is something else:
/// `EnvFilter` itself takes a word that is no level for a target and logs nothing.
pub(super) fn directives(text: &str) -> Option<String> {
    let mut directives = Vec::new();
    for part in text.split(',').map(str::trim) {
        let Some((target, given)) = part.split_once('=') else {
            directives.push(level(part)?.to_owned());
            continue;
        };
        let level = level(given.trim())?;
        let target = target.trim();
        if !is_target(target) {
            return None;
        }
        match target.strip_prefix("keypool") {
            Some("") => directives.extend(CRATES.map(|name| format!("{name}={level}"))),
            Some(module) if module.starts_with("::") => {
                directives.extend(CRATES.map(|name| format!("{name}{module}={level}")));
            }
            _ => directives.push(format!("{target}={level}")),
        }
    }
    Some(directives.join(","))
}

fn level(word: &str) -> Option<&'static str> {
    LEVELS.into_iter().find(|level| level.eq_ignore_ascii_case(word))
}

/// A path of modules: `tower`, `server::http`.
fn is_target(text: &str) -> bool {
    text.split("::").all(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info};
    use tracing_subscriber::EnvFilter;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Which of four events pass: ours at debug and info, another crate's at debug and info.
    fn check(text: &str, passes: &[&str]) {
        let filter = EnvFilter::try_new(directives(text).expect(text)).expect(text);
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            debug!(target: "server::http", "ours-debug");
            info!(target: "server::http", "ours-info");
            debug!(target: "tower", "theirs-debug");
            info!(target: "tower", "theirs-info");
        });
        let written = String::from_utf8(log.0.lock().expect("one thread").clone()).expect("text");
        for event in ["ours-debug", "ours-info", "theirs-debug", "theirs-info"] {
            assert_eq!(written.contains(event), passes.contains(&event), "{text}: {event}");
        }
    }

    #[test]
    fn the_target_keypool_stands_for_our_crates() {
        check("keypool=debug", &["ours-debug", "ours-info"]);
        check("keypool::http=debug", &["ours-debug", "ours-info"]);
        check(
            "info, keypool=debug, tower=info",
            &["ours-debug", "ours-info", "theirs-info"],
        );
        check(
            "keypool=info,tower=debug",
            &["ours-info", "theirs-debug", "theirs-info"],
        );
    }

    #[test]
    fn a_level_holds_for_everything() {
        check("warn", &[]);
        check("INFO", &["ours-info", "theirs-info"]);
        check("trace", &["ours-debug", "ours-info", "theirs-debug", "theirs-info"]);
    }

    #[test]
    fn what_is_no_level_and_no_list_of_them_is_refused() {
        let wrong = [
            "",
            "verbose",
            "3",
            "keypool",
            "keypool=",
            "=debug",
            "keypool=loud",
            "info,",
            "a b=info",
            "a::=info",
            "[span]=info",
            "a=b=info",
            "info;debug",
            "keypool=5",
        ];
        for text in wrong {
            assert_eq!(directives(text), None, "{text}");
        }
    }
}
