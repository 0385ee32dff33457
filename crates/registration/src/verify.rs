//! The invariants of this crate, counted over the rows: for `kyso verify-store`.
//!
//! Most of them are constraints as well; here they are read again, so that a database that was edited, restored or
//! copied without its constraints is found out.

use crate::{Registration, Result};

const ENROLMENTS: &str = "-- verify_enrolments
SELECT COUNT(1) AS found FROM enrolment";

const COMPLETE: &str = "-- verify_complete
SELECT COUNT(1) AS found FROM enrolment WHERE state = 'complete'";

const CITIZENS: &str = "-- verify_citizens
SELECT COUNT(1) AS found FROM citizen";

const CODES: &str = "-- verify_codes
SELECT COUNT(1) AS found FROM activation_code WHERE state = 'live'";

const PERSON_TWICE: &str = "-- verify_person_twice
SELECT MIN(id) AS id FROM enrolment WHERE identity_number IS NOT NULL
AND state NOT IN ('started', 'closed', 'rejected', 'abandoned', 'expired', 'failed') GROUP BY identity_number HAVING COUNT(1) > 1";

const PLACES: &str = "-- verify_places
SELECT c.code AS id FROM campaign c
WHERE c.taken <> (SELECT COUNT(1) FROM enrolment e WHERE e.campaign_code = c.code AND e.has_place)
   OR (c.quota IS NOT NULL AND c.taken > c.quota)";

const PLACES_UNPROVED: &str = "-- verify_places_unproved
SELECT id FROM enrolment WHERE has_place AND state = 'started' AND COALESCE(activated_channel, '') <> 'sms'";

const APPROVALS: &str = "-- verify_approvals
SELECT e.id FROM enrolment e WHERE e.approved_at IS NOT NULL AND e.officers_required > (
    SELECT COUNT(DISTINCT d.officer_id) FROM vetting_decision d
    WHERE d.enrolment_id = e.id AND d.round = e.round AND d.verdict = 'approve'
      AND (e.entered_by IS NULL OR d.officer_id <> e.entered_by))";

const PHOTOS: &str = "-- verify_photos
SELECT e.id FROM enrolment e WHERE e.submitted_at IS NOT NULL AND 3 <> (
    SELECT COUNT(1) FROM evidence v WHERE v.enrolment_id = e.id AND v.superseded_at IS NULL)";

const UNSIGNED: &str = "-- verify_contracts
SELECT e.id FROM enrolment e
WHERE e.state IN ('submitted', 'vetted', 'approved', 'certified', 'accepting', 'complete', 'closed') AND NOT EXISTS (
    SELECT 1 FROM contract c WHERE c.enrolment_id = e.id AND c.void_at IS NULL AND c.agreed_at IS NOT NULL)";

const PLAIN_CODES: &str = "-- verify_plain_codes
SELECT id FROM activation_code WHERE code_blob IS NOT NULL AND (state <> 'live' OR sent_at IS NOT NULL)";

const CITIZEN_OF: &str = "-- verify_citizen_of
SELECT e.id FROM enrolment e JOIN citizen c ON c.id = e.citizen_id WHERE c.identity_number <> e.identity_number";

pub(crate) const STATEMENTS: &[&str] = &[
    ENROLMENTS,
    COMPLETE,
    CITIZENS,
    CODES,
    PERSON_TWICE,
    PLACES,
    PLACES_UNPROVED,
    APPROVALS,
    PHOTOS,
    UNSIGNED,
    PLAIN_CODES,
    CITIZEN_OF,
];

/// What was counted, and every disagreement found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Name of the count and the count, in a stable order.
    pub counts: Vec<(&'static str, i64)>,
    /// What disagrees.
    pub broken: Vec<Broken>,
}

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its short name.
    pub invariant: &'static str,
    /// What disagrees, with ids only.
    pub message: String,
}

impl Registration {
    /// Reads everything, changes nothing.
    pub async fn verify(&self) -> Result<Verified> {
        let mut tx = self.store().read().await?;
        let mut verified = Verified::default();
        for (name, sql) in [
            ("enrolments", ENROLMENTS),
            ("complete enrolments", COMPLETE),
            ("citizens", CITIZENS),
            ("live activation codes", CODES),
        ] {
            verified
                .counts
                .push((name, tx.one(sql, &[]).await?.int("found")?));
        }
        for (invariant, sql, says) in [
            (
                "one-person-one-enrolment",
                PERSON_TWICE,
                "holds a person that another holds too",
            ),
            (
                "campaign-places",
                PLACES,
                "has taken places that its enrolments do not hold",
            ),
            (
                "place-for-proved-phone",
                PLACES_UNPROVED,
                "holds a place for a telephone number that nobody proved",
            ),
            (
                "officers-required",
                APPROVALS,
                "is approved by fewer officers than required",
            ),
            (
                "evidence-complete",
                PHOTOS,
                "was handed in without three photos",
            ),
            (
                "contract-signed",
                UNSIGNED,
                "went on without a signed contract",
            ),
            (
                "code-wiped",
                PLAIN_CODES,
                "keeps the plain text of a code that is sent or over",
            ),
            (
                "citizen-of-enrolment",
                CITIZEN_OF,
                "belongs to a citizen with another number",
            ),
        ] {
            for row in tx.all(sql, &[]).await? {
                let message = format!("{} {says}", row.text("id")?);
                verified.broken.push(Broken { invariant, message });
            }
        }
        Ok(verified)
    }
}
