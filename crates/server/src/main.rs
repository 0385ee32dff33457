//! The `kyso` binary: everything is in the library, so that tests start the same server in process.

use std::process::ExitCode;

/// The system's allocator gives memory back and takes it anew all the time under many threads; see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The child that draws a page is this program too, before it becomes anything else.
    kyso_server::preview::child::run().unwrap_or_else(kyso_server::cli::run)
}
