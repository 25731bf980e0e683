//! What fuzzing began with and what it found, through the same functions, with the usual compiler.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use server::fuzzing::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn stems(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn nothing_in_the_corpus_breaks_what_a_target_demands() {
    for (name, target) in TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(fuzz().join("corpus").join(name)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            // The name, so that a failure says which file it was.
            let done = std::panic::catch_unwind(|| target(&bytes));
            assert!(done.is_ok(), "{}", path.display());
            files += 1;
        }
        assert!(files > 2, "{name} is tried with next to nothing");
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let named: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems(&fuzz().join("targets")), named);
    assert_eq!(stems(&fuzz().join("corpus")), named);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in named {
        assert!(
            manifest.contains(&format!("path = \"targets/{name}.rs\"")),
            "{name} is not built"
        );
        let program = fs::read_to_string(fuzz().join("targets").join(format!("{name}.rs"))).unwrap();
        assert!(program.contains(&format!("server::fuzzing::{name}(data)")), "{name}");
    }
}
