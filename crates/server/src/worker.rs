//! The worker: takes jobs and gives each to the crate that owns its kind. The only role that holds citizens' keys.
//!
//! One loop a family of jobs, so that a slow mail relay never stands before a signature. A loop claims many jobs at
//! once, works on them, and claims again (one that calls other machines: as many as it has places free, and never waits
//! for the slowest); when there is nothing it sleeps until it is woken by a commit on this or
//! another node, or until the next job is due. Stopping lets the batch in hand finish; a killed worker's jobs come
//! back when their leases end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kyso_authority::Task as AuthorityTask;
use kyso_keystore::Keystore;
use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use kyso_registration::task::{Alarm, Event};
use kyso_registration::{CodeId, EnrolmentId, ResumptionId, Task as RegistrationTask};
use kyso_signing::credential::BindingState;
use kyso_signing::request::RequestState;
use kyso_signing::task::{Done, TriedFor};
use kyso_signing::webhook::CallOutcome;
use kyso_store::{Job, ledger};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::outbound::lane::Lanes;
use crate::outbound::{Delivery, Letter, Outbound};
use crate::platform::Platform;

/// How soon the jobs of a killed worker come back. One that lives keeps the leases of what it has in hand (`Store::hold`).
const LEASE_MS: i64 = 60_000;
/// The longest a loop sleeps without looking.
const SLEEP: Duration = Duration::from_secs(5);
/// Messages on their way at the same time.
const MESSAGES_MAX: usize = 16;
/// What outbound says of a channel that the configuration does not have.
const NO_CHANNEL: &str = "channel-not-configured";
/// Tries of one message before it is given up: about two days.
const MESSAGE_TRIES_MAX: i64 = 100;

/// What keeps a worker from running.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs every loop until `stop` becomes true.
pub async fn run(
    platform: Platform,
    keys: Keystore,
    outbound: Outbound,
    stop: watch::Receiver<bool>,
) {
    let lanes = Arc::new(Lanes::new(&platform.loaded.config.webhook));
    let worker = Worker {
        platform,
        keys,
        outbound,
        halted: Arc::default(),
        lanes,
    };
    if let Err(error) = worker.start().await {
        tracing::error!(%error, "worker could not prepare; it goes on and tries with each job");
    }
    let mut loops = JoinSet::new();
    let batches = worker.platform.loaded.config.signing.batches;
    let more = std::iter::repeat_n(Family::Signing, batches.saturating_sub(1));
    for family in Family::ALL.into_iter().chain(more) {
        let (worker, stop) = (worker.clone(), stop.clone());
        loops.spawn(async move { worker.keep_working_on(family, stop).await });
    }
    let (clockwork, stop_clockwork) = (worker.clone(), stop.clone());
    loops.spawn(async move { clockwork.every_minute(stop_clockwork).await });
    loops.spawn(async move { worker.seal_ledger(stop).await });
    while loops.join_next().await.is_some() {}
}

/// Runs what is due now and what that makes due, once, until nothing is left. For tests and the command line.
pub async fn drain(
    platform: &Platform,
    keys: &Keystore,
    outbound: &Outbound,
) -> Result<u64, Error> {
    let worker = Worker {
        platform: platform.clone(),
        keys: keys.clone(),
        outbound: outbound.clone(),
        halted: Arc::default(),
        lanes: Arc::new(Lanes::new(&platform.loaded.config.webhook)),
    };
    let mut done = 0;
    loop {
        let mut round = 0;
        for family in Family::ALL {
            round += worker.claim_and_work(family).await?;
        }
        worker.seal_once().await?;
        if round == 0 {
            return Ok(done);
        }
        done += round;
    }
}

/// Every kind of job that some loop works on.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    Family::ALL
        .into_iter()
        .flat_map(|family| family.kinds().iter().copied())
}

/// Jobs that share a loop.
#[derive(Debug, Clone, Copy)]
enum Family {
    Signing,
    Registration,
    Authority,
    Webhook,
    Message,
}

#[derive(Clone)]
struct Worker {
    platform: Platform,
    keys: Keystore,
    outbound: Outbound,
    /// Set while the ledger is behind or beside its published checkpoint.
    halted: Arc<AtomicBool>,
    lanes: Arc<Lanes>,
}

impl Family {
    const ALL: [Family; 5] = [
        Self::Signing,
        Self::Registration,
        Self::Authority,
        Self::Webhook,
        Self::Message,
    ];

    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Signing => kyso_signing::task::KINDS,
            Self::Registration => kyso_registration::task::KINDS,
            Self::Authority => kyso_authority::task::KINDS,
            Self::Webhook => &[kyso_signing::task::DELIVER],
            Self::Message => kyso_registration::task::OUTBOUND_KINDS,
        }
    }
}

impl Worker {
    /// What must be there before the first job: the approval keys for phones, and jobs of rows left in the middle.
    async fn start(&self) -> Result<(), Error> {
        self.publish_approval_keys().await;
        self.platform.signing.recover(&self.keys).await?;
        self.platform.registration.recover().await?;
        self.platform.authority.schedule().await?;
        Ok(())
    }

    /// Whether phones have a fresh approval key of every backend; not before a ceremony.
    async fn publish_approval_keys(&self) -> bool {
        let published = self.platform.publish_approval_keys(&self.keys).await;
        if let Err(error) = &published {
            tracing::warn!(error = %chain(error), "not every approval key could be published");
        }
        published.is_ok()
    }

    /// Works until told to stop; a job that panics ends its batch, not the loop.
    async fn keep_working_on(&self, family: Family, mut stop: watch::Receiver<bool>) {
        loop {
            let (worker, stopped) = (self.clone(), stop.clone());
            let work = tokio::spawn(async move {
                match family {
                    Family::Webhook | Family::Message => worker.call_on(family, stopped).await,
                    _ => worker.work_on(family, stopped).await,
                }
            });
            match work.await {
                Ok(()) => return,
                Err(error) => {
                    metrics::counter!("kyso_worker_panics_total").increment(1);
                    tracing::error!(?family, %error, "a job panicked; its batch comes back when the lease ends");
                }
            }
            pause(&mut stop, Duration::from_secs(1)).await;
        }
    }

    async fn work_on(&self, family: Family, mut stop: watch::Receiver<bool>) {
        let mut wake = self.platform.store.wake(family.kinds());
        while !*stop.borrow() {
            if self.halted.load(Ordering::SeqCst) {
                pause(&mut stop, Duration::from_secs(1)).await;
                continue;
            }
            match self.claim_and_work(family).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(?family, error = %chain(error.as_ref()), "jobs could not be worked on");
                    pause(&mut stop, Duration::from_secs(1)).await;
                    continue;
                }
            }
            let sleep = self.until_due(family).await;
            tokio::select! {
                () = wake.wait(sleep) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// How long until the next job of the family is due, at most [`SLEEP`].
    async fn until_due(&self, family: Family) -> Duration {
        let due = self
            .platform
            .store
            .next_due(family.kinds())
            .await
            .ok()
            .flatten();
        let ms = due
            .map_or(i64::MAX, |at| at - self.platform.store.now())
            .max(1);
        SLEEP.min(Duration::from_millis(u64::try_from(ms).unwrap_or(1)))
    }

    /// Takes due jobs of a family.
    async fn claim(&self, family: Family, most: u32) -> Result<Vec<Job>, Error> {
        let store = &self.platform.store;
        let jobs = store.claim(family.kinds(), most, LEASE_MS).await?;
        if !jobs.is_empty() {
            metrics::counter!("kyso_jobs_claimed_total", "family" => format!("{family:?}"))
                .increment(jobs.len() as u64);
        }
        Ok(jobs)
    }

    async fn claim_and_work(&self, family: Family) -> Result<u64, Error> {
        let most = self.platform.loaded.config.signing.batch;
        let jobs = self.claim(family, most).await?;
        let count = jobs.len() as u64;
        if count == 0 {
            return Ok(0);
        }
        match family {
            Family::Signing => {
                let done = self.platform.signing.work(&self.keys, jobs).await?;
                count_pins(&done);
                if let Err(error) = self.platform.registration.settle(&done).await {
                    tracing::warn!(error = %chain(&error), "an enrolment goes on when its own job looks");
                }
            }
            Family::Registration => {
                self.platform.registration.work(&self.keys, jobs).await?;
            }
            Family::Authority => {
                let _held = self.platform.store.hold(&jobs);
                for job in jobs {
                    let id = job.id;
                    if let Err(error) = self.authority_job(job).await {
                        tracing::warn!(job = %id, error = %chain(error.as_ref()), "job comes back when its lease ends");
                    }
                }
            }
            Family::Webhook | Family::Message => {
                let mut running = JoinSet::new();
                for job in jobs {
                    running.spawn(self.clone().call_job(family, job));
                }
                while running.join_next().await.is_some() {}
            }
        }
        Ok(count)
    }

    async fn authority_job(&self, job: Job) -> Result<(), Error> {
        let result = match AuthorityTask::from_kind(&job.kind) {
            Ok(task) => self.platform.authority.work(&self.keys, task).await,
            Err(error) => Err(error),
        };
        let mut tx = self.platform.store.write().await?;
        match result {
            Ok(()) => tx.finish(&job).await?,
            Err(error) => {
                tracing::warn!(job = %job.id, kind = job.kind, error = %chain(&error), "job is tried again");
                let due_at = tx.now() + backoff_ms(job.attempts);
                tx.retry(&job, due_at, "authority").await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// Works on jobs that call other machines: whenever a place is free another job is taken, so that a call that hangs costs its
    /// own place and no more.
    async fn call_on(&self, family: Family, mut stop: watch::Receiver<bool>) {
        let mut wake = self.platform.store.wake(family.kinds());
        let mut running = JoinSet::new();
        while !*stop.borrow() {
            if self.halted.load(Ordering::SeqCst) {
                pause(&mut stop, Duration::from_secs(1)).await;
                continue;
            }
            while running.try_join_next().is_some() {}
            let free = self.places(family).saturating_sub(running.len());
            let free = u32::try_from(free).unwrap_or(u32::MAX);
            let claimed = match free {
                0 => Ok(Vec::new()),
                _ => self.claim(family, free).await,
            };
            match claimed {
                Ok(jobs) if !jobs.is_empty() => {
                    for job in jobs {
                        running.spawn(self.clone().call_job(family, job));
                    }
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(?family, error = %chain(error.as_ref()), "jobs could not be claimed");
                    pause(&mut stop, Duration::from_secs(1)).await;
                    continue;
                }
            }
            let sleep = match free {
                0 => SLEEP,
                _ => self.until_due(family).await,
            };
            tokio::select! {
                () = wake.wait(sleep), if free > 0 => {}
                _ = running.join_next(), if !running.is_empty() => {}
                _ = stop.changed() => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Calls of a family at the same time.
    fn places(&self, family: Family) -> usize {
        match family {
            Family::Webhook => self.platform.loaded.config.webhook.calls_max.max(1),
            _ => MESSAGES_MAX,
        }
    }

    /// One job that calls another machine; it records its own end.
    async fn call_job(self, family: Family, job: Job) {
        let id = job.id;
        let _held = self.platform.store.hold(std::slice::from_ref(&job));
        let done = match family {
            Family::Webhook => self.webhook_job(job).await,
            _ => self.message_job(job).await,
        };
        if let Err(error) = done {
            tracing::warn!(job = %id, error = %chain(error.as_ref()), "job comes back when its lease ends");
        }
    }

    async fn webhook_job(self, job: Job) -> Result<(), Error> {
        let webhooks = &self.platform.signing.webhooks;
        let Some(call) = webhooks.call(&job).await? else {
            return Ok(());
        };
        let _place = match self.lanes.enter(call.portal, self.platform.store.now()) {
            Ok(place) => place,
            Err(due_at) => return Ok(webhooks.postpone(&job, due_at).await?),
        };
        let timer = crate::telemetry::Timer::start();
        let outcome = self.outbound.webhook.call(&call).await;
        self.lanes
            .took(call.portal, (timer.seconds() * 1000.0) as i64);
        let label = if matches!(outcome, CallOutcome::Answered { status: 200..=299 }) {
            "accepted"
        } else {
            "failed"
        };
        metrics::counter!("kyso_webhook_calls_total", "outcome" => label).increment(1);
        Ok(webhooks.record(job, outcome).await?)
    }

    async fn message_job(self, job: Job) -> Result<(), Error> {
        let task = RegistrationTask::read(&job.payload);
        let delivery = match &task {
            Some(RegistrationTask::SendCode { code, .. }) => self.send_code(code, &job).await?,
            Some(RegistrationTask::SendResumptionCode { resumption, .. }) => {
                self.send_resumption_code(resumption, &job).await?
            }
            Some(RegistrationTask::SendDeviceCode {
                enrolment, nonce, ..
            }) => self.send_device_code(enrolment, nonce, &job).await?,
            Some(RegistrationTask::Notify {
                enrolment,
                event,
                alarm,
                ..
            }) => self.notify(enrolment, *event, alarm.as_ref(), &job).await?,
            _ => Delivery::Refused("task-unknown"),
        };
        metrics::counter!("kyso_messages_total", "outcome" => delivery.label()).increment(1);
        let delivery = match delivery {
            Delivery::Unreachable(code) if job.attempts >= MESSAGE_TRIES_MAX => {
                Delivery::Refused(code)
            }
            delivery => delivery,
        };
        if let Some(RegistrationTask::Notify {
            alarm: Some(alarm), ..
        }) = &task
            && !matches!(delivery, Delivery::Unreachable(_))
        {
            self.platform.registration.alarm_over(alarm).await?;
        }
        let mut tx = self.platform.store.write().await?;
        match delivery {
            Delivery::Accepted => tx.finish(&job).await?,
            Delivery::Refused(code) => tx.fail(&job, code).await?,
            Delivery::Unreachable(code) => {
                let due_at = tx.now() + message_backoff_ms(job.attempts);
                tx.retry(&job, due_at, code).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    async fn send_code(&self, code: &CodeId, job: &Job) -> Result<Delivery, Error> {
        let registration = &self.platform.registration;
        let Some(waiting) = registration.code_to_send(code).await? else {
            return Ok(Delivery::Accepted);
        };
        let minutes = waiting.minutes.to_string();
        let letter = Letter {
            channel: waiting.channel,
            destination: &waiting.destination,
            name: "activation-code",
            language: &waiting.language,
            variables: &[("code", &waiting.code), ("minutes", &minutes)],
            reference: &job.id.to_string(),
        };
        let delivery = self.outbound.send(&letter).await;
        if delivery == Delivery::Accepted {
            registration.code_sent(code).await?;
        }
        Ok(delivery)
    }

    /// Nothing is sent where nobody has an enrolment; that nobody learns it is why it is found out here.
    async fn send_resumption_code(
        &self,
        resumption: &ResumptionId,
        job: &Job,
    ) -> Result<Delivery, Error> {
        let registration = &self.platform.registration;
        let waiting = match registration.resumption_code_to_send(resumption).await {
            Ok(Some(waiting)) => waiting,
            Ok(None) => return Ok(Delivery::Accepted),
            Err(kyso_registration::Error::MessageBudget { .. }) => {
                return Ok(Delivery::Unreachable("message-budget"));
            }
            Err(error) => return Err(error.into()),
        };
        let minutes = waiting.minutes.to_string();
        let letter = Letter {
            channel: waiting.channel,
            destination: &waiting.destination,
            name: "resumption-code",
            language: &waiting.language,
            variables: &[("code", &waiting.code), ("minutes", &minutes)],
            reference: &job.id.to_string(),
        };
        let delivery = self.outbound.send(&letter).await;
        if delivery == Delivery::Accepted {
            registration.resumption_code_sent(resumption).await?;
        }
        Ok(delivery)
    }

    /// The code exists from here to the relay, and in the message.
    async fn send_device_code(
        &self,
        enrolment: &EnrolmentId,
        nonce: &str,
        job: &Job,
    ) -> Result<Delivery, Error> {
        let registration = &self.platform.registration;
        let Some(waiting) = registration
            .device_code_to_send(&self.keys, enrolment, nonce)
            .await?
        else {
            return Ok(Delivery::Accepted);
        };
        let minutes = waiting.minutes.to_string();
        let letter = Letter {
            channel: waiting.channel,
            destination: &waiting.destination,
            name: "device-code",
            language: &waiting.language,
            variables: &[
                ("code", &waiting.code),
                ("minutes", &minutes),
                ("domain", self.platform.domain()),
            ],
            reference: &job.id.to_string(),
        };
        Ok(self.outbound.send(&letter).await)
    }

    /// Tells the citizen by one of the ways that works; an alarm has one.
    async fn notify(
        &self,
        enrolment: &EnrolmentId,
        event: Event,
        alarm: Option<&Alarm>,
        job: &Job,
    ) -> Result<Delivery, Error> {
        let registration = &self.platform.registration;
        let Some(notice) = registration.notice(enrolment, event, alarm).await? else {
            return Ok(Delivery::Accepted);
        };
        let mut failed = None;
        let hotline = self.platform.loaded.config.provider.hotline.as_str();
        for (channel, destination) in &notice.ways {
            let letter = Letter {
                channel: *channel,
                destination,
                name: event.as_str(),
                language: &notice.language,
                variables: &[("reference", &notice.reference), ("hotline", hotline)],
                reference: &job.id.to_string(),
            };
            match self.outbound.send(&letter).await {
                Delivery::Accepted => return Ok(Delivery::Accepted),
                Delivery::Unreachable(NO_CHANNEL) => {}
                // A way that may work later is tried later, whatever the other one says.
                later @ Delivery::Unreachable(_) => failed = Some(later),
                refused @ Delivery::Refused(_) => failed = failed.or(Some(refused)),
            }
        }
        Ok(failed.unwrap_or(match alarm {
            // Its other channel has a job of its own; for one that this provider does not have there is nothing to wait for.
            Some(_) => Delivery::Refused(NO_CHANNEL),
            None => Delivery::Unreachable(NO_CHANNEL),
        }))
    }

    async fn every_minute(&self, mut stop: watch::Receiver<bool>) {
        let mut minutes_until_publishing = 0;
        while !*stop.borrow() {
            pause(&mut stop, Duration::from_secs(60)).await;
            if *stop.borrow() {
                return;
            }
            if let Err(error) = self.platform.authority.schedule().await {
                tracing::warn!(error = %chain(&error), "what is due could not be scheduled");
            }
            if minutes_until_publishing > 0 {
                minutes_until_publishing -= 1;
            } else if self.publish_approval_keys().await {
                minutes_until_publishing = 59;
            }
        }
    }

    /// Seals the ledger about once a second while anything is recorded.
    async fn seal_ledger(&self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.seal_once().await {
                tracing::warn!(error = %chain(error.as_ref()), "the ledger could not be sealed");
            }
            if *stop.borrow() {
                return;
            }
            pause(&mut stop, Duration::from_secs(1)).await;
        }
    }

    /// Seals, and stops all work while the database is not the one that was published: whatever is signed on an old or
    /// foreign history is signed twice, or for nobody.
    async fn seal_once(&self) -> Result<(), Error> {
        let sealed = seal(&self.platform, &self.keys).await;
        let forked = sealed.as_ref().err().and_then(|error| error.downcast_ref());
        let is_forked = matches!(
            forked,
            Some(kyso_store::Error::LedgerBehind { .. } | kyso_store::Error::LedgerForked { .. })
        );
        if self.halted.swap(is_forked, Ordering::SeqCst) != is_forked {
            if is_forked {
                tracing::error!(
                    "the database is not the one that was published; nothing is worked on until it is"
                );
            } else {
                tracing::warn!("the database is the one that was published again; work goes on");
            }
        }
        sealed
    }
}

/// Wrong PINs and codes, and keys that are locked for good: many at once are an attack, or a keyboard that sends wrong digits.
fn count_pins(done: &[Done]) {
    for one in done {
        let (what, is_wrong, is_locked) = match one {
            // Only a wrong PIN takes an approved request back.
            Done::Request {
                state: RequestState::Pending,
                ..
            } => ("approval", true, false),
            Done::PinLocked { tried, .. } => match tried {
                TriedFor::Approval => ("approval", true, true),
                TriedFor::Binding => ("binding", true, true),
            },
            Done::Binding {
                state: BindingState::Refused { code },
                ..
            } => match code.as_str() {
                "code-wrong" | "wrong-pin" => ("binding", true, false),
                "code-locked" | "pin-locked" => ("binding", true, true),
                _ => continue,
            },
            _ => continue,
        };
        metrics::counter!("kyso_pin_failures_total", "at" => what).increment(u64::from(is_wrong));
        metrics::counter!("kyso_pin_locks_total", "at" => what).increment(u64::from(is_locked));
    }
}

/// Seals what was recorded and publishes the checkpoint; nothing before the ceremony that makes the ledger's key.
pub async fn seal(platform: &Platform, keys: &Keystore) -> Result<(), Error> {
    let Ok(service) = platform.authority.ledger_key().await else {
        return Ok(());
    };
    platform.keep_origin().await?;
    let note_key = platform.note_key().await?;
    let key = &keys.service(&service.label).await?;
    ledger::seal(&platform.store, &note_key, |note| async move {
        let digest = Digest::of(DigestAlgorithm::Sha256, &note);
        keys.sign_for_service(key, SignatureAlgorithm::EcdsaSha256, digest)
            .await
    })
    .await?;
    Ok(())
}

/// An error and what caused it, on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// 1 s, 2 s, 4 s … at most five minutes.
fn backoff_ms(attempts: i64) -> i64 {
    1000 * (1 << attempts.clamp(0, 8))
}

/// As [`backoff_ms`], to half an hour: a relay may be away for a day.
fn message_backoff_ms(attempts: i64) -> i64 {
    (1000 * (1 << attempts.clamp(0, 11))).min(1_800_000)
}

async fn pause(stop: &mut watch::Receiver<bool>, length: Duration) {
    tokio::select! {
        () = tokio::time::sleep(length) => {}
        _ = stop.changed() => {}
    }
}
