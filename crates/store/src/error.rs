//! Everything that can go wrong below the domain, in words the domain can act on.
//!
//! The same cause is the same variant on both databases. Nothing here carries a bound value: values may be personal.

use crate::id::IdError;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which kind of rule of the schema refused a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A primary key or unique index.
    Unique,
    /// A `CHECK`.
    Check,
    /// A reference to a row that is not there, or still referred to.
    ForeignKey,
    /// `NOT NULL`.
    NotNull,
}

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A guarded change did not meet the rows it expected: somebody else was first, or the state is another.
    #[error("{table}: expected to change {expected} rows, changed {changed}")]
    Conflict {
        /// The table the change was aimed at.
        table: &'static str,
        /// Rows the caller expected.
        expected: u64,
        /// Rows the database reported.
        changed: u64,
    },
    /// The schema refused the write.
    ///
    /// `name` is the index or constraint name (`job_open_key`, `<table>_pkey`, `<table>_<column>_key`), for `NotNull`
    /// `table.column`, and for `ForeignKey` always `foreign_key`, because SQLite does not say which.
    #[error("constraint {name} refused the write")]
    Constraint {
        /// The kind of rule.
        rule: Rule,
        /// The rule's name, the same on both databases.
        name: String,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// [`Tx::one`](crate::Tx::one) found no row.
    #[error("{statement}: no such row")]
    NotFound {
        /// Name of the statement.
        statement: &'static str,
    },
    /// The database cannot be reached, is shutting down, or broke off. Later calls may work.
    ///
    /// During `commit` the outcome is unknown: the caller reads again before it repeats anything.
    #[error("database unavailable during {during}")]
    Unavailable {
        /// `connect`, `begin`, `commit`, or the name of the statement.
        during: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Others hold the rows or the write lock for too long, or two transactions waited for each other. Try again.
    #[error("database contended during {during}")]
    Contended {
        /// As in [`Error::Unavailable`].
        during: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No room: disk full or a quota reached. Nothing was written.
    #[error("database has no room left during {during}")]
    Full {
        /// As in [`Error::Unavailable`].
        during: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The statement is wrong (or a value does not fit it); a defect of ours.
    #[error("{statement}: the database refused the statement")]
    Statement {
        /// Name of the statement.
        statement: &'static str,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// A statement failed earlier in this transaction; nothing but dropping it is possible.
    #[error("the transaction has already failed")]
    Aborted,
    /// A write in a transaction opened with [`Store::read`](crate::Store::read).
    #[error("{statement}: this transaction only reads")]
    ReadOnly {
        /// Name of the statement.
        statement: &'static str,
    },
    /// A column is missing or of another type than asked for.
    #[error("column {column}: expected {expected}, found {found}")]
    Column {
        /// The column asked for.
        column: String,
        /// The type asked for.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// An id in a row or from outside is not what its type says.
    #[error(transparent)]
    Id(#[from] IdError),

    /// The URL names no database we know.
    #[error("database url: {reason}")]
    Url {
        /// What is wrong with it; never the URL, which may hold a password.
        reason: String,
    },
    /// A migration in the database is unknown to this binary: the database is newer.
    #[error(
        "the database has migration {id}_{name}, which this binary does not know; run a newer kyso"
    )]
    DatabaseNewer {
        /// Its id.
        id: i64,
        /// Its name.
        name: String,
    },
    /// The schema is older than this binary.
    #[error(
        "the database lacks {missing} migrations of this binary; run `kyso init` or start with --migrate"
    )]
    NotMigrated {
        /// How many are missing.
        missing: usize,
    },
    /// An applied migration differs from the one in this binary.
    #[error("migration {id}_{name} was edited after it had been applied")]
    MigrationEdited {
        /// Its id.
        id: i64,
        /// Its name.
        name: String,
    },
    /// A migration did not apply; none of this run was kept.
    #[error("migration {id}_{name} failed")]
    MigrationFailed {
        /// Its id.
        id: i64,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// The list of migrations itself is wrong (order, double id).
    #[error("migration list: {reason}")]
    MigrationList {
        /// What is wrong.
        reason: String,
    },

    /// The job was claimed by somebody else after our lease ran out. The transaction must not commit.
    #[error("job {job}: the lease is lost")]
    LeaseLost {
        /// The job's id.
        job: String,
    },

    /// The ledger in the database is older than a checkpoint published outside it: it was restored or truncated.
    #[error(
        "the ledger has {found} sealed entries, the published checkpoint has {published}: the database is older than what was published"
    )]
    LedgerBehind {
        /// Entries the published checkpoint covers.
        published: i64,
        /// Entries sealed in the database.
        found: i64,
    },
    /// The ledger has enough entries, but another history than the published checkpoint.
    #[error("the ledger at entry {size} differs from the published checkpoint")]
    LedgerForked {
        /// Size of the published checkpoint.
        size: i64,
    },
    /// A line of the ledger cannot be led to the checkpoint that covers it: lines are missing, or too many stand in between.
    #[error("the ledger's entry {position} has no short way to its checkpoint")]
    LedgerProof {
        /// Of the line, from 1.
        position: i64,
    },
    /// A signed note (checkpoint) cannot be read.
    #[error("signed note: {reason}")]
    Note {
        /// What is wrong.
        reason: &'static str,
    },
    /// The caller's signing function failed.
    #[error("the checkpoint could not be signed")]
    Sign(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// No blob with this digest.
    #[error("no blob {id}")]
    BlobMissing {
        /// Hex SHA-256.
        id: String,
    },
    /// The bytes stored under this digest have another.
    #[error("blob {id} is damaged")]
    BlobDamaged {
        /// Hex SHA-256.
        id: String,
    },
    /// A sealed blob does not open: other key, other context, or edited.
    #[error("blob {id} does not open with this key and context")]
    BlobSealed {
        /// Hex SHA-256.
        id: String,
    },
    /// The data key file is missing, too open, or of the wrong length.
    #[error("data key file: {reason}")]
    DataKey {
        /// What is wrong.
        reason: String,
    },

    /// A file outside the database could not be read or written.
    #[error("{what}")]
    File {
        /// Which file, for what.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A failpoint asked for an error (tests only).
    #[error("failpoint {0}")]
    Failpoint(String),
    /// Copying between stores stopped.
    #[error("copy: {reason}")]
    Copy {
        /// Why.
        reason: String,
    },
}
