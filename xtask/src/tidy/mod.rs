//! The rules of the house that the compiler does not know, checked by reading the text. Each rule says where and why.
//!
//! Kept simple on purpose: a line-by-line look that a person can follow, not a parser.

mod arrows;
mod failpoints;
mod places;
mod shape;
mod sizes;
mod source;
mod supply;

use crate::repository::Repository;
use source::Source;

/// Something a rule found.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// File from the root, with a line where there is one.
    pub place: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }

    fn at(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{}:{}", source.path, line + 1), what)
    }
}

/// Checks every rule, prints what was found and where to look; `true` when nothing is wrong.
pub fn tidy(repository: &Repository) -> bool {
    let sources = sources(repository);
    let found = findings(repository, &sources);
    for Finding { place, what } in &found {
        println!("{place}: {what}");
    }
    sizes::print_longest(&sources);
    println!("{} files read, {} findings", sources.len(), found.len());
    found.is_empty()
}

fn sources(repository: &Repository) -> Vec<Source> {
    repository
        .files(".rs")
        .into_iter()
        .map(Source::from)
        .collect()
}

fn findings(repository: &Repository, sources: &[Source]) -> Vec<Finding> {
    let mut found = arrows::check(repository);
    found.extend(shape::check(repository, sources));
    found.extend(supply::check(repository));
    found.extend(failpoints::check(sources));
    found.extend(sources.iter().flat_map(places::check));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let repository = Repository::here();
        let found = findings(&repository, &sources(&repository));
        assert!(found.is_empty(), "{found:#?}");
    }
}
