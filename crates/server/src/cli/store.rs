//! `kyso store` and `kyso verify-store`: the rows as a whole.

use clap::Subcommand;
use kyso_store::{Clock, Options, Store as Database};

use super::{Outcome, console};
use crate::config::Loaded;
use crate::platform::{self, Platform};

/// Verbs on the database.
#[derive(Subcommand)]
pub enum Store {
    /// Copy everything into another, empty database: from SQLite to PostgreSQL, for instance. Stop the server first.
    Copy {
        /// URL of the other database.
        #[arg(long)]
        to: String,
    },
}

impl Store {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let Self::Copy { to } = self;
        let from = platform::open_store(loaded, Clock::System).await?;
        let target = Database::open_with(&to, Options::default()).await?;
        target.migrate(kyso_store::MIGRATIONS).await?;
        let rows = from
            .copy_to(&target, |table, rows| {
                console::progress(rows, rows.max(1), &format!("rows of {table}"))
            })
            .await?;
        console::done(&format!(
            "{rows} rows copied; set database.url and start the server on it"
        ));
        Ok(true)
    }
}

/// Checks every invariant of the stored data and prints what was counted.
pub async fn verify(loaded: &Loaded) -> Outcome {
    let platform = Platform::open(loaded).await?;
    let mut whole = true;
    let signing = platform.signing.verify().await?;
    let registration = platform.registration.verify().await?;
    let counts = signing
        .counts
        .iter()
        .map(|(name, count)| (name.to_string(), count));
    for (name, count) in counts.chain(
        registration
            .counts
            .iter()
            .map(|(name, count)| (name.to_string(), count)),
    ) {
        say!("{count:>10}  {name}");
    }
    let broken = signing.broken.iter().map(|b| (b.invariant, &b.message));
    for (invariant, message) in broken.chain(
        registration
            .broken
            .iter()
            .map(|b| (b.invariant, &b.message)),
    ) {
        console::fault(&format!("{invariant}: {message}"));
        whole = false;
    }
    if platform.authority.ledger_key().await.is_ok() {
        let published = kyso_store::ledger::published(&platform.store)?;
        whole &= super::ledger::verify(&platform, published.as_deref()).await?;
    }
    if whole {
        console::done("every invariant holds");
    }
    Ok(whole)
}
