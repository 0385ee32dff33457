//! From the certificate to the active credential: phone and PIN, the acceptance record, its signature.
//!
//! Whoever holds the enrolment's token may ask to bind a phone; that it is the citizen who does is shown by a code, which the
//! worker computes in the keystore and sends to the contact that was proved and approved. Five wrong codes end the enrolment.
//!
//! Signing knows how far the credential is; this crate asks it ([`Registration::advance`]) whenever somebody looks,
//! whenever signing reports, and from the `Accept` job, so a report lost in a crash only delays.

use kyso_keystore::Keystore;
use kyso_paper::{AcceptanceFields, Date};
use kyso_signing::credential::{
    BindingIntention, BindingState, Credential, CredentialState, Opening,
};
use kyso_signing::request::RequestState;
use kyso_signing::task::News;
use kyso_signing::{BindingId, CredentialId, RequestId, SubjectName};
use kyso_store::{Tx, failpoint};

use super::code;
use super::contract::{subscriber, typeset};
use super::state::{Change, State};
use super::table::{self, Enrolment};
use super::{CodeToSend, DeviceChallenge, View, begin, next_steps, view};
use crate::campaign::{self, Allowance};
use crate::citizen::{Channel, masked};
use crate::ledger::line;
use crate::task::Event;
use crate::vetting::approval::ToJudge;
use crate::vetting::table as vetting;
use crate::{EnrolmentId, Error, Registration, Result, Task};

/// The ledger line of a certificate that was issued: an approval is good for one.
pub(crate) const CERTIFIED_EVENT: &str = "registration.enrolment.certified";

impl Registration {
    /// Where it stands and what to do next.
    pub async fn show(&self, id: &EnrolmentId) -> Result<View> {
        self.advance(id).await?;
        let mut tx = self.store().read().await?;
        let (mut shown, row) = (view(&mut tx, id).await?, table::by_id(&mut tx, id).await?);
        let mut progress = table::progress(&mut tx, &row).await?;
        drop(tx);
        if let Some(binding) = row
            .binding_id
            .as_deref()
            .and_then(|id| id.parse::<BindingId>().ok())
        {
            let binding = self.signing().credentials.binding(&binding).await?;
            progress.binding = binding.state == BindingState::Pending;
            shown.binding = Some(match binding.state {
                BindingState::Pending => "pending".into(),
                BindingState::Bound => "bound".into(),
                BindingState::Refused { code } => code,
            });
            shown.next = next_steps(row.state, &progress);
        }
        // Asked of signing, not of the binding: a phone that never heard our answer finds its device too.
        if let Some(credential) = credential_of(&row).filter(|_| row.state != State::Certified)
            && let Some(device) = self.signing().devices.bound_to(&credential).await?
        {
            (shown.device, shown.binding) = (Some(device.id.to_string()), Some("bound".into()));
        }
        Ok(shown)
    }

    /// A nonce for binding phone and PIN; the code that goes with it is sent to the citizen.
    ///
    /// # Errors
    /// [`Error::EnrolmentState`] before the certificate is there or after the phone is bound, [`Error::ResumptionRests`],
    /// [`Error::CodeTooSoon`], [`Error::CodeLimit`], [`Error::MessageBudget`].
    pub async fn device_challenge(&self, id: &EnrolmentId) -> Result<DeviceChallenge> {
        let (_, credential) = self.certified(id).await?;
        let nonce = self.signing().devices.challenge().await?;
        let expires_at = self.signing().devices.challenge_ends(&nonce).await?;
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state != State::Certified {
            return Err(Error::EnrolmentState { state: row.state });
        }
        let now = tx.now();
        // Who took a number over opens the enrolment and gets the code: by now its citizen has heard of it.
        if let Some(resumed_at) = row.resumed_at {
            let at = resumed_at + self.config().resumption_rest_ms;
            if now < at {
                return Err(Error::ResumptionRests { at, now });
            }
        }
        if let Some(sent_at) = row.device_code_at {
            let at = sent_at + self.config().code_resend_ms;
            if now < at {
                return Err(Error::CodeTooSoon { at, now });
            }
        }
        let (channel, destination) = contact(&row)?;
        table::set_device_code(&mut tx, id).await?;
        enqueue(
            &mut tx,
            &Task::SendDeviceCode {
                enrolment: *id,
                nonce: nonce.clone(),
                channel: channel.as_str().into(),
            },
        );
        line(
            "registration.device-code.requested",
            &id.to_string(),
            "citizen",
        )
        .with("channel", channel.as_str())
        .record(&mut tx);
        self.allow_code(&mut tx, id, &destination).await?;
        self.spend_budget(&mut tx, channel, code::DEVICE).await?;
        tx.commit().await?;
        Ok(DeviceChallenge {
            nonce,
            credential: credential.to_string(),
            channel,
            destination: masked(channel, &destination),
            expires_at: expires_at.unwrap_or(now),
            resend_at: now + self.config().code_resend_ms,
        })
    }

    /// The code of a `SendDeviceCode` job; `None` if it is used, too old or not needed any more, and the job is simply done.
    ///
    /// It is computed while it is sent and stored nowhere: who reads every row, and holds the data key, does not learn it.
    ///
    /// # Errors
    /// The keystore's and the store's.
    pub async fn device_code_to_send(
        &self,
        keys: &Keystore,
        id: &EnrolmentId,
        nonce: &str,
    ) -> Result<Option<CodeToSend>> {
        let mut tx = self.store().read().await?;
        let (row, now) = (table::by_id(&mut tx, id).await?, tx.now());
        drop(tx);
        let Some(credential) = credential_of(&row).filter(|_| row.state == State::Certified) else {
            return Ok(None);
        };
        let Some(expires_at) = self.signing().devices.challenge_ends(nonce).await? else {
            return Ok(None);
        };
        // Where it goes is what officers approved, whatever the row says by now.
        let approved = match self.approved(keys, id).await {
            Err(Error::ApprovalForged { code }) => {
                self.record_refusal(id, code).await?;
                return Ok(None);
            }
            approved => approved?,
        };
        if approved.credential != row.credential_id {
            return Ok(None);
        }
        let destination = match approved.proved {
            Channel::Sms => Some(approved.phone),
            Channel::Email => approved.email,
        };
        let destination = destination.ok_or(Error::NotFound { what: "contact" })?;
        let channel = approved.proved;
        let code = self
            .signing()
            .credentials
            .binding_code(keys, &credential, nonce)
            .await?;
        Ok(code.map(|code| CodeToSend {
            channel,
            destination,
            code: code.as_str().to_owned(),
            minutes: (expires_at - now + 59_999) / 60_000,
            language: row.language,
        }))
    }

    /// Binds phone and PIN: stored here, done by the worker; [`View::binding`] says how it went.
    ///
    /// # Errors
    /// [`Error::DeviceTaken`], [`Error::EnrolmentState`], signing's refusals of the statement.
    pub async fn bind_device(&self, id: &EnrolmentId, intention: BindingIntention) -> Result<View> {
        let (_, credential) = self.certified(id).await?;
        let binding = match self
            .signing()
            .credentials
            .request_binding(&credential, intention)
            .await
        {
            Err(kyso_signing::Error::DeviceTaken) => return Err(Error::DeviceTaken),
            outcome => outcome?,
        };
        failpoint!("registration.bind.after-request");
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state == State::Certified {
            table::set_binding(&mut tx, id, &binding.id.to_string()).await?;
            enqueue(&mut tx, &Task::Accept { enrolment: *id });
            line(
                "registration.enrolment.device-sent",
                &id.to_string(),
                "citizen",
            )
            .with("binding", binding.id.to_string())
            .record(&mut tx);
            tx.commit().await?;
        }
        self.show(id).await
    }

    /// The signed acceptance record, once complete.
    pub async fn acceptance_record(&self, id: &EnrolmentId) -> Result<Vec<u8>> {
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, id).await?;
        drop(tx);
        let missing = Error::NotFound { what: "acceptance" };
        let Some(credential) = credential_of(&row) else {
            return Err(missing);
        };
        self.signing()
            .requests
            .signed_acceptance(&credential)
            .await?
            .ok_or(missing)
    }

    /// The enrolment that ended in this credential, for the officer who looks at one.
    pub async fn of_credential(&self, credential: &str) -> Result<EnrolmentId> {
        let mut tx = self.store().read().await?;
        table::of_credential(&mut tx, credential)
            .await?
            .ok_or(Error::NotFound { what: "enrolment" })
    }

    /// Key and certificate for an approved enrolment. Idempotent from any point where it was interrupted.
    pub(crate) async fn open_credential(&self, keys: &Keystore, id: &EnrolmentId) -> Result<()> {
        // Read before the transaction: one job holds one connection. Whoever certified it in between changed its state too.
        let was_certified = self.was_certified(id).await?;
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, id).await?;
        if row.state != State::Approved {
            return Ok(());
        }
        if was_certified {
            drop(tx);
            return self.refuse_used(id).await;
        }
        let (judged, opening) = (
            self.read_approval(&mut tx, &row).await,
            self.opening(&mut tx, &row).await,
        );
        drop(tx);
        let dossier = match self.judge_approval(keys, &row, judged).await {
            Err(Error::ApprovalForged { code }) => return self.refuse_approval(id, code).await,
            Err(Error::ApprovalLapsed { code }) => return self.lapse_approval(id, code).await,
            Err(Error::Corrupt { .. } | Error::NotFound { .. }) => {
                return self.refuse_approval(id, "rows").await;
            }
            judged => judged?,
        };
        let opening = opening?;
        failpoint!("registration.open.before");
        let opened = match self.signing().credentials.open(keys, &opening).await {
            Ok(credential) => credential,
            Err(error) => match refused_for_good(&error) {
                Some(code) => return self.fail(id, code).await,
                None => return Err(error.into()),
            },
        };
        failpoint!("registration.open.after");
        let credential = opened.id.to_string();
        let seal = self
            .seal_approval(keys, &row, &credential, &dossier)
            .await?;
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state == State::Approved {
            table::certify(&mut tx, id, &credential, seal).await?;
            line(CERTIFIED_EVENT, &id.to_string(), "system")
                .with("round", row.round)
                .with("credential", opened.id.to_string())
                .with("serial", opened.serial)
                .record(&mut tx);
            notify(&mut tx, &row, Event::Approved);
            tx.commit().await?;
        }
        Ok(())
    }

    /// The canonical dossier, if officers signed it.
    async fn judge_approval(
        &self,
        keys: &Keystore,
        row: &Enrolment,
        judged: Result<ToJudge>,
    ) -> Result<String> {
        let judged = judged?;
        let dossier = judged.dossier.clone();
        self.check_approval(keys, row, judged).await?;
        Ok(dossier)
    }

    /// The rows claim an approval that officers did not sign. The enrolment ends, so that nothing asks again; the ledger and
    /// the job say why.
    async fn refuse_approval(&self, id: &EnrolmentId, code: &'static str) -> Result<()> {
        self.record_refusal(id, code).await?;
        self.fail(id, "approval-not-authentic").await?;
        Err(Error::ApprovalForged { code })
    }

    /// An approval that has had its certificate: whoever says so again has reset the row. Another worker may just have
    /// certified it, which its row then says.
    async fn refuse_used(&self, id: &EnrolmentId) -> Result<()> {
        let mut tx = self.store().read().await?;
        let state = table::by_id(&mut tx, id).await?.state;
        drop(tx);
        match state {
            State::Approved => self.refuse_approval(id, "used").await,
            _ => Ok(()),
        }
    }

    /// Nobody forged anything: officers decide anew. An opening that has begun cannot change its plan's end, so then the
    /// enrolment ends.
    async fn lapse_approval(&self, id: &EnrolmentId, code: &'static str) -> Result<()> {
        tracing::warn!(enrolment = %id, code, "the approval of {id} is no longer enough: officers decide anew");
        let begun = self
            .signing()
            .credentials
            .of_enrolment(&id.to_string())
            .await?;
        if begun.is_some() {
            return self.fail(id, "approval-lapsed").await;
        }
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state.after(Change::Lapse).is_some() {
            let required = self.config().officers_required.clamp(1, 2);
            vetting::lapse(&mut tx, id, required).await?;
            line("registration.approval.lapsed", &id.to_string(), "system")
                .with("code", code)
                .with("round", row.round)
                .record(&mut tx);
            tx.commit().await?;
        }
        Ok(())
    }

    async fn record_refusal(&self, id: &EnrolmentId, code: &'static str) -> Result<()> {
        tracing::error!(enrolment = %id, code, "{id} is approved in the database, and officers did not sign that: somebody writes rows who must not");
        let mut tx = self.store().write().await?;
        line("registration.approval.refused", &id.to_string(), "system")
            .with("code", code)
            .record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// Writes the acceptance record and asks for its signature. Idempotent: signing keeps one per credential.
    pub(crate) async fn ask_acceptance(&self, id: &EnrolmentId) -> Result<()> {
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, id).await?;
        let Some(credential) = credential_of(&row)
            .filter(|_| row.state == State::Accepting && row.acceptance_id.is_none())
        else {
            return Ok(());
        };
        let contract = table::contract(&mut tx, id)
            .await?
            .ok_or(Error::NotFound { what: "contract" })?;
        let owner = row.owner.clone().ok_or(Error::Corrupt {
            table: "enrolment",
            id: id.to_string(),
        })?;
        let source = self.contract_source(&mut tx, &row, &owner).await?;
        let now = tx.now();
        drop(tx);
        let known = self.signing().credentials.show(&credential).await?;
        let chain = self.authority().chain().await?;
        let issuer = chain.first().map(|issuer| issuer.subject());
        let fields = AcceptanceFields {
            contract_number: contract.number,
            contract_made_on: Date::in_vietnam(contract.created_at),
            made_on: Date::in_vietnam(now),
            made_at: source.made_at,
            provider: source.provider,
            subscriber: subscriber(&row, &owner),
            plan: source.plan,
            certificate_serial: known.serial.clone().unwrap_or_default(),
            certificate_subject: subject_in_words(subject_of(&owner)),
            certificate_issuer: issuer
                .into_iter()
                .flat_map(|name| [name.common_name(), name.organization()])
                .flatten()
                .map(str::to_owned)
                .collect(),
            certificate_key: key_in_words(&known),
            not_before: known.not_before_at.unwrap_or_default(),
            not_after: known.not_after_at.unwrap_or_default(),
        };
        let pdf = typeset(move || kyso_paper::acceptance(&fields)).await?;
        failpoint!("registration.accept.before");
        let request = self
            .signing()
            .requests
            .create_acceptance(&credential, ACCEPTANCE_NAME, pdf.into_bytes())
            .await?;
        failpoint!("registration.accept.after");
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state == State::Accepting && row.acceptance_id.is_none() {
            table::set_acceptance(&mut tx, id, &request.id.to_string()).await?;
            line(
                "registration.enrolment.acceptance-asked",
                &id.to_string(),
                "system",
            )
            .with("request", request.id.to_string())
            .record(&mut tx);
            tx.commit().await?;
        }
        Ok(())
    }

    /// Moves the enrolment to where signing already is. Returns its state afterwards.
    pub(crate) async fn advance(&self, id: &EnrolmentId) -> Result<State> {
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, id).await?;
        drop(tx);
        let Some(credential) = credential_of(&row)
            .filter(|_| matches!(row.state, State::Certified | State::Accepting))
        else {
            return Ok(row.state);
        };
        let known = self.signing().credentials.show(&credential).await?;
        match (row.state, known.state) {
            (State::Certified, _) if known.bound_at.is_some() => self.bound(id).await?,
            (State::Accepting, _) if known.activated_at.is_some() => self.completed(id).await?,
            (_, CredentialState::Revoked | CredentialState::Expired | CredentialState::Failed) => {
                self.fail(id, "credential-ended").await?;
            }
            (State::Certified, _) if known.pin_locked_at.is_some() => {
                self.fail(id, "code-locked").await?;
            }
            // Five wrong PINs before the first signature: nothing is lost but the certificate.
            (State::Accepting, _) if known.pin_locked_at.is_some() => {
                self.fail(id, "pin-locked").await?
            }
            (State::Accepting, _) => return self.look_at_acceptance(&row).await,
            _ => return Ok(row.state),
        }
        // One more look: bound and signed may both have happened since.
        Box::pin(self.advance(id)).await
    }

    /// An acceptance that ended without a signature: refused means that the record is wrong, anything else asks again.
    async fn look_at_acceptance(&self, row: &Enrolment) -> Result<State> {
        let Some(request) = row
            .acceptance_id
            .as_deref()
            .and_then(|id| id.parse::<RequestId>().ok())
        else {
            return Ok(row.state);
        };
        match self.signing().requests.view(request).await?.state {
            RequestState::Refused => {
                self.fail(&row.id, "acceptance-refused").await?;
                Ok(State::Failed)
            }
            RequestState::Expired | RequestState::Failed | RequestState::Withdrawn => {
                self.ask_again(&row.id).await?;
                Ok(row.state)
            }
            _ => Ok(row.state),
        }
    }

    /// Whoever did not ask for another phone or PIN, or did not guess at it, hears of it.
    pub(crate) async fn tell(&self, id: &EnrolmentId, news: News) -> Result<()> {
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        let event = match news {
            News::DeviceChanged => Event::DeviceChanged,
            News::PinChanged => Event::PinChanged,
            News::PinLocked => Event::Locked,
        };
        if event.is_alarm() {
            self.alarm(&mut tx, &row, event).await?;
        } else {
            notify(&mut tx, &row, event);
        }
        Ok(tx.commit().await?)
    }

    async fn bound(&self, id: &EnrolmentId) -> Result<()> {
        let mut tx = self.store().write().await?;
        if table::lock(&mut tx, id).await?.state == State::Certified {
            table::bind(&mut tx, id).await?;
            enqueue(&mut tx, &Task::Accept { enrolment: *id });
            line("registration.enrolment.bound", &id.to_string(), "system").record(&mut tx);
            tx.commit().await?;
        }
        Ok(())
    }

    async fn completed(&self, id: &EnrolmentId) -> Result<()> {
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state == State::Accepting {
            table::complete(&mut tx, id).await?;
            line(
                "registration.enrolment.completed",
                &id.to_string(),
                "citizen",
            )
            .with("credential", row.credential_id.clone())
            .record(&mut tx);
            notify(&mut tx, &row, Event::Complete);
            tx.commit().await?;
        }
        Ok(())
    }

    /// The citizen said that the acceptance record is wrong, or nobody took delivery in time: the certificate must not
    /// stay good, and the person is free to enrol again.
    pub(crate) async fn fail(&self, id: &EnrolmentId, code: &str) -> Result<()> {
        if let Some(credential) = self
            .signing()
            .credentials
            .of_enrolment(&id.to_string())
            .await?
            && credential.state == CredentialState::Opening
        {
            self.signing()
                .credentials
                .give_up(&credential.id, code, "system")
                .await?;
        }
        failpoint!("registration.fail.after-give-up");
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state.after(Change::Fail).is_some() {
            begin::end(&mut tx, &row, Change::Fail, code, "system").await?;
            notify(&mut tx, &row, Event::Rejected);
            tx.commit().await?;
        }
        Ok(())
    }

    /// The acceptance request ended without a signature: ask again.
    async fn ask_again(&self, id: &EnrolmentId) -> Result<()> {
        let mut tx = self.store().write().await?;
        let row = table::lock(&mut tx, id).await?;
        if row.state == State::Accepting && row.acceptance_id.is_some() {
            table::forget_acceptance(&mut tx, id).await?;
            enqueue(&mut tx, &Task::Accept { enrolment: *id });
            tx.commit().await?;
        }
        Ok(())
    }

    async fn certified(&self, id: &EnrolmentId) -> Result<(Enrolment, CredentialId)> {
        self.advance(id).await?;
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, id).await?;
        match credential_of(&row) {
            Some(credential) if row.state == State::Certified => Ok((row, credential)),
            _ => Err(Error::EnrolmentState { state: row.state }),
        }
    }

    /// What signing is asked to open: a pure function of the row, so that asking again asks for the same.
    async fn opening(&self, tx: &mut Tx, row: &Enrolment) -> Result<Opening> {
        let corrupt = || Error::Corrupt {
            table: "enrolment",
            id: row.id.to_string(),
        };
        let (owner, approved_at) = (
            row.owner.as_ref().ok_or_else(corrupt)?,
            row.approved_at.ok_or_else(corrupt)?,
        );
        let plan = campaign::table::plan(tx, &row.plan_code)
            .await?
            .ok_or(Error::NotFound { what: "plan" })?;
        let free_portals = match &row.campaign_code {
            Some(code) => campaign::table::campaign(tx, code)
                .await?
                .map(|(campaign, _)| campaign.free_portals),
            None => None,
        };
        Ok(Opening {
            enrolment: row.id.to_string(),
            citizen: row.citizen_id.ok_or_else(corrupt)?.to_string(),
            identity_number: owner.identity_number.clone(),
            subject: subject_of(owner),
            algorithm: self.config().key_algorithm,
            plan_end_at: months_later(approved_at, plan.months),
            units: match plan.allowance {
                Allowance::Unlimited => None,
                Allowance::Pack(signatures) => Some(signatures),
            },
            free_portals: free_portals.unwrap_or_default(),
        })
    }
}

/// Name of the acceptance record as the citizen reads it.
const ACCEPTANCE_NAME: &str = "Biên bản nghiệm thu.pdf";

/// Puts a job of ours into the transaction.
pub(crate) fn enqueue(tx: &mut Tx, task: &Task) {
    let now = tx.now();
    tx.enqueue(task.kind(), &task.key(), &task.payload(), now);
}

/// Puts a message to the citizen into the transaction; not an alarm, which [`Registration::alarm`] is for.
pub(crate) fn notify(tx: &mut Tx, row: &Enrolment, event: Event) {
    let task = Task::Notify {
        enrolment: row.id,
        event,
        round: row.round,
        alarm: None,
    };
    enqueue(tx, &task);
}

fn credential_of(row: &Enrolment) -> Option<CredentialId> {
    row.credential_id.as_deref().and_then(|id| id.parse().ok())
}

/// `C=VN, ST=<province>, L=<commune>, CN=<name>, UID=CCCD:<number>`.
fn subject_of(owner: &crate::citizen::Owner) -> SubjectName {
    SubjectName {
        country: "VN".into(),
        province: Some(owner.address.province_name.clone()),
        commune: Some(owner.address.commune_name.clone()),
        common_name: owner.full_name.clone(),
        identity: Some(format!("CCCD:{}", owner.identity_number)),
        ..SubjectName::default()
    }
}

/// The same for a person to read: name, identity, place.
fn subject_in_words(subject: SubjectName) -> Vec<String> {
    let identity = subject.identity.unwrap_or_default();
    let number = identity.strip_prefix("CCCD:").unwrap_or(&identity);
    let place = [subject.commune, subject.province, Some("Việt Nam".into())];
    vec![
        subject.common_name,
        format!("Số CCCD {number}"),
        place.into_iter().flatten().collect::<Vec<_>>().join(", "),
    ]
}

fn key_in_words(credential: &Credential) -> String {
    match credential.algorithm.as_str().split_once('-') {
        Some(("rsa", bits)) => format!("RSA {bits} bit"),
        Some(("p", bits)) => format!("ECDSA P-{bits}"),
        _ => credential.algorithm.as_str().to_owned(),
    }
}

/// What will not get better by waiting: a stable code for the citizen's file.
fn refused_for_good(error: &kyso_signing::Error) -> Option<&'static str> {
    use kyso_authority::Error as Authority;
    use kyso_signing::Error as Signing;
    match error {
        Signing::CredentialLive | Signing::CredentialState { .. } => Some("already-active"),
        Signing::OpeningDiffers => Some("opening-differs"),
        Signing::Authority(
            Authority::Subject { .. } | Authority::Lint { .. } | Authority::Differs { .. },
        ) => Some("certificate-refused"),
        _ => None,
    }
}

/// The same day and time of day so many months later in Vietnam; the last day of a shorter month.
fn months_later(at: i64, months: i64) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    let day = Date::in_vietnam(at);
    let month = i64::from(day.month()) - 1 + months;
    let (year, month) = (
        day.year() + (month.div_euclid(12)) as i32,
        (month.rem_euclid(12) + 1) as u8,
    );
    let target = (0..4)
        .find_map(|less| Date::new(year, month, day.day() - less).ok())
        .unwrap_or(day);
    // Days are counted by stepping: a plan has at most 36 months.
    let mut end = at + months * 28 * DAY_MS;
    while Date::in_vietnam(end) < target {
        end += DAY_MS;
    }
    end
}

/// Where codes go: the contact that the citizen proved by entering the activation code.
fn contact(row: &Enrolment) -> Result<(Channel, String)> {
    let (channel, destination) = match row.activated_channel {
        Some(Channel::Email) => (Channel::Email, row.email.clone()),
        _ => (Channel::Sms, row.phone.clone()),
    };
    let destination = destination.ok_or(Error::NotFound { what: "contact" })?;
    Ok((channel, destination))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_ends_on_the_same_day_of_the_month() {
        const HOUR: i64 = 3_600_000;
        // 2026-11-22 10:00 UTC
        let at = 1_795_341_600_000;
        assert_eq!(Date::in_vietnam(at).to_string(), "22/11/2026");
        for (months, day) in [
            (1, "22/12/2026"),
            (2, "22/01/2027"),
            (12, "22/11/2027"),
            (36, "22/11/2029"),
        ] {
            let end = months_later(at, months);
            assert_eq!(Date::in_vietnam(end).to_string(), day);
            assert_eq!((end - at) % (24 * HOUR), 0);
        }
        // 31 January, one month later
        let january = at + 70 * 24 * HOUR;
        assert_eq!(Date::in_vietnam(january).to_string(), "31/01/2027");
        assert_eq!(
            Date::in_vietnam(months_later(january, 1)).to_string(),
            "28/02/2027"
        );
    }
}
