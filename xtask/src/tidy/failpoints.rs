//! Every failpoint is a place at which some test kills: one that no test names proves nothing, and looks as if it did.

use super::{Finding, Source};

/// Failpoints of what ships that no test names. (A name that nobody has kills nobody, which the test that has it notices.)
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let tests: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.starts_with("crates/") && source.path.contains("/tests/"))
        .collect();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_shipped()) {
        for (line, text) in source.code() {
            let Some(name) = failpoint(text) else {
                continue;
            };
            if !tests.iter().any(|test| names(test, name)) {
                let what = format!("no test kills at {name}: add it to a list of a crash test");
                found.push(Finding::at(source, line, what));
            }
        }
    }
    found
}

fn failpoint(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("failpoint!(\"")?;
    rest.split('"').next()
}

/// Whether a test names it, alone or with what is to happen there: `name`, `name#2`, `name:abort`.
fn names(test: &Source, name: &str) -> bool {
    test.lines.iter().any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + name.len()..]);
            before.ends_with('"') && after.starts_with(['"', '#', ':'])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(test: &str) -> usize {
        let source = Source::of("crates/signing/src/a.rs", "failpoint!(\"sign.after\");");
        let test = Source::of("crates/signing/tests/it/crash.rs", test);
        check(&[source, test]).len()
    }

    #[test]
    fn a_failpoint_no_test_kills_at_is_found() {
        assert_eq!(found("const PLACES: [&str; 1] = [\"sign.after\"];"), 0);
        assert_eq!(found("die(\"sign.after#2:abort\");"), 0);
        assert_eq!(found("die(\"sign.after-all\");"), 1);
        assert_eq!(found("die(\"other.sign.after\");"), 1);
        assert_eq!(found(""), 1);
    }
}
