//! The shape of a crate: how files open, what a folder holds, where tests lie.

use std::collections::BTreeSet;

use super::Finding;
use super::source::Source;
use crate::repository::Repository;

/// Crates whose folders are words of the field, each with its rows in one `table.rs`.
const DOMAIN: [&str; 3] = ["authority", "signing", "registration"];

pub fn check(repository: &Repository, sources: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in sources {
        if !source
            .lines
            .first()
            .is_some_and(|line| line.starts_with("//! "))
        {
            found.push(Finding::at(
                source,
                0,
                "opens without `//!`: say in one sentence what the file is for",
            ));
        }
        found.extend(check_table(source));
        found.extend(check_test_place(source));
    }
    for folder in folders(sources) {
        if !repository.path(&format!("{folder}/mod.rs")).is_file() {
            found.push(Finding::new(
                folder,
                "a folder without mod.rs: its verbs stand there",
            ));
        }
    }
    found
}

/// Every statement is listed, so that a test can prepare each of them on both databases.
fn check_table(source: &Source) -> Option<Finding> {
    let is_domain = source
        .crate_word()
        .is_some_and(|word| DOMAIN.contains(&word));
    let lists = source.lines.iter().any(|line| line.contains("STATEMENTS"));
    let holds_sql = source.path.ends_with("/table.rs") || source.path.ends_with("/src/verify.rs");
    (is_domain && holds_sql && !lists).then(|| {
        Finding::at(
            source,
            0,
            "has no STATEMENTS: the test that prepares every statement cannot see these",
        )
    })
}

/// One integration binary per crate: every file under `tests` belongs to `tests/it`.
fn check_test_place(source: &Source) -> Option<Finding> {
    let (_, below) = source.path.split_once("/tests/")?;
    (source.path.starts_with("crates/") && !below.starts_with("it/")).then(|| {
        Finding::at(
            source,
            0,
            "a second test binary: make it a module of tests/it/main.rs",
        )
    })
}

/// Folders below `src` that hold Rust files.
fn folders(sources: &[Source]) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_shipped()) {
        let Some((folder, _)) = source.path.rsplit_once('/') else {
            continue;
        };
        // A program of its own is a file of src/bin, not a module.
        if !folder.ends_with("/src") && !folder.ends_with("/src/bin") {
            folders.insert(folder.to_owned());
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        let source = Source::of(path, text);
        check_table(&source)
            .into_iter()
            .chain(check_test_place(&source))
            .count()
    }

    #[test]
    fn a_table_lists_its_statements() {
        assert_eq!(
            found(
                "crates/signing/src/portal/table.rs",
                "//! Rows.\nconst A: &str = \"\";"
            ),
            1
        );
        assert_eq!(
            found(
                "crates/signing/src/portal/table.rs",
                "//! Rows.\npub const STATEMENTS: &[&str] = &[];"
            ),
            0
        );
        assert_eq!(found("crates/server/src/platform/table.rs", "//! Rows."), 0);
    }

    #[test]
    fn a_second_test_binary_is_found() {
        assert_eq!(found("crates/pki/tests/more.rs", "//! More."), 1);
        assert_eq!(found("crates/pki/tests/it/more.rs", "//! More."), 0);
    }

    #[test]
    fn folders_are_those_below_src() {
        let sources = [
            Source::of("crates/a/src/lib.rs", ""),
            Source::of("crates/a/src/b/mod.rs", ""),
            Source::of("crates/a/src/b/c/d.rs", ""),
            Source::of("crates/a/tests/it/e.rs", ""),
        ];
        let found: Vec<String> = folders(&sources).into_iter().collect();
        assert_eq!(found, ["crates/a/src/b", "crates/a/src/b/c"]);
    }
}
