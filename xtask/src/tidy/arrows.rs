//! Which crate may stand on which: the walls of ARCHITECTURE.md.

use super::Finding;
use crate::repository::Repository;

/// Crate, and the crates of ours it may use. ARCHITECTURE.md says why; the two must agree.
const ARROWS: [(&str, &[&str]); 10] = [
    ("pki", &[]),
    ("ades", &["pki"]),
    ("keystore", &["pki"]),
    ("store", &[]),
    ("paper", &[]),
    ("preview", &[]),
    ("authority", &["keystore", "pki", "store"]),
    (
        "signing",
        &["ades", "authority", "keystore", "pki", "store"],
    ),
    (
        "registration",
        &["authority", "keystore", "paper", "signing", "store"],
    ),
    (
        "server",
        &[
            "ades",
            "authority",
            "keystore",
            "paper",
            "pki",
            "preview",
            "registration",
            "signing",
            "store",
        ],
    ),
];

pub fn check(repository: &Repository) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in repository.files("Cargo.toml") {
        let Some(word) = file
            .path
            .strip_prefix("crates/")
            .and_then(|path| path.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == word) else {
            found.push(Finding::new(
                &file.path,
                "a crate that ARCHITECTURE.md and xtask/src/tidy/arrows.rs do not know",
            ));
            continue;
        };
        for (line, used) in our_dependencies(&file.text) {
            if !allowed.contains(&used.as_str()) {
                let what =
                    format!("{word} must not use {used}: the arrow is not in ARCHITECTURE.md");
                found.push(Finding::new(format!("{}:{line}", file.path), what));
            }
        }
    }
    if let Some(text) = repository.read("ARCHITECTURE.md") {
        found.extend(compare(&text));
    }
    found
}

/// Names after `kyso-` in the sections that ship, with their lines from 1. What tests use points anywhere.
fn our_dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut ships = false;
    let mut used = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            ships = line.ends_with("dependencies]") && !line.contains("dev-dependencies");
        } else if ships && let Some(rest) = line.strip_prefix("kyso-") {
            let name: String = rest
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
                .collect();
            used.push((index + 1, name));
        }
    }
    used
}

/// Rows of ARCHITECTURE.md of the form "| `word` | purpose | `a` `b` |": the last column lists what it may use.
fn compare(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (word, allowed) in ARROWS {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{word}` |")));
        let Some(last) =
            row.and_then(|row| row.trim_end().trim_end_matches('|').rsplit('|').next())
        else {
            found.push(Finding::new(
                "ARCHITECTURE.md",
                format!("no row | `{word}` | … | in the table of crates"),
            ));
            continue;
        };
        let mut listed: Vec<&str> = last
            .split_whitespace()
            .map(|name| name.trim_matches(['`', ',']))
            .collect();
        listed.retain(|name| ARROWS.iter().any(|(known, _)| known == name));
        listed.sort_unstable();
        if listed != allowed {
            let what = format!(
                "says that {word} may use {listed:?}; xtask/src/tidy/arrows.rs says {allowed:?}"
            );
            found.push(Finding::new("ARCHITECTURE.md", what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ships_is_an_arrow() {
        let manifest = "[package]\nname = \"kyso-x\"\n[dependencies]\nkyso-pki.workspace = true\nserde = \"1\"\n\
                        [dev-dependencies]\nkyso-server = { path = \"..\" }\n[target.'cfg(unix)'.dependencies]\nkyso-store = \"1\"\n";
        assert_eq!(
            our_dependencies(manifest),
            [(4, "pki".to_owned()), (9, "store".to_owned())]
        );
    }

    #[test]
    fn every_arrow_points_down() {
        let floor = |word: &str| ARROWS.iter().position(|(name, _)| *name == word);
        for (word, allowed) in ARROWS {
            assert!(allowed.is_sorted(), "{word}");
            assert!(
                allowed.iter().all(|used| floor(used) < floor(word)),
                "{word}"
            );
        }
    }

    #[test]
    fn a_page_that_says_otherwise_is_found() {
        let rows: String = ARROWS
            .iter()
            .map(|(word, allowed)| format!("| `{word}` | what for | {} |\n", allowed.join(", ")))
            .collect();
        assert_eq!(compare(&rows), []);
        assert_eq!(
            compare(&rows.replace("what for | pki |", "what for | pki, store |")).len(),
            2
        );
        assert_eq!(compare(&rows.replace("| `paper` |", "| paper |")).len(), 1);
    }
}
