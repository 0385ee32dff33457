//! Ceremonies: how the institution gets its keys and the certificates for them, and how an outside root takes part.
//!
//! ```text
//! our root      root ─► issuing ─► OCSP, time-stamp, seal, ledger ─► first CRLs
//! outside root  issuing key ─► request ┄┄ carried there and back ┄┄► import ─► OCSP, time-stamp, seal, ledger ─► first CRL
//! ```
//!
//! Validities: Decree 23/2025 (root 25 years, issuing authority 10, time-stamp 5), the seal as a subscriber 3 years, an OCSP
//! responder one year because nobody can revoke it (RFC 6960 4.2.2.2.1, ocsp-nocheck). Requests: RFC 2986.
//!
//! # Invariants
//! - Killed at any point, the same call goes on where it was: a key is planned before it is made, a certificate reserved before it is
//!   signed, and both are found again by label.
//! - A key that lies under one of our labels without having been planned is somebody else's and stops the ceremony.
//! - What an outside root sends is used only if it is for our key, an authority's, current, lint-free, and signed up to a root.

pub mod state;
pub(crate) mod table;
mod transcript;

use kyso_keystore::{Keystore, Role, ServiceKey};
use kyso_pki::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::Certificate;
use kyso_pki::csr::{self, Request};
use kyso_pki::lint;
use kyso_pki::name::{Name, SubjectName};
use kyso_pki::profile::{Kind, Profile};
use kyso_pki::public_key::PublicKey;
use kyso_store::{Event, failpoint};
use serde_json::json;

use self::state::KeyStage;
use self::table::KeyRow;
use crate::error::ImportFault;
use crate::issuing::table::NewRow;
use crate::issuing::{CITIZEN_LIFE_MS, Issued, Signer, Wanted, key_digest, sha256};
pub use crate::known::Service;
use crate::{Authority, CertificateId, Error, Result, YEAR_MS, detail, issuing, subject};

/// What a ceremony makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Whose root.
    pub root: Root,
    /// The issuing authority's key.
    pub issuing: KeyAlgorithm,
    /// The OCSP responder's key.
    pub ocsp: KeyAlgorithm,
    /// The time-stamp authority's key.
    pub timestamp: KeyAlgorithm,
    /// The key of the organisation's seal.
    pub seal: KeyAlgorithm,
    /// The ledger's key.
    pub ledger: KeyAlgorithm,
}

/// Whose root stands above the issuing authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Ours: made in the same ceremony.
    Ours(KeyAlgorithm),
    /// Somebody else's, the national one for instance: the ceremony ends with a request, [`Authority::import`] goes on.
    Outside,
}

impl Default for Plan {
    /// RSA-4096 root and RSA-3072 below it: what validators and the law like. P-256 where speed matters and only modern readers
    /// verify: OCSP, ledger.
    fn default() -> Plan {
        Plan {
            root: Root::Ours(KeyAlgorithm::Rsa4096),
            issuing: KeyAlgorithm::Rsa3072,
            ocsp: KeyAlgorithm::P256,
            timestamp: KeyAlgorithm::Rsa3072,
            seal: KeyAlgorithm::Rsa3072,
            ledger: KeyAlgorithm::P256,
        }
    }
}

impl Plan {
    /// Every key on P-256 or P-384: made in a moment. For tests and for who may choose freely.
    #[must_use]
    pub fn elliptic() -> Plan {
        Plan {
            root: Root::Ours(KeyAlgorithm::P384),
            issuing: KeyAlgorithm::P256,
            ocsp: KeyAlgorithm::P256,
            timestamp: KeyAlgorithm::P256,
            seal: KeyAlgorithm::P256,
            ledger: KeyAlgorithm::P256,
        }
    }
}

/// Where a ceremony is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps done, from 0.
    pub done: u32,
    /// Steps in all.
    pub of: u32,
    /// What is being done now.
    pub step: Step,
}

/// One step of a ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A key pair is being made: RSA takes seconds.
    Key {
        /// For whom.
        role: Role,
        /// Of which kind.
        algorithm: KeyAlgorithm,
    },
    /// A certificate is being signed.
    Certificate {
        /// For whom.
        role: Role,
    },
    /// A request to an outside root is being signed.
    Request,
    /// The first CRLs are being published.
    Crl,
    /// Nothing is left to do.
    Finished,
}

/// Who is told about the progress of a ceremony.
pub type Watcher<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What came of a ceremony.
#[derive(Debug, Clone)]
pub struct Ceremony {
    /// Plain text for the paper record: what was made, with every hash.
    pub transcript: String,
    /// With an outside root: the PKCS#10 request in PEM to carry there. [`Authority::import`] takes the answer.
    pub request_pem: Option<String>,
    /// The issuing certificate and its chain, root last; empty while an outside root has not answered.
    pub chain: Vec<Certificate>,
}

/// How long an OCSP responder's certificate lasts: nobody can revoke it, so not long.
const RESPONDER_LIFE_MS: i64 = YEAR_MS;
/// Decree 23/2025: 25 years, with the leap days.
const ROOT_LIFE_MS: i64 = 25 * YEAR_MS;
/// Decree 23/2025: an authority for the public, 10 years.
const ISSUING_LIFE_MS: i64 = 10 * YEAR_MS;
/// Decree 23/2025: a time-stamp authority, 5 years.
const TIMESTAMP_LIFE_MS: i64 = 5 * YEAR_MS;

impl Authority {
    /// Holds the ceremony. Killed at any point, the same call goes on where it was; held a second time, it tells what is there.
    ///
    /// # Errors
    /// [`Error::CeremonyHeld`] if keys of another kind than planned exist, [`Error::OtherRoot`] if they are under another
    /// root; the keystore's.
    pub async fn ceremony(
        &self,
        keys: &Keystore,
        plan: &Plan,
        watcher: Watcher<'_>,
    ) -> Result<Ceremony> {
        if plan.root == Root::Outside {
            return self.request(keys, plan, watcher).await;
        }
        let Root::Ours(algorithm) = plan.root else {
            return Err(Error::CeremonyHeld { role: Role::Root });
        };
        self.refuse_other_root(false).await?;
        let mut course = Course::new(state::steps(plan), watcher);
        let root = self.root(keys, algorithm, &mut course).await?;
        self.issuing(keys, plan, root, &mut course).await?;
        self.finish(keys, plan, &mut course).await
    }

    /// Takes in what an outside root answered: PEM with our certificate and the chain above it, root included, in any order. Then
    /// makes the remaining keys and certificates of `plan`.
    ///
    /// # Errors
    /// [`Error::NothingToImport`], [`Error::Import`].
    pub async fn import(
        &self,
        keys: &Keystore,
        plan: &Plan,
        pem: &str,
        watcher: Watcher<'_>,
    ) -> Result<Ceremony> {
        let plan = Plan {
            root: Root::Outside,
            ..plan.clone()
        };
        let rows = table::all(self.store()).await?;
        let mut issuing = rows.iter().rev().filter(|row| row.role == Role::Issuing);
        let waiting = issuing.find(|row| {
            matches!(
                row.stage,
                KeyStage::Made {
                    request: Some(_),
                    ..
                } | KeyStage::Active { .. }
            )
        });
        let answer = Certificate::chain_from_pem(pem)?;
        match waiting.map(|row| (row, &row.stage)) {
            Some((row, KeyStage::Made { public_key, .. })) => {
                self.take_in(row, public_key, &answer).await?
            }
            // Killed after the import: the same answer again goes on.
            Some((
                _,
                KeyStage::Active {
                    certificate: Some(id),
                    ..
                },
            )) if answer.contains(&self.certificate(*id).await?.certificate) => {}
            _ => return Err(Error::NothingToImport),
        }
        self.finish(keys, &plan, &mut Course::new(state::steps(&plan), watcher))
            .await
    }

    /// Makes a new key and certificate for the OCSP responder of the issuing authority in use and retires the old one.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`] before a ceremony.
    pub async fn renew_responder(&self, keys: &Keystore) -> Result<Service> {
        let known = self.known().await?;
        let current = known.service(Role::Ocsp)?;
        let algorithm = current.public_key.algorithm();
        let rows = table::all(self.store()).await?;
        // A renewal that was killed left its key: go on with it. Otherwise the next generation.
        let unfinished = |row: &&KeyRow| {
            row.role == Role::Ocsp && matches!(row.stage, KeyStage::Planned | KeyStage::Made { .. })
        };
        let newest = rows
            .iter()
            .filter(|row| row.role == Role::Ocsp)
            .map(|row| row.generation)
            .max()
            .unwrap_or(0);
        let generation = rows
            .iter()
            .find(unfinished)
            .map_or(newest + 1, |row| row.generation);
        self.responder(keys, algorithm, generation, &mut Course::silent())
            .await?;
        self.service(Role::Ocsp).await
    }

    /// [`Authority::renew_responder`] when a third of its life or less is left.
    ///
    /// # Errors
    /// As there.
    pub async fn renew_responder_if_due(&self, keys: &Keystore) -> Result<Option<Service>> {
        if !self.is_responder_ending().await? {
            return Ok(None);
        }
        self.renew_responder(keys).await.map(Some)
    }

    pub(crate) async fn is_responder_ending(&self) -> Result<bool> {
        let known = self.known().await?;
        let Ok(Service {
            certificate: Some(certificate),
            ..
        }) = known.service(Role::Ocsp)
        else {
            return Ok(false);
        };
        let third = (certificate.not_after() - certificate.not_before()) / 3;
        let now = self.store().now();
        // With an issuer that ends itself there is nothing to renew to.
        Ok(now >= certificate.not_after() - third
            && certificate.not_after() < known.issuing()?.certificate.not_after())
    }

    /// The issuing key and its request, for an outside root.
    async fn request(
        &self,
        keys: &Keystore,
        plan: &Plan,
        watcher: Watcher<'_>,
    ) -> Result<Ceremony> {
        let steps = vec![
            Step::Key {
                role: Role::Issuing,
                algorithm: plan.issuing,
            },
            Step::Request,
        ];
        self.refuse_other_root(true).await?;
        let mut course = Course::new(steps, watcher);
        let row = self
            .key(keys, Role::Issuing, 1, "", plan.issuing, &mut course)
            .await?;
        course.begin(Step::Request);
        let (public_key, kept) = match &row.stage {
            KeyStage::Made {
                public_key,
                request,
            } => (PublicKey::from_der(public_key)?, request.clone()),
            _ => {
                return Err(Error::CeremonyHeld {
                    role: Role::Issuing,
                });
            }
        };
        let request = match kept {
            Some(request) => Request::from_der(&request)?,
            None => self.sign_request(keys, &row, &public_key).await?,
        };
        let transcript = self.transcript(keys, Some(&request)).await?;
        course.end();
        Ok(Ceremony {
            transcript,
            request_pem: Some(request.to_pem()),
            chain: Vec::new(),
        })
    }

    async fn sign_request(
        &self,
        keys: &Keystore,
        row: &KeyRow,
        public_key: &PublicKey,
    ) -> Result<Request> {
        let subject = self.name(&self.config().issuing_name, "issuing_name")?;
        let body = csr::prepare(&subject, public_key, Kind::Issuing)?;
        let algorithm = SignatureAlgorithm::default_for(public_key.algorithm());
        failpoint!("authority.request.before_keystore");
        let signature = self.sign(keys, &row.label, algorithm, &body).await?;
        failpoint!("authority.request.after_keystore");
        let request = Request::from_der(&csr::assemble(&body, algorithm, &signature)?)?;
        let mut tx = self.store().write().await?;
        if table::keep_request(&mut tx, &row.label, request.as_der()).await? {
            let made = detail(&[("sha256", json!(sha256(request.as_der())))]);
            tx.record(Event {
                kind: "authority.request.made",
                subject: &row.label,
                actor: "system",
                detail: made,
            });
            tx.commit().await?;
            return Ok(request);
        }
        tx.commit().await?;
        match table::by_label(self.store(), &row.label)
            .await?
            .map(|row| row.stage)
        {
            Some(KeyStage::Made {
                request: Some(request),
                ..
            }) => Ok(Request::from_der(&request)?),
            _ => Err(Error::CeremonyHeld {
                role: Role::Issuing,
            }),
        }
    }

    async fn take_in(&self, row: &KeyRow, public_key: &[u8], answer: &[Certificate]) -> Result<()> {
        let now = self.store().now();
        let line = state::line_up(answer, &PublicKey::from_der(public_key)?, now)
            .map_err(|fault| Error::Import { fault })?;
        let (ours, above) = line.split_first().ok_or(Error::NothingToImport)?;
        let findings = lint::lint_certificate(ours.as_der(), Kind::Issuing);
        if !findings.is_empty() {
            let codes = findings.iter().map(|finding| finding.code).collect();
            return Err(Error::Import {
                fault: ImportFault::Lint(codes),
            });
        }

        let mut tx = self.store().write().await?;
        // From the root down, so that each knows its issuer.
        let mut issuer: Option<CertificateId> = None;
        for certificate in above.iter().rev() {
            let fingerprint = hex::encode(certificate.fingerprint().value());
            let id = match table::outside_by_fingerprint(&mut tx, &fingerprint).await? {
                Some(id) => id,
                None => {
                    let id: CertificateId = tx.id();
                    insert(
                        &mut tx,
                        id,
                        issuer.unwrap_or(id),
                        "outside",
                        &fingerprint,
                        certificate,
                    )
                    .await?;
                    id
                }
            };
            issuer = Some(id);
        }
        let id: CertificateId = tx.id();
        insert(
            &mut tx,
            id,
            issuer.unwrap_or(id),
            "issuing",
            &row.label,
            ours,
        )
        .await?;
        table::activate(&mut tx, row, Some(id)).await?;
        let imported = detail(&[
            ("certificate", json!(id.to_string())),
            ("serial", json!(ours.serial().to_string())),
            ("sha256", json!(hex::encode(ours.fingerprint().value()))),
        ]);
        tx.record(Event {
            kind: "authority.certificate.imported",
            subject: &row.label,
            actor: "system",
            detail: imported,
        });
        tx.commit().await?;
        self.forget_known();
        Ok(())
    }

    /// One issuing key has one root. With our own, its key comes first; an issuing key without it is an outside root's.
    async fn refuse_other_root(&self, wants_outside: bool) -> Result<()> {
        let rows = table::all(self.store()).await?;
        let has_root = rows.iter().any(|row| row.role == Role::Root);
        let has_issuing = rows
            .iter()
            .any(|row| row.role == Role::Issuing && row.stage != KeyStage::Planned);
        match wants_outside {
            true if has_root => Err(Error::OtherRoot { held: "our own" }),
            false if has_issuing && !has_root => Err(Error::OtherRoot { held: "an outside" }),
            _ => Ok(()),
        }
    }

    async fn root(
        &self,
        keys: &Keystore,
        algorithm: KeyAlgorithm,
        course: &mut Course<'_>,
    ) -> Result<Issued> {
        let row = self.key(keys, Role::Root, 1, "", algorithm, course).await?;
        let subject = self.name(&self.config().root_name, "root_name")?;
        self.certify(
            keys,
            &row,
            Signer::Itself,
            Profile::root(),
            subject,
            ROOT_LIFE_MS,
            course,
        )
        .await
    }

    async fn issuing(
        &self,
        keys: &Keystore,
        plan: &Plan,
        root: Issued,
        course: &mut Course<'_>,
    ) -> Result<Issued> {
        let row = self
            .key(keys, Role::Issuing, 1, "", plan.issuing, course)
            .await?;
        let subject = self.name(&self.config().issuing_name, "issuing_name")?;
        let profile = Profile::issuing(
            Some(self.config().policy()?),
            self.config().addresses(&root.for_what, false),
        );
        let signer = Signer::Ours {
            id: root.id,
            certificate: Box::new(root.certificate),
        };
        self.certify(
            keys,
            &row,
            signer,
            profile,
            subject,
            ISSUING_LIFE_MS,
            course,
        )
        .await
    }

    async fn responder(
        &self,
        keys: &Keystore,
        algorithm: KeyAlgorithm,
        generation: i64,
        course: &mut Course<'_>,
    ) -> Result<()> {
        let known = self.known().await?;
        let issuing = known.issuing()?;
        let row = self
            .key(
                keys,
                Role::Ocsp,
                generation,
                &issuing.label,
                algorithm,
                course,
            )
            .await?;
        let subject = self.name(
            &format!("{} OCSP {generation}", self.config().issuing_name),
            "issuing_name",
        )?;
        let profile = Profile::ocsp(self.config().addresses(&issuing.label, true));
        let signer = Signer::Ours {
            id: issuing.id,
            certificate: Box::new(issuing.certificate.clone()),
        };
        self.certify(
            keys,
            &row,
            signer,
            profile,
            subject,
            RESPONDER_LIFE_MS,
            course,
        )
        .await?;
        Ok(())
    }

    /// Everything below an issuing authority in use, then the first lists.
    async fn finish(
        &self,
        keys: &Keystore,
        plan: &Plan,
        course: &mut Course<'_>,
    ) -> Result<Ceremony> {
        let config = self.config();
        let known = self.known().await?;
        let issuing = known.issuing()?;
        let addresses = config.addresses(&issuing.label, true);
        let signer = || Signer::Ours {
            id: issuing.id,
            certificate: Box::new(issuing.certificate.clone()),
        };

        if issuing.responder.is_none() {
            self.responder(keys, plan.ocsp, 1, course).await?;
        }
        let row = self
            .key(keys, Role::Timestamp, 1, "", plan.timestamp, course)
            .await?;
        let subject = self.name(&format!("{} TSA 1", config.issuing_name), "issuing_name")?;
        let profile = Profile::timestamp(None, addresses.clone());
        self.certify(
            keys,
            &row,
            signer(),
            profile,
            subject,
            TIMESTAMP_LIFE_MS,
            course,
        )
        .await?;

        let row = self.key(keys, Role::Seal, 1, "", plan.seal, course).await?;
        let subject = self.name(&config.organisation, "organisation")?;
        let profile = Profile::seal(config.policy()?, addresses);
        self.certify(
            keys,
            &row,
            signer(),
            profile,
            subject,
            CITIZEN_LIFE_MS,
            course,
        )
        .await?;

        let row = self
            .key(keys, Role::Ledger, 1, "", plan.ledger, course)
            .await?;
        self.activate(&row, None).await?;

        course.begin(Step::Crl);
        self.publish_crl_if_due(keys).await?;
        let transcript = self.transcript(keys, None).await?;
        course.end();
        Ok(Ceremony {
            transcript,
            request_pem: None,
            chain: self.chain().await?,
        })
    }

    /// The key of a role and generation: planned, made, or there.
    async fn key(
        &self,
        keys: &Keystore,
        role: Role,
        generation: i64,
        serves: &str,
        algorithm: KeyAlgorithm,
        course: &mut Course<'_>,
    ) -> Result<KeyRow> {
        course.begin(Step::Key { role, algorithm });
        let label = format!("{role}-{generation}");
        if table::by_label(self.store(), &label).await?.is_none() {
            self.plan_key(keys, &label, role, generation, serves, algorithm)
                .await?;
        }
        let row = self.key_row(&label).await?;
        if row.algorithm != algorithm || row.serves != serves {
            return Err(Error::CeremonyHeld { role });
        }
        if row.stage != KeyStage::Planned {
            return Ok(row);
        }
        failpoint!("authority.key.before_keystore");
        let key = find_or_make(keys, role, &label, algorithm).await?;
        failpoint!("authority.key.after_keystore");
        if key.role() != role || key.algorithm() != algorithm {
            return Err(Error::CeremonyHeld { role });
        }
        let mut tx = self.store().write().await?;
        if table::made(&mut tx, &label, key.public_key().as_der()).await? {
            let made = detail(&[
                ("algorithm", json!(algorithm.as_str())),
                ("public_key_sha256", json!(key_digest(key.public_key()))),
            ]);
            tx.record(Event {
                kind: "authority.key.made",
                subject: &label,
                actor: "system",
                detail: made,
            });
        }
        // Also where nothing was written: who was first may still wait for the disk, in one group with us.
        tx.commit().await?;
        self.key_row(&label).await
    }

    /// Writes down that a key will be made, unless a key lies there that nobody planned.
    async fn plan_key(
        &self,
        keys: &Keystore,
        label: &str,
        role: Role,
        generation: i64,
        serves: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<()> {
        match keys.service(label).await {
            Err(kyso_keystore::Error::NoSuchService { .. }) => {}
            Err(error) => return Err(error.into()),
            // Planned and made by another ceremony between our two looks: it is ours after all.
            Ok(_) if table::by_label(self.store(), label).await?.is_some() => return Ok(()),
            Ok(_) => {
                return Err(kyso_keystore::Error::LabelTaken {
                    label: label.to_owned(),
                }
                .into());
            }
        }
        let mut tx = self.store().write().await?;
        if table::plan(&mut tx, label, role, generation, serves, algorithm).await? {
            let planned = detail(&[("algorithm", json!(algorithm.as_str()))]);
            tx.record(Event {
                kind: "authority.key.planned",
                subject: label,
                actor: "system",
                detail: planned,
            });
        }
        tx.commit().await?;
        Ok(())
    }

    async fn key_row(&self, label: &str) -> Result<KeyRow> {
        let row = table::by_label(self.store(), label).await?;
        row.ok_or_else(|| Error::Corrupt {
            table: "service_key",
            row: label.to_owned(),
        })
    }

    /// The certificate for a key of ours, and the key put to use with it.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a line of the certificate; a struct would be built once per call"
    )]
    async fn certify(
        &self,
        keys: &Keystore,
        row: &KeyRow,
        signer: Signer,
        profile: Profile,
        subject: Name,
        life_ms: i64,
        course: &mut Course<'_>,
    ) -> Result<Issued> {
        course.begin(Step::Certificate { role: row.role });
        let public_key = match &row.stage {
            KeyStage::Made { public_key, .. } => PublicKey::from_der(public_key)?,
            KeyStage::Active {
                certificate: Some(id),
                ..
            } => return self.certificate(*id).await,
            _ => return Err(Error::CeremonyHeld { role: row.role }),
        };
        let wanted = Wanted {
            for_what: row.label.clone(),
            subject,
            public_key,
            signer,
            profile,
            life_ms,
            ends_at: i64::MAX,
        };
        let prepared = self.reserve(keys, &wanted).await?;
        let issued = self.issue(keys, prepared).await?;
        self.activate(row, Some(issued.id)).await?;
        Ok(issued)
    }

    async fn activate(&self, row: &KeyRow, certificate: Option<CertificateId>) -> Result<()> {
        let mut tx = self.store().write().await?;
        if table::activate(&mut tx, row, certificate).await? {
            let activated = detail(&[("certificate", json!(certificate.map(|id| id.to_string())))]);
            tx.record(Event {
                kind: "authority.key.activated",
                subject: &row.label,
                actor: "system",
                detail: activated,
            });
        }
        tx.commit().await?;
        self.forget_known();
        Ok(())
    }

    /// A name of the institution: C, O, CN.
    fn name(&self, common_name: &str, setting: &'static str) -> Result<Name> {
        let name = SubjectName {
            country: self.config().country.clone(),
            organization: Some(self.config().organisation.clone()),
            common_name: common_name.to_owned(),
            ..SubjectName::default()
        };
        subject::check(&name).map_err(|error| Error::Setting {
            setting,
            reason: error.to_string(),
        })?;
        Ok(name.encode()?)
    }
}

/// A planned key: the one a killed ceremony made, or a new one.
async fn find_or_make(
    keys: &Keystore,
    role: Role,
    label: &str,
    algorithm: KeyAlgorithm,
) -> Result<ServiceKey> {
    match keys.service(label).await {
        Ok(key) => return Ok(key),
        Err(kyso_keystore::Error::NoSuchService { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    match keys.create_for_service(role, label, algorithm).await {
        Ok((key, _)) => Ok(key),
        // Another ceremony was a moment faster.
        Err(kyso_keystore::Error::LabelTaken { .. }) => Ok(keys.service(label).await?),
        Err(error) => Err(error.into()),
    }
}

/// Stores a certificate signed by an outside root, or the root itself.
async fn insert(
    tx: &mut kyso_store::Tx,
    id: CertificateId,
    issuer_id: CertificateId,
    kind: &'static str,
    for_what: &str,
    certificate: &Certificate,
) -> Result<()> {
    let public_key_sha256 = key_digest(certificate.public_key()?);
    let new = NewRow {
        id,
        issuer_id,
        serial: certificate.serial().as_bytes(),
        kind,
        for_what,
        public_key_sha256: &public_key_sha256,
        algorithm: certificate.signature_algorithm()?.as_str(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    };
    Ok(issuing::table::insert_issued(tx, &new, certificate.as_der()).await?)
}

/// The course of a ceremony, told to its watcher.
struct Course<'a> {
    steps: Vec<Step>,
    watcher: Option<Watcher<'a>>,
}

impl<'a> Course<'a> {
    fn new(steps: Vec<Step>, watcher: Watcher<'a>) -> Course<'a> {
        Course {
            steps,
            watcher: Some(watcher),
        }
    }

    /// For renewals, which nobody watches.
    fn silent() -> Course<'static> {
        Course {
            steps: Vec::new(),
            watcher: None,
        }
    }

    fn begin(&mut self, step: Step) {
        if let Some(done) = self.steps.iter().position(|planned| *planned == step) {
            self.tell(done, step);
        }
    }

    fn end(&mut self) {
        self.tell(self.steps.len(), Step::Finished);
    }

    fn tell(&self, done: usize, step: Step) {
        let count = |steps: usize| u32::try_from(steps).unwrap_or(u32::MAX);
        if let Some(watcher) = self.watcher {
            watcher(Progress {
                done: count(done),
                of: count(self.steps.len()),
                step,
            });
        }
    }
}
