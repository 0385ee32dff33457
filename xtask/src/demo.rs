//! `cargo xtask demo` and `cargo xtask bench`: build, then hand the terminal over.

use std::ffi::OsString;
use std::process::Command;

use crate::Failure;
use crate::repository::Repository;
use crate::shell::{cannot_run, cargo, run};
use crate::web;

/// Builds the product and the demo, and becomes the demo.
pub fn demo(repository: &Repository, rest: &[&str]) -> Result<bool, Failure> {
    prepared(repository, rest)?.map_or(Ok(false), become_it)
}

/// Builds the product and the demo; the demo, to be run. None when the build failed.
pub fn prepared(repository: &Repository, rest: &[&str]) -> Result<Option<Command>, Failure> {
    let mut passed_on: Vec<OsString> = Vec::new();
    let mut arguments = rest.iter();
    while let Some(argument) = arguments.next() {
        match *argument {
            "--exit" => passed_on.push("--exit".into()),
            "--dir" => {
                passed_on.push("--dir".into());
                passed_on.push(arguments.next().ok_or(Failure::Usage)?.into());
            }
            _ => return Err(Failure::Usage),
        }
    }
    // The story is told without the citizen's application too; the demo says so at its end.
    if web::has_npm() && !web::build(repository)? {
        println!("The citizen's web application could not be built; going on without it.");
    }
    let build = [
        "build",
        "--locked",
        "--package",
        "kyso-server",
        "--package",
        "kyso-demo",
    ];
    if !run(cargo(repository.root()).args(build))? {
        return Ok(None);
    }
    let built = repository.target().join("debug");
    let mut demo = Command::new(built.join("kyso-demo"));
    demo.arg("--kyso").arg(built.join("kyso")).args(passed_on);
    let python = repository.venv().join("bin");
    if python.is_dir() {
        demo.arg("--python").arg(python);
    }
    Ok(Some(demo))
}

/// Builds the benchmarks as they would be shipped, and becomes them.
pub fn bench(repository: &Repository, rest: &[&str]) -> Result<bool, Failure> {
    let build = [
        "build",
        "--release",
        "--locked",
        "--package",
        "kyso-server",
        "--package",
        "kyso-bench",
    ];
    if !run(cargo(repository.root()).args(build))? {
        return Ok(false);
    }
    let built = repository.target().join("release");
    let mut bench = Command::new(built.join("kyso-bench"));
    bench
        .arg("--kyso")
        .arg(built.join("kyso"))
        .arg("--json")
        .arg(repository.target().join("bench.json"))
        .args(rest);
    become_it(bench)
}

/// Ctrl-C must reach the program itself, so on Unix there is no parent left between.
#[cfg(unix)]
fn become_it(mut program: Command) -> Result<bool, Failure> {
    use std::os::unix::process::CommandExt;
    let error = program.exec();
    Err(cannot_run(&program, &error))
}

#[cfg(not(unix))]
fn become_it(mut program: Command) -> Result<bool, Failure> {
    run(&mut program)
}
