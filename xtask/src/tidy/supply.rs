//! What may come in from others: the licences, bans and sources of `deny.toml`, held against what cargo lists and `Cargo.lock`.
//!
//! `cargo deny check` reads the same file and also knows advisories; it takes minutes to install, this takes a second and
//! needs no network. Licences are SPDX expressions (SPDX 2.3, annex D), `/` being an older way to write OR.

use std::process::Stdio;

use super::Finding;
use crate::repository::Repository;
use crate::shell::cargo;

const RULES: &str = "deny.toml";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// As `[graph]` of `deny.toml`, without the one whose packages are those of the first.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

pub fn check(repository: &Repository) -> Vec<Finding> {
    let (Some(rules), Some(lock)) = (repository.read(RULES), repository.read("Cargo.lock")) else {
        return vec![Finding::new(RULES, "it or Cargo.lock is missing")];
    };
    let Some(listed) = list(repository) else {
        return vec![Finding::new("Cargo.lock", "cargo tree does not list it")];
    };
    let mut found = judge(&listed, &allowed(&rules), &banned(&rules));
    found.extend(strange_sources(&lock));
    found
}

/// Lines of `name version (more)|licence` of everything that is built, tests included.
fn list(repository: &Repository) -> Option<String> {
    let mut tree = cargo(repository.root());
    tree.args(["tree", "--workspace", "--all-features", "--locked"]);
    tree.args(["--prefix", "none", "--format", "{p}|{l}"]);
    tree.args(TARGETS.iter().flat_map(|target| ["--target", target]));
    let output = tree.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn judge(listed: &str, allowed: &[&str], banned: &[&str]) -> Vec<Finding> {
    // A package that was listed before ends in `(*)`.
    let lines = listed.lines().map(|line| line.trim_end_matches(" (*)"));
    let mut lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut found = Vec::new();
    for line in lines {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        let name = package.split(' ').next().unwrap_or_default();
        if banned.contains(&name) {
            let what = format!("{package} must not be used: {RULES} bans it");
            found.push(Finding::new("Cargo.lock", what));
        }
        if !Expression::of(licence).holds(allowed) {
            let what =
                format!("the licence of {package}, `{licence}`, is none that {RULES} allows");
            found.push(Finding::new("Cargo.lock", what));
        }
    }
    found
}

fn strange_sources(lock: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in lock.lines().enumerate() {
        if let Some(source) = line.strip_prefix("source = ")
            && source.trim_matches('"') != REGISTRY
        {
            let place = format!("Cargo.lock:{}", index + 1);
            found.push(Finding::new(
                place,
                format!("a source that {RULES} denies: {source}"),
            ));
        }
    }
    found
}

/// The strings of `allow = […]`, one on each line.
fn allowed(rules: &str) -> Vec<&str> {
    let lines = rules.lines().skip_while(|line| *line != "allow = [");
    let lines = lines.skip(1).take_while(|line| *line != "]");
    lines.filter_map(|line| line.split('"').nth(1)).collect()
}

/// The names of `deny = [{ crate = "…", … }]`, one on each line.
fn banned(rules: &str) -> Vec<&str> {
    let lines = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \""));
    lines.filter_map(|rest| rest.split('"').next()).collect()
}

/// A licence expression, read from the left.
struct Expression<'a>(Vec<&'a str>);

impl<'a> Expression<'a> {
    fn of(text: &'a str) -> Self {
        let mut words = Vec::new();
        for word in text.split_inclusive(['(', ')', '/', ' ']) {
            let name = word.trim_end_matches(['(', ')', '/', ' ']);
            words.extend([name, word[name.len()..].trim()]);
        }
        words.retain(|word| !word.is_empty());
        words.reverse();
        Self(words)
    }

    /// Whether what is allowed suffices for it. An expression that cannot be read, or none at all, does not hold.
    fn holds(mut self, allowed: &[&str]) -> bool {
        self.any(allowed) == Some(true) && self.0.is_empty()
    }

    fn any(&mut self, allowed: &[&str]) -> Option<bool> {
        let mut holds = self.all(allowed)?;
        while self.take("OR") || self.take("/") {
            holds |= self.all(allowed)?;
        }
        Some(holds)
    }

    fn all(&mut self, allowed: &[&str]) -> Option<bool> {
        let mut holds = self.one(allowed)?;
        while self.take("AND") {
            holds &= self.one(allowed)?;
        }
        Some(holds)
    }

    fn one(&mut self, allowed: &[&str]) -> Option<bool> {
        if self.take("(") {
            let holds = self.any(allowed)?;
            return self.take(")").then_some(holds);
        }
        let licence = self.0.pop()?;
        if !self.take("WITH") {
            return Some(allowed.contains(&licence));
        }
        let excepted = format!("{licence} WITH {}", self.0.pop()?);
        Some(allowed.contains(&excepted.as_str()))
    }

    fn take(&mut self, word: &str) -> bool {
        self.0.pop_if(|next| *next == word).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [&str; 3] = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];

    #[test]
    fn a_licence_is_allowed_if_one_of_its_choices_is_allowed_whole() {
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "Unlicense/MIT",
            "GPL-3.0 / MIT",
            "MIT AND (GPL-2.0 OR ISC)",
            "GPL-2.0 AND BSD-3-Clause OR MIT",
            "(MIT OR GPL-2.0) AND (ISC OR Zlib)",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(Expression::of(good).holds(&ALLOWED), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT ISC",
            "Apache-2.0",
            "GPL-2.0 OR Apache-2.0 WITH Other-exception",
            "MIT AND (GPL-2.0 OR Zlib)",
        ] {
            assert!(!Expression::of(bad).holds(&ALLOWED), "{bad}");
        }
    }

    #[test]
    fn what_must_not_come_in_is_named() {
        let rules = "[licenses]\nallow = [\n    \"MIT\",\n    \"ISC\", # why\n]\n[bans]\ndeny = [\n    { crate = \"ring\", reason = \"x\" },\n]\n";
        let listed = "good v1.0.0|MIT\n\nring v0.17.0|ISC\ngood v1.0.0|MIT (*)\nours v0.1.0 (/a/b c)|GPL-3.0\n";
        let found = judge(listed, &allowed(rules), &banned(rules));
        let whats: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(
            whats,
            [
                "the licence of ours v0.1.0 (/a/b c), `GPL-3.0`, is none that deny.toml allows",
                "ring v0.17.0 must not be used: deny.toml bans it",
            ]
        );
        let lock = format!("source = \"{REGISTRY}\"\nsource = \"git+https://example/x\"\n");
        assert_eq!(strange_sources(&lock)[0].place, "Cargo.lock:2");
    }
}
