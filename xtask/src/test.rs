//! `cargo xtask test`: everything but a browser, in the order in which a mistake is found soonest.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::repository::Repository;
use crate::shell::{cannot_run, cargo, run};
use crate::{Failure, demo, setup, tidy, web};

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
    let with_web = with_peers || web::has_npm();
    if with_web {
        // First, because the server takes it in.
        phase(&mut phases, "web build", || web::build(repository))?;
        phase(&mut phases, "web size", || web::size(repository))?;
    }
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
    if with_web {
        web(repository, &mut phases, &mut tally)?;
    } else {
        println!("\nskipped: npm");
    }
    phase(&mut phases, "demo", || demo_twice(repository, with_peers))?;
    Ok(report(&phases, &tally))
}

/// What the web application asks of itself, without a browser: formatting and types, rules.
fn web(repository: &Repository, phases: &mut Vec<Phase>, tally: &mut Tally) -> Result<(), Failure> {
    phase(phases, "web setup", || web::install(repository))?;
    phase(phases, "web lints", || {
        run(&mut web::npm(repository, &["run", "check"]))
    })?;
    phase(phases, "web tests", || {
        tally.run(&mut web::npm(repository, &["test"]))
    })
}

/// The demo as a newcomer runs it, and again in the same folder: it ends well and, where they are, every judge has spoken.
fn demo_twice(repository: &Repository, with_judges: bool) -> Result<bool, Failure> {
    let folder = repository.target().join("demo-test");
    let _ = std::fs::remove_dir_all(&folder);
    let Some(folder) = folder.to_str() else {
        return Err(Failure::said("the target folder has no name in UTF-8"));
    };
    for _ in 0..2 {
        let Some(mut demo) = demo::prepared(repository, &["--exit", "--dir", folder])? else {
            return Ok(false);
        };
        let (ok, told) = repeat(&mut demo)?;
        let words_of_judges = [
            "Signature is Valid.",
            "Certificate is Trusted.",
            "judged VALID",
            ": good",
        ];
        let missing = words_of_judges.iter().find(|word| !told.contains(**word));
        if let Some(missing) = missing.filter(|_| with_judges) {
            println!("the demo does not say `{missing}`");
            return Ok(false);
        }
        if !ok {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs a program, repeats its lines, and keeps them.
fn repeat(program: &mut Command) -> Result<(bool, String), Failure> {
    let mut told = String::new();
    let ok = lines_of(program, |line| {
        told.push_str(line);
        told.push('\n');
    })?;
    Ok((ok, told))
}

/// Runs a program, repeats each line of its standard output and hands it on; `false` when it failed.
fn lines_of(program: &mut Command, mut heard: impl FnMut(&str)) -> Result<bool, Failure> {
    let mut running = program
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_run(program, &error))?;
    if let Some(said) = running.stdout.take() {
        for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            heard(&line);
        }
    }
    running
        .wait()
        .map(|status| status.success())
        .map_err(|error| cannot_run(program, &error))
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
    /// Runs a program of tests, repeats what it says, and counts.
    fn run(&mut self, tests: &mut Command) -> Result<bool, Failure> {
        lines_of(tests, |line| self.read(line))
    }

    /// Cargo's `test result: ok. 5 passed; 0 failed; …` and `test name ... FAILED`; vitest's `Tests  1 failed | 5 passed (6)` and
    /// `FAIL  file > name`.
    fn read(&mut self, line: &str) {
        let counts = line.strip_prefix("test result: ");
        if let Some(counts) = counts.or_else(|| line.trim_start().strip_prefix("Tests  ")) {
            self.passed += count(counts, " passed");
            self.failed += count(counts, " failed");
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.names.push(name.to_owned());
        } else if let Some(name) = line.trim_start().strip_prefix("FAIL  ") {
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
            "      Tests  2 failed | 40 passed (42)",
            " FAIL  src/rules/date.test.ts > a date of the future is refused",
            " Test Files  1 failed | 5 passed (6)",
            "test result: nonsense",
        ] {
            tally.read(line);
        }
        assert_eq!(
            tally,
            Tally {
                passed: 55,
                failed: 3,
                names: vec![
                    "a::c".into(),
                    "src/rules/date.test.ts > a date of the future is refused".into()
                ]
            }
        );
    }
}
