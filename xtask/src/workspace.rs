//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

/// The folders that the commands work in, all absolute.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace that this program was compiled from, wherever it is called from.
    pub(crate) fn here() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_path_buf();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Self { root, target }
    }

    /// The finished site, as the server reads it (its `SITE_DIR`).
    pub(crate) fn site(&self) -> PathBuf {
        self.target.join("site")
    }

    /// The browser tests.
    pub(crate) fn end2end(&self) -> PathBuf {
        self.root.join("end2end")
    }

    /// A program built from this workspace; `profile` is the folder's name: "debug" or "release".
    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.target
            .join(profile)
            .join(name)
            .with_extension(env::consts::EXE_EXTENSION)
    }
}
