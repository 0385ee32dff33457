//! What the keystore's refusals are to a caller.

use kyso_keystore::Refusal;

use super::Problem;

impl From<kyso_keystore::Error> for Problem {
    fn from(error: kyso_keystore::Error) -> Self {
        use kyso_keystore::Error as E;
        match &error {
            E::Busy { .. } => Problem::new("keystore-busy").retry_after(1),
            E::Unavailable { .. } | E::NoBackend { .. } => {
                Problem::new("keystore-unavailable").retry_after(5)
            }
            E::Refused(refusal) => refusal.clone().into(),
            E::Locked { .. } => Problem::new("pin-locked"),
            E::PinWeak => Problem::new("pin-weak"),
            _ => Problem::internal(crate::worker::chain(&error)),
        }
    }
}

impl From<Refusal> for Problem {
    /// An approval or binding that was refused: one code on the wire, the rule that was broken as its field.
    fn from(refusal: Refusal) -> Self {
        let rule = match &refusal {
            Refusal::Malformed { .. } => "malformed",
            Refusal::NotCanonical => "not-canonical",
            Refusal::Expired { .. } => "expired",
            Refusal::FutureDated { .. } => "future-dated",
            Refusal::TooLong { .. } => "too-long-lived",
            Refusal::DeviceSignature { .. } => "device-signature",
            Refusal::Other { .. } => "other-subject",
            Refusal::Count { .. } => "document-count",
            Refusal::Document { .. } => "document",
        };
        Problem::new("approval-refused")
            .with_field("statement", rule)
            .because(refusal)
    }
}
