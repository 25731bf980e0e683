//! What the person at the terminal types or pipes in. Secrets come this way, never as arguments, which others can see.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};

use super::print::ask;

/// More is no list of keys.
const BYTES_MAX: u64 = 1024 * 1024;

/// The first line of stdin without its end; asked for when somebody sits at a terminal.
pub(super) fn first_line(what: &str) -> Result<String, anyhow::Error> {
    prompt(&format!("{what}: "));
    line_of(std::io::stdin().lock(), what)
}

/// The first line of a file without its end.
pub(super) fn first_line_of(path: &Path, what: &str) -> Result<String, anyhow::Error> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    line_of(BufReader::new(file), what)
}

/// All of a file, or of stdin when its name is `-`.
pub(super) fn all(path: &Path, what: &str) -> Result<String, anyhow::Error> {
    if path == Path::new("-") {
        prompt(&format!("{what}, then Ctrl+D:\n"));
        return text_of(std::io::stdin().lock(), "stdin");
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    text_of(file, &name)
}

fn prompt(text: &str) {
    if std::io::stdin().is_terminal() {
        ask(text);
    }
}

fn line_of(reader: impl BufRead, what: &str) -> Result<String, anyhow::Error> {
    let mut line = String::new();
    reader
        .take(BYTES_MAX)
        .read_line(&mut line)
        .with_context(|| format!("the {} could not be read from stdin", what.to_lowercase()))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn text_of(reader: impl Read, name: &str) -> Result<String, anyhow::Error> {
    let mut text = String::new();
    reader
        .take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("{name} could not be read as text"))?;
    if text.len() as u64 > BYTES_MAX {
        bail!(
            "{name} is larger than {} MB: that is no list of keys",
            BYTES_MAX / 1024 / 1024
        );
    }
    Ok(text)
}
