//! The service contract: written from the row, read, signed by an explicit act, sealed by the provider.
//!
//! Signing is agreeing, in words and for one digest: the citizen's electronic signature in the sense of Law
//! 20/2023/QH15 art. 22; the provider's seal (PAdES) then fixes file and time. Changed data, other contract.

use std::fmt::Write as _;

use kyso_keystore::Keystore;
use kyso_paper::{ContractFields, Date, Place};
use kyso_signing::{Mark, MarkPage, Placement};
use kyso_store::{Tx, failpoint};

use super::begin::lock_open;
use super::state::missing_for_contract;
use super::table::{self, Contract, Enrolment, refused_by};
use super::{ContractFile, ContractSignature, ContractView, View, view};
use crate::campaign::{self, Allowance};
use crate::citizen::Owner;
use crate::ledger::line;
use crate::{ContractId, EnrolmentId, Error, Registration, Result, Task, secret};

/// What the fields of a contract come from: everything but number and day.
pub(crate) struct Source {
    pub(crate) subscriber: kyso_paper::Subscriber,
    pub(crate) plan: kyso_paper::Plan,
    pub(crate) provider: kyso_paper::Provider,
    pub(crate) made_at: String,
}

impl Source {
    /// Two contracts with the same digest say the same.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let text =
            serde_json::to_vec(&(&self.subscriber, &self.plan, &self.provider, &self.made_at));
        secret::sha256(&text.unwrap_or_default())
    }
}

impl Registration {
    /// The contract to read: written when it is first asked for after owner, payment and photos are complete.
    ///
    /// # Errors
    /// [`Error::StepsMissing`], [`Error::NotFound`] when there is none and none can be written any more.
    pub async fn contract(&self, id: &EnrolmentId) -> Result<ContractFile> {
        // Step 1. The one in force, if it says what would be written now.
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, id).await?;
        let present = table::contract(&mut tx, id).await?;
        if !row.state.is_open_to_citizen() {
            return self
                .file(present.ok_or(Error::NotFound { what: "contract" })?)
                .await;
        }
        let steps = missing_for_contract(&table::progress(&mut tx, &row).await?);
        let Some(owner) = row.owner.clone().filter(|_| steps.is_empty()) else {
            return Err(Error::StepsMissing { missing: steps });
        };
        let source = self.contract_source(&mut tx, &row, &owner).await?;
        if let Some(contract) = present.filter(|contract| contract.made_from == source.digest()) {
            return self.file(contract).await;
        }
        let now = tx.now();
        drop(tx);

        // Step 2. Write the paper, outside any transaction: it takes tens of milliseconds of one core.
        let made_from = source.digest();
        let number = format!("HD{}{}", owner.address.province_code, secret::digits(10));
        let fields = ContractFields {
            number: number.clone(),
            made_on: Date::in_vietnam(now),
            made_at: source.made_at,
            provider: source.provider,
            subscriber: source.subscriber,
            plan: source.plan,
        };
        let pdf = typeset(move || kyso_paper::contract(&fields)).await?;

        // Step 3. Keep it, if the row still says the same.
        self.keep_contract(id, pdf, number, made_from).await
    }

    /// Signs the contract.
    ///
    /// # Errors
    /// [`Error::ContractChanged`] for another digest than the one in force, [`Error::AgreementText`],
    /// [`Error::EnrolmentState`], [`Error::NotFound`].
    pub async fn sign_contract(
        &self,
        id: &EnrolmentId,
        signature: ContractSignature<'_>,
    ) -> Result<View> {
        if !matches!(signature.channel, "web" | "desk") {
            return Err(Error::Unacceptable {
                field: "channel",
                rule: "web or desk",
            });
        }
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let contract = table::contract(&mut tx, id)
            .await?
            .ok_or(Error::NotFound { what: "contract" })?;
        let owner = row.owner.clone().ok_or(Error::ContractChanged)?;
        let source = self.contract_source(&mut tx, &row, &owner).await?;
        if hex::encode(&contract.sha256) != signature.sha256
            || contract.made_from != source.digest()
        {
            return Err(Error::ContractChanged);
        }
        if agreement(&contract.number) != signature.agreement {
            return Err(Error::AgreementText);
        }
        // Signing twice is signing once: the second tap finds it done.
        if contract.agreed_at.is_none() {
            table::agree(&mut tx, &contract, signature.agreement, signature.channel).await?;
            line("registration.contract.signed", &id.to_string(), "citizen")
                .with("contract", contract.id.to_string())
                .with("sha256", signature.sha256)
                .with("channel", signature.channel)
                .record(&mut tx);
            let (task, now) = (
                Task::SealContract {
                    contract: contract.id,
                },
                tx.now(),
            );
            tx.enqueue(task.kind(), &task.key(), &task.payload(), now);
        }
        let view = view(&mut tx, id).await?;
        tx.commit().await?;
        Ok(view)
    }

    /// Puts the provider's seal on a signed contract. Idempotent; nothing to do for a void one.
    pub(crate) async fn seal_contract(
        &self,
        keys: &Keystore,
        id: &ContractId,
    ) -> Result<Option<EnrolmentId>> {
        let mut tx = self.store().read().await?;
        let contract = table::contract_by_id(&mut tx, id).await?;
        let now = tx.now();
        drop(tx);
        let Some(contract) = contract
            .filter(|c| c.agreed_at.is_some() && c.sealed_blob.is_none() && c.void_at.is_none())
        else {
            return Ok(None);
        };
        let pdf = self
            .sealed()
            .read(self.store(), &id.to_string(), &contract.blob)
            .await?;
        let mark = self.mark(contract.mark.as_deref(), now).await?;
        failpoint!("registration.seal.before");
        let sealed = self.signing().seal(keys, pdf, mark).await?;
        failpoint!("registration.seal.after");
        let sha256 = secret::sha256(&sealed);
        let mut tx = self.store().write().await?;
        let blob = self.sealed().put(&mut tx, &id.to_string(), &sealed).await?;
        if table::seal(&mut tx, id, blob, sha256).await? {
            line(
                "registration.contract.sealed",
                &contract.enrolment.to_string(),
                "system",
            )
            .with("contract", id.to_string())
            .with("sha256", hex::encode(sha256))
            .record(&mut tx);
            tx.commit().await?;
        }
        Ok(Some(contract.enrolment))
    }

    /// What a contract is written from.
    pub(crate) async fn contract_source(
        &self,
        tx: &mut Tx,
        row: &Enrolment,
        owner: &Owner,
    ) -> Result<Source> {
        let plan = campaign::table::plan(tx, &row.plan_code)
            .await?
            .ok_or(Error::NotFound { what: "plan" })?;
        let campaign = match &row.campaign_code {
            Some(code) => campaign::table::campaign(tx, code)
                .await?
                .map(|(campaign, _)| campaign.name),
            None => None,
        };
        Ok(Source {
            subscriber: subscriber(row, owner),
            plan: kyso_paper::Plan {
                name: plan.name,
                months: u32::try_from(plan.months).unwrap_or(0),
                price_vnd: u64::try_from(row.price_vnd).unwrap_or(0),
                signatures: match plan.allowance {
                    Allowance::Unlimited => None,
                    Allowance::Pack(signatures) => u32::try_from(signatures).ok(),
                },
                campaign: campaign.unwrap_or_default(),
            },
            provider: self.config().provider.clone(),
            made_at: owner.address.province_name.clone(),
        })
    }

    async fn keep_contract(
        &self,
        id: &EnrolmentId,
        pdf: kyso_paper::Pdf,
        number: String,
        made_from: [u8; 32],
    ) -> Result<ContractFile> {
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let owner = row.owner.clone().ok_or(Error::ContractChanged)?;
        if self.contract_source(&mut tx, &row, &owner).await?.digest() != made_from {
            return Err(Error::ContractChanged);
        }
        if let Some(contract) = table::contract(&mut tx, id)
            .await?
            .filter(|contract| contract.made_from == made_from)
        {
            // Asked for twice at the same time: the first one is read by both.
            drop(tx);
            return self.file(contract).await;
        }
        table::void_contract(&mut tx, id).await?;
        let contract: ContractId = tx.id();
        let sha256 = secret::sha256(pdf.bytes());
        let new = table::NewContract {
            id: contract,
            enrolment: id,
            number: &number,
            made_from,
            blob: self
                .sealed()
                .put(&mut tx, &contract.to_string(), pdf.bytes())
                .await?,
            sha256,
            mark: pdf.place("provider").map(write_place),
        };
        let inserted = table::insert_contract(&mut tx, new).await;
        if refused_by(&inserted).is_some() {
            return Err(Error::ContractChanged);
        }
        inserted?;
        line("registration.contract.written", &id.to_string(), "system")
            .with("contract", contract.to_string())
            .with("sha256", hex::encode(sha256))
            .record(&mut tx);
        let written = table::contract(&mut tx, id)
            .await?
            .ok_or(Error::NotFound { what: "contract" })?;
        tx.commit().await?;
        Ok(ContractFile {
            pdf: pdf.into_bytes(),
            view: contract_view(&written),
        })
    }

    async fn file(&self, contract: Contract) -> Result<ContractFile> {
        let blob = contract.sealed_blob.as_ref().unwrap_or(&contract.blob);
        let pdf = self
            .sealed()
            .read(self.store(), &contract.id.to_string(), blob)
            .await?;
        Ok(ContractFile {
            pdf,
            view: contract_view(&contract),
        })
    }

    /// The visible seal, at the place the paper left for it.
    async fn mark(&self, place: Option<&str>, now: i64) -> Result<Option<Mark>> {
        let Some(place) = place.and_then(read_place) else {
            return Ok(None);
        };
        let chain = self.authority().chain().await?;
        let issuer = chain
            .first()
            .and_then(|issuer| issuer.subject().common_name())
            .unwrap_or_default();
        let mut mark = Mark::vietnamese(&self.config().provider.name, now, issuer, None);
        mark.page = MarkPage::Number(u32::try_from(place.page).unwrap_or(1));
        mark.placement = Placement::At {
            left: place.left as f32,
            bottom: place.bottom as f32,
        };
        (mark.width, mark.height) = (place.width as f32, place.height as f32);
        Ok(Some(mark))
    }
}

/// The sentence the citizen agrees with.
pub(crate) fn agreement(number: &str) -> String {
    format!(
        "Tôi đã đọc toàn bộ hợp đồng số {number}, hiểu và đồng ý với mọi điều khoản, và ký hợp đồng này bằng phương tiện điện tử."
    )
}

pub(crate) fn contract_view(contract: &Contract) -> ContractView {
    ContractView {
        number: contract.number.clone(),
        sha256: hex::encode(&contract.sha256),
        agreement: agreement(&contract.number),
        signed_at: contract.agreed_at,
        sealed: contract.sealed_blob.is_some(),
    }
}

pub(crate) fn subscriber(row: &Enrolment, owner: &Owner) -> kyso_paper::Subscriber {
    kyso_paper::Subscriber {
        full_name: owner.full_name.clone(),
        birth_date: owner.birth_date,
        sex: owner.sex.printed().into(),
        nationality: "Việt Nam".into(),
        identity_kind: "CCCD".into(),
        identity_number: owner.identity_number.clone(),
        identity_issued_on: owner.issue_date,
        identity_issuer: owner.issue_place.clone(),
        address: owner.address.line(),
        email: row.email.clone().unwrap_or_default(),
        phone: row.phone.as_deref().map(national).unwrap_or_default(),
    }
}

/// `+84911…` as people write it: `0911…`.
fn national(phone: &str) -> String {
    phone
        .strip_prefix("+84")
        .map_or_else(|| phone.to_owned(), |rest| format!("0{rest}"))
}

/// Typesets on a thread where it may take its time.
pub(crate) async fn typeset(
    write: impl FnOnce() -> kyso_paper::Result<kyso_paper::Pdf> + Send + 'static,
) -> Result<kyso_paper::Pdf> {
    match tokio::task::spawn_blocking(write).await {
        Ok(pdf) => Ok(pdf?),
        Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
    }
}

fn write_place(place: &Place) -> String {
    let mut text = format!("{}", place.page);
    for number in [place.left, place.bottom, place.width, place.height] {
        let _ = write!(text, " {number}");
    }
    text
}

fn read_place(text: &str) -> Option<Place> {
    let mut words = text.split(' ');
    let page = words.next()?.parse().ok()?;
    let mut number = || words.next()?.parse().ok();
    Some(Place {
        name: "provider".into(),
        page,
        left: number()?,
        bottom: number()?,
        width: number()?,
        height: number()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written() {
        let place = Place {
            name: "provider".into(),
            page: 3,
            left: 56.7,
            bottom: 120.0,
            width: 200.25,
            height: 70.0,
        };
        assert_eq!(read_place(&write_place(&place)), Some(place));
        assert_eq!(read_place("3 1 2"), None);
    }
}
