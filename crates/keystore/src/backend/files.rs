//! Reading and writing the few files that hold secrets.
//!
//! Invariants: a secret file is a regular file of ours that nobody else may read; a symbolic link is never followed; a
//! file appears whole or not at all, and never replaces another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// No secret file is longer.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Group and others: nothing.
const FOREIGN_BITS: u32 = 0o077;

/// Reads a secret file; `None` if there is none.
pub(crate) fn read_secret(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let seen = match fs::symlink_metadata(path) {
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(path, error.kind())),
    };
    if !seen.is_file() {
        return Err(refuse(path, "not a regular file"));
    }
    let mut file = File::open(path).map_err(|error| refuse(path, error.kind()))?;
    let opened = file
        .metadata()
        .map_err(|error| refuse(path, error.kind()))?;
    // Between the look and the opening somebody may have put a link there: it must still be the same file.
    if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
        return Err(refuse(path, "it changed while it was opened"));
    }
    if opened.mode() & FOREIGN_BITS != 0 {
        return Err(refuse(
            path,
            format!(
                "mode {:04o} lets others in; chmod 600",
                opened.mode() & 0o7777
            ),
        ));
    }
    if opened.uid() != own_user()? {
        return Err(refuse(path, "it belongs to another user"));
    }
    if opened.len() > FILE_BYTES_MAX {
        return Err(refuse(path, "too long"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(opened.len() as usize + 1));
    file.read_to_end(&mut bytes)
        .map_err(|error| refuse(path, error.kind()))?;
    Ok(Some(bytes))
}

/// Writes a new secret file, mode 0600, durably. `Ok(false)` if the name is taken: nothing is replaced.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<bool> {
    let directory = path
        .parent()
        .ok_or_else(|| refuse(path, "it has no folder"))?;
    let unique: [u8; 8] = super::random()?;
    let draft = directory.join(format!(".draft-{}", hex::encode(unique)));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        // A hard link, unlike a rename, refuses to replace what another process put there first.
        .and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => sync_directory(directory).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(refuse(path, error.kind())),
    }
}

/// Overwrites and removes a secret file, durably.
pub(crate) fn destroy_secret(path: &Path) -> Result<()> {
    let length = fs::symlink_metadata(path)
        .map_err(|error| refuse(path, error.kind()))?
        .len();
    // On most file systems this is a gesture; the file is wrapped anyway.
    let blank = vec![0; length.min(FILE_BYTES_MAX) as usize];
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(&blank).and_then(|()| file.sync_all()))
        .and_then(|()| fs::remove_file(path))
        .map_err(|error| refuse(path, error.kind()))?;
    sync_directory(path.parent().unwrap_or(path))
}

/// Makes the folder of keys if it is missing, and refuses one that others may enter.
pub(crate) fn prepare_directory(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| refuse(path, error.kind()))?;
    let metadata = fs::metadata(path).map_err(|error| refuse(path, error.kind()))?;
    if metadata.mode() & 0o022 != 0 {
        return Err(refuse(
            path,
            format!(
                "mode {:04o} lets others write; chmod 700",
                metadata.mode() & 0o7777
            ),
        ));
    }
    if metadata.uid() != own_user()? {
        return Err(refuse(path, "it belongs to another user"));
    }
    Ok(())
}

fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| refuse(directory, error.kind()))
}

/// Our user, by the owner of our own process entry: no C library call is needed for it.
fn own_user() -> Result<u32> {
    let own = Path::new("/proc/self");
    fs::metadata(own)
        .map(|metadata| metadata.uid())
        .map_err(|error| refuse(own, error.kind()))
}

fn refuse(path: &Path, reason: impl ToString) -> Error {
    Error::KeyFile {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}
