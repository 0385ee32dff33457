//! The web applications' own checks, run by npm as a developer runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::repository::Repository;
use crate::shell::{cannot_run, run, which};

/// npm in the folder of the web applications, quiet and without colours, which nobody could count.
pub fn npm(repository: &Repository, arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(repository.path("web")).args(arguments);
    npm.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    npm
}

/// Whether there is a Node to run them with.
pub fn has_npm() -> bool {
    which("npm").is_some()
}

/// Installs exactly what the lock names, again when the lock changed.
pub fn install(repository: &Repository) -> Result<bool, Failure> {
    if !has_npm() {
        return Err(Failure::said(
            "The web application needs Node 20.19 or newer, with npm: https://nodejs.org\n\
             To run without it:  cargo xtask test --without-peers",
        ));
    }
    let stamp = repository.path("web/node_modules/.kyso-lock");
    let lock = repository.read("web/package-lock.json").unwrap_or_default();
    if is_current(&stamp, &lock) {
        return Ok(true);
    }
    let mut install = npm(repository, &["ci", "--no-audit", "--no-fund"]);
    Ok(run(&mut install)?
        && fs::write(&stamp, lock)
            .map(|()| true)
            .map_err(|error| cannot_run(&install, &error))?)
}

fn is_current(stamp: &Path, lock: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|installed| installed == lock)
}
