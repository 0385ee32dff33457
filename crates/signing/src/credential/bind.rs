//! Binding a phone and a PIN to a key: asked by the web role, done by the worker.
//!
//! The keystore believes no row about who may: a first binding seals a code which only the worker knew and sent to the citizen, a
//! change of device or PIN is signed by the device in force and comes with the PIN in force. A code or PIN costs a try of the key
//! row, durable before it is compared. Who has lost the phone has the credential revoked and enrols anew.

use kyso_keystore::activation::{Purpose, Subject};
use kyso_keystore::{
    BindingCode, BindingOutcome, BindingRequest, BindingStatement, CitizenKey, Keystore, Refusal,
    Settlement, Tried,
};
use kyso_store::Job;

use super::table::BindingWork;
use super::*;
use crate::DeviceId;
use crate::task::{Done, News, TriedFor};

impl Credentials {
    /// The code that a first binding with this nonce must know, for the message to the citizen; `None` once the key is bound or gone.
    ///
    /// # Errors
    /// The keystore's and the store's.
    pub async fn binding_code(
        &self,
        keys: &Keystore,
        credential: &CredentialId,
        nonce: &str,
    ) -> Result<Option<BindingCode>> {
        let Some(key) = table::key(&self.inner.store, *credential).await? else {
            return Ok(None);
        };
        match keys
            .binding_code(&key, &credential.to_string(), nonce)
            .await
        {
            Ok(code) => Ok(Some(code)),
            Err(kyso_keystore::Error::AlreadyClaimed) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores what a phone sent to bind itself, for the worker. Who may ask is the caller's business: the enrolment's own
    /// session for the first binding, the session of the device in force for a change.
    ///
    /// # Errors
    /// [`Error::BindingRefused`] when the statement, its nonce or its signature is not in order, [`Error::ChallengeInvalid`],
    /// [`Error::DeviceTaken`], [`Error::BindingPending`], [`Error::CredentialState`], [`Error::CredentialUnbound`].
    pub async fn request_binding(
        &self,
        credential: &CredentialId,
        intention: BindingIntention,
    ) -> Result<Binding> {
        let row = self.show(credential).await?;
        let said = BindingStatement::parse(&intention.statement).map_err(refused)?;
        let purpose = purpose_of(said.purpose);
        check_purpose(&row, purpose)?;
        if row.pin_locked_at.is_some() {
            return Err(Error::PinLocked);
        }
        if (purpose == BindingPurpose::First) == intention.consent.is_some() {
            return Err(Error::BindingRefused {
                code: "consent".into(),
            });
        }
        let now = self.inner.now(self.inner.store.now());
        let subject = subject_of(&said.subject, &row.enrolment, row.id);
        keystore_request(&intention, subject, said.nonce.clone())
            .check(now)
            .map_err(refused)?;
        if let Some(consent) = &intention.consent {
            let bound = device_table::bound_to(&self.inner.store, row.id)
                .await?
                .ok_or(Error::CredentialUnbound)?;
            bound
                .key
                .verify(&intention.statement, &consent.signature)
                .map_err(refused)?;
        }
        let holder = device_table::taken(&self.inner.store, &intention.device).await?;
        match (purpose, holder) {
            (BindingPurpose::PinChange, Some(holder)) if holder == row.id => {}
            (_, Some(_)) => return Err(Error::DeviceTaken),
            (BindingPurpose::PinChange, None) => return Err(Error::DeviceUnknown),
            (_, None) => {}
        }

        let mut tx = self.inner.store.write().await?;
        if !device_table::use_challenge(&mut tx, &said.nonce).await? {
            return Err(Error::ChallengeInvalid);
        }
        let binding = Binding {
            id: tx.id(),
            credential: row.id,
            device: tx.id::<DeviceId>(),
            state: BindingState::Pending,
            tries_left: None,
            created_at: tx.now(),
        };
        let inserted =
            table::insert_binding(&mut tx, &binding, purpose, &said.nonce, &intention).await;
        if constraint(&inserted) == Some("binding_one_pending") {
            return Err(Error::BindingPending);
        }
        inserted?;
        record(
            &mut tx,
            "signing.binding.requested",
            row.id,
            "citizen",
            detail([("purpose", json!(purpose.as_str()))]),
        );
        task::enqueue(
            &mut tx,
            &Task::Bind {
                binding: binding.id,
            },
        );
        tx.commit().await?;
        Ok(binding)
    }

    /// Where a binding is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn binding(&self, binding: &BindingId) -> Result<Binding> {
        table::binding(&self.inner.store, *binding)
            .await?
            .ok_or(Error::NotFound { what: "binding" })
    }

    /// Executes a stored binding and finishes its job.
    pub(crate) async fn bind(
        &self,
        keys: &Keystore,
        job: &Job,
        id: BindingId,
    ) -> Result<Option<Done>> {
        let Some(work) = table::binding_work(&self.inner.store, id).await? else {
            let mut tx = self.inner.store.write().await?;
            tx.finish(job).await?;
            tx.commit().await?;
            return Ok(None);
        };
        let Some(key) = work.key.clone() else {
            return self
                .refuse_binding(job, id, &work, "credential-ended", None)
                .await;
        };
        if !self.inner.is_newest_key(work.credential, &key).await? {
            return self.try_again(job, "key-changed").await;
        }
        self.execute(keys, job, id, work, &key).await
    }

    /// A code or a PIN in force costs a try like an approval does: the raised row is durable before anything is compared.
    async fn execute(
        &self,
        keys: &Keystore,
        job: &Job,
        id: BindingId,
        work: BindingWork,
        key: &CitizenKey,
    ) -> Result<Option<Done>> {
        let now = self.inner.now(self.inner.store.now());
        failpoint!("signing.bind.before-begin");
        let attempt = match keys
            .begin_binding(key, &work.credential.to_string(), work.request()?, now)
            .await
        {
            Ok(attempt) => attempt,
            Err(error) => return self.settle_binding(keys, job, id, &work, key, error).await,
        };
        failpoint!("signing.bind.after-begin");
        let owner = id.to_string();
        let raised = attempt.raised().clone();
        if work.attempt.as_deref() != Some(&owner) || raised != *key {
            let mut tx = self.inner.store.write().await?;
            if !table::raise_one(&mut tx, work.credential, &owner, key, &raised).await? {
                drop(tx);
                return self.try_again(job, "attempt-in-flight").await;
            }
            record_key(&mut tx, work.credential, &raised, "raised");
            tx.commit().await?;
        }
        failpoint!("signing.bind.before-compare");
        let outcome = keys.bind(attempt, &raised).await;
        failpoint!("signing.bind.after-compare");
        match outcome {
            Ok(BindingOutcome::Bound { key: bound }) => {
                self.store_binding(keys, job, id, &work, &raised, &bound)
                    .await
            }
            Ok(BindingOutcome::Wrong {
                tries_left,
                key: counted,
            }) => {
                self.refuse_wrong(job, id, &work, &raised, &counted, i64::from(tries_left))
                    .await
            }
            Ok(BindingOutcome::Locked { key: locked }) => {
                self.refuse_wrong(job, id, &work, &raised, &locked, 0).await
            }
            Err(error) => self.refuse_binding_for(job, id, &work, error).await,
        }
    }

    async fn store_binding(
        &self,
        keys: &Keystore,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
        before: &CitizenKey,
        bound: &CitizenKey,
    ) -> Result<Option<Done>> {
        let mut tx = self.inner.store.write().await?;
        let kept = table::bind_key(&mut tx, work.credential, before, bound).await;
        if is_conflict(&kept) {
            drop(tx);
            return self.try_again(job, "key-changed").await;
        }
        kept?;
        if work.purpose != BindingPurpose::PinChange {
            device_table::remove(&mut tx, work.credential).await?;
            let inserted = device_table::insert(
                &mut tx,
                work.device_id,
                work.credential,
                &work.citizen,
                &work.intention.device,
            )
            .await;
            if constraint(&inserted).is_some_and(|name| name.starts_with("device_one_")) {
                drop(tx);
                // The code or PIN was right: the try that it cost is given back.
                return self
                    .settle_and_refuse(keys, job, id, work, before, "device-already-bound")
                    .await;
            }
            inserted?;
        }
        if !table::end_binding(&mut tx, id, None, None).await? {
            return Err(device_table::corrupt("binding", &id));
        }
        record_key(&mut tx, work.credential, bound, "bound");
        record(
            &mut tx,
            "signing.credential.bound",
            work.credential,
            "citizen",
            detail([("purpose", json!(work.purpose.as_str()))]),
        );
        let news = match work.purpose {
            BindingPurpose::First => None,
            BindingPurpose::DeviceChange => Some(News::DeviceChanged),
            BindingPurpose::PinChange => Some(News::PinChanged),
        };
        if let Some(news) = news {
            work.tell(&mut tx, news);
        }
        tx.finish(job).await?;
        tx.commit().await?;
        self.inner.key_is(work.credential, table::version(bound));
        Ok(Some(work.done(id, BindingState::Bound)))
    }

    /// A binding that cannot begin again although the row is raised for it, since the keystore was away until it was too old: the
    /// try is compared, to count right, and nobody is bound.
    async fn settle_binding(
        &self,
        keys: &Keystore,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
        key: &CitizenKey,
        error: kyso_keystore::Error,
    ) -> Result<Option<Done>> {
        let tried = Tried::Binding(Box::new(work.request()?));
        let is_ours = work.attempt.as_deref() == Some(&id.to_string()) && key.is_raised_for(&tried);
        match crate::request::refusal_code(&error).filter(|_| is_ours) {
            Some(code) => self.settle_and_refuse(keys, job, id, work, key, code).await,
            None => self.refuse_binding_for(job, id, work, error).await,
        }
    }

    /// Compares the try that the row is raised for, stores what it leaves of the tries, and refuses the binding with this code.
    async fn settle_and_refuse(
        &self,
        keys: &Keystore,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
        key: &CitizenKey,
        code: &str,
    ) -> Result<Option<Done>> {
        use kyso_keystore::Error as E;
        let owner = id.to_string();
        let tried = Tried::Binding(Box::new(work.request()?));
        let now = self.inner.now(self.inner.store.now());
        let credential = work.credential.to_string();
        failpoint!("signing.bind.before-settle");
        let settled = keys.settle(key, &credential, tried, now).await;
        failpoint!("signing.bind.after-settle");
        match settled {
            Ok(Settlement::Right { key: reset }) => {
                let mut tx = self.inner.store.write().await?;
                if !table::settle_one(&mut tx, work.credential, &owner, key, &reset).await? {
                    drop(tx);
                    return self.try_again(job, "key-changed").await;
                }
                record_key(&mut tx, work.credential, &reset, "reset");
                self.end_refused(&mut tx, job, id, work, code, None).await?;
                tx.commit().await?;
                self.inner.key_is(work.credential, table::version(&reset));
                Ok(Some(work.done(
                    id,
                    BindingState::Refused {
                        code: code.to_owned(),
                    },
                )))
            }
            Ok(Settlement::Wrong { tries_left }) => {
                self.refuse_wrong(job, id, work, key, key, i64::from(tries_left))
                    .await
            }
            Ok(Settlement::Locked) => self.refuse_wrong(job, id, work, key, key, 0).await,
            Err(E::RowStale { .. }) => self.try_again(job, "key-changed").await,
            // What cannot be compared, now or ever, is left as it stands.
            Err(E::OtherKeySet { .. } | E::NotRaised) => {
                self.refuse_binding(job, id, work, code, None).await
            }
            Err(error) if crate::request::refusal_code(&error).is_some() => {
                self.refuse_binding(job, id, work, code, None).await
            }
            Err(_) => self.try_again(job, "keystore").await,
        }
    }

    /// What the keystore said no to for good ends the binding; what it could not do now is tried again.
    async fn refuse_binding_for(
        &self,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
        error: kyso_keystore::Error,
    ) -> Result<Option<Done>> {
        match crate::request::refusal_code(&error) {
            // Tries that were taken away before they were compared count as well, and may have been the last.
            Some("pin-locked") => self.refuse_locked(job, id, work).await,
            Some(code) => self.refuse_binding(job, id, work, code, None).await,
            None => {
                tracing::warn!(binding = %id, error = %error, "binding {id} is tried again");
                self.try_again(job, "keystore").await
            }
        }
    }

    async fn refuse_binding(
        &self,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
        code: &str,
        tries_left: Option<i64>,
    ) -> Result<Option<Done>> {
        let mut tx = self.inner.store.write().await?;
        self.end_refused(&mut tx, job, id, work, code, tries_left)
            .await?;
        table::release(&mut tx, work.credential, &id.to_string()).await?;
        tx.commit().await?;
        Ok(Some(work.done(
            id,
            BindingState::Refused {
                code: code.to_owned(),
            },
        )))
    }

    /// No try was left.
    async fn refuse_locked(
        &self,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
    ) -> Result<Option<Done>> {
        let code = work.locked_code();
        let mut tx = self.inner.store.write().await?;
        self.end_refused(&mut tx, job, id, work, code, Some(0))
            .await?;
        table::release(&mut tx, work.credential, &id.to_string()).await?;
        if table::lock(&mut tx, work.credential).await? {
            work.record_locked(&mut tx, id);
        }
        tx.commit().await?;
        Ok(Some(
            work.done(id, BindingState::Refused { code: code.into() }),
        ))
    }

    /// The count goes to disk with the binding's end.
    async fn refuse_wrong(
        &self,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
        raised: &CitizenKey,
        key: &CitizenKey,
        tries_left: i64,
    ) -> Result<Option<Done>> {
        let code = match (work.purpose, key.is_locked()) {
            (_, true) => work.locked_code(),
            (BindingPurpose::First, false) => "code-wrong",
            (_, false) => "wrong-pin",
        };
        let mut tx = self.inner.store.write().await?;
        if !table::settle_one(&mut tx, work.credential, &id.to_string(), raised, key).await? {
            drop(tx);
            return self.try_again(job, "key-changed").await;
        }
        record_key(&mut tx, work.credential, key, code);
        self.end_refused(&mut tx, job, id, work, code, Some(tries_left))
            .await?;
        if key.is_locked() {
            work.record_locked(&mut tx, id);
        }
        tx.commit().await?;
        self.inner.key_is(work.credential, table::version(key));
        if key.is_locked() && work.purpose != BindingPurpose::First {
            return Ok(Some(Done::PinLocked {
                credential: work.credential,
                enrolment: work.enrolment.clone(),
                tried: TriedFor::Binding,
            }));
        }
        Ok(Some(work.done(
            id,
            BindingState::Refused {
                code: code.to_owned(),
            },
        )))
    }

    async fn end_refused(
        &self,
        tx: &mut Tx,
        job: &Job,
        id: BindingId,
        work: &BindingWork,
        code: &str,
        tries_left: Option<i64>,
    ) -> Result<()> {
        table::end_binding(tx, id, Some(code), tries_left).await?;
        record(
            tx,
            "signing.binding.refused",
            work.credential,
            "system",
            detail([("code", json!(code))]),
        );
        Ok(tx.finish(job).await?)
    }

    async fn try_again(&self, job: &Job, code: &str) -> Result<Option<Done>> {
        let mut tx = self.inner.store.write().await?;
        let due_at = task::retry_at(tx.now(), job.attempts);
        tx.retry(job, due_at, code).await?;
        tx.commit().await?;
        Ok(None)
    }
}

impl BindingWork {
    fn request(&self) -> Result<BindingRequest> {
        let said = BindingStatement::parse(&self.intention.statement).map_err(refused)?;
        let subject = subject_of(&said.subject, &self.enrolment, self.credential);
        Ok(keystore_request(
            &self.intention,
            subject,
            self.nonce.clone(),
        ))
    }

    fn locked_code(&self) -> &'static str {
        match self.purpose {
            BindingPurpose::First => "code-locked",
            BindingPurpose::DeviceChange | BindingPurpose::PinChange => "pin-locked",
        }
    }

    /// Codes that were all wrong end an enrolment, and are no news of a PIN.
    fn record_locked(&self, tx: &mut Tx, binding: BindingId) {
        if self.purpose == BindingPurpose::First {
            return;
        }
        record(
            tx,
            "signing.credential.pin-locked",
            self.credential,
            "system",
            detail([("binding", json!(binding))]),
        );
        self.tell(tx, News::PinLocked);
    }

    fn tell(&self, tx: &mut Tx, news: News) {
        let enrolment = self.enrolment.clone();
        task::enqueue(tx, &Task::Tell { enrolment, news });
    }

    fn done(&self, binding: BindingId, state: BindingState) -> Done {
        Done::Binding {
            binding,
            credential: self.credential,
            enrolment: self.enrolment.clone(),
            purpose: self.purpose,
            state,
        }
    }
}

/// What the statement must name: the enrolment or the credential, whichever kind it names, of this row.
fn subject_of(said: &Subject, enrolment: &str, credential: CredentialId) -> Subject {
    match said {
        Subject::Enrolment(_) => Subject::Enrolment(enrolment.to_owned()),
        Subject::Credential(_) => Subject::Credential(credential.to_string()),
    }
}

fn keystore_request(
    intention: &BindingIntention,
    subject: Subject,
    nonce: String,
) -> BindingRequest {
    BindingRequest {
        statement: intention.statement.clone(),
        device: intention.device.clone(),
        signature: intention.signature.clone(),
        sealed_pin: intention.sealed_pin.clone(),
        consent: intention.consent.clone(),
        subject,
        nonce,
    }
}

fn purpose_of(said: Purpose) -> BindingPurpose {
    match said {
        Purpose::Enrol => BindingPurpose::First,
        Purpose::ChangeDevice => BindingPurpose::DeviceChange,
        Purpose::ChangePin => BindingPurpose::PinChange,
    }
}

/// The first binding while opening, before any other; a change only of a bound credential that may sign.
fn check_purpose(row: &Credential, purpose: BindingPurpose) -> Result<()> {
    let fits = match purpose {
        BindingPurpose::First => row.state == CredentialState::Opening && row.bound_at.is_none(),
        BindingPurpose::DeviceChange | BindingPurpose::PinChange => {
            row.bound_at.is_some()
                && matches!(
                    row.state,
                    CredentialState::Opening | CredentialState::Active
                )
        }
    };
    if !fits {
        return Err(Error::CredentialState { state: row.state });
    }
    if row.certificate.is_none() {
        return Err(Error::CredentialUnbound);
    }
    Ok(())
}

fn refused(refusal: Refusal) -> Error {
    Error::BindingRefused {
        code: crate::request::code_of(&refusal).into(),
    }
}
