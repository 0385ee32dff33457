//! Running other programs, and saying in one line what is being run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;

/// The cargo that started us.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Runs to the end with our own terminal; `false` when it failed.
pub fn run(command: &mut Command) -> Result<bool, Failure> {
    command
        .status()
        .map(|status| status.success())
        .map_err(|error| cannot_run(command, &error))
}

/// Runs quietly; `true` when it succeeded.
pub fn succeeds(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The text a program prints, if it succeeds.
pub fn text_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where a program is on the PATH.
pub fn which(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// The failure to start a program, in words.
pub fn cannot_run(command: &Command, error: &std::io::Error) -> Failure {
    Failure::said(format!(
        "cannot run {}: {error}",
        command.get_program().to_string_lossy()
    ))
}
