//! The web applications, built and checked by npm as a developer does it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::Failure;
use crate::repository::Repository;
use crate::shell::{cannot_run, cargo, run, which};

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
             To test without it:  cargo xtask test --without-peers",
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

/// Builds the citizen's application unless it is built as it stands; the next build of the server takes it in.
pub fn build(repository: &Repository) -> Result<bool, Failure> {
    if is_built(repository) {
        return Ok(true);
    }
    Ok(install(repository)? && run(&mut npm(repository, &["run", "build"]))?)
}

/// Prints what a first visit loads, gzipped; `false` above the limits, which stand in `web/citizen/tools/size.mjs`.
pub fn size(repository: &Repository) -> Result<bool, Failure> {
    Ok(build(repository)? && run(&mut npm(repository, &["run", "size"]))?)
}

/// Walks through the application in a browser, in front of the real server.
pub fn e2e(repository: &Repository) -> Result<bool, Failure> {
    Ok(stage(repository)? && run(&mut browser(repository, &["run", "e2e"]))?)
}

/// Goes the whole way in old engines: those named, or all there are.
pub fn old_browsers(repository: &Repository, engines: &[&str]) -> Result<bool, Failure> {
    if engines.iter().any(|engine| !ENGINES.contains(engine)) {
        return Err(Failure::Usage);
    }
    if !stage(repository)? {
        return Ok(false);
    }
    let wanted = if engines.is_empty() { ENGINES } else { engines };
    let mut are_good = true;
    for engine in wanted {
        println!("\n== Chromium {engine}");
        are_good &= run(&mut browser(repository, &["run", "e2e:old", "--", engine]))?;
    }
    Ok(are_good)
}

/// Versions of Chromium that `web/citizen/e2e/old.mjs` knows where to get.
const ENGINES: &[&str] = &["64", "72", "92", "106"];

/// Builds what a browser's tests stand on: the application, and the server with it inside.
fn stage(repository: &Repository) -> Result<bool, Failure> {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into());
    if !Path::new(&chromium).exists() {
        return Err(Failure::said(format!(
            "There is no browser at {chromium}. On Debian: apt-get install chromium; elsewhere set CHROMIUM to one."
        )));
    }
    let packages = ["kyso-server", "kyso-catcher", "kyso-portal"];
    let arguments = packages.iter().flat_map(|package| ["-p", package]);
    Ok(build(repository)? && run(cargo(repository.root()).arg("build").args(arguments))?)
}

/// npm for a browser's tests, which start the binaries that were just built.
fn browser(repository: &Repository, arguments: &[&str]) -> Command {
    let mut npm = npm(repository, arguments);
    npm.env("KYSO_BINARIES", repository.target().join("debug"));
    npm
}

/// Whether what was built is younger than everything it is made of. The compressed page is what is written last.
fn is_built(repository: &Repository) -> bool {
    let sources = [
        "web/package-lock.json",
        "web/citizen/index.html",
        "web/citizen/package.json",
        "web/citizen/public",
        "web/citizen/src",
        "web/citizen/tools",
        "web/citizen/vite.config.ts",
    ];
    let newest = sources.map(|path| youngest(&repository.path(path)));
    let built = youngest(&repository.path("web/citizen/dist/index.html.br"));
    built.is_some() && newest.into_iter().all(|source| source < built)
}

/// When the file, or the youngest below the folder, was written.
fn youngest(path: &Path) -> Option<SystemTime> {
    let Ok(entries) = fs::read_dir(path) else {
        return fs::metadata(path).and_then(|file| file.modified()).ok();
    };
    let entries = entries.flatten();
    entries.filter_map(|entry| youngest(&entry.path())).max()
}

fn is_current(stamp: &Path, lock: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|installed| installed == lock)
}
