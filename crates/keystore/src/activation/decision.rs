//! What an officer signs: the verdict on one enrolment, over the digest of everything it was decided on.
//!
//! Canonical JSON like the statements of citizens, signed by a key of the same kinds, so that an officer may use a passkey.
//! It names enrolment, round and officer, so it is worth nothing anywhere else.

use serde::{Deserialize, Serialize};

use super::statement::{
    ID_BYTES_MAX, LIFETIME_MS_MAX, check_canonical, check_integer, check_text, check_time,
    check_type, decode, encode, malformed,
};
use crate::activation::Refusal;

/// `type` of a [`DecisionStatement`].
pub const DECISION_TYPE: &str = "kyso.decision.v1";

/// An officer's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionStatement {
    /// Id of the enrolment.
    pub enrolment: String,
    /// Which round of vetting, from 1.
    pub round: i64,
    /// `approve`.
    pub verdict: String,
    /// Id of the officer.
    pub officer: String,
    /// SHA-256 of the canonical dossier.
    pub dossier: [u8; 32],
    /// Milliseconds since 1970.
    pub issued_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDecision {
    dossier: String,
    enrolment: String,
    issued_at: i64,
    officer: String,
    round: i64,
    #[serde(rename = "type")]
    kind: String,
    verdict: String,
}

impl DecisionStatement {
    /// Parses canonical bytes; refuses any other form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: WireDecision = decode(bytes)?;
        check_type(&wire.kind, DECISION_TYPE)?;
        for (what, text) in [
            ("enrolment", &wire.enrolment),
            ("officer", &wire.officer),
            ("verdict", &wire.verdict),
        ] {
            check_text(what, text, ID_BYTES_MAX)?;
        }
        check_integer(wire.issued_at)?;
        check_integer(wire.round)?;
        let mut dossier = [0; 32];
        hex::decode_to_slice(&wire.dossier, &mut dossier)
            .map_err(|_| malformed("dossier is not the hex of 32 bytes"))?;
        let statement = Self {
            enrolment: wire.enrolment,
            round: wire.round,
            verdict: wire.verdict,
            officer: wire.officer,
            dossier,
            issued_at: wire.issued_at,
        };
        check_canonical(bytes, &statement.to_bytes())?;
        Ok(statement)
    }

    /// The canonical bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&WireDecision {
            dossier: hex::encode(self.dossier),
            enrolment: self.enrolment.clone(),
            issued_at: self.issued_at,
            officer: self.officer.clone(),
            round: self.round,
            kind: DECISION_TYPE.to_owned(),
            verdict: self.verdict.clone(),
        })
    }

    /// Refuses a decision that was not made within the five minutes before `now`.
    pub fn check_fresh(&self, now: i64) -> Result<(), Refusal> {
        check_time(now, self.issued_at, self.issued_at + LIFETIME_MS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> DecisionStatement {
        DecisionStatement {
            enrolment: "enr_1".into(),
            round: 1,
            verdict: "approve".into(),
            officer: "off_1".into(),
            dossier: [0xab; 32],
            issued_at: 1_700_000_000_000,
        }
    }

    #[test]
    fn a_decision_has_exactly_these_bytes() {
        let bytes = decision().to_bytes();
        let expected = format!(
            r#"{{"dossier":"{}","enrolment":"enr_1","issued_at":1700000000000,"officer":"off_1","round":1,"type":"kyso.decision.v1","verdict":"approve"}}"#,
            "ab".repeat(32)
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        assert_eq!(DecisionStatement::parse(&bytes).unwrap(), decision());
    }

    #[test]
    fn any_other_form_is_refused() {
        let text = String::from_utf8(decision().to_bytes()).unwrap();
        for other in [
            text.replace("abab", "ABAB"),
            text.replace(":1,", ": 1,"),
            text.replace("kyso.decision.v1", "kyso.session.v1"),
            text.replace("\"round\":1,", "\"round\":-1,"),
            text.replace("off_1", ""),
            text.replace(",\"verdict\":\"approve\"", ""),
            text.replace("\"round\":1,", "\"round\":1,\"second\":1,"),
        ] {
            assert_ne!(other, text);
            assert!(
                DecisionStatement::parse(other.as_bytes()).is_err(),
                "{other}"
            );
        }
    }

    #[test]
    fn a_decision_is_fresh_for_five_minutes() {
        let (decision, at) = (decision(), decision().issued_at);
        decision.check_fresh(at).unwrap();
        decision.check_fresh(at + LIFETIME_MS_MAX - 1).unwrap();
        assert!(decision.check_fresh(at + LIFETIME_MS_MAX).is_err());
        assert!(decision.check_fresh(at - 60_000).is_err());
    }
}
