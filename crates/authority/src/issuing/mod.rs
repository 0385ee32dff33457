//! Issuing: from an order to a certificate, in two steps with a durable row between them.
//!
//! ```text
//! prepare  subject, profile, lint ──► row: serial + exact bytes (reserved) ──► Prepared
//! issue    Prepared ──► keystore signs ──► compared with what was linted ──► row: certificate (issued)
//! ```
//!
//! RFC 5280 4 and 6; serial numbers of 16 random octets, 126 of their bits by chance (CA/B ballot 164 asks for 64).
//!
//! # Invariants
//! - [`Prepared`] is made by a reservation only and consumed by [`Authority::issue`]: nothing unlinted or unrecorded is signed.
//! - A reserved row is never given up and never rewritten: after a crash the same bytes are signed again. With ECDSA that may be
//!   another signature over the same bytes; the guarded write keeps one of them and only that one leaves.
//! - Who loses a race returns the winner's row only when that row is durable (SQLite's group commit shows it earlier).

pub mod state;
pub(crate) mod table;

use kyso_keystore::Keystore;
use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::{self, Certificate, Issuer, Serial, Template};
use kyso_pki::lint::{self, Finding};
use kyso_pki::name::{Name, SubjectName};
use kyso_pki::profile::{Kind, Profile};
use kyso_pki::public_key::PublicKey;
use kyso_store::{Event, Rule, failpoint, ledger};
use serde_json::json;

use self::state::Stage;
use self::table::{CertificateRow, NewRow, kind_word};
use crate::{Authority, CertificateId, Error, Result, YEAR_MS, detail, subject};

/// What a citizen's certificate is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The credential it is for. One credential, one certificate.
    pub credential: String,
    /// The subject, exactly as it will stand there.
    pub subject: SubjectName,
    /// The citizen's public key, as the keystore made it.
    pub public_key: PublicKey,
    /// The plan's end, milliseconds since 1970; the certificate ends then, or after three years, or with its issuer.
    pub plan_ends_at: i64,
    /// An e-mail address for the subjectAltName, only where the citizen asked for it.
    pub email: Option<String>,
}

/// Permission to sign one certificate: profile checked, linted, serial and exact bytes on disk. Made by
/// [`Authority::prepare`] only, consumed by [`Authority::issue`].
#[derive(Debug)]
#[must_use = "a reserved certificate waits for its signature"]
pub struct Prepared {
    row: CertificateRow,
    /// Linted and written by this very call, not read back from a row that may have been touched since.
    is_fresh: bool,
}

impl Prepared {
    /// The certificate's id.
    #[must_use]
    pub fn id(&self) -> CertificateId {
        self.row.id
    }
}

/// A certificate that left the authority.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Its id.
    pub id: CertificateId,
    /// The credential id or the label of the service key it is for.
    pub for_what: String,
    /// The certificate.
    pub certificate: Certificate,
}

/// Who signs a certificate that is about to be reserved.
pub(crate) enum Signer {
    /// The subject itself: a root.
    Itself,
    /// One of our issuers.
    Ours {
        id: CertificateId,
        certificate: Box<Certificate>,
    },
}

/// A certificate to be reserved, for a citizen or for ourselves.
pub(crate) struct Wanted {
    pub for_what: String,
    pub subject: Name,
    pub public_key: PublicKey,
    pub signer: Signer,
    pub profile: Profile,
    /// It lasts at most this long.
    pub life_ms: i64,
    /// It ends then at the latest.
    pub ends_at: i64,
}

/// Decree 23/2025: a subscriber's certificate lasts three years at most.
pub(crate) const CITIZEN_LIFE_MS: i64 = 3 * YEAR_MS;

impl Authority {
    /// Checks, lints and reserves a citizen's certificate. Asked again for the same credential it returns the same one, reserved or
    /// issued.
    ///
    /// # Errors
    /// [`Error::Subject`], [`Error::Lint`], [`Error::Differs`], [`Error::KeyCertified`], [`Error::ClockBack`],
    /// [`Error::NoValidity`]; [`Error::NoServiceKey`] before a ceremony.
    pub async fn prepare(&self, keys: &Keystore, order: &Order) -> Result<Prepared> {
        subject::check(&order.subject)?;
        let known = self.known().await?;
        let issuer = known.issuing()?;
        let config = self.config();
        let mut profile = Profile::citizen(config.policy()?, config.addresses(&issuer.label, true));
        profile.digital_signature = config.citizen_digital_signature;
        profile.email.clone_from(&order.email);
        let wanted = Wanted {
            for_what: order.credential.clone(),
            subject: order.subject.encode()?,
            public_key: order.public_key.clone(),
            signer: Signer::Ours {
                id: issuer.id,
                certificate: Box::new(issuer.certificate.clone()),
            },
            profile,
            life_ms: CITIZEN_LIFE_MS,
            ends_at: order.plan_ends_at,
        };
        self.reserve(keys, &wanted).await
    }

    /// Signs what was prepared and keeps it; or returns it if it is issued already. Called twice at once, both get the same
    /// certificate.
    ///
    /// # Errors
    /// The keystore's; [`Error::NotWhatWasReserved`]. The row stays reserved and the next call signs it.
    pub async fn issue(&self, keys: &Keystore, prepared: Prepared) -> Result<Issued> {
        let row = prepared.row;
        let tbs = match &row.stage {
            Stage::Issued { der } => return Issued::new(row.id, row.for_what.clone(), der),
            Stage::Reserved { tbs } => tbs.clone(),
        };
        if !prepared.is_fresh {
            self.check_reservation(keys, &row, &tbs).await?;
        }
        // Step 1: the key signs. No transaction is open; what it signs is on disk.
        let (label, issuer) = self.signer_of(&row).await?;
        failpoint!("authority.issue.before_keystore");
        let signature = self.sign(keys, &label, row.algorithm, &tbs).await?;
        failpoint!("authority.issue.after_keystore");

        // Step 2: what came back is what was linted, byte for byte, and it verifies. Otherwise nobody ever sees it.
        let der = certificate::assemble(&tbs, row.algorithm, &signature)?;
        let issued = Issued::new(row.id, row.for_what.clone(), &der)?;
        let verified = issued
            .certificate
            .verify_issued_by(issuer.as_ref().unwrap_or(&issued.certificate));
        if issued.certificate.to_be_signed() != tbs || verified.is_err() {
            return Err(Error::NotWhatWasReserved {
                for_what: row.for_what,
            });
        }
        refuse_findings(&row.for_what, &lint::lint_certificate(&der, row.kind))?;

        // Step 3: one writer wins; who comes second returns what the first one stored.
        let mut tx = self.store().write().await?;
        if !table::issue(&mut tx, row.id, &tbs, &der).await? {
            let winner = table::by_id_in(&mut tx, row.id).await?;
            tx.commit().await?;
            return Issued::of(row.id, winner);
        }
        let made = detail(&[
            ("for", json!(row.for_what)),
            ("kind", json!(kind_word(row.kind))),
            ("serial", json!(issued.certificate.serial().to_string())),
            (
                "sha256",
                json!(hex::encode(issued.certificate.fingerprint().value())),
            ),
        ]);
        tx.record(Event {
            kind: "authority.certificate.issued",
            subject: &row.id.to_string(),
            actor: "system",
            detail: made,
        });
        tx.commit().await?;
        failpoint!("authority.issue.after_commit");
        tracing::info!(certificate = %row.id, kind = kind_word(row.kind), "certificate {} issued", row.id);
        Ok(issued)
    }

    /// Signs every certificate and CRL that a crash left reserved. Returns how many certificates. Those of authorities wait for their
    /// ceremony to go on: nothing else ever makes a key sign for an authority.
    ///
    /// # Errors
    /// The first that could not be signed; all the others are done.
    pub async fn recover(&self, keys: &Keystore) -> Result<u64> {
        let mut signed = 0;
        let mut first_error = None;
        for id in table::reserved(self.store(), i64::MAX, RECOVERED_AT_ONCE).await? {
            let Some(row) = table::by_id(self.store(), id).await? else {
                continue;
            };
            if matches!(row.stage, Stage::Issued { .. }) {
                continue;
            }
            let prepared = Prepared {
                row,
                is_fresh: false,
            };
            match self.issue(keys, prepared).await {
                Ok(_) => signed += 1,
                Err(error) => {
                    tracing::error!(certificate = %id, error = &error as &dyn std::error::Error, "{id} not recovered");
                    first_error = first_error.or(Some(error));
                }
            }
        }
        self.publish_crl_if_due(keys).await?;
        first_error.map_or(Ok(signed), Err)
    }

    /// An issued certificate by its id.
    ///
    /// # Errors
    /// [`Error::NoCertificate`], also while it is only reserved.
    pub async fn certificate(&self, id: CertificateId) -> Result<Issued> {
        Issued::of(id, table::by_id(self.store(), id).await?)
    }

    /// The issued certificate of a credential, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub async fn certificate_for(&self, credential: &str) -> Result<Option<Issued>> {
        let row = table::by_purpose(self.store(), kind_word(Kind::Citizen), credential).await?;
        match row.map(|row| (row.id, row.stage)) {
            Some((id, Stage::Issued { der })) => {
                Issued::new(id, credential.to_owned(), &der).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Reserves what is wanted, or finds it reserved or issued.
    pub(crate) async fn reserve(&self, keys: &Keystore, wanted: &Wanted) -> Result<Prepared> {
        if let Some(row) = self.existing(wanted).await? {
            return Ok(Prepared {
                row,
                is_fresh: false,
            });
        }
        // Step 1: everything that can be refused is refused before anything is written.
        let algorithm = signature_algorithm(wanted)?;
        let newest = table::newest(self.store()).await?;
        let now = self.store().now();
        let (not_before, not_after) = state::validity(now, newest, &wanted.bounds(now))?;
        let serial = Serial::from_random(sixteen(keys.random(16)?)?);
        let template = wanted.template(serial.clone(), algorithm, not_before, not_after)?;
        let tbs = certificate::prepare(&template)?;
        let linted = refuse_findings(&wanted.for_what, &lint::lint(&tbs, wanted.profile.kind));
        if let Err(Error::Lint { codes, .. }) = &linted {
            self.record_refusal(REFUSED_EVENT, &wanted.for_what, codes)
                .await?;
        }
        linted?;

        // Step 2: serial and bytes are durable before a key hears of them.
        failpoint!("authority.prepare.before_commit");
        let id: CertificateId = self.store().read().await?.id();
        let sealed = reservation(id, wanted.profile.kind, &wanted.for_what, algorithm, &tbs);
        failpoint!("authority.prepare.before_seal");
        let seal = keys.seal_record(SEAL_KIND, &sealed).await?;
        failpoint!("authority.prepare.after_seal");
        let written = Reservation {
            id,
            serial: &serial,
            algorithm,
            lasts: (not_before, not_after),
            tbs: &tbs,
            seal: &seal,
        };
        match self.write_reservation(wanted, written).await {
            Ok(row) => {
                failpoint!("authority.prepare.after_commit");
                Ok(Prepared {
                    row,
                    is_fresh: true,
                })
            }
            Err(Error::Store(refused)) => self.reserved_meanwhile(wanted, refused).await,
            Err(other) => Err(other),
        }
    }

    /// After the schema refused a reservation: somebody else reserved for the same purpose, and theirs is ours; or the key is
    /// certified for another purpose.
    async fn reserved_meanwhile(
        &self,
        wanted: &Wanted,
        refused: kyso_store::Error,
    ) -> Result<Prepared> {
        let kyso_store::Error::Constraint {
            rule: Rule::Unique,
            name,
            ..
        } = &refused
        else {
            return Err(refused.into());
        };
        // Read and commit: the winner may still wait for the disk, in one group with us.
        let mut tx = self.store().write().await?;
        let kind = kind_word(wanted.profile.kind);
        let winner = table::by_purpose_in(&mut tx, kind, &wanted.for_what).await?;
        tx.commit().await?;
        match winner {
            Some(row) => wanted.agrees(row).map(|row| Prepared {
                row,
                is_fresh: false,
            }),
            None if name == "certificate_one_citizen_key" => Err(Error::KeyCertified {
                for_what: wanted.for_what.clone(),
            }),
            None => Err(refused.into()),
        }
    }

    async fn write_reservation(
        &self,
        wanted: &Wanted,
        reservation: Reservation<'_>,
    ) -> Result<CertificateRow> {
        let Reservation {
            id,
            serial,
            algorithm,
            lasts: (not_before, not_after),
            tbs,
            seal,
        } = reservation;
        let mut tx = self.store().write().await?;
        let issuer_id = match &wanted.signer {
            Signer::Itself => id,
            Signer::Ours { id, .. } => *id,
        };
        let kind = kind_word(wanted.profile.kind);
        let key_digest = key_digest(&wanted.public_key);
        let new = NewRow {
            id,
            issuer_id,
            serial: serial.as_bytes(),
            kind,
            for_what: &wanted.for_what,
            public_key_sha256: &key_digest,
            algorithm: algorithm.as_str(),
            not_before,
            not_after,
        };
        table::reserve(&mut tx, &new, tbs, seal).await?;
        let reserved = detail(&[
            ("for", json!(wanted.for_what)),
            ("kind", json!(kind)),
            ("issuer", json!(issuer_id.to_string())),
            ("serial", json!(serial.to_string())),
            ("not_before", json!(not_before)),
            ("not_after", json!(not_after)),
            (TO_BE_SIGNED, json!(sha256(tbs))),
        ]);
        tx.record(Event {
            kind: RESERVED_EVENT,
            subject: &id.to_string(),
            actor: "system",
            detail: reserved,
        });
        tx.commit().await?;
        Ok(CertificateRow {
            id,
            issuer_id,
            kind: wanted.profile.kind,
            for_what: wanted.for_what.clone(),
            public_key_sha256: key_digest,
            algorithm,
            stage: Stage::Reserved { tbs: tbs.to_vec() },
            seal: Some(seal.to_vec()),
        })
    }

    /// What exists for the purpose of `wanted`, if it agrees with it.
    async fn existing(&self, wanted: &Wanted) -> Result<Option<CertificateRow>> {
        let kind = kind_word(wanted.profile.kind);
        let row = table::by_purpose(self.store(), kind, &wanted.for_what).await?;
        row.map(|row| wanted.agrees(row)).transpose()
    }

    /// Before a row that was read back is signed: the keystore sealed these bytes when they were reserved, the ledger says so
    /// too, and they still pass the linter. Whoever can write rows, and lines of the ledger, could otherwise have anything signed
    /// by waiting for a recovery.
    async fn check_reservation(
        &self,
        keys: &Keystore,
        row: &CertificateRow,
        tbs: &[u8],
    ) -> Result<()> {
        let id = row.id.to_string();
        let lines = ledger::tail(self.store(), &id, Some(RESERVED_EVENT), 2).await?;
        let digest = json!(sha256(tbs));
        let agrees =
            matches!(lines.as_slice(), [line] if line.detail.get(TO_BE_SIGNED) == Some(&digest));
        let sealed = reservation(row.id, row.kind, &row.for_what, row.algorithm, tbs);
        let seal = row.seal.as_deref().unwrap_or_default();
        let ours = is_sealed(keys, SEAL_KIND, &sealed, seal).await?;
        if ours && agrees && lint::lint(tbs, row.kind).is_empty() {
            return Ok(());
        }
        tracing::error!(certificate = %row.id, "{id} is not what was reserved; it is not signed");
        self.record_refusal(REFUSED_EVENT, &id, &["not-what-was-reserved"])
            .await?;
        Err(Error::NotWhatWasReserved {
            for_what: row.for_what.clone(),
        })
    }

    /// Label of the key that signs a reserved row, and the certificate its signature must verify under (none: the row's own).
    async fn signer_of(&self, row: &CertificateRow) -> Result<(String, Option<Certificate>)> {
        if row.issuer_id == row.id {
            return Ok((row.for_what.clone(), None));
        }
        let known = self.known().await?;
        match known.issuer(row.issuer_id) {
            Some(issuer) => Ok((issuer.label.clone(), Some(issuer.certificate.clone()))),
            None => Err(Error::Corrupt {
                table: "certificate",
                row: row.id.to_string(),
            }),
        }
    }
}

/// A reservation to be written: the exact bytes, and the keystore's seal on them.
struct Reservation<'a> {
    id: CertificateId,
    serial: &'a Serial,
    algorithm: SignatureAlgorithm,
    lasts: (i64, i64),
    tbs: &'a [u8],
    seal: &'a [u8],
}

/// Kind of the keystore's seal on a reservation.
const SEAL_KIND: &str = "certificate";

/// What is sealed: JSON of id, kind, purpose, signature algorithm and the digest of the exact bytes, in this order.
fn reservation(
    id: CertificateId,
    kind: Kind,
    for_what: &str,
    algorithm: SignatureAlgorithm,
    tbs: &[u8],
) -> Vec<u8> {
    let fields = json!([
        id.to_string(),
        kind_word(kind),
        for_what,
        algorithm.as_str(),
        sha256(tbs)
    ]);
    fields.to_string().into_bytes()
}

/// Reserved rows read by one [`Authority::recover`]; the next one finds the rest.
const RECOVERED_AT_ONCE: i64 = 1_000;
/// The ledger line of a refusal, with the codes that say why.
const REFUSED_EVENT: &str = "authority.certificate.refused";
/// The ledger line of a reservation, and the field in it that names the exact bytes.
const RESERVED_EVENT: &str = "authority.certificate.reserved";
const TO_BE_SIGNED: &str = "to_be_signed_sha256";

impl Wanted {
    /// The instants at which it ends at the latest.
    fn bounds(&self, now: i64) -> [i64; 3] {
        let issuer_ends = match &self.signer {
            Signer::Itself => i64::MAX,
            Signer::Ours { certificate, .. } => certificate.not_after(),
        };
        [self.ends_at, now.saturating_add(self.life_ms), issuer_ends]
    }

    /// The row, if it is for the same key and subject.
    fn agrees(&self, row: CertificateRow) -> Result<CertificateRow> {
        let differs = |field| Error::Differs {
            for_what: self.for_what.clone(),
            field,
        };
        if row.public_key_sha256 != key_digest(&self.public_key) {
            return Err(differs("public key"));
        }
        if row.view()?.subject() != &self.subject {
            return Err(differs("subject"));
        }
        Ok(row)
    }

    fn template(
        &self,
        serial: Serial,
        algorithm: SignatureAlgorithm,
        not_before: i64,
        not_after: i64,
    ) -> Result<Template> {
        let issuer = match &self.signer {
            Signer::Itself => Issuer::itself(&self.subject, &self.public_key),
            Signer::Ours { certificate, .. } => Issuer::of(certificate)?,
        };
        Ok(Template {
            serial,
            issuer,
            subject: self.subject.clone(),
            not_before,
            not_after,
            public_key: self.public_key.clone(),
            profile: self.profile.clone(),
            signature_algorithm: algorithm,
        })
    }
}

impl CertificateRow {
    /// The certificate, or its unsigned form (with an empty signature) to read what was reserved.
    fn view(&self) -> Result<Certificate> {
        Ok(match &self.stage {
            Stage::Issued { der } => Certificate::from_der(der)?,
            Stage::Reserved { tbs } => {
                Certificate::from_der(&certificate::assemble(tbs, self.algorithm, &[0])?)?
            }
        })
    }
}

impl Issued {
    /// The certificate of a row, if it is issued.
    fn of(id: CertificateId, row: Option<CertificateRow>) -> Result<Issued> {
        match row.map(|row| (row.for_what, row.stage)) {
            Some((for_what, Stage::Issued { der })) => Issued::new(id, for_what, &der),
            _ => Err(Error::NoCertificate { id: id.to_string() }),
        }
    }

    fn new(id: CertificateId, for_what: String, der: &[u8]) -> Result<Issued> {
        Ok(Issued {
            id,
            for_what,
            certificate: Certificate::from_der(der)?,
        })
    }
}

/// What the issuer's key signs with.
fn signature_algorithm(wanted: &Wanted) -> Result<SignatureAlgorithm> {
    let key = match &wanted.signer {
        Signer::Itself => wanted.public_key.algorithm(),
        Signer::Ours { certificate, .. } => certificate.public_key()?.algorithm(),
    };
    Ok(SignatureAlgorithm::default_for(key))
}

/// No finding, or all of them as an error.
pub(crate) fn refuse_findings(for_what: &str, findings: &[Finding]) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    for finding in findings {
        tracing::warn!(
            code = finding.code,
            clause = finding.clause,
            "lint: {}",
            finding.code
        );
    }
    Err(Error::Lint {
        for_what: for_what.to_owned(),
        codes: findings.iter().map(|finding| finding.code).collect(),
    })
}

/// Names a key in rows: SHA-256 of its SubjectPublicKeyInfo, hex.
pub(crate) fn key_digest(key: &PublicKey) -> String {
    sha256(key.as_der())
}

/// Whether a keystore of ours sealed this record. A keystore that is away is an error, not a no.
pub(crate) async fn is_sealed(
    keys: &Keystore,
    kind: &'static str,
    record: &[u8],
    seal: &[u8],
) -> Result<bool> {
    match keys.check_record(kind, record, seal).await {
        Ok(()) => Ok(true),
        Err(kyso_keystore::Error::RecordForged | kyso_keystore::Error::NoBackend { .. }) => {
            Ok(false)
        }
        Err(away) => Err(away.into()),
    }
}

/// SHA-256, hex.
pub(crate) fn sha256(octets: &[u8]) -> String {
    hex::encode(Digest::of(DigestAlgorithm::Sha256, octets).value())
}

fn sixteen(random: Vec<u8>) -> Result<[u8; 16]> {
    random.try_into().map_err(|_| {
        kyso_keystore::Error::Primitive {
            what: "sixteen random octets",
        }
        .into()
    })
}
