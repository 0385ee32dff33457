//! `kyso unit`: the provinces and communes that an address may name.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Failure, Outcome, console};
use crate::config::Loaded;
use crate::platform::Platform;

/// Verbs on administrative units.
#[derive(Subcommand)]
pub enum Unit {
    /// Add, change and end the units of a file; all of it or nothing.
    ///
    /// The first line is `code,tier,parent_code,name,valid_from,valid_to,merged_into`, then one unit a line. tier: province,
    /// district or commune. Days are yyyy-mm-dd; valid_to is the first day after the unit's end, empty while it is in force.
    /// merged_into: the codes it became, with spaces between. A line that is there already changes nothing.
    Import {
        /// CSV in UTF-8; docs/samples/units.csv is an example.
        file: PathBuf,
    },
}

impl Unit {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let registration = Platform::open(loaded).await?.registration;
        let Self::Import { file } = self;
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Failure(format!("cannot read {}: {error}", file.display())))?;
        let imported = registration
            .import_units(&text, "cli")
            .await
            .map_err(|error| Failure(format!("{}: {error}", file.display())))?;
        console::done(&format!(
            "{} units added, {} changed, {} mergers",
            imported.added, imported.changed, imported.mergers
        ));
        Ok(true)
    }
}
