//! From "who are you" to "you have a credential": citizens, enrolment, vetting, officers, campaigns.
//!
//! An enrolment is one row; every step a citizen takes is on disk when the call returns, so a phone can be closed at
//! any point and go on, on any node. What to do next is computed from the row alone ([`enrolment::next_steps`]).
//!
//! ```text
//! started ──► submitted ──► (vetted) ──► approved ──► certified ──► accepting ──► complete ──► closed
//!   plan         ▲  │          │            │            │             │
//!   owner        │  ├──────────┴► rejected  └────────────┴─────────────┴► failed
//!   payment      │  ▼
//!   activation   supplement
//!   evidence
//!   contract      (started, supplement → abandoned | expired)
//! ```
//! - *vetted*: one of two officers has approved (only where policy asks for two).
//! - *certified*: the certificate exists; the phone and PIN are to be bound.
//! - *accepting*: the acceptance record waits to be signed with the new key.
//! - *closed*: the credential of a complete enrolment has ended; the person may enrol again.
//!
//! # Invariants
//! Each a constraint in the schema and a check in a verb, counted by [`Registration::verify`]:
//! - one person has at most one enrolment that is handed in or complete (`enrolment_one_person`); what was only begun holds
//!   nobody, and nothing is said about a person to whoever has proved no phone or mailbox;
//! - one activation code is live per enrolment; its plain text exists sealed, and only until it is sent;
//! - a campaign has never more places taken than its quota, and exactly those its enrolments hold; before it is handed in, an
//!   enrolment holds one only for a proved telephone number;
//! - what was submitted had every step; what was approved was approved by as many officers as policy asked for, none
//!   of them the person themselves or the one who entered it;
//! - the contract that is in force is the one made from the owner's present fields, signed over its exact digest.
//!
//! This crate holds no key and reaches one only through signing, in verbs that take `&Keystore`.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![warn(missing_docs)]

pub mod campaign;
pub mod citizen;
pub mod enrolment;
mod error;
mod ids;
mod ledger;
pub mod ra;
mod secret;
pub mod task;
pub mod unit;
mod verify;
pub mod vetting;
mod work;

use std::sync::Arc;

use kyso_authority::Authority;
use kyso_signing::Signing;
use kyso_store::{SealedBlobs, Store};

pub use error::{Error, Result};
pub use ids::{
    CitizenId, CodeId, ContractId, DecisionId, EnrolmentId, EvidenceId, OfficerId, ResumptionId,
};
pub use task::Task;
pub use verify::{Broken, Verified};
pub use work::Done;

/// How many codes are sent by one channel, whoever asks: the bill, and the gateway's patience, are the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// In a minute.
    pub minute: i64,
    /// In an hour.
    pub hour: i64,
    /// In a day.
    pub day: i64,
}

/// The rules and names an operator may set. Every field has a safe default.
#[derive(Debug, Clone)]
pub struct RegistrationConfig {
    /// Party A of the contract.
    pub provider: kyso_paper::Provider,
    /// Youngest age of a citizen, in years. Default 14.
    pub age_min: i32,
    /// Officers that must approve: 1 or 2. Default 1.
    pub officers_required: i64,
    /// How old an officer's signature may be when the credential is opened. Default 7 days.
    pub approval_ms: i64,
    /// Largest photo in bytes. Default 8 MiB.
    pub photo_bytes_max: usize,
    /// Algorithm of citizens' keys. Default RSA-2048.
    pub key_algorithm: kyso_signing::KeyAlgorithm,
    /// How long an activation code lives. Default 5 minutes.
    pub code_ms: i64,
    /// How long until the next code may be asked for. Default 45 s.
    pub code_resend_ms: i64,
    /// Tries per code. Default 5.
    pub code_tries: i64,
    /// Codes per enrolment and hour. Default 5.
    pub codes_per_person_hour: i64,
    /// Codes per phone number or address and hour, whoever asks. Default 5.
    pub codes_per_destination_hour: i64,
    /// Codes per calling network and hour. Default 600.
    pub codes_per_network_hour: i64,
    /// How long no phone is bound after an enrolment that was handed in was resumed. Default 24 hours.
    pub resumption_rest_ms: i64,
    /// Codes by SMS in all, and as many again of first bindings. Default 120, 2,000 and 10,000.
    pub sms_budget: Budget,
    /// The same by mail. Default 600, 10,000 and 100,000.
    pub mail_budget: Budget,
    /// First digits, from 0, of telephone numbers that are sent no code. Default none; only Vietnamese mobile numbers are
    /// taken in at all.
    pub sms_prefixes_refused: Vec<String>,
    /// Wrong codes per enrolment and hour. Default 15.
    pub tries_per_person_hour: i64,
    /// Places of campaigns that enrolments not yet handed in hold for one telephone number; more people of one number get
    /// theirs when they hand in. Default 3.
    pub places_per_phone: i64,
    /// How long an officer's lock on a dossier lasts without a touch. Default 10 minutes.
    pub lock_ms: i64,
    /// How long a citizen has to supplement. Default 7 days.
    pub supplement_ms: i64,
    /// How long a started enrolment waits for its citizen. Default 30 days.
    pub started_ms: i64,
    /// How long a certified one waits for phone, PIN and acceptance. Default 30 days.
    pub certified_ms: i64,
    /// How long the bearer token still opens an enrolment that is complete or has ended. Default 7 days.
    pub session_kept_ms: i64,
    /// How long photos are kept of an enrolment that was rejected, abandoned or expired. Default 30 days.
    pub photo_kept_ms: i64,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        const MINUTE: i64 = 60_000;
        const DAY: i64 = 24 * 60 * MINUTE;
        RegistrationConfig {
            provider: kyso_paper::Provider {
                name: "TỔ CHỨC CUNG CẤP DỊCH VỤ CHỨNG THỰC CHỮ KÝ SỐ SÔNG LAM".into(),
                service: "Ký Số".into(),
                address: "1 Đường Ven Sông, Phường Vườn Lài, Thành phố Hồ Chí Minh".into(),
                tax_number: "0100000000".into(),
                licence: "Giấy phép mẫu số 00/GP-MAU".into(),
                representative: "Lê Thị Mẫu".into(),
                position: "Giám đốc".into(),
                hotline: "1900 0000".into(),
                email: "hotro@kyso.example".into(),
                policy_url: "https://kyso.example/cps".into(),
            },
            age_min: 14,
            officers_required: 1,
            approval_ms: 7 * DAY,
            photo_bytes_max: 8 << 20,
            key_algorithm: kyso_signing::KeyAlgorithm::Rsa2048,
            code_ms: 5 * MINUTE,
            code_resend_ms: 45_000,
            code_tries: 5,
            codes_per_person_hour: 5,
            codes_per_destination_hour: 5,
            codes_per_network_hour: 600,
            resumption_rest_ms: DAY,
            sms_budget: Budget {
                minute: 120,
                hour: 2_000,
                day: 10_000,
            },
            mail_budget: Budget {
                minute: 600,
                hour: 10_000,
                day: 100_000,
            },
            sms_prefixes_refused: Vec::new(),
            tries_per_person_hour: 15,
            places_per_phone: 3,
            lock_ms: 10 * MINUTE,
            supplement_ms: 7 * DAY,
            started_ms: 30 * DAY,
            certified_ms: 30 * DAY,
            session_kept_ms: 7 * DAY,
            photo_kept_ms: 30 * DAY,
        }
    }
}

/// The crate's verbs. Cheap to clone.
#[derive(Clone)]
pub struct Registration(Arc<Inner>);

struct Inner {
    store: Store,
    signing: Signing,
    authority: Authority,
    sealed: SealedBlobs,
    config: RegistrationConfig,
}

impl Registration {
    /// Stands on its neighbours; `sealed` opens evidence and contracts. Reads nothing yet.
    pub fn new(
        store: Store,
        signing: Signing,
        authority: Authority,
        sealed: SealedBlobs,
        config: RegistrationConfig,
    ) -> Self {
        Registration(Arc::new(Inner {
            store,
            signing,
            authority,
            sealed,
            config,
        }))
    }

    /// Puts the seed of administrative units into a new database. Idempotent; for `kyso init` and tests.
    pub async fn prepare(&self) -> Result<()> {
        self.import_units(unit::seed::UNITS, "system")
            .await
            .map(|_| ())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn signing(&self) -> &Signing {
        &self.0.signing
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(crate) fn sealed(&self) -> &SealedBlobs {
        &self.0.sealed
    }

    pub(crate) fn config(&self) -> &RegistrationConfig {
        &self.0.config
    }
}

/// Every statement of this crate, for the test that prepares them on both databases.
pub fn statements() -> impl Iterator<Item = &'static str> {
    [
        unit::table::STATEMENTS,
        campaign::table::STATEMENTS,
        ra::table::STATEMENTS,
        enrolment::table::STATEMENTS,
        vetting::table::STATEMENTS,
        verify::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
