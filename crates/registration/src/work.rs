//! What the worker does for this crate: seal contracts, open credentials, see acceptances through, end what is due.
//!
//! Every job is a row's outstanding work, and doing it twice is doing it once: a job that was killed anywhere is run
//! again from the row. A job that cannot be done now is tried again, waiting longer each time; one that never can be
//! ends the enrolment with a code the citizen is told.

use std::sync::Arc;

use kyso_keystore::Keystore;
use kyso_signing::request::RequestKind;
use kyso_signing::task as signing;
use kyso_store::Job;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::enrolment::device::enqueue;
use crate::enrolment::state::{Change, State};
use crate::enrolment::{begin, table};
use crate::ledger::line;
use crate::task::{OPEN_CREDENTIAL, Task};
use crate::{EnrolmentId, Error, Registration, Result};

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The job's kind.
    pub kind: String,
    /// The enrolment concerned, if one.
    pub enrolment: Option<EnrolmentId>,
    /// `done`, `waiting`, or a stable code.
    pub outcome: &'static str,
}

/// What to do with a job that ran.
enum After {
    Finish,
    /// Look again later, though nothing went wrong.
    Again {
        in_ms: i64,
    },
}

/// Credentials of a batch that are opened at once.
const SIDE_BY_SIDE: usize = 8;

/// How often due enrolments are looked for.
const SWEEP_MS: i64 = 60_000;

impl Registration {
    /// Runs claimed jobs of the kinds in [`crate::task::KINDS`]; finishes, retries or fails each.
    ///
    /// Credentials are opened several at once, since each waits for the keystore and the disk; the rest runs in its order.
    ///
    /// # Errors
    /// The first job's own row that could not be written; the others are ended all the same.
    pub async fn work(&self, keys: &Keystore, jobs: Vec<Job>) -> Result<Vec<Done>> {
        let _held = self.store().hold(&jobs);
        let (openings, others): (Vec<Job>, Vec<Job>) = jobs
            .into_iter()
            .partition(|job| job.kind == OPEN_CREDENTIAL);
        let mut ended = self.open_side_by_side(keys, openings).await;
        for job in others {
            ended.push(self.work_one(keys, job).await);
        }
        let mut done = Vec::with_capacity(ended.len());
        let mut failed = None;
        for one in ended {
            match one {
                Ok(one) => done.push(one),
                Err(error) => {
                    tracing::warn!(%error, "a job comes back when its lease ends");
                    failed = failed.or(Some(error));
                }
            }
        }
        failed.map_or(Ok(done), Err)
    }

    async fn open_side_by_side(&self, keys: &Keystore, openings: Vec<Job>) -> Vec<Result<Done>> {
        let gate = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        let mut running = JoinSet::new();
        for job in openings {
            let (registration, keys, gate) = (self.clone(), keys.clone(), gate.clone());
            running.spawn(async move {
                let _turn = gate.acquire().await;
                registration.work_one(&keys, job).await
            });
        }
        let mut ended = Vec::with_capacity(running.len());
        while let Some(joined) = running.join_next().await {
            match joined {
                Ok(one) => ended.push(one),
                Err(error) => {
                    tracing::error!(%error, "an opening broke off; its job comes back when the lease ends");
                }
            }
        }
        ended
    }

    async fn work_one(&self, keys: &Keystore, job: Job) -> Result<Done> {
        let task = Task::read(&job.payload).filter(|task| task.kind() == job.kind);
        let enrolment = match &task {
            Some(Task::OpenCredential { enrolment } | Task::Accept { enrolment }) => {
                Some(*enrolment)
            }
            _ => None,
        };
        let outcome = match (task, signing::Task::of(&job)) {
            (Some(task), _) => self.perform(keys, &task, &job).await,
            (None, Ok(signing::Task::Tell { enrolment, news })) => match enrolment.parse() {
                Ok(enrolment) => self.tell(&enrolment, news).await.map(|()| After::Finish),
                // A credential that no enrolment opened has nobody to tell.
                Err(_) => Ok(After::Finish),
            },
            _ => Err(Error::Corrupt {
                table: "job",
                id: job.id.to_string(),
            }),
        };
        let outcome = self.end_job(&job, outcome).await?;
        Ok(Done {
            kind: job.kind,
            enrolment,
            outcome,
        })
    }

    /// Takes note of what signing finished: a bound device, a signed acceptance. Call it with what `Signing::work`
    /// returned. A crash in between loses nothing: the open `Accept` job asks signing again, and what a citizen must hear is a
    /// job of its own ([`signing::Task::Tell`]).
    ///
    /// # Errors
    /// The first; all are taken note of that can be.
    pub async fn settle(&self, done: &[signing::Done]) -> Result<()> {
        let mut outcome = Ok(());
        for one in done {
            outcome = outcome.and(self.settle_one(one).await);
        }
        outcome
    }

    async fn settle_one(&self, done: &signing::Done) -> Result<()> {
        use signing::Done as Signed;
        let enrolment = match done {
            // Also one that was refused: five wrong codes end the enrolment.
            Signed::Binding { enrolment, .. }
            | Signed::CredentialActivated { enrolment, .. }
            | Signed::PinLocked { enrolment, .. } => enrolment.parse().ok(),
            Signed::Request {
                request,
                kind: RequestKind::Acceptance,
                ..
            } => {
                let mut tx = self.store().read().await?;
                table::of_acceptance(&mut tx, &request.to_string()).await?
            }
            Signed::Request { .. } => None,
        };
        if let Some(id) = enrolment {
            self.advance(&id).await?;
        }
        Ok(())
    }

    /// Enqueues the job of every row that names outstanding work, and the periodic one. At start; idempotent.
    pub async fn recover(&self) -> Result<u64> {
        let mut tx = self.store().write().await?;
        let mut jobs = 1;
        for (enrolment, state) in table::outstanding(&mut tx).await? {
            jobs += 1;
            enqueue(
                &mut tx,
                &match state {
                    State::Approved => Task::OpenCredential { enrolment },
                    _ => Task::Accept { enrolment },
                },
            );
        }
        for contract in table::contracts_to_seal(&mut tx).await? {
            jobs += 1;
            enqueue(&mut tx, &Task::SealContract { contract });
        }
        enqueue(&mut tx, &Task::Expire);
        tx.commit().await?;
        Ok(jobs)
    }

    async fn perform(&self, keys: &Keystore, task: &Task, job: &Job) -> Result<After> {
        match task {
            Task::SealContract { contract } => {
                self.seal_contract(keys, contract).await?;
                Ok(After::Finish)
            }
            Task::OpenCredential { enrolment } => {
                self.open_credential(keys, enrolment).await?;
                Ok(After::Finish)
            }
            Task::Accept { enrolment } => self.accept(enrolment, job.attempts).await,
            Task::Expire => {
                // Once failed for good it would never sweep again.
                for swept in [self.expire().await, self.erase_photos().await] {
                    if let Err(error) = swept {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "a sweep did not end and is made again"
                        );
                    }
                }
                Ok(After::Again { in_ms: SWEEP_MS })
            }
            // The server sends these itself.
            Task::SendCode { .. }
            | Task::SendResumptionCode { .. }
            | Task::SendDeviceCode { .. }
            | Task::Notify { .. } => Ok(After::Finish),
        }
    }

    /// Sees an acceptance through. Between the phone's steps it only looks, less and less often.
    async fn accept(&self, id: &EnrolmentId, attempts: i64) -> Result<After> {
        if self.advance(id).await? == State::Accepting {
            self.ask_acceptance(id).await?;
        }
        Ok(match self.advance(id).await? {
            State::Certified | State::Accepting => After::Again {
                in_ms: (2_000_i64 << attempts.clamp(0, 9)).min(600_000),
            },
            _ => After::Finish,
        })
    }

    /// Ends what is due: enrolments nobody came back to, codes and counters of the past.
    pub(crate) async fn expire(&self) -> Result<()> {
        let config = self.config();
        let mut tx = self.store().write().await?;
        for code in table::expired_codes(&mut tx).await? {
            table::end_code(&mut tx, &code, "void").await?;
        }
        let now = tx.now();
        for resumption in table::expired_resumptions(&mut tx).await? {
            table::end_resumption(&mut tx, &resumption).await?;
        }
        // The longest window is a day.
        table::forget_allowances(&mut tx, now - 2 * 86_400_000).await?;
        let due = table::due(
            &mut tx,
            now - config.started_ms,
            now,
            now - config.certified_ms,
        )
        .await?;
        tx.commit().await?;
        for id in due {
            // One that cannot be ended keeps no other from its end.
            if let Err(error) = self.end_due(&id).await {
                tracing::error!(enrolment = %id, error = &error as &dyn std::error::Error, "what is due could not be ended and is tried again");
            }
        }
        Ok(())
    }

    async fn end_due(&self, id: &EnrolmentId) -> Result<()> {
        match self.state(id).await? {
            State::Started | State::Supplement => self.expire_one(id).await?,
            State::Approved | State::Certified | State::Accepting => {
                self.advance(id).await?;
                self.fail(id, "not-accepted-in-time").await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn expire_one(&self, id: &EnrolmentId) -> Result<()> {
        let config = self.config();
        let mut tx = self.store().write().await?;
        // Looked at without touching: the touch is what it is judged by.
        let row = table::by_id(&mut tx, id).await?;
        let now = tx.now();
        let over = match row.state {
            State::Started => row.touched_at < now - config.started_ms,
            State::Supplement => row.supplement_until.is_some_and(|until| until < now),
            _ => false,
        };
        if over && row.state == table::lock(&mut tx, id).await?.state {
            begin::end(
                &mut tx,
                &row,
                Change::Expire,
                "not-continued-in-time",
                "system",
            )
            .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn state(&self, id: &EnrolmentId) -> Result<State> {
        let mut tx = self.store().read().await?;
        Ok(table::by_id(&mut tx, id).await?.state)
    }

    /// The job's own row: finished, tried again, or failed for good.
    async fn end_job(&self, job: &Job, outcome: Result<After>) -> Result<&'static str> {
        match self.write_end(job, outcome).await {
            // Another worker took it meanwhile and will end it.
            Err(Error::Store(kyso_store::Error::LeaseLost { .. })) => Ok("lease-lost"),
            other => other,
        }
    }

    async fn write_end(&self, job: &Job, outcome: Result<After>) -> Result<&'static str> {
        let mut tx = self.store().write().await?;
        let now = tx.now();
        let word = match outcome {
            Ok(After::Finish) => {
                tx.finish(job).await?;
                "done"
            }
            Ok(After::Again { in_ms }) => {
                tx.retry(job, now + in_ms, "waiting").await?;
                "waiting"
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(job = %job.id, kind = %job.kind, attempts = job.attempts, error = %error, "job will be tried again");
                let code = code_of(&error);
                tx.retry(
                    job,
                    now + (200_i64 << job.attempts.clamp(0, 9)).min(60_000),
                    code,
                )
                .await?;
                code
            }
            Err(error) => {
                tracing::error!(job = %job.id, kind = %job.kind, error = %error, "job failed for good");
                let code = code_of(&error);
                tx.fail(job, code).await?;
                line("registration.job.failed", &job.key, "system")
                    .with("kind", job.kind.as_str())
                    .with("code", code)
                    .record(&mut tx);
                code
            }
        };
        tx.commit().await?;
        Ok(word)
    }
}

/// A stable word for a job's row.
fn code_of(error: &Error) -> &'static str {
    match error {
        Error::Store(_) => "store",
        Error::Signing(_) => "signing",
        Error::Keystore(_) => "keystore",
        Error::Authority(_) => "authority",
        Error::Paper(_) => "paper",
        Error::NotFound { .. } => "not-found",
        Error::Corrupt { .. } => "corrupt",
        Error::ApprovalForged { .. } => "approval-forged",
        Error::ApprovalLapsed { .. } => "approval-lapsed",
        Error::ClockBehind => "clock-behind",
        _ => "refused",
    }
}
