//! The invariants of this crate, counted over the rows: for `kyso verify-store`.
//!
//! I1 nothing left without its row and its line in the ledger, and every signature is over its digest. I2, I7 an approval has
//! one result, for its digests only. I3 debits are results. The key rows are the newest the ledger knows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use kyso_keystore::CitizenKey;
use kyso_pki::algorithm::{Digest, SignatureAlgorithm};
use kyso_pki::certificate::Certificate;
use kyso_store::{Row, Value, ledger};

use crate::{CredentialId, RequestId, Result, Signing};

pub(crate) const STATEMENTS: &[&str] = &[
    COUNT_STATES,
    SUMS,
    BROKEN_RESULTS,
    BROKEN_DEBITS,
    REUSED_APPROVALS,
    SIGNED_PAGE,
    SIGNATURES,
    LIVE_KEYS,
];

const COUNT_STATES: &str = "-- verify.count_states
SELECT state, COUNT(*) AS requests FROM signature_request GROUP BY state ORDER BY state";

const SUMS: &str = "-- verify.sums
SELECT (SELECT COUNT(*) FROM debit) AS debits,
    (SELECT COUNT(*) FROM signature_document WHERE state = 'consumed') AS signatures,
    (SELECT COUNT(*) FROM credential) AS credentials,
    (SELECT COUNT(*) FROM delivery) AS deliveries";

const BROKEN_RESULTS: &str = "-- verify.broken_results
SELECT r.id, r.state, r.document_count,
    (SELECT COUNT(*) FROM signature_document d WHERE d.request_id = r.id) AS documents,
    (SELECT COUNT(*) FROM signature_document d WHERE d.request_id = r.id AND d.state = 'consumed') AS consumed
FROM signature_request r
WHERE r.document_count <> (SELECT COUNT(*) FROM signature_document d WHERE d.request_id = r.id)
    OR (CASE WHEN r.state IN ('signed', 'delivered') THEN r.document_count ELSE 0 END)
        <> (SELECT COUNT(*) FROM signature_document d WHERE d.request_id = r.id AND d.state = 'consumed')
ORDER BY r.id LIMIT 100";

const BROKEN_DEBITS: &str = "-- verify.broken_debits
SELECT r.id, d.units FROM signature_request r LEFT JOIN debit d ON d.request_id = r.id
WHERE (r.state IN ('signed', 'delivered')) <> (d.request_id IS NOT NULL) OR d.units <> r.units OR d.credential_id <> r.credential_id
ORDER BY r.id LIMIT 100";

const REUSED_APPROVALS: &str = "-- verify.reused_approvals
SELECT MIN(id) AS id, COUNT(*) AS uses FROM signature_request
WHERE state IN ('signed', 'delivered') GROUP BY statement HAVING COUNT(*) > 1 ORDER BY MIN(id) LIMIT 100";

const SIGNED_PAGE: &str = "-- verify.signed_page
SELECT id FROM signature_request WHERE state IN ('signed', 'delivered') AND id > $1 ORDER BY id LIMIT 128";

const SIGNATURES: &str = "-- verify.signatures
SELECT d.request_id, d.position, d.digest_algorithm, d.to_be_signed, d.signature, r.signature_algorithm, r.serial, c.serial AS credential_serial, c.certificate, c.id AS credential_id
FROM (VALUES ($1)) AS v JOIN signature_request r ON r.id = v.column1 JOIN signature_document d ON d.request_id = r.id
    JOIN credential c ON c.id = r.credential_id
WHERE d.signature IS NOT NULL";

const LIVE_KEYS: &str = "-- verify.live_keys
SELECT c.id, c.key_row, c.key_version, EXISTS (SELECT 1 FROM ledger_entry l WHERE l.subject = c.id || '#' || c.key_version) AS is_recorded,
    EXISTS (SELECT 1 FROM ledger_entry l WHERE l.subject = c.id || '#' || (c.key_version + 1)) AS is_replaced
FROM credential c WHERE c.key_row IS NOT NULL AND c.id > $1 ORDER BY c.id LIMIT 256";

/// What was counted, and every disagreement found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Name of the count and the count, in a stable order.
    pub counts: Vec<(String, i64)>,
    /// Empty when all is well; at most a hundred of each kind.
    pub broken: Vec<Broken>,
}

/// One broken invariant.
#[derive(Debug, Clone)]
pub struct Broken {
    /// `I1`, `I2`, `I3`, `I7`.
    pub invariant: &'static str,
    /// What disagrees, with ids only.
    pub message: String,
}

impl Verified {
    fn broken(&mut self, invariant: &'static str, message: String) {
        self.broken.push(Broken { invariant, message });
    }
}

impl Signing {
    /// Reads everything, changes nothing.
    ///
    /// # Errors
    /// Only what keeps rows from being read; a broken invariant is an answer.
    pub async fn verify(&self) -> Result<Verified> {
        let mut verified = Verified::default();
        self.count(&mut verified).await?;
        self.verify_results(&mut verified).await?;
        self.verify_signatures(&mut verified).await?;
        self.verify_keys(&mut verified).await?;
        Ok(verified)
    }

    async fn count(&self, verified: &mut Verified) -> Result<()> {
        for row in self.inner.store.all(COUNT_STATES, &[]).await? {
            verified.counts.push((
                format!("requests {}", row.text("state")?),
                row.int("requests")?,
            ));
        }
        let sums = self.inner.store.one(SUMS, &[]).await?;
        for name in ["signatures", "debits", "credentials", "deliveries"] {
            verified.counts.push((name.to_owned(), sums.int(name)?));
        }
        // A result and its line are one commit, and neither is ever removed.
        let recorded = ledger::count(&self.inner.store, "signing.request.signed").await?;
        verified
            .counts
            .push(("results in the ledger".to_owned(), recorded));
        let results: i64 = verified
            .counts
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "requests signed" | "requests delivered"))
            .map(|(_, count)| count)
            .sum();
        if results != recorded {
            verified.broken(
                "I1",
                format!("{results} requests have results, {recorded} are in the ledger"),
            );
        }
        Ok(())
    }

    async fn verify_results(&self, verified: &mut Verified) -> Result<()> {
        let store = &self.inner.store;
        for row in store.all(BROKEN_RESULTS, &[]).await? {
            let (state, documents, consumed) = (
                row.text("state")?,
                row.int("documents")?,
                row.int("consumed")?,
            );
            let message = format!(
                "{} is {state} with {consumed} of {documents} digests consumed",
                row.text("id")?
            );
            verified.broken("I1", message);
        }
        for row in store.all(BROKEN_DEBITS, &[]).await? {
            verified.broken("I3", format!("{} and its debit disagree", row.text("id")?));
        }
        for row in store.all(REUSED_APPROVALS, &[]).await? {
            verified.broken(
                "I7",
                format!(
                    "{} shares its approval with {} others",
                    row.text("id")?,
                    row.int("uses")? - 1
                ),
            );
        }
        Ok(())
    }

    async fn verify_signatures(&self, verified: &mut Verified) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self
                .inner
                .store
                .all(SIGNED_PAGE, &[(&after).into()])
                .await?;
            let ids = page
                .iter()
                .map(|row| Ok(vec![Value::from(row.text("id")?)]))
                .collect::<Result<Vec<_>>>()?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.text("id")?;
            let mut tx = self.inner.store.read().await?;
            let mut certificates = HashMap::new();
            for row in tx.all_many(SIGNATURES, &[], &ids).await? {
                if let Err(what) = verify_signature(&row, &mut certificates)? {
                    let request: RequestId = row.id("request_id")?;
                    verified.broken(
                        "I1",
                        format!("{request} document {}: {what}", row.int("position")?),
                    );
                }
            }
        }
    }

    async fn verify_keys(&self, verified: &mut Verified) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.inner.store.all(LIVE_KEYS, &[(&after).into()]).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.text("id")?;
            for row in page {
                let credential: CredentialId = row.id("id")?;
                let key = CitizenKey::from_bytes(row.bytes("key_row")?)?;
                if crate::credential::table::version(&key) != row.int("key_version")? {
                    verified.broken(
                        "I7",
                        format!("{credential}: the key row and its column have different versions"),
                    );
                }
                let version = crate::credential::table::version(&key);
                if row.bool("is_replaced")? {
                    let error = crate::rolled_back(credential, version, version + 1);
                    verified.broken("I7", error.to_string());
                }
                if !row.bool("is_recorded")? {
                    verified.broken(
                        "I7",
                        format!("{credential}: the ledger has no line of its key row's version {version}"),
                    );
                }
            }
        }
    }
}

/// `Err` inside says what is wrong with the signature.
fn verify_signature(
    row: &Row,
    certificates: &mut HashMap<CredentialId, Option<Certificate>>,
) -> Result<Result<(), &'static str>> {
    let credential: CredentialId = row.id("credential_id")?;
    let certificate = match certificates.entry(credential) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => {
            let der = row.opt_bytes("certificate")?;
            unknown.insert(der.and_then(|der| Certificate::from_der(&der).ok()))
        }
    };
    let Some(certificate) = certificate else {
        return Ok(Err("its certificate does not read"));
    };
    if row.opt_text("credential_serial")?.as_deref() != Some(&row.text("serial")?) {
        return Ok(Err("its certificate is another one"));
    }
    let algorithm = row
        .text("signature_algorithm")?
        .parse::<SignatureAlgorithm>();
    let digest_algorithm = row.text("digest_algorithm")?.parse();
    let (Ok(algorithm), Ok(digest_algorithm)) = (algorithm, digest_algorithm) else {
        return Ok(Err("its algorithm is unknown"));
    };
    let Ok(digest) = Digest::new(digest_algorithm, row.bytes("to_be_signed")?) else {
        return Ok(Err("its digest has a wrong length"));
    };
    let Ok(key) = certificate.public_key() else {
        return Ok(Err("its certificate has no key we know"));
    };
    Ok(key
        .verify_digest(algorithm, &digest, &row.bytes("signature")?)
        .map_err(|_| "its signature does not verify"))
}
