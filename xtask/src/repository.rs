//! Where things lie in the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository this program was built from.
pub struct Repository {
    root: PathBuf,
}

/// A text file with its path from the root, written with `/`.
pub struct TextFile {
    pub path: String,
    pub text: String,
}

impl Repository {
    /// The one whose `xtask` is running.
    pub fn here() -> Self {
        let package = std::env::var("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root = Path::new(&package)
            .parent()
            .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        Self { root }
    }

    /// A path below the root.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds.
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), PathBuf::from)
    }

    /// The Python environment of the tests; its place does not follow `CARGO_TARGET_DIR`.
    pub fn venv(&self) -> PathBuf {
        self.path("target/venv")
    }

    /// A file's text, if it is there.
    pub fn read(&self, below: &str) -> Option<String> {
        fs::read_to_string(self.path(below)).ok()
    }

    /// Every file of that ending below the folders where people write, sorted by path.
    pub fn files(&self, ending: &str) -> Vec<TextFile> {
        let mut found = Vec::new();
        for folder in ["crates", "dev", "xtask"] {
            self.collect(&self.path(folder), ending, &mut found);
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn collect(&self, folder: &Path, ending: &str, found: &mut Vec<TextFile>) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                let name = entry.file_name();
                if name != "target" && name != "node_modules" {
                    self.collect(&path, ending, found);
                }
            } else if path.to_string_lossy().ends_with(ending)
                && let (Ok(text), Ok(below)) =
                    (fs::read_to_string(&path), path.strip_prefix(&self.root))
            {
                found.push(TextFile {
                    path: below.to_string_lossy().replace('\\', "/"),
                    text,
                });
            }
        }
    }
}
