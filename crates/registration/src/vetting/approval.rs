//! An approval is an officer's signature, and the worker believes nothing else.
//!
//! The web role writes every row, so a row that says "approved" proves nothing. Before a credential is opened the worker
//! writes the dossier again from the rows and asks: did as many officers as the configuration wants, each with a record
//! that the keystore sealed, a role that decides, in office when they signed and not the person themselves, sign this very
//! dossier in this round? Then it seals what it found, so that later steps ([`Registration::approved`]) rest on the same.
//!
//! A signature is good for one opening: not after the ledger says that the enrolment was certified, and not when it is older
//! than the configuration allows. What is authentic and no longer enough, because it is old or more officers are required
//! now, is no forgery: the dossier goes back to the officers, in a new round.
//!
//! Known limits: who keeps the sealed record of an officer from before they were disabled can put it back, and only the
//! ledger's line says that they were. And a disabled officer who still has the key can write an earlier time into a
//! statement; with a web role that takes it, that counts until the approval is too old.

use kyso_keystore::{DecisionStatement, DeviceSignature, Keystore};
use kyso_store::{Tx, failpoint, ledger};

use super::{Verdict, deciding, dossier, table};
use crate::citizen::Channel;
use crate::enrolment::State;
use crate::enrolment::begin::is_expired;
use crate::enrolment::device::{CERTIFIED_EVENT, enqueue};
use crate::enrolment::table::{self as enrolment, Enrolment};
use crate::ledger::line;
use crate::ra::{self, DECIDES, DISABLED_EVENT, Officer};
use crate::{EnrolmentId, Error, OfficerId, Registration, Result, Task, secret};

/// An officer's decision as it comes from their console.
#[derive(Debug, Clone)]
pub struct SignedDecision {
    /// Canonical bytes of a `kyso.decision.v1` statement.
    pub statement: Vec<u8>,
    /// The signature by the key registered for the officer.
    pub signature: DeviceSignature,
}

/// What officers approved, as the worker verified it.
#[derive(Clone)]
pub struct Approved {
    /// Which enrolment.
    pub enrolment: EnrolmentId,
    /// Phone, E.164.
    pub phone: String,
    /// E-mail, if one was given.
    pub email: Option<String>,
    /// The channel a code was entered from: known to be the citizen's.
    pub proved: Channel,
    /// The credential it became; `None` before it is opened.
    pub credential: Option<String>,
}

crate::citizen::silent!(Approved);

/// A signed approval as its row says.
pub(crate) struct Approval {
    pub(crate) officer: OfficerId,
    pub(crate) decision: SignedDecision,
}

/// Kind of the keystore's seal on an approval.
const SEAL_KIND: &str = "approval";

impl Registration {
    /// Approves. With two officers required the first makes it vetted, the second approved.
    ///
    /// # Errors
    /// [`Error::NotLocked`] without the lock, [`Error::OwnEnrolment`], [`Error::SecondOfficer`], [`Error::CardExpired`],
    /// [`Error::EnrolmentState`]; [`Error::DecisionRefused`] for a signature or statement that is not over this dossier as it
    /// is now.
    pub async fn approve(
        &self,
        officer: &Officer,
        id: &EnrolmentId,
        decision: &SignedDecision,
    ) -> Result<State> {
        let mut tx = self.store().write().await?;
        let row = deciding(self, &mut tx, officer, id).await?;
        let owner = row
            .owner
            .clone()
            .ok_or(Error::NotFound { what: "dossier" })?;
        let now = tx.now();
        if is_expired(&owner, now) {
            return Err(Error::CardExpired);
        }
        let record = ra::table::record(&mut tx, &officer.id)
            .await?
            .ok_or(Error::OfficerForbidden)?;
        let digest = secret::sha256(dossier::canonical(&mut tx, &row).await?.as_bytes());
        let said = judge(&row, &digest, &record, decision)
            .map_err(|code| Error::DecisionRefused { code })?;
        said.check_fresh(now)
            .map_err(|_| Error::DecisionRefused { code: "time" })?;
        super::decide(&mut tx, &row, officer, Verdict::Approve, "", Some(decision)).await?;
        let required = self.config().officers_required.clamp(1, 2);
        if required == 2 && row.state == State::Submitted {
            table::vet(&mut tx, id).await?;
            tx.commit().await?;
            return Ok(State::Vetted);
        }
        let citizen = table::citizen(&mut tx, &owner.identity_number).await?;
        table::approve(&mut tx, &row, required, citizen).await?;
        enqueue(&mut tx, &Task::OpenCredential { enrolment: *id });
        line(
            "registration.enrolment.approved",
            &id.to_string(),
            &officer.id.to_string(),
        )
        .with("citizen", citizen.to_string())
        .with("officers", required)
        .record(&mut tx);
        failpoint!("registration.approve.before-commit");
        tx.commit().await?;
        Ok(State::Approved)
    }

    /// What officers approved, verified again from the rows as they are now: for every step of the worker that rests on who
    /// somebody is or how they are reached. Before the credential is opened it judges the signatures, afterwards the seal that
    /// was made then, so that an officer who has left since changes nothing.
    ///
    /// # Errors
    /// [`Error::ApprovalForged`] with what disagrees; [`Error::ApprovalLapsed`] if it is no longer enough;
    /// [`Error::ClockBehind`]; the keystore's when it is away.
    pub async fn approved(&self, keys: &Keystore, id: &EnrolmentId) -> Result<Approved> {
        let mut tx = self.store().read().await?;
        let row = enrolment::by_id(&mut tx, id).await?;
        if row.state == State::Approved {
            let evidence = self.read_approval(&mut tx, &row).await?;
            drop(tx);
            self.check_approval(keys, &row, evidence).await?;
        } else {
            let dossier = dossier::canonical(&mut tx, &row).await?;
            drop(tx);
            let seal = row.approval_seal.as_deref().ok_or(forged("not-approved"))?;
            let sealed = sealed_bytes(&row, &dossier);
            keys.check_record(SEAL_KIND, &sealed, seal)
                .await
                .map_err(|error| unless_away(error, "seal"))?;
        }
        let contact = forged("contact");
        Ok(Approved {
            enrolment: row.id,
            phone: row.phone.ok_or(contact)?,
            email: row.email,
            proved: row.activated_channel.ok_or(forged("contact"))?,
            credential: row.credential_id,
        })
    }

    /// Everything the judgement of an approval needs, from one snapshot.
    pub(crate) async fn read_approval(&self, tx: &mut Tx, row: &Enrolment) -> Result<ToJudge> {
        let owner = row.owner.as_ref().ok_or(forged("dossier"))?;
        let mut approvals = Vec::new();
        for approval in table::approvals(tx, row).await? {
            let record = ra::table::record(tx, &approval.officer)
                .await?
                .ok_or(forged("officer"))?;
            approvals.push((record, approval.decision));
        }
        let contract = enrolment::contract(tx, &row.id).await?;
        Ok(ToJudge {
            dossier: dossier::canonical(tx, row).await?,
            approvals,
            photos: enrolment::evidence(tx, &row.id).await?,
            contract: contract.ok_or(forged("contract"))?,
            citizen_agrees: row.citizen_id.is_some()
                && table::citizen_of_number(tx, &owner.identity_number).await? == row.citizen_id,
        })
    }

    /// Judges the signatures of a round. See the head of this file.
    pub(crate) async fn check_approval(
        &self,
        keys: &Keystore,
        row: &Enrolment,
        to_judge: ToJudge,
    ) -> Result<()> {
        let owner = row.owner.as_ref().ok_or(forged("dossier"))?;
        let own = self.officer_identity(&owner.identity_number);
        let digest = secret::sha256(to_judge.dossier.as_bytes());
        let mut last = 0;
        let mut people: Vec<Vec<u8>> = Vec::new();
        for (record, decision) in &to_judge.approvals {
            keys.check_record(ra::SEAL_KIND, &record.sealed_bytes(), &record.seal)
                .await
                .map_err(|error| unless_away(error, "officer"))?;
            let said = judge(row, &digest, record, decision).map_err(forged)?;
            self.check_in_office(record, said.issued_at).await?;
            if secret::equal(&record.identity_hash, &own) || row.entered_by == Some(record.id) {
                return Err(forged("own-enrolment"));
            }
            if !people.contains(&record.identity_hash) {
                people.push(record.identity_hash.clone());
            }
            last = last.max(said.issued_at);
        }
        if people.is_empty() {
            return Err(forged("too-few-officers"));
        }
        // The plan runs from the approval: its time is the one that was signed.
        let approved_at = row.approved_at.unwrap_or_default();
        if !(-kyso_keystore::activation::SKEW_MS_MAX..=kyso_keystore::activation::LIFETIME_MS_MAX)
            .contains(&(approved_at - last))
        {
            return Err(forged("approval-time"));
        }
        if !to_judge.citizen_agrees {
            return Err(forged("citizen"));
        }
        self.check_files(&to_judge).await?;
        // All of it is authentic; is it enough? Two rows of one person are one officer.
        if (people.len() as i64) < self.config().officers_required.clamp(1, 2) {
            return Err(lapsed("too-few-officers"));
        }
        let age = self.store().now() - last;
        if age < -kyso_keystore::activation::SKEW_MS_MAX {
            return Err(Error::ClockBehind);
        }
        if age > self.config().approval_ms {
            return Err(lapsed("approval-age"));
        }
        Ok(())
    }

    /// Whether an officer was in office when they signed. The row says when they were disabled, under the keystore's seal,
    /// and so does the ledger, should an older row have been put back: its earliest line counts, a later one may be added.
    async fn check_in_office(&self, record: &ra::table::Record, issued_at: i64) -> Result<()> {
        let id = record.id.to_string();
        let lines = ledger::tail(self.store(), &id, Some(DISABLED_EVENT), u32::MAX).await?;
        let left = lines
            .iter()
            .map(|line| line.at)
            .chain(record.disabled_at)
            .min();
        match left {
            // The console has a clock of its own.
            Some(left) if issued_at > left + kyso_keystore::activation::SKEW_MS_MAX => {
                Err(forged("officer-disabled"))
            }
            Some(left) if issued_at >= left => Err(lapsed("officer-disabled")),
            _ => Ok(()),
        }
    }

    /// Whether the ledger says that this enrolment has had its certificate. Row and line are one commit.
    pub(crate) async fn was_certified(&self, id: &EnrolmentId) -> Result<bool> {
        let lines = ledger::tail(self.store(), &id.to_string(), Some(CERTIFIED_EVENT), 1).await?;
        Ok(!lines.is_empty())
    }

    /// The photos and the contract that were signed over are the ones that are kept.
    async fn check_files(&self, to_judge: &ToJudge) -> Result<()> {
        let contract = &to_judge.contract;
        let files = to_judge
            .photos
            .iter()
            .map(|photo| {
                (
                    photo.id.to_string(),
                    photo.blob.as_ref(),
                    photo.view.sha256.clone(),
                )
            })
            .chain([(
                contract.id.to_string(),
                Some(&contract.blob),
                hex::encode(&contract.sha256),
            )]);
        for (context, blob, sha256) in files {
            use kyso_store::Error as Store;
            let blob = blob.ok_or(forged("evidence"))?;
            match self.sealed().read(self.store(), &context, blob).await {
                Ok(bytes) if hex::encode(secret::sha256(&bytes)) == sha256 => {}
                Ok(_)
                | Err(
                    Store::BlobMissing { .. }
                    | Store::BlobDamaged { .. }
                    | Store::BlobSealed { .. },
                ) => return Err(forged("evidence")),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The keystore's word that this dossier was approved and became this credential.
    pub(crate) async fn seal_approval(
        &self,
        keys: &Keystore,
        row: &Enrolment,
        credential: &str,
        dossier: &str,
    ) -> Result<Vec<u8>> {
        let mut row = row.clone();
        row.credential_id = Some(credential.to_owned());
        failpoint!("registration.certify.before-seal");
        let seal = keys
            .seal_record(SEAL_KIND, &sealed_bytes(&row, dossier))
            .await?;
        failpoint!("registration.certify.after-seal");
        Ok(seal)
    }
}

/// What the judgement of an approval rests on.
pub(crate) struct ToJudge {
    pub(crate) dossier: String,
    approvals: Vec<(ra::table::Record, SignedDecision)>,
    photos: Vec<enrolment::Evidence>,
    contract: enrolment::Contract,
    citizen_agrees: bool,
}

/// Whether this officer, who may decide, approved this enrolment in this round over this dossier; else what disagrees.
fn judge(
    row: &Enrolment,
    dossier: &[u8; 32],
    officer: &ra::table::Record,
    decision: &SignedDecision,
) -> Result<DecisionStatement, &'static str> {
    let said = DecisionStatement::parse(&decision.statement).map_err(|_| "statement")?;
    officer
        .key
        .verify(&decision.statement, &decision.signature)
        .map_err(|_| "signature")?;
    let agrees = [
        (said.officer == officer.id.to_string(), "officer"),
        (said.enrolment == row.id.to_string(), "enrolment"),
        (said.round == row.round, "round"),
        (said.verdict == Verdict::Approve.as_str(), "verdict"),
        (said.dossier == *dossier, "dossier"),
        (
            officer.roles.iter().any(|role| DECIDES.contains(role)),
            "role",
        ),
    ];
    match agrees.into_iter().find(|(agrees, _)| !agrees) {
        Some((_, field)) => Err(field),
        None => Ok(said),
    }
}

/// JSON of enrolment, credential and the digest of the dossier, in this order.
fn sealed_bytes(row: &Enrolment, dossier: &str) -> Vec<u8> {
    let fields = [
        row.id.to_string(),
        row.credential_id.clone().unwrap_or_default(),
        hex::encode(secret::sha256(dossier.as_bytes())),
    ];
    serde_json::to_vec(&fields).unwrap_or_default()
}

fn forged(code: &'static str) -> Error {
    Error::ApprovalForged { code }
}

fn lapsed(code: &'static str) -> Error {
    Error::ApprovalLapsed { code }
}

/// A keystore that is away says nothing about a record.
fn unless_away(error: kyso_keystore::Error, code: &'static str) -> Error {
    match error {
        kyso_keystore::Error::RecordForged | kyso_keystore::Error::NoBackend { .. } => forged(code),
        other => other.into(),
    }
}
