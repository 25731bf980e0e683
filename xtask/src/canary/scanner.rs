//! Finds secrets of tests where none may be: recognisable pieces of them, plain or in one of the usual encodings.
//!
//! Used by `cargo xtask test` and, from its own file tree, by the integration tests.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, BuildError};

/// How much of a file is in memory at once, in bytes.
const PIECE_BYTES: usize = 1024 * 1024;

/// A place where a secret is. Does not hold the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) offset: u64,
    /// Which line of the list it is, from 1.
    pub(crate) number: usize,
    pub(crate) encoding: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            offset,
            number,
            encoding,
        } = self;
        write!(f, "{place}, byte {offset}: secret {number} of the list, {encoding}")
    }
}

/// Looks for all secrets at once.
pub(crate) struct Scanner {
    search: AhoCorasick,
    forms: Vec<(usize, &'static str)>,
    longest: usize,
}

impl Scanner {
    /// # Errors
    /// When there are too many.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, BuildError> {
        let (mut patterns, mut forms) = (Vec::new(), Vec::new());
        let secrets = secrets.into_iter().map(str::trim).filter(|secret| !secret.is_empty());
        for (number, secret) in (1..).zip(secrets) {
            for (form, encoding) in encodings(secret) {
                patterns.push(form);
                forms.push((number, encoding));
            }
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(1);
        Ok(Self {
            search: AhoCorasick::new(patterns)?,
            forms,
            longest,
        })
    }

    /// The first secret in these bytes.
    pub(crate) fn find(&self, place: &str, bytes: &[u8]) -> Option<Finding> {
        let found = self.search.find(bytes)?;
        let (number, encoding) = self.forms.get(found.pattern().as_usize()).copied().unwrap_or((0, ""));
        Some(Finding {
            place: place.to_owned(),
            offset: found.start() as u64,
            number,
            encoding,
        })
    }

    /// The first secret in each file below a folder, or in the file itself; `skip` names files that may hold one. Also how
    /// many files were read.
    ///
    /// # Errors
    /// When something cannot be read; what is gone by then is no error.
    pub(crate) fn scan(&self, place: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<(Vec<Finding>, usize)> {
        let (mut findings, mut files) = (Vec::new(), 0);
        let mut places = vec![place.to_owned()];
        while let Some(place) = places.pop() {
            let scanned = self.scan_one(&place, skip, &mut places);
            match scanned {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(None) => {}
                Ok(Some(finding)) => {
                    files += 1;
                    findings.extend(finding);
                }
            }
        }
        Ok((findings, files))
    }

    /// `None` for what was not read: a folder, a link, or what is skipped.
    fn scan_one(
        &self,
        place: &Path,
        skip: &dyn Fn(&Path) -> bool,
        places: &mut Vec<PathBuf>,
    ) -> io::Result<Option<Option<Finding>>> {
        let kind = std::fs::symlink_metadata(place)?.file_type();
        if skip(place) {
            return Ok(None);
        }
        if kind.is_dir() {
            for entry in std::fs::read_dir(place)? {
                places.push(entry?.path());
            }
            return Ok(None);
        }
        if !kind.is_file() {
            return Ok(None);
        }
        self.read(place, File::open(place)?).map(Some)
    }

    fn read(&self, place: &Path, mut file: impl Read) -> io::Result<Option<Finding>> {
        let place = place.display().to_string();
        let (mut piece, mut start) = (Vec::new(), 0_u64);
        loop {
            let read = file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
            if let Some(finding) = self.find(&place, &piece) {
                return Ok(Some(Finding {
                    offset: start + finding.offset,
                    ..finding
                }));
            }
            if read == 0 {
                return Ok(None);
            }
            // A secret may lie across the end of a piece.
            let over = piece.len().saturating_sub(self.longest - 1);
            start += over as u64;
            piece.drain(..over);
        }
    }
}

/// The secret as it is, in hexadecimal, percent-encoded, and in base64 wherever its bytes may fall.
fn encodings(secret: &str) -> Vec<(Vec<u8>, &'static str)> {
    let bytes = secret.as_bytes();
    let mut forms = vec![(bytes.to_vec(), "plain")];
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push((hex.to_uppercase().into_bytes(), "in hexadecimal"));
    forms.push((hex.into_bytes(), "in hexadecimal"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let percent: String = bytes
        .iter()
        .map(|byte| match byte {
            byte if is_plain(*byte) => char::from(*byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    if percent != secret {
        forms.push((percent.replace("%20", "+").into_bytes(), "percent-encoded"));
        forms.push((percent.into_bytes(), "percent-encoded"));
    }
    for skipped in 0..3 {
        let inner = base64_inside(bytes, skipped);
        if inner.len() >= 8 {
            forms.push((url_safe(&inner), "in base64"));
            forms.push((inner, "in base64"));
        }
    }
    forms
}

/// The characters of base64 that depend on these bytes alone when `skipped` bytes (0, 1 or 2) came before them.
fn base64_inside(bytes: &[u8], skipped: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1))
        .collect();
    // Up to the first character that begins inside our bytes.
    let first = (6 - (skipped * 8) % 6) % 6;
    let whole = bits.get(first..).unwrap_or_default().chunks_exact(6);
    whole
        .map(|six| ALPHABET[six.iter().fold(0_usize, |index, bit| index << 1 | usize::from(*bit))])
        .collect()
}

fn url_safe(text: &[u8]) -> Vec<u8> {
    text.iter()
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "canary secret?~01";

    fn scanner() -> Scanner {
        Scanner::new(["", "another-canary", SECRET]).expect("two secrets")
    }

    fn check(bytes: &[u8], expected: Option<(usize, &str)>) {
        let found = scanner().find("here", bytes);
        let found = found.as_ref().map(|finding| (finding.number, finding.encoding));
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn a_secret_is_found_in_every_usual_encoding() {
        check(b"nothing", None);
        check(b"x another-canary y", Some((1, "plain")));
        check(SECRET.as_bytes(), Some((2, "plain")));
        check(b"canary%20secret%3F~01", Some((2, "percent-encoded")));
        check(b"q=canary+secret%3F~01", Some((2, "percent-encoded")));
        check(b"63616e617279207365637265743f7e3031", Some((2, "in hexadecimal")));
        check(b"63616E617279207365637265743F7E3031", Some((2, "in hexadecimal")));
    }

    #[test]
    fn base64_is_found_behind_any_number_of_bytes() {
        // "canary secret?~01" behind none, one, two and three bytes, as `base64` writes them, and in the alphabet for URLs.
        for encoded in [
            "Y2FuYXJ5IHNlY3JldD9+MDE=",
            "Y2FuYXJ5IHNlY3JldD9-MDE",
            "eGNhbmFyeSBzZWNyZXQ/fjAx",
            "eGNhbmFyeSBzZWNyZXQ_fjAx",
            "eHhjYW5hcnkgc2VjcmV0P34wMQ==",
            "eHh4Y2FuYXJ5IHNlY3JldD9+MDE=",
        ] {
            check(encoded.as_bytes(), Some((2, "in base64")));
        }
    }

    #[test]
    fn files_are_scanned_across_pieces_and_told_with_the_place_but_without_the_secret() {
        let folder = std::env::temp_dir().join(format!("keypool-canary-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).expect("a folder");
        let before = PIECE_BYTES - 5;
        let text = format!("{}{SECRET}", " ".repeat(before));
        std::fs::write(folder.join("inner/log"), text).expect("a file");
        std::fs::write(folder.join("skipped"), SECRET).expect("a file");
        std::fs::write(folder.join("clean"), "nothing").expect("a file");
        let scanned = scanner().scan(&folder, &|path| path.ends_with("skipped"));
        std::fs::remove_dir_all(&folder).expect("removed");
        let (findings, files) = scanned.expect("readable");
        assert_eq!((findings.len(), files), (1, 2));
        assert_eq!(findings[0].offset, before as u64);
        let told = findings[0].to_string();
        assert!(told.contains("inner/log") && !told.contains("canary secret"), "{told}");
    }

    #[test]
    fn a_place_that_is_gone_has_nothing() {
        let scanned = scanner().scan(Path::new("/no/such/place"), &|_| false);
        assert_eq!(scanned.expect("no error"), (Vec::new(), 0));
    }
}
