//! The project's own commands: `cargo xtask <command>`. Not shipped.
//!
//! Only the standard library, so that it builds in a second and runs on a machine that has nothing but Rust.

mod demo;
mod repository;
mod setup;
mod shell;
mod test;
mod tidy;
mod web;

use std::process::ExitCode;

use repository::Repository;

const USAGE: &str = "\
cargo xtask <command>

  demo [--exit] [--dir DIR]    the whole mission in the terminal; --exit ends when the story is told
  test [--without-peers]       set up, then formatting, tidiness, lints, every test on every backend, the web application, the demo
  web                          build the citizen's web application, which the next build of the server takes in; needs Node
  size                         what a first visit loads; fails above 80 KB, or 45 KB for the entry script, gzipped
  e2e                          the web application in a browser, against the real server; needs Chromium
  old-browsers [64 72 92 106]  the whole way in engines of years ago, fetched by npm; all of them when none is named
  bench [...]                  ratios of one run, side by side with the machine's raw speed
  setup                        only install what the tests need
  tidy                         only the rules of the house, and the longest files and functions
  help                         this text";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let repository = Repository::here();
    let ran = match arguments.as_slice() {
        ["demo", rest @ ..] => demo::demo(&repository, rest),
        ["bench", rest @ ..] => demo::bench(&repository, rest),
        ["web"] => web::build(&repository),
        ["size"] => web::size(&repository),
        ["e2e"] => web::e2e(&repository),
        ["old-browsers", engines @ ..] => web::old_browsers(&repository, engines),
        ["test"] => test::test(&repository, true),
        ["test", "--without-peers"] => test::test(&repository, false),
        ["setup"] => setup::setup(&repository).map(|()| true),
        ["tidy"] => Ok(tidy::tidy(&repository)),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(true)
        }
        _ => Err(Failure::Usage),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Usage) => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Said(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Why a command could not be carried out.
#[derive(Debug)]
enum Failure {
    /// The arguments are none of ours.
    Usage,
    /// In words for whoever sits at the terminal.
    Said(String),
}

impl Failure {
    fn said(why: impl Into<String>) -> Self {
        Self::Said(why.into())
    }
}
