//! Installs what the tests need besides Rust: other people's programs, to be judged by, and a Python environment.

use std::fs;
use std::process::Command;

use crate::Failure;
use crate::repository::Repository;
use crate::shell::{cannot_run, run, succeeds, text_of, which};

/// A program the tests call, and the Debian package it comes with.
struct Peer<'a> {
    package: &'a str,
    program: &'a str,
}

/// Installs what is missing, or says exactly what to install.
pub fn setup(repository: &Repository) -> Result<(), Failure> {
    let list = repository
        .read("dev/debian-packages.txt")
        .ok_or_else(|| Failure::said("dev/debian-packages.txt is missing"))?;
    let missing: Vec<Peer> = peers(&list)
        .filter(|peer| !is_there(peer.program))
        .collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    make_venv(repository)
}

/// `package program` on each line; `#` begins a comment.
fn peers(list: &str) -> impl Iterator<Item = Peer<'_>> {
    list.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        Some(Peer {
            package: words.next()?,
            program: words.next()?,
        })
    })
}

fn is_there(program: &str) -> bool {
    match program {
        // Debian keeps the server's programs off the PATH.
        "initdb" => which(program).is_some() || has_debian_postgres(),
        "python3-venv" => succeeds("python3", &["-c", "import venv, ensurepip"]),
        library if library.ends_with(".so") => ["/usr/lib", "/usr/local/lib"]
            .iter()
            .any(|folder| fs::metadata(format!("{folder}/{library}")).is_ok()),
        program => which(program).is_some(),
    }
}

fn has_debian_postgres() -> bool {
    fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut versions| {
        versions.any(|version| version.is_ok_and(|v| v.path().join("bin/initdb").is_file()))
    })
}

fn install(missing: &[Peer]) -> Result<(), Failure> {
    let packages: Vec<&str> = missing.iter().map(|peer| peer.package).collect();
    let is_root = text_of("id", &["-u"]).is_some_and(|id| id == "0");
    if which("apt-get").is_none() || !is_root {
        let programs: Vec<&str> = missing.iter().map(|peer| peer.program).collect();
        return Err(Failure::said(format!(
            "The tests call programs that are not here: {}.\n\
             On Debian or Ubuntu:  sudo apt-get install {}\n\
             Elsewhere install the same programs by their own names.\n\
             To run without them:  cargo xtask test --without-peers",
            programs.join(", "),
            packages.join(" ")
        )));
    }
    println!("installing {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        run(&mut apt)
    };
    // A list that is out of date, or an empty one, is the only usual reason for the first try to fail.
    let install = [
        &["install", "--yes", "--quiet", "--no-install-recommends"],
        packages.as_slice(),
    ]
    .concat();
    if apt(&install)? || (apt(&["update", "--quiet"])? && apt(&install)?) {
        Ok(())
    } else {
        Err(Failure::said(format!(
            "apt-get could not install {}",
            packages.join(" ")
        )))
    }
}

/// Makes `target/venv` from `dev/python/requirements.txt`, again when the list changed.
fn make_venv(repository: &Repository) -> Result<(), Failure> {
    let Some(wanted) = repository.read("dev/python/requirements.txt") else {
        return Ok(());
    };
    let venv = repository.venv();
    let stamp = venv.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("making the Python environment {}", venv.display());
    let python = venv.join("bin/python");
    if !python.is_file() && !succeeds("python3", &["-m", "venv", &venv.to_string_lossy()]) {
        return Err(Failure::said(format!(
            "python3 -m venv {} failed",
            venv.display()
        )));
    }
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ])
    .arg(repository.path("dev/python/requirements.txt"));
    if !run(&mut pip)? {
        return Err(Failure::said(
            "pip could not install dev/python/requirements.txt",
        ));
    }
    fs::write(&stamp, wanted).map_err(|error| cannot_run(&pip, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_without_its_comments() {
        let read: Vec<_> = peers("# all\npoppler-utils pdftotext # reads\n\nqpdf  qpdf\nlonely\n")
            .map(|peer| (peer.package.to_owned(), peer.program.to_owned()))
            .collect();
        assert_eq!(
            read,
            [
                ("poppler-utils".into(), "pdftotext".into()),
                ("qpdf".into(), "qpdf".to_string())
            ]
        );
    }
}
