//! Files and folders that only their owner may read.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

/// Makes the directory for its owner only; one that is there is left as it is.
///
/// # Errors
/// What the file system says.
pub fn make_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes an empty file in the directory and takes it away again.
///
/// # Errors
/// What the file system says.
pub fn probe_writing(dir: &Path) -> io::Result<()> {
    let probe = dir.join(format!(".probe-{:032x}", rand::random::<u128>()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    drop(options.open(&probe)?);
    fs::remove_file(probe)
}

/// New files get mode 0600.
pub(crate) fn owner_only(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// A folder for its owner only, with a name that nobody knows beforehand, removed when it is dropped.
///
/// # Errors
/// What the file system says.
pub(crate) fn scratch_dir(parent: &Path, prefix: &str) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}
