//! A credential's states and the transitions between them. Pure.

use std::fmt;

use kyso_authority::CertificateId;
use kyso_keystore::{Consent, DeviceKey, DeviceSignature, SealedPin};
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::name::SubjectName;

use crate::{BindingId, CredentialId, DeviceId, PortalId};

/// Where a credential is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialState {
    /// Being made: key, certificate, device and PIN, acceptance. May sign its acceptance only.
    Opening,
    /// May sign.
    Active,
    /// Held (certificateHold): signs nothing until resumed.
    Suspended,
    /// For good: the key material is destroyed.
    Revoked,
    /// The certificate's end has passed.
    Expired,
    /// Opening was given up.
    Failed,
}

/// What happens to a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialEvent {
    /// The acceptance was signed with the new key.
    Accepted,
    Suspend,
    Resume,
    Revoke,
    Expire,
    /// Opening cannot be completed (refused certificate, enrolment withdrawn).
    GiveUp,
}

impl CredentialState {
    /// Every one of them, in the order of life.
    pub const ALL: [CredentialState; 6] = [
        CredentialState::Opening,
        CredentialState::Active,
        CredentialState::Suspended,
        CredentialState::Revoked,
        CredentialState::Expired,
        CredentialState::Failed,
    ];

    /// The word stored in the row and spoken by the API.
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialState::Opening => "opening",
            CredentialState::Active => "active",
            CredentialState::Suspended => "suspended",
            CredentialState::Revoked => "revoked",
            CredentialState::Expired => "expired",
            CredentialState::Failed => "failed",
        }
    }

    /// The value a stored word means; `None` for a word no version of ours wrote.
    pub fn from_stored(word: &str) -> Option<CredentialState> {
        CredentialState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// A person has at most one credential in these states (partial unique index on the citizen).
    pub fn is_live(self) -> bool {
        matches!(
            self,
            CredentialState::Opening | CredentialState::Active | CredentialState::Suspended
        )
    }

    /// Whether `event` would change nothing, because it has happened.
    pub fn is_already(self, event: CredentialEvent) -> bool {
        use CredentialEvent as E;
        use CredentialState as S;
        matches!(
            (self, event),
            (S::Active, E::Accepted | E::Resume)
                | (S::Suspended, E::Suspend)
                | (S::Revoked, E::Revoke)
                | (S::Expired, E::Expire)
                | (S::Failed, E::GiveUp)
        )
    }

    /// The state after `event`, or `None` where the event has no place.
    pub fn after(self, event: CredentialEvent) -> Option<CredentialState> {
        use CredentialEvent as E;
        use CredentialState as S;
        match (self, event) {
            (S::Opening, E::Accepted) => Some(S::Active),
            (S::Opening, E::GiveUp) => Some(S::Failed),
            (S::Active, E::Suspend) => Some(S::Suspended),
            (S::Suspended, E::Resume) => Some(S::Active),
            (S::Opening | S::Active | S::Suspended, E::Revoke) => Some(S::Revoked),
            (S::Active | S::Suspended, E::Expire) => Some(S::Expired),
            _ => None,
        }
    }
}

impl fmt::Display for CredentialState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What registration says to open a credential. The same `enrolment` always gives the same one.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The enrolment that ends in this credential: the idempotency key.
    pub enrolment: String,
    /// The registration crate's citizen id: one live credential each.
    pub citizen: String,
    /// Twelve digits, as portals name the signer. Also in `subject` as `CCCD:…`.
    pub identity_number: String,
    pub subject: SubjectName,
    pub algorithm: KeyAlgorithm,
    /// When the plan ends, milliseconds since 1970: the certificate ends no later.
    pub plan_end_at: i64,
    /// Signatures the plan includes; `None` is unlimited.
    pub units: Option<i64>,
    /// Portals named free by the citizen's campaign: signatures there cost no unit.
    pub free_portals: Vec<PortalId>,
}

/// A credential as its row says, without key material.
#[derive(Debug, Clone)]
pub struct Credential {
    pub id: CredentialId,
    pub enrolment: String,
    pub citizen: String,
    pub identity_number: String,
    pub state: CredentialState,
    pub algorithm: KeyAlgorithm,
    pub plan_end_at: i64,
    /// The citizen's certificate, DER, once issued.
    pub certificate: Option<Vec<u8>>,
    /// Lower-case hex of the certificate's serial number, once issued.
    pub serial: Option<String>,
    /// The authority's id of the certificate, once issued.
    pub certificate_id: Option<CertificateId>,
    pub not_before_at: Option<i64>,
    pub not_after_at: Option<i64>,
    /// When the device and PIN were bound.
    pub bound_at: Option<i64>,
    pub activated_at: Option<i64>,
    /// When five wrong PINs locked the key; `None` while it is usable.
    pub pin_locked_at: Option<i64>,
    /// `None` is unlimited.
    pub units_left: Option<i64>,
    /// Why it is suspended or ended, as a code.
    pub reason: Option<String>,
    pub created_at: i64,
}

/// Why a device and PIN are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindingPurpose {
    /// The first device and PIN, while the credential is opening.
    First,
    /// A new phone (a new PIN comes with it).
    DeviceChange,
    /// The same phone, a new PIN.
    PinChange,
}

impl BindingPurpose {
    /// The word stored in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            BindingPurpose::First => "first",
            BindingPurpose::DeviceChange => "device-change",
            BindingPurpose::PinChange => "pin-change",
        }
    }

    /// The value a stored word means; `None` for a word no version of ours wrote.
    pub fn from_stored(word: &str) -> Option<BindingPurpose> {
        [
            BindingPurpose::First,
            BindingPurpose::DeviceChange,
            BindingPurpose::PinChange,
        ]
        .into_iter()
        .find(|purpose| purpose.as_str() == word)
    }
}

/// What a phone sends to bind itself: stored by the web role, executed by the worker.
#[derive(Debug, Clone)]
pub struct BindingIntention {
    /// Canonical bytes of the `kyso.binding.v1` statement.
    pub statement: Vec<u8>,
    pub device: DeviceKey,
    /// By the new device key over the statement.
    pub signature: DeviceSignature,
    /// The PIN, sealed to the keystore's approval key with the statement's digest as associated data; for a first binding the code
    /// that was sent is sealed with it.
    pub sealed_pin: SealedPin,
    /// For a change of device or PIN: the device in force signs the same statement, and the PIN in force is sealed for it.
    pub consent: Option<Consent>,
}

/// Where a stored binding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingState {
    /// Waiting for the worker.
    Pending,
    /// The device and PIN are in force.
    Bound,
    /// With a stable code: `pin-weak`, `code-wrong`, `wrong-pin`, `device-already-bound`, …
    Refused { code: String },
}

/// A stored binding as the phone polls it.
#[derive(Debug, Clone)]
pub struct Binding {
    pub id: BindingId,
    pub credential: CredentialId,
    /// The id the device has once bound; the phone names it in its session statements.
    pub device: DeviceId,
    pub state: BindingState,
    /// After a wrong code or a wrong current PIN: how many tries are left.
    pub tries_left: Option<i64>,
    pub created_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transition_is_the_drawn_one_and_no_other() {
        use CredentialEvent as E;
        use CredentialState as S;
        let drawn = [
            (S::Opening, E::Accepted, S::Active),
            (S::Opening, E::GiveUp, S::Failed),
            (S::Opening, E::Revoke, S::Revoked),
            (S::Active, E::Suspend, S::Suspended),
            (S::Active, E::Revoke, S::Revoked),
            (S::Active, E::Expire, S::Expired),
            (S::Suspended, E::Resume, S::Active),
            (S::Suspended, E::Revoke, S::Revoked),
            (S::Suspended, E::Expire, S::Expired),
        ];
        for state in S::ALL {
            for event in [
                E::Accepted,
                E::Suspend,
                E::Resume,
                E::Revoke,
                E::Expire,
                E::GiveUp,
            ] {
                let expected = drawn
                    .iter()
                    .find(|(from, by, _)| *from == state && *by == event)
                    .map(|(_, _, to)| *to);
                assert_eq!(state.after(event), expected, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        for state in CredentialState::ALL {
            assert_eq!(CredentialState::from_stored(state.as_str()), Some(state));
        }
        assert_eq!(CredentialState::from_stored("accepting"), None);
    }
}
