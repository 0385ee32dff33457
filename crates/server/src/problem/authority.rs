//! What the authority's refusals are to a caller.

use super::Problem;

impl From<kyso_authority::Error> for Problem {
    fn from(error: kyso_authority::Error) -> Self {
        use kyso_authority::Error as E;
        match error {
            E::Store(error) => error.into(),
            E::Keystore(error) => error.into(),
            E::NoServiceKey { .. } => Problem::new("authority-not-ready").because(error),
            E::NoCertificate { .. } => Problem::new("not-found").because(error),
            E::Standing { .. } | E::Expired { .. } => {
                Problem::new("certificate-state").because(error)
            }
            E::Reason { .. } => Problem::new("body-malformed").with_field("reason", "unknown"),
            other => Problem::internal(crate::worker::chain(&other)),
        }
    }
}
