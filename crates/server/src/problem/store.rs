//! What the store's refusals are to a caller: mostly "try again", never a table's name.

use super::Problem;

impl From<kyso_store::Error> for Problem {
    fn from(error: kyso_store::Error) -> Self {
        use kyso_store::Error as E;
        let code = match &error {
            E::Unavailable { .. } | E::Contended { .. } => "database-unavailable",
            E::Full { .. } => "database-full",
            E::Conflict { .. } | E::LeaseLost { .. } => "conflict",
            _ => "internal",
        };
        Problem::new(code).because(crate::worker::chain(&error))
    }
}
