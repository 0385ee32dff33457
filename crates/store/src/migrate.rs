//! Migrations.

/// One step of the schema, from `migrations/<id>_<name>.sql`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `YYYYMMDDHHMMSS`.
    pub id: i64,
    /// `verb_table_what`.
    pub name: &'static str,
    /// Statements both databases understand.
    pub sql: &'static str,
}

/// Every migration of this binary, in order.
pub const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));
