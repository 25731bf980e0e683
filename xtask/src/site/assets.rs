//! Files of the site: finding, copying, compressing them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What gets smaller; pictures and fonts are compressed in themselves.
const COMPRESSIBLE: &[&str] = &[
    "css",
    "html",
    "ico",
    "js",
    "json",
    "svg",
    "txt",
    "wasm",
    "webmanifest",
    "xml",
];
/// Below this, the headers cost more than is won.
const COMPRESSIBLE_BYTES_MIN: usize = 256;

/// How large one file of the site is, in bytes.
pub(super) struct Size {
    file: PathBuf,
    raw: usize,
    brotli: usize,
}

/// Every file below `folder`, relative to it and in the same order each time. Empty when there is no such folder.
pub(super) fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        let path = folder.join(&inner);
        if !path.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&path).with_context(|| path.display().to_string())? {
            let entry = entry.with_context(|| path.display().to_string())?;
            let below = inner.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(below);
            } else {
                files.push(below);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Copies all files of one folder into another.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files_in(from)? {
        let target = to.join(&file);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        fs::copy(from.join(&file), &target).with_context(|| format!("copying {}", file.display()))?;
    }
    Ok(())
}

/// Puts `.br` and `.gz` beside every file that gets smaller by it, and returns the sizes of these.
pub(super) fn compress(folder: &Path) -> Result<Vec<Size>> {
    let mut sizes = Vec::new();
    for file in files_in(folder)? {
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        let raw = fs::read(folder.join(&file)).with_context(|| file.display().to_string())?;
        if !COMPRESSIBLE.contains(&extension.as_ref()) || raw.len() < COMPRESSIBLE_BYTES_MIN {
            continue;
        }
        let brotli = brotli_of(&raw)?;
        sizes.push(Size {
            file: file.clone(),
            raw: raw.len(),
            brotli: brotli.len(),
        });
        for (suffix, bytes) in [("br", brotli), ("gz", gzip_of(&raw)?)] {
            let path = folder.join(format!("{}.{suffix}", file.display()));
            fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        }
    }
    Ok(sizes)
}

/// The bytes of everything that was compressed, as brotli sends it.
pub(super) fn brotli_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in files_in(folder)? {
        if file.extension().is_some_and(|extension| extension == "br") {
            let path = folder.join(&file);
            bytes += path.metadata().with_context(|| path.display().to_string())?.len();
        }
    }
    Ok(bytes)
}

pub(super) fn print_sizes(sizes: &[Size]) {
    println!("  {:<40} {:>10} {:>10}", "bytes", "raw", "brotli");
    for Size { file, raw, brotli } in sizes {
        println!("  {:<40} {raw:>10} {brotli:>10}", file.display());
    }
}

fn brotli_of(raw: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let params = BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: raw.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &raw[..], &mut compressed, &params).context("brotli")?;
    Ok(compressed)
}

fn gzip_of(raw: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(raw).context("gzip")?;
    encoder.finish().context("gzip")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts files into a folder of their own, compresses it, and returns what is there then.
    fn check(name: &str, files: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
        let folder = std::env::temp_dir().join(format!("keypool-assets-{}-{name}", std::process::id()));
        for (file, bytes) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        compress(&folder).unwrap();
        let read = |file: &PathBuf| (file.display().to_string(), fs::read(folder.join(file)).unwrap());
        let found = files_in(&folder).unwrap().iter().map(read).collect();
        fs::remove_dir_all(&folder).unwrap();
        found
    }

    #[test]
    fn text_gets_compressed_neighbours_that_unpack_to_it() {
        let text = "a { color: red }\n".repeat(100);
        let found = check("text", &[("pkg/a.css", text.as_bytes())]);

        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["pkg/a.css", "pkg/a.css.br", "pkg/a.css.gz"]);
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &found[1].1[..], &mut unpacked).unwrap();
        assert_eq!(unpacked, text.as_bytes());
        let mut unpacked = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&found[2].1[..]), &mut unpacked).unwrap();
        assert_eq!(unpacked, text);
    }

    #[test]
    fn pictures_and_tiny_files_stay_alone() {
        let found = check("alone", &[("b.png", &[0; 1000]), ("a.txt", b"tiny")]);
        assert_eq!(
            found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["a.txt", "b.png"]
        );
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_files() {
        assert!(files_in(Path::new("no/such/folder")).unwrap().is_empty());
    }
}
