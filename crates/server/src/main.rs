//! The `kyso` binary: everything is in the library, so that tests start the same server in process.

use std::process::ExitCode;

fn main() -> ExitCode {
    kyso_server::cli::run()
}
