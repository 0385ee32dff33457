//! What the store's refusals are to a caller: mostly "try again", never a table's name.

use super::Problem;

impl From<kyso_store::Error> for Problem {
    fn from(error: kyso_store::Error) -> Self {
        use kyso_store::Error as E;
        let code = match &error {
            E::Unavailable { .. } | E::Contended { .. } => "database-unavailable",
            E::Full { .. } => "database-full",
            E::LedgerProof { .. } => "proof-unavailable",
            E::Conflict { .. } | E::LeaseLost { .. } => "conflict",
            _ => "internal",
        };
        Problem::new(code).because(crate::worker::chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_too_far_from_its_checkpoint_has_a_code_of_its_own() {
        let problem = Problem::from(kyso_store::Error::LedgerProof { position: 1 });
        assert_eq!(problem.code(), "proof-unavailable");
    }
}
