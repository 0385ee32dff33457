//! Signing a batch: two durable commits whatever its size.
//!
//! ```text
//! read (one snapshot) → judge (pure) → recompute (digests from the documents' bytes)
//!   → begin (the keystore authenticates each key row)
//!   → commit 1: every key row raised, every digest reserved      a PIN is compared only after this is on disk
//!   → compare and sign, side by side                              no transaction open
//!   → settle: a try that was raised earlier and whose request ends now is compared, to count right; nothing is signed
//!   → commit 2: signatures, digests consumed, debits, ledger, deliveries, jobs
//! ```
//!
//! A crash anywhere leaves the request `approved` and its job leased: who takes it up again raises
//! nothing twice (the raised row remembers the approval), compares again, and stores one result,
//! because the key row's version lets only one through.
//!
//! A request whose try was raised stays `approved` until it was compared, however long the keystore is away: with it would go
//! the only thing that says whether the try was a wrong one.

use std::collections::HashSet;
use std::sync::Arc;

use kyso_keystore::{Attempt, CitizenKey, Keystore, Outcome, Settlement, Tried};
use kyso_store::{Job, failpoint};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::create::expire_later;
use super::table::Work;
use super::*;
use crate::billing;
use crate::credential::table::{self as credential_table, KeyChange};
use crate::credential::{key_subject, record as record_credential, record_key};
use crate::task::{Done, News, TriedFor};

/// Operations a batch has at the keystore at once: enough for every core or session, few enough for its queue.
const SIDE_BY_SIDE: usize = 32;

/// A claimed job and what it is about.
struct Claimed {
    job: Job,
    request: RequestId,
    credential: CredentialId,
}

/// A request of the batch with how it ended.
struct Ended {
    claimed: Claimed,
    work: Option<Work>,
    end: End,
}

/// What is to be written about a request.
enum End {
    /// Nothing but the job: it is over already.
    Over,
    /// The job comes back, after about `after_ms`, doubled each time it does; without, as [`task::retry_at`] says.
    Later {
        code: &'static str,
        after_ms: Option<i64>,
    },
    /// For good, with a code.
    Failed {
        code: &'static str,
    },
    /// As [`End::Failed`], and the PIN of its try was right.
    Settled {
        code: &'static str,
        raised: CitizenKey,
        key: CitizenKey,
    },
    Signed {
        signatures: Vec<Vec<u8>>,
        raised: CitizenKey,
        key: CitizenKey,
    },
    WrongPin {
        tries_left: u8,
        raised: CitizenKey,
        key: CitizenKey,
    },
    Locked {
        raised: CitizenKey,
        key: CitizenKey,
    },
    /// No try was left to begin with: tries whose approval was taken away before they were compared count as well, and may have
    /// been the last.
    LockedBefore,
}

/// The rows changed since they were read.
const READ_AGAIN: End = End::Later {
    code: "key-changed",
    after_ms: Some(20),
};

/// A request that may be signed, as far as rows say.
struct Judged {
    claimed: Claimed,
    work: Work,
    activation: Activation,
    key: CitizenKey,
}

/// A request whose key row is raised.
struct Begun {
    claimed: Claimed,
    work: Work,
    attempt: Attempt,
    raised: CitizenKey,
}

impl Requests {
    /// Signs a batch of claimed `Sign` jobs with two durable commits, whatever its size, and ends the jobs.
    ///
    /// Several requests of one credential are signed one after the other: there is one attempt at a time.
    ///
    /// # Errors
    /// Only what stops the whole batch (the store's); its jobs come back when their leases end.
    pub async fn sign_many(&self, keys: &Keystore, jobs: Vec<Job>) -> Result<Vec<Done>> {
        let mut done = Vec::new();
        let mut rest = Vec::with_capacity(jobs.len());
        for job in jobs {
            match Task::of(&job) {
                Ok(Task::Sign {
                    request,
                    credential,
                }) => rest.push(Claimed {
                    job,
                    request,
                    credential,
                }),
                _ => self.drop_job(&job).await?,
            }
        }
        while !rest.is_empty() {
            let mut credentials = HashSet::new();
            let (round, later) = rest
                .into_iter()
                .partition(|claimed: &Claimed| credentials.insert(claimed.credential));
            match self.sign_round(keys, round).await {
                Ok(ended) => done.extend(ended),
                Err(error) if done.is_empty() => return Err(error),
                // What the rounds before did must be told; this one's jobs come back.
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a round of signatures comes back later"
                    );
                    break;
                }
            }
            rest = later;
        }
        Ok(done)
    }

    /// A job of this kind that names no request: nothing will ever come of it.
    async fn drop_job(&self, job: &Job) -> Result<()> {
        tracing::error!(job = %job.id, "job {} does not say what to sign", job.id);
        let mut tx = self.inner.store.write().await?;
        tx.fail(job, "unknown-task").await?;
        Ok(tx.commit().await?)
    }

    /// At most one request of each credential.
    async fn sign_round(&self, keys: &Keystore, round: Vec<Claimed>) -> Result<Vec<Done>> {
        // Step 1. What each job is about, in one snapshot; what cannot be signed ends here.
        let mut ended = Vec::with_capacity(round.len());
        let judged = self.judge_all(round, &mut ended).await?;
        let judged = self.recompute_all(judged, &mut ended).await?;
        // Step 2. The keystore authenticates each key row against its approval. Nothing is unwrapped yet.
        let begun = self.begin_all(keys, judged, &mut ended).await?;
        // Step 3. Raised rows and reserved digests, durable before any PIN is compared.
        failpoint!("signing.sign.before-raise");
        let raised = self.raise_all(begun, &mut ended).await?;
        failpoint!("signing.sign.after-raise");
        // Step 4. PINs compared, digests signed, side by side.
        failpoint!("signing.sign.before-sign");
        compare_and_sign_all(keys, raised, &mut ended).await;
        failpoint!("signing.sign.after-sign");
        // Step 5. Tries that were raised and never compared, of requests that end here.
        let ended = self.settle_all(keys, ended).await?;
        // Step 6. Results, debits, ledger, deliveries and the jobs themselves.
        let moved: Vec<RequestId> = ended.iter().map(|one| one.claimed.request).collect();
        let done = self.store_ends(ended).await?;
        for request in moved {
            self.inner.waiting.moved(request);
        }
        Ok(done)
    }

    async fn judge_all(&self, round: Vec<Claimed>, ended: &mut Vec<Ended>) -> Result<Vec<Judged>> {
        let ids: Vec<RequestId> = round.iter().map(|claimed| claimed.request).collect();
        let mut works = table::work(&self.inner.store, &ids).await?;
        let now = self.inner.now(self.inner.store.now());
        let mut judged = Vec::with_capacity(round.len());
        for claimed in round {
            let work = match works.remove(&claimed.request) {
                Some(Ok(work)) => work,
                None => {
                    ended.push(Ended {
                        claimed,
                        work: None,
                        end: End::Over,
                    });
                    continue;
                }
                Some(Err(error)) => {
                    tracing::error!(request = %claimed.request, %error, "request {} does not read", claimed.request);
                    ended.push(Ended {
                        claimed,
                        work: None,
                        end: End::Failed {
                            code: "row-corrupt",
                        },
                    });
                    continue;
                }
            };
            let judgement = match claimed.credential == work.credential {
                true => judge(&work, now),
                // The round was sorted by what the jobs say: a job that lies would let two attempts of one credential through.
                false => Err(Unfit::Failed("approval-mismatch")),
            };
            match judgement {
                Ok((activation, key)) => judged.push(Judged {
                    claimed,
                    work,
                    activation,
                    key,
                }),
                Err(unfit) => ended.push(Ended {
                    claimed,
                    work: Some(work),
                    end: unfit.into(),
                }),
            }
        }
        Ok(judged)
    }

    /// What would be signed follows from what was shown: each request by itself, as many at once as there are cores.
    async fn recompute_all(
        &self,
        judged: Vec<Judged>,
        ended: &mut Vec<Ended>,
    ) -> Result<Vec<Judged>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let gate = Arc::new(Semaphore::new(cores));
        let mut running = JoinSet::new();
        for judged in judged {
            let (requests, gate) = (self.clone(), gate.clone());
            running.spawn(async move {
                let _turn = gate.acquire().await;
                let found = requests.recompute(&judged.work, &judged.key).await;
                (judged, found)
            });
        }
        let mut sound = Vec::with_capacity(running.len());
        while let Some(joined) = running.join_next().await {
            let (judged, found) = joined.map_err(|_| Error::Interrupted)?;
            match found? {
                Ok(()) => sound.push(judged),
                Err(code) => {
                    let id = judged.work.id;
                    match code {
                        recompute::MISMATCH => {
                            tracing::error!(request = %id, code, "what was approved in {id} is not what would be signed");
                        }
                        _ => tracing::warn!(request = %id, code, "{id} cannot be signed"),
                    }
                    ended.push(Ended {
                        claimed: judged.claimed,
                        work: Some(judged.work),
                        end: End::Failed { code },
                    });
                }
            }
        }
        Ok(sound)
    }

    async fn begin_all(
        &self,
        keys: &Keystore,
        judged: Vec<Judged>,
        ended: &mut Vec<Ended>,
    ) -> Result<Vec<(Begun, i64)>> {
        failpoint!("signing.sign.before-begin");
        let mut begun = Vec::with_capacity(judged.len());
        let gate = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        let mut running = JoinSet::new();
        for Judged {
            claimed,
            work,
            activation,
            key,
        } in judged
        {
            let end = match self.inner.is_newest_known(work.credential, &key).await {
                Ok(true) => None,
                Ok(false) => Some(READ_AGAIN),
                Err(error @ Error::KeyRolledBack { .. }) => {
                    tracing::error!(credential = %work.credential, %error, "the key row of {} is refused", work.credential);
                    Some(End::Failed {
                        code: "key-row-refused",
                    })
                }
                Err(error) => return Err(error),
            };
            if let Some(end) = end {
                ended.push(Ended {
                    claimed,
                    work: Some(work),
                    end,
                });
                continue;
            }
            let (keys, gate) = (keys.clone(), gate.clone());
            running.spawn(async move {
                let _turn = gate.acquire().await;
                let attempt = keys
                    .begin(&key, &work.credential.to_string(), activation)
                    .await;
                (claimed, work, key, attempt)
            });
        }
        while let Some(joined) = running.join_next().await {
            let (claimed, work, key, attempt) = joined.map_err(|_| Error::Interrupted)?;
            match attempt {
                Ok(attempt) => {
                    let raised = attempt.raised().clone();
                    begun.push((
                        Begun {
                            claimed,
                            work,
                            attempt,
                            raised,
                        },
                        credential_table::version(&key),
                    ));
                }
                Err(error) => {
                    let end = end_of(&work, &error);
                    ended.push(Ended {
                        claimed,
                        work: Some(work),
                        end,
                    });
                }
            }
        }
        failpoint!("signing.sign.after-begin");
        Ok(begun)
    }

    async fn raise_all(
        &self,
        mut begun: Vec<(Begun, i64)>,
        ended: &mut Vec<Ended>,
    ) -> Result<Vec<Begun>> {
        while !begun.is_empty() {
            let changes: Vec<KeyChange<'_>> = begun
                .iter()
                .map(|(begun, before)| KeyChange {
                    credential: begun.work.credential,
                    request: begun.work.id.to_string(),
                    before: *before,
                    key: &begun.raised,
                })
                .collect();
            let mut tx = self.inner.store.write().await?;
            let raised = credential_table::raise_many(&mut tx, &changes).await?;
            drop(changes);
            let next: Vec<(RequestId, String)> = begun
                .iter()
                .filter(|(begun, _)| raised.contains(&begun.work.credential))
                .map(|(begun, before)| {
                    let next = key_subject(begun.work.credential, before + 1);
                    (begun.work.id, next)
                })
                .collect();
            let reserved = table::reserve_many(&mut tx, &next).await?;
            if reserved.len() < next.len() {
                // Nothing of this is kept; the others begin again without those.
                drop(tx);
                let (newest, older) = begun.into_iter().partition(|(begun, _)| {
                    !raised.contains(&begun.work.credential) || reserved.contains(&begun.work.id)
                });
                begun = newest;
                ended.extend(older.into_iter().map(older_row));
                continue;
            }
            let (raised, missed): (Vec<_>, Vec<_>) = begun
                .into_iter()
                .partition(|(begun, _)| raised.contains(&begun.work.credential));
            if !raised.is_empty() {
                for (begun, before) in &raised {
                    // A row raised before a crash is on record already.
                    if credential_table::version(&begun.raised) != *before {
                        record_key(&mut tx, begun.work.credential, &begun.raised, "raised");
                    }
                }
                tx.commit().await?;
            }
            for (begun, _) in missed {
                // Another attempt was faster, or the credential was held this moment.
                ended.push(Ended {
                    claimed: begun.claimed,
                    work: Some(begun.work),
                    end: READ_AGAIN,
                });
            }
            let raised: Vec<Begun> = raised.into_iter().map(|(begun, _)| begun).collect();
            for begun in &raised {
                self.inner.key_is(
                    begun.work.credential,
                    credential_table::version(&begun.raised),
                );
            }
            return Ok(raised);
        }
        Ok(Vec::new())
    }

    /// Compares the tries that the rows still are raised for although their requests end without a signature: the keystore was
    /// away or the credential held until the approval was too old. What was nobody's mistake must not count.
    async fn settle_all(&self, keys: &Keystore, ended: Vec<Ended>) -> Result<Vec<Ended>> {
        let now = self.inner.now(self.inner.store.now());
        let gate = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        let mut running = JoinSet::new();
        let mut settled = Vec::with_capacity(ended.len());
        for mut one in ended {
            let Some((code, key, tried)) = one.unsettled() else {
                settled.push(one);
                continue;
            };
            failpoint!("signing.sign.before-settle");
            let credential = one.claimed.credential;
            match self.inner.is_newest_key(credential, &key).await {
                Ok(true) => {}
                Ok(false) => {
                    one.end = READ_AGAIN;
                    settled.push(one);
                    continue;
                }
                Err(Error::KeyRolledBack { .. }) => {
                    settled.push(one);
                    continue;
                }
                Err(error) => return Err(error),
            }
            let (keys, gate) = (keys.clone(), gate.clone());
            running.spawn(async move {
                let _turn = gate.acquire().await;
                let found = keys.settle(&key, &credential.to_string(), tried, now).await;
                one.end = end_of_settling(code, key, found);
                one
            });
        }
        while let Some(joined) = running.join_next().await {
            settled.push(joined.map_err(|_| Error::Interrupted)?);
            failpoint!("signing.sign.after-settle");
        }
        Ok(settled)
    }

    /// One transaction for all; if a lease was lost meanwhile, or rows do not agree, each on its own, so that one does not cost
    /// the others.
    async fn store_ends(&self, ended: Vec<Ended>) -> Result<Vec<Done>> {
        match self.store_ends_together(&ended).await {
            Err(error) if is_about_one(&error) => {}
            other => return other,
        }
        let mut done = Vec::new();
        for one in &ended {
            match self.store_ends_together(std::slice::from_ref(one)).await {
                Err(error @ Error::Store(kyso_store::Error::LeaseLost { .. })) => {
                    tracing::warn!(request = %one.claimed.request, %error, "what was signed is dropped; another worker has its job");
                }
                Err(error) if is_about_one(&error) => {
                    tracing::error!(request = %one.claimed.request, %error, "the rows of {} do not agree", one.claimed.request);
                    self.give_back(&one.claimed.job).await?;
                }
                other => done.extend(other?),
            }
        }
        Ok(done)
    }

    /// A job whose result the rows do not take: later they may, or the approval expires.
    async fn give_back(&self, job: &Job) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        let due_at = task::retry_at(tx.now(), job.attempts);
        match tx.retry(job, due_at, "rows-disagree").await {
            Err(kyso_store::Error::LeaseLost { .. }) => return Ok(()),
            other => other?,
        }
        Ok(tx.commit().await?)
    }

    async fn store_ends_together(&self, ended: &[Ended]) -> Result<Vec<Done>> {
        failpoint!("signing.sign.before-result");
        let mut done = Vec::new();
        let mut tx = self.inner.store.write().await?;
        let mut versions = self.store_signed(&mut tx, ended, &mut done).await?;
        let mut finished = Vec::with_capacity(ended.len());
        for one in ended {
            match &one.end {
                End::Later { code, after_ms } => {
                    if let Some(work) = &one.work {
                        release_stale(&mut tx, work).await?;
                    }
                    let attempts = one.claimed.job.attempts;
                    let due_at = after_ms.map_or_else(
                        || task::retry_at(tx.now(), attempts),
                        |ms| tx.now() + (ms << attempts.clamp(0, 6)),
                    );
                    tx.retry(&one.claimed.job, due_at, code).await?;
                    continue;
                }
                End::Settled { code, raised, key } => {
                    if let Some(work) = &one.work {
                        let change = KeyChange {
                            credential: work.credential,
                            request: work.id.to_string(),
                            before: credential_table::version(raised),
                            key,
                        };
                        if credential_table::store_key_many(&mut tx, &[change])
                            .await?
                            .is_empty()
                        {
                            let due_at = task::retry_at(tx.now(), one.claimed.job.attempts);
                            tx.retry(&one.claimed.job, due_at, "key-changed").await?;
                            continue;
                        }
                        record_key(&mut tx, work.credential, key, "reset");
                        versions.push((work.credential, credential_table::version(key)));
                        fail(&mut tx, work, code, &mut done).await?;
                    }
                }
                End::Over | End::Signed { .. } => {}
                End::Failed { code } => {
                    let Claimed {
                        request,
                        credential,
                        ..
                    } = one.claimed;
                    credential_table::release(&mut tx, credential, &request.to_string()).await?;
                    match &one.work {
                        Some(work) => fail(&mut tx, work, code, &mut done).await?,
                        None if table::fail(&mut tx, request, code).await? => {
                            record(
                                &mut tx,
                                "signing.request.failed",
                                request,
                                "system",
                                detail([("code", json!(code))]),
                            );
                        }
                        None => {}
                    }
                }
                End::LockedBefore => {
                    if let Some(work) = &one.work {
                        let owner = work.id.to_string();
                        credential_table::release(&mut tx, work.credential, &owner).await?;
                        let is_news = credential_table::lock(&mut tx, work.credential).await?;
                        if is_news {
                            record_locked(&mut tx, work, &mut done);
                        }
                        fail(&mut tx, work, "pin-locked", &mut done).await?;
                    }
                }
                End::WrongPin { raised, key, .. } | End::Locked { raised, key } => {
                    if let Some(work) = &one.work {
                        versions.extend(
                            store_wrong_pin(&mut tx, work, &one.end, raised, key, &mut done)
                                .await?,
                        );
                    }
                }
            }
            finished.push(one.claimed.job.clone());
        }
        if !finished.is_empty() {
            tx.finish_many(&finished).await?;
        }
        tx.commit().await?;
        failpoint!("signing.sign.after-result");
        for (credential, version) in versions {
            self.inner.key_is(credential, version);
        }
        Ok(done)
    }

    /// Everything about the requests whose PIN was right. A credential that was held, revoked or ran out of units since the
    /// attempt began keeps its reset key row, and its signatures are thrown away.
    async fn store_signed(
        &self,
        tx: &mut Tx,
        ended: &[Ended],
        done: &mut Vec<Done>,
    ) -> Result<Vec<(CredentialId, i64)>> {
        let signed: Vec<SignedWork<'_>> = ended.iter().filter_map(SignedWork::of).collect();
        if signed.is_empty() {
            return Ok(Vec::new());
        }
        let changes: Vec<_> = signed
            .iter()
            .map(|one| (one.change(), one.work.units, one.needed_state()))
            .collect();
        let passed = credential_table::settle_many(tx, &changes).await?;
        let (passed, missed): (Vec<_>, Vec<_>) = signed
            .into_iter()
            .partition(|one| passed.contains(&one.work.credential));
        let mut versions = Vec::with_capacity(ended.len());
        if !passed.is_empty() {
            let ids: Vec<RequestId> = passed.iter().map(|one| one.work.id).collect();
            let signatures: Vec<(RequestId, &[Vec<u8>])> = passed
                .iter()
                .map(|one| (one.work.id, one.signatures))
                .collect();
            let documents: usize = signatures
                .iter()
                .map(|(_, signatures)| signatures.len())
                .sum();
            // Asserted twice: the key row let us through, and request and digests agree.
            expect(
                "signature_request",
                table::sign_many(tx, &ids).await?,
                ids.len(),
            )?;
            expect(
                "signature_document",
                table::consume_many(tx, &signatures).await?,
                documents,
            )?;
            let debits: Vec<_> = passed
                .iter()
                .map(|one| (one.work.id, one.work.credential, one.work.units))
                .collect();
            billing::debit_many(tx, &debits).await?;
            let announced: Vec<_> = passed
                .iter()
                .filter(|one| one.work.announced)
                .filter_map(|one| one.work.portal.map(|portal| (one.work.id, portal)))
                .collect();
            webhook::announce_many(tx, &announced).await?;
        }
        for one in &passed {
            versions.push((one.work.credential, credential_table::version(one.key)));
            one.record(tx, done).await?;
        }
        versions.extend(store_missed(tx, &missed, done).await?);
        Ok(versions)
    }
}

impl Ended {
    /// The try that was raised for this request and that it would leave behind uncompared, with the code it ends with.
    fn unsettled(&self) -> Option<(&'static str, CitizenKey, Tried)> {
        let End::Failed { code } = self.end else {
            return None;
        };
        let work = self.work.as_ref()?;
        let (key, approval) = (work.key.as_ref()?, work.approval.as_ref()?);
        let tried = Tried::Approval {
            statement: approval.statement.clone(),
            sealed_pin: approval.sealed_pin.clone(),
        };
        let is_ours = work.attempt == Some(work.id.to_string()) && key.is_raised_for(&tried);
        is_ours.then(|| (code, key.clone(), tried))
    }
}

/// An [`Ended`] that was signed.
struct SignedWork<'a> {
    work: &'a Work,
    signatures: &'a [Vec<u8>],
    raised: &'a CitizenKey,
    key: &'a CitizenKey,
}

impl<'a> SignedWork<'a> {
    fn of(ended: &'a Ended) -> Option<SignedWork<'a>> {
        match (&ended.work, &ended.end) {
            (
                Some(work),
                End::Signed {
                    signatures,
                    raised,
                    key,
                },
            ) => Some(SignedWork {
                work,
                signatures,
                raised,
                key,
            }),
            _ => None,
        }
    }

    fn change(&self) -> KeyChange<'a> {
        KeyChange {
            credential: self.work.credential,
            request: self.work.id.to_string(),
            before: credential_table::version(self.raised),
            key: self.key,
        }
    }

    fn needed_state(&self) -> CredentialState {
        match self.work.kind {
            RequestKind::Acceptance => CredentialState::Opening,
            RequestKind::Portal | RequestKind::Sp769 => CredentialState::Active,
        }
    }

    async fn record(&self, tx: &mut Tx, done: &mut Vec<Done>) -> Result<()> {
        let work = self.work;
        record_key(tx, work.credential, self.key, "reset");
        let facts = detail([
            ("documents", json!(self.signatures.len())),
            ("units", json!(work.units)),
        ]);
        record(tx, "signing.request.signed", work.id, "system", facts);
        done.push(Done::Request {
            request: work.id,
            kind: work.kind,
            state: RequestState::Signed,
        });
        if work.kind == RequestKind::Acceptance {
            credential_table::activate(tx, work.credential).await?;
            record_credential(
                tx,
                "signing.credential.active",
                work.credential,
                "citizen",
                detail([("request", json!(work.id))]),
            );
            done.push(Done::CredentialActivated {
                credential: work.credential,
                enrolment: work.enrolment.clone(),
            });
        }
        Ok(())
    }

    /// Why the credential did not let the result through; `None` when another worker has stored it.
    async fn why_missed(&self, tx: &mut Tx, is_reset: bool) -> Result<Option<&'static str>> {
        let credential = credential_table::by_id_in(tx, self.work.credential).await?;
        if credential.state != self.needed_state() {
            return Ok(Some("credential-not-active"));
        }
        Ok(is_reset.then_some("units-exhausted"))
    }
}

/// The credential was held, revoked or ran out of units since the attempt began: the key row is reset all the same, because the PIN
/// was right.
async fn store_missed(
    tx: &mut Tx,
    missed: &[SignedWork<'_>],
    done: &mut Vec<Done>,
) -> Result<Vec<(CredentialId, i64)>> {
    if missed.is_empty() {
        return Ok(Vec::new());
    }
    let changes: Vec<_> = missed.iter().map(SignedWork::change).collect();
    let reset = credential_table::store_key_many(tx, &changes).await?;
    let mut versions = Vec::with_capacity(missed.len());
    for one in missed {
        let is_reset = reset.contains(&one.work.credential);
        if is_reset {
            record_key(tx, one.work.credential, one.key, "reset");
            versions.push((one.work.credential, credential_table::version(one.key)));
        }
        if let Some(code) = one.why_missed(tx, is_reset).await? {
            fail(tx, one.work, code, done).await?;
        }
    }
    Ok(versions)
}

/// Why an approved request is not signed now.
enum Unfit {
    /// It is not approved any more.
    Over,
    /// Another attempt of its credential is on its way.
    AttemptInFlight,
    Failed(&'static str),
}

impl From<Unfit> for End {
    fn from(unfit: Unfit) -> End {
        match unfit {
            Unfit::Over => End::Over,
            Unfit::AttemptInFlight => End::Later {
                code: "attempt-in-flight",
                after_ms: Some(20),
            },
            Unfit::Failed(code) => End::Failed { code },
        }
    }
}

/// Everything that can be said about an approved request without a key. In the order of activation.md.
fn judge(work: &Work, now: i64) -> Result<(Activation, CitizenKey), Unfit> {
    use Unfit::Failed;
    if work.state != RequestState::Approved {
        return Err(Unfit::Over);
    }
    let approval = work.approval.clone().ok_or(Failed("approval-missing"))?;
    let key = work.key.clone().ok_or(Failed("credential-not-active"))?;
    let device = key.device().ok_or(Failed("credential-unbound"))?;
    let expected = expected(
        work.id,
        work.credential,
        work.portal,
        &work.documents,
        &work.nonce,
        &work.code,
    );
    // Time does not run backwards between the approval and its use.
    let now = now.max(work.approved_at.unwrap_or(now));
    let Approval {
        statement,
        signature,
        sealed_pin,
    } = approval;
    let activation = Activation::check(&statement, &signature, device, &expected, sealed_pin, now)
        .map_err(|refusal| match refusal {
            // The device was changed after the approval: the approval is worth nothing, and this says why.
            Refusal::DeviceSignature { .. } => Failed("device-changed"),
            refusal => Failed(code_of(&refusal)),
        })?;
    check_previews(&activation, &work.documents).map_err(Failed)?;
    let stated = activation.statement().channel;
    check_channel(stated, work.on_screen, work.channel).map_err(Failed)?;
    may_sign(work.kind, work.credential_state, work.bound_at.is_some())
        .map_err(|_| Failed("credential-not-active"))?;
    if work.not_after_at.is_none_or(|end| now > end) {
        return Err(Failed("certificate-expired"));
    }
    if work.credential_serial.as_deref() != Some(&work.serial) {
        return Err(Failed("certificate-changed"));
    }
    if work.documents.iter().any(|document| document.is_consumed) {
        return Err(Failed("digest-consumed"));
    }
    if work.units_left.is_some_and(|left| left < work.units) {
        return Err(Failed("units-exhausted"));
    }
    match &work.attempt {
        Some(owner) if *owner != work.id.to_string() => Err(Unfit::AttemptInFlight),
        _ => Ok((activation, key)),
    }
}

/// The ledger has a line of the row after the one this request began with.
fn older_row((begun, before): (Begun, i64)) -> Ended {
    let error = crate::rolled_back(begun.work.credential, before, before + 1);
    tracing::error!(credential = %begun.work.credential, %error, "the key row of {} is refused", begun.work.credential);
    Ended {
        claimed: begun.claimed,
        work: Some(begun.work),
        end: End::Failed {
            code: "key-row-refused",
        },
    }
}

async fn compare_and_sign_all(keys: &Keystore, raised: Vec<Begun>, ended: &mut Vec<Ended>) {
    let gate = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut running = JoinSet::new();
    for begun in raised {
        let (keys, gate) = (keys.clone(), gate.clone());
        running.spawn(async move {
            let Begun {
                claimed,
                mut work,
                attempt,
                raised,
            } = begun;
            (work.attempt, work.key) = (Some(work.id.to_string()), Some(raised.clone()));
            let _turn = gate.acquire().await;
            let end = match keys
                .sign_for_citizen(attempt, &raised, work.algorithm)
                .await
            {
                Ok(Outcome::Signed { signatures, key }) => End::Signed {
                    signatures,
                    raised,
                    key,
                },
                Ok(Outcome::WrongPin { tries_left, key }) => End::WrongPin {
                    tries_left,
                    raised,
                    key,
                },
                Ok(Outcome::Locked { key }) => End::Locked { raised, key },
                Err(error) => end_of(&work, &error),
            };
            Ended {
                claimed,
                work: Some(work),
                end,
            }
        });
    }
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(one) => ended.push(one),
            // Its job comes back when the lease ends; the others go on.
            Err(error) => tracing::error!(%error, "a signing task broke off"),
        }
    }
}

/// What an error of the keystore means for the request.
fn end_of(work: &Work, error: &kyso_keystore::Error) -> End {
    match refusal_code(error) {
        Some("pin-locked") => End::LockedBefore,
        Some(code) => {
            if code == "key-row-refused" {
                tracing::error!(credential = %work.credential, %error, "the key row of {} is refused", work.credential);
            }
            End::Failed { code }
        }
        None => {
            tracing::warn!(request = %work.id, %error, "request {} is signed later", work.id);
            let after_ms = matches!(
                error,
                kyso_keystore::Error::Busy { .. } | kyso_keystore::Error::RowStale { .. }
            )
            .then_some(50);
            End::Later {
                code: "keystore",
                after_ms,
            }
        }
    }
}

/// What a try was worth whose request ends with `code`: a wrong PIN is one whenever it is compared.
fn end_of_settling(
    code: &'static str,
    key: CitizenKey,
    found: kyso_keystore::Result<Settlement>,
) -> End {
    use kyso_keystore::Error as E;
    let raised = key.clone();
    match found {
        Ok(Settlement::Right { key }) => End::Settled {
            code,
            raised,
            key: *key,
        },
        Ok(Settlement::Wrong { tries_left }) => End::WrongPin {
            tries_left,
            raised,
            key,
        },
        Ok(Settlement::Locked) => End::Locked { raised, key },
        Err(E::RowStale { .. }) => READ_AGAIN,
        // What cannot be compared, now or ever, is left as it stands.
        Err(error) if refusal_code(&error).is_some() => End::Failed { code },
        Err(E::OtherKeySet { .. } | E::NotRaised) => End::Failed { code },
        Err(error) => {
            tracing::warn!(%error, "a try is settled later");
            End::Later {
                code: "keystore",
                after_ms: None,
            }
        }
    }
}

async fn fail(tx: &mut Tx, work: &Work, code: &'static str, done: &mut Vec<Done>) -> Result<()> {
    if table::fail(tx, work.id, code).await? {
        record(
            tx,
            "signing.request.failed",
            work.id,
            "system",
            detail([("code", json!(code))]),
        );
        if work.announced {
            webhook::announce(tx, work.id, work.portal).await?;
        }
        done.push(Done::Request {
            request: work.id,
            kind: work.kind,
            state: RequestState::Failed,
        });
    }
    Ok(())
}

/// The count goes to disk with the request's return to its citizen, or with its end when that was the last try.
async fn store_wrong_pin(
    tx: &mut Tx,
    work: &Work,
    end: &End,
    raised: &CitizenKey,
    key: &CitizenKey,
    done: &mut Vec<Done>,
) -> Result<Option<(CredentialId, i64)>> {
    if !credential_table::settle_one(tx, work.credential, &work.id.to_string(), raised, key).await?
    {
        return Ok(None);
    }
    record_key(tx, work.credential, key, "wrong-pin");
    if let End::WrongPin { tries_left, .. } = end {
        table::return_to_citizen(tx, work.id, &chance::nonce(), i64::from(*tries_left)).await?;
        record(
            tx,
            "signing.request.wrong-pin",
            work.id,
            "system",
            detail([("tries_left", json!(tries_left))]),
        );
        let soon = tx.now();
        expire_later(tx, work.expires_at.max(soon));
        done.push(Done::Request {
            request: work.id,
            kind: work.kind,
            state: RequestState::Pending,
        });
    } else {
        record_locked(tx, work, done);
        fail(tx, work, "pin-locked", done).await?;
    }
    Ok(Some((work.credential, credential_table::version(key))))
}

/// The ledger and the citizen hear that the credential is locked, in the commit that locks it.
fn record_locked(tx: &mut Tx, work: &Work, done: &mut Vec<Done>) {
    record_credential(
        tx,
        "signing.credential.pin-locked",
        work.credential,
        "system",
        detail([("request", json!(work.id))]),
    );
    let enrolment = work.enrolment.clone();
    let news = News::PinLocked;
    task::enqueue(tx, &Task::Tell { enrolment, news });
    done.push(Done::PinLocked {
        credential: work.credential,
        enrolment: work.enrolment.clone(),
        tried: TriedFor::Approval,
    });
}

/// An attempt whose owner has ended without releasing it would keep everybody waiting.
async fn release_stale(tx: &mut Tx, work: &Work) -> Result<()> {
    match &work.attempt {
        Some(owner) if *owner != work.id.to_string() => {
            credential_table::release_stale(tx, work.credential, owner).await
        }
        _ => Ok(()),
    }
}

/// Whether it is one request that keeps a commit from going through, and not the database.
fn is_about_one(error: &Error) -> bool {
    use kyso_store::Error as E;
    matches!(
        error,
        Error::Store(E::LeaseLost { .. } | E::Conflict { .. } | E::Constraint { .. })
    )
}

fn expect(table: &'static str, changed: u64, expected: usize) -> Result<()> {
    let expected = expected as u64;
    if changed == expected {
        Ok(())
    } else {
        Err(kyso_store::Error::Conflict {
            table,
            expected,
            changed,
        }
        .into())
    }
}
