//! Who may import whom, and what stays out of the tree. One `check` a rule.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Rust sources below a folder or the file itself, with their text up to the tests at its end.
fn sources(place: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root().join(place), &mut found);
    assert!(!found.is_empty(), "{place} has no sources: the rule looks at nothing");
    found
}

fn collect(path: &Path, found: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
        let text = fs::read_to_string(path).unwrap();
        // Not at every `cfg(test)`: a field for tests stands amid code that is looked at.
        let code: Vec<&str> = text
            .split("#[cfg(test)]\nmod ")
            .next()
            .unwrap()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        found.push((
            path.strip_prefix(root()).unwrap().display().to_string(),
            code.join("\n"),
        ));
    }
}

/// No source of `place`, but for those whose path starts with one of `except`, has one of `words`.
fn check(place: &str, words: &[&str], except: &[&str]) {
    for (path, code) in sources(place) {
        if except.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        for word in words {
            assert!(!code.contains(word), "{path} must not name {word}");
        }
    }
}

#[test]
fn the_core_knows_nothing_of_the_world() {
    check(
        "pool/src",
        &[
            "std::",
            "serde",
            "secrecy",
            "SystemTime",
            "Instant",
            "HashMap",
            "HashSet",
            "tracing",
            "async ",
        ],
        &[],
    );
    let manifest = fs::read_to_string(root().join("pool/Cargo.toml")).unwrap();
    assert!(!manifest.contains("\n[dependencies]"), "the core has no dependency");
}

#[test]
fn the_app_names_no_type_of_the_core_or_the_server() {
    check("app/src", &["pool::", "server::", "simulator::"], &[]);
    check("frontend/src", &["pool::", "server::", "simulator::"], &[]);
}

#[test]
fn the_simulator_names_no_crate_of_ours() {
    check("simulator/src", &["pool::", "app::", "server::"], &[]);
}

#[test]
fn only_startup_names_an_adapter() {
    check(
        "server/src",
        &["gemini::", "sqlite::", "mongo::"],
        &["server/src/startup", "server/src/provider", "server/src/store"],
    );
}

#[test]
fn adapters_know_their_own_port_only() {
    check("server/src", &["rusqlite::", "mongodb::"], &["server/src/store"]);
    check(
        "server/src/provider",
        &[
            "crate::store",
            "crate::http",
            "crate::shared_pool",
            "crate::keyring",
            "crate::analysis",
            "crate::accounts",
            "crate::sessions",
        ],
        &[],
    );
    for place in ["server/src/store", "server/src/store.rs"] {
        check(
            place,
            &[
                "crate::provider",
                "crate::http",
                "crate::shared_pool",
                "crate::keyring",
                "crate::analysis",
                "crate::accounts",
                "crate::sessions",
            ],
            &[],
        );
    }
}

#[test]
fn use_cases_know_nothing_of_http() {
    let words = ["crate::http", "axum", "StatusCode", "HeaderMap"];
    check(
        "server/src",
        &words,
        &["server/src/http", "server/src/startup", "server/src/fuzzing.rs"],
    );
}

#[test]
fn the_live_pool_is_touched_behind_its_lock_only() {
    check(
        "server/src",
        &["KeyPool"],
        // Startup makes it and hands it over.
        &["server/src/shared_pool.rs", "server/src/startup"],
    );
    for (path, code) in sources("server/src/shared_pool.rs") {
        for word in ["pub fn lock", "pub(crate) fn lock", "pub pool", "pub(crate) pool"] {
            assert!(
                !code.contains(word),
                "{path}: the lock is private, so {word} must not be"
            );
        }
        assert!(code.contains("    fn lock(&self)"), "{path}: the rule looks at nothing");
    }
}

#[test]
fn only_config_reads_the_environment() {
    check("server/src", &["env::var", "env::vars"], &["server/src/config"]);
}

#[test]
fn only_the_clock_reads_a_clock() {
    check(
        "server/src",
        &["SystemTime", "Timestamp::now", "Zoned::now", "now_utc"],
        &["server/src/clock.rs"],
    );
}

#[test]
fn secrets_are_exposed_only_where_they_are_kept_and_where_they_are_sent() {
    let allowed = [
        "server/src/keyring",
        "server/src/provider",
        "server/src/accounts",
        "server/src/api_tokens",
        "server/src/http/credential.rs",
        "server/src/notify/",
        "server/src/startup",
        "server/src/scrub",
        "server/src/store/mongo/connecting.rs",
    ];
    check("server/src", &["expose_secret"], &allowed);
}

#[test]
fn an_error_of_the_http_client_is_named_only_where_its_address_is_taken_off() {
    // It prints the address it was for, and addresses hold keys and tokens. Elsewhere it is thrown away unseen.
    check(
        "server/src",
        &["reqwest::Error", "reqwest::Result"],
        &[
            "server/src/provider/gemini/client.rs",
            "server/src/notify/posting.rs",
            "server/src/url_guard.rs",
        ],
    );
    for (path, code) in sources("server/src") {
        let uses_client = code.contains("reqwest::Client") || code.contains("self.http");
        if uses_client && code.contains(".send()") {
            let printed = ["%error", "?error", "{error"].iter().any(|how| code.contains(how));
            assert!(
                !printed,
                "{path} prints an error of the HTTP client: use `.without_url()`"
            );
        }
    }
    for (path, code) in sources("server/src/provider/gemini/client.rs") {
        assert_eq!(
            code.matches("chain(&error").count(),
            code.matches("chain(&error.without_url())").count(),
            "{path} prints an address"
        );
    }
}

#[test]
fn only_the_guard_makes_clients_for_addresses_that_are_typed_in() {
    check(
        "server/src",
        &["Client::builder", "Client::new()"],
        &[
            // The provider's address and this server's own, both from the environment.
            "server/src/provider/gemini/client.rs",
            "server/src/doctor/reach.rs",
            "server/src/cli",
            "server/src/url_guard.rs",
        ],
    );
    for place in [
        "server/src/provider/gemini/client.rs",
        "server/src/doctor/reach.rs",
        "server/src/url_guard.rs",
    ] {
        for (path, code) in sources(place) {
            assert!(
                code.contains(".no_proxy()") && code.contains("Policy::none()"),
                "{path} follows redirects or proxies"
            );
        }
    }
}

#[test]
fn only_the_provider_port_turns_a_failure_into_an_outcome() {
    check(
        "server/src",
        &[
            "RESOURCE_EXHAUSTED",
            "API_KEY_INVALID",
            "PerDay",
            "Failure::new",
            "Failure::with_evidence",
            "Failure {",
            "Evidence {",
        ],
        &["server/src/provider"],
    );
    // The others read outcomes; of their own they make two, which the provider has no part in: a caller who left, and a
    // probe that was accepted.
    check(
        "server/src",
        &["Outcome::"],
        &[
            "server/src/provider",
            "server/src/shared_pool.rs",
            "server/src/keys",
            "server/src/analysis",
        ],
    );
}

#[test]
fn handlers_reach_the_store_through_use_cases() {
    check("server/src/http", &["SqliteStore", "rusqlite", "reqwest::Client"], &[]);
    // Asks whether the store is ready, which is the operator's question and no use case.
    check(
        "server/src/http",
        &[".store", "dyn Store"],
        &["server/src/http/operator.rs"],
    );
}

#[test]
fn no_file_is_named_mod() {
    for place in ["pool/src", "app/src", "server/src", "simulator/src", "xtask/src"] {
        for (path, _) in sources(place) {
            assert!(!path.ends_with("/mod.rs"), "{path}: write foo.rs beside foo/");
        }
    }
}

/// Names of tests in our documents: modules and a function, in backticks.
fn tests_named_in(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name =
        |name: &&str| name.contains("::") && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    quoted.filter(is_name).map(str::to_owned).collect()
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let mut code = String::new();
    for place in ["server/src", "server/tests/it", "pool/tests", "pool/src"] {
        let mut files = vec![root().join(place)];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code += &fs::read_to_string(&path).unwrap();
            }
        }
    }
    let names = tests_named_in("docs/security.md");
    assert!(names.len() > 50, "the rule looks at nothing: {names:?}");
    for name in names {
        let last = name.rsplit("::").next().unwrap();
        // A whole module of tests, or one of them.
        let exists = last == "tests" || code.contains(&format!("fn {last}("));
        assert!(exists, "docs/security.md names {name}, which is no test");
    }
}
