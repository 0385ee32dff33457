//! A Rust file as the rules see it: its lines, and where its tests begin.

use crate::repository::TextFile;

/// One Rust file.
pub struct Source {
    /// From the root.
    pub path: String,
    /// All lines.
    pub lines: Vec<String>,
    /// Lines before the test module at the bottom; all of them where there is none.
    pub code_lines: usize,
}

impl From<TextFile> for Source {
    fn from(file: TextFile) -> Self {
        let lines: Vec<String> = file.text.lines().map(str::to_owned).collect();
        let tests = lines
            .windows(2)
            .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"));
        Self {
            path: file.path,
            code_lines: tests.unwrap_or(lines.len()),
            lines,
        }
    }
}

impl Source {
    /// The crate's folder, such as `signing` of `crates/signing/src/lib.rs`.
    pub fn crate_word(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whether it is shipped: under `src` of a crate, and not a harness for tests.
    pub fn is_shipped(&self) -> bool {
        self.path.starts_with("crates/")
            && self.path.contains("/src/")
            && !self.path.contains("/src/testing/")
    }

    /// The lines before the tests that are not comments, with their numbers from 0.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines[..self.code_lines]
            .iter()
            .map(String::as_str)
            .enumerate();
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether a lint was silenced, with a reason: just above that line or above the function it stands in.
    pub fn is_expected(&self, line: usize, lint: &str) -> bool {
        let function = self.lines[..line].iter().rposition(|above| {
            let above = above.trim_start();
            above.starts_with("fn ") || (above.starts_with("pub") && above.contains(" fn "))
        });
        let from = function.unwrap_or(line).min(line).saturating_sub(6);
        self.lines[from..line]
            .iter()
            .any(|above| above.contains(lint))
    }
}

#[cfg(test)]
impl Source {
    /// A file for a rule's own tests.
    pub fn of(path: &str, text: &str) -> Self {
        Self::from(TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    }
}
