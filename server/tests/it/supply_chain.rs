//! What the programs are built from: known sources, known contents, allowed licences, no version that is banned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use toml::Table;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The lock files: of the programs, and of what fuzzes them.
const LOCKS: [&str; 2] = ["Cargo.lock", "fuzz/Cargo.lock"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> Table {
    fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
}

/// Name and version of every package, with its table.
fn locked(path: &str) -> Vec<(String, Vec<u64>, Table)> {
    let packages = read(path)["package"].as_array().unwrap().clone();
    assert!(packages.len() > 100, "{path} has next to nothing");
    packages
        .into_iter()
        .map(|package| {
            let package = package.as_table().unwrap().clone();
            let name = package["name"].as_str().unwrap().to_owned();
            (name, version(package["version"].as_str().unwrap()), package)
        })
        .collect()
}

/// Major, minor and patch.
fn version(text: &str) -> Vec<u64> {
    let plain = text.split(['-', '+']).next().unwrap();
    let mut parts: Vec<u64> = plain.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn every_crate_comes_from_the_registry_with_its_checksum() {
    for path in LOCKS {
        for (name, _, package) in locked(path) {
            let Some(source) = package.get("source") else {
                let ours = ["app", "frontend", "fuzz", "pool", "server", "simulator", "xtask"];
                assert!(ours.contains(&name.as_str()), "{path}: {name} comes from a folder");
                continue;
            };
            assert_eq!(source.as_str(), Some(REGISTRY), "{path}: {name}");
            let checksum = package["checksum"].as_str().unwrap_or_default();
            assert!(
                checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{path}: {name} has no checksum"
            );
        }
    }
}

/// Of deny.toml: a crate, and the version below which it is banned; without one, it is banned altogether.
fn bans() -> Vec<(String, Option<Vec<u64>>)> {
    let deny = read("deny.toml");
    let list = deny["bans"]["deny"].as_array().unwrap();
    list.iter()
        .map(|ban| match ban["crate"].as_str().unwrap().split_once(':') {
            None => (ban["crate"].as_str().unwrap().to_owned(), None),
            Some((name, below)) => {
                let below = below.strip_prefix('<').expect("a ban is of what is below a version");
                (name.to_owned(), Some(version(below)))
            }
        })
        .collect()
}

fn is_banned(bans: &[(String, Option<Vec<u64>>)], name: &str, version: &Vec<u64>) -> bool {
    bans.iter()
        .any(|(banned, below)| banned == name && below.as_ref().is_none_or(|below| version < below))
}

#[test]
fn no_banned_crate_and_no_version_below_the_lowest_allowed_is_locked() {
    let bans = bans();
    for needed in ["openssl", "sqlx", "axum", "hyper", "rustls", "tower_governor"] {
        assert!(
            bans.iter().any(|(name, _)| name == needed),
            "{needed} is not among the bans"
        );
    }
    // The rule itself.
    assert!(is_banned(&bans, "openssl", &version("0.10.1")) && is_banned(&bans, "hyper", &version("0.14.32")));
    assert!(!is_banned(&bans, "hyper", &version("1.0.0")) && !is_banned(&bans, "serde", &version("1.0.0")));
    for path in LOCKS {
        for (name, version, _) in locked(path) {
            assert!(
                !is_banned(&bans, &name, &version),
                "{path}: {name} {version:?} is banned"
            );
        }
    }
}

#[test]
fn the_workspace_takes_no_crate_of_any_version_and_none_from_elsewhere() {
    let manifest = read("Cargo.toml");
    for (name, wanted) in manifest["workspace"]["dependencies"].as_table().unwrap() {
        if wanted.get("path").is_some() {
            continue;
        }
        assert!(
            wanted.get("git").is_none() && wanted.get("registry").is_none(),
            "{name} is from elsewhere"
        );
        let version = wanted.as_str().or_else(|| wanted.get("version")?.as_str());
        let version = version.unwrap_or_default();
        let first = version.trim_start_matches(['=', '^', '~']);
        assert!(
            first.starts_with(|c: char| c.is_ascii_digit()),
            "{name} is taken in any version: {version:?}"
        );
    }
    assert!(
        manifest.get("patch").is_none() && manifest.get("replace").is_none(),
        "something is replaced"
    );
}

#[test]
fn nothing_is_built_but_from_the_lock_file() {
    let mut commands = 0;
    for place in ["xtask/src", ".cargo", ".ci"] {
        for path in files(&root().join(place)) {
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let builds = [
                    "\"build ",
                    "\"test ",
                    "\"bench ",
                    "\"clippy ",
                    "\"doc ",
                    "\"run ",
                    "\"metadata ",
                    "cargo run ",
                    "cargo build ",
                ];
                if builds.iter().any(|build| line.contains(build)) && !line.contains("println") && !line.contains('`') {
                    assert!(line.contains("--locked"), "{}: {line}", path.display());
                    commands += 1;
                }
            }
        }
    }
    assert!(commands > 5, "the rule looks at nothing: {commands}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Whether the licences that are allowed are enough for an SPDX expression.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut at = 0;
    let found = any(&words, &mut at, allowed);
    assert_eq!(at, words.len(), "{expression} cannot be read");
    found
}

fn any(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut found = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        found |= all(words, at, allowed);
    }
    found
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut found = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        found &= one(words, at, allowed);
    }
    found
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut licence = (*words.get(*at).expect("a licence")).to_owned();
    *at += 1;
    if licence == "(" {
        let found = any(words, at, allowed);
        assert_eq!(words.get(*at), Some(&")"));
        *at += 1;
        return found;
    }
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words[*at + 1]);
        *at += 2;
    }
    allowed.contains(&licence)
}

fn allowed_licences() -> BTreeSet<String> {
    let deny = read("deny.toml");
    let list = deny["licenses"]["allow"].as_array().unwrap();
    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_expression_is_read_as_spdx_means_it() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned));
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("GPL-3.0/MIT", true),
        ("(GPL-3.0 OR ISC) AND MIT", true),
        ("GPL-3.0 OR ISC AND AGPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn every_crate_has_a_licence_that_is_allowed() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed = allowed_licences();
    let mut refused = BTreeMap::new();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let licence = package["license"].as_str().unwrap_or("NONE");
        if !is_allowed(licence, &allowed) {
            refused.insert(package["name"].to_string(), licence.to_owned());
        }
    }
    assert!(packages.len() > 100);
    assert!(refused.is_empty(), "{refused:?}");
}
