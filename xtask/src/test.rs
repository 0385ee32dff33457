//! `cargo xtask test`: everything, in the order in which a mistake is found soonest.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::repository::Repository;
use crate::shell::{cannot_run, cargo, run};
use crate::{Failure, setup, tidy};

/// What cargo's test programs said, summed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    names: Vec<String>,
}

struct Phase {
    name: &'static str,
    took: Duration,
    ok: bool,
}

/// Runs every check; `false` when one failed. The last line is always `N passed, N failed`.
pub fn test(repository: &Repository, with_peers: bool) -> Result<bool, Failure> {
    let mut phases = Vec::new();
    let mut tally = Tally::default();
    if with_peers {
        // Without its peers the rest would pass for the wrong reason.
        phase(&mut phases, "setup", || {
            setup::setup(repository).map(|()| true)
        })?;
    }
    phase(&mut phases, "formatting", || {
        run(cargo(repository.root()).args(["fmt", "--all", "--check"]))
    })?;
    phase(&mut phases, "tidiness", || Ok(tidy::tidy(repository)))?;
    phase(&mut phases, "lints", || {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        run(cargo(repository.root()).args(arguments))
    })?;
    phase(&mut phases, "tests", || {
        let mut tests = cargo(repository.root());
        tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        if with_peers {
            tests.env("KYSO_PEERS", "required");
        }
        let ok = tally.run(&mut tests)?;
        // A test program that was killed, or did not compile, has no line of its own.
        tally.failed += u64::from(!ok && tally.failed == 0);
        Ok(ok)
    })?;
    Ok(report(&phases, &tally))
}

fn phase(
    phases: &mut Vec<Phase>,
    name: &'static str,
    work: impl FnOnce() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    println!("\n== {name}");
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a phase took is for whoever waits for it"
    )]
    let began = Instant::now();
    let ok = work()?;
    phases.push(Phase {
        name,
        took: began.elapsed(),
        ok,
    });
    Ok(())
}

fn report(phases: &[Phase], tally: &Tally) -> bool {
    println!();
    for name in &tally.names {
        println!("failed: {name}");
    }
    for Phase { name, took, ok } in phases {
        println!(
            "{name:<12} {:>7.1} s  {}",
            took.as_secs_f64(),
            if *ok { "ok" } else { "FAILED" }
        );
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    phases.iter().all(|phase| phase.ok)
}

impl Tally {
    /// Runs cargo, repeats what it says, and counts.
    fn run(&mut self, tests: &mut Command) -> Result<bool, Failure> {
        let mut running = tests
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| cannot_run(tests, &error))?;
        if let Some(said) = running.stdout.take() {
            for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                self.read(&line);
            }
        }
        running
            .wait()
            .map(|status| status.success())
            .map_err(|error| cannot_run(tests, &error))
    }

    /// `test result: ok. 5 passed; 0 failed; …` and `test name ... FAILED`.
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count(counts, " passed");
            self.failed += count(counts, " failed");
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.names.push(name.to_owned());
        }
    }
}

/// The number before `word`.
fn count(counts: &str, word: &str) -> u64 {
    let before = counts
        .split(word)
        .next()
        .filter(|before| before.len() < counts.len());
    before
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_is_summed() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 11 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "a test result: ok. 9 passed; 9 failed",
            "test result: nonsense",
        ] {
            tally.read(line);
        }
        assert_eq!(
            tally,
            Tally {
                passed: 15,
                failed: 1,
                names: vec!["a::c".into()]
            }
        );
    }
}
