//! The activation code: six digits that prove a phone or mailbox is the citizen's.
//!
//! What bounds guessing: five tries a code, counted durably before anything is compared; fifteen tries an hour per
//! enrolment; so a thief of a session has 15 of a million an hour. What bounds SMS pumping: codes an hour per enrolment
//! and per destination and per calling network, codes a minute, an hour and a day in all, in counters that decide races; and
//! ranges of numbers that are sent none. Codes of first bindings have a budget of their own, which nobody unapproved can spend.
//! Who is refused has used nothing up, of their network's codes neither, and keeps the code on its way; so an enrolment costs its
//! neighbours behind one address no more than its own codes. Notices about a dossier are not counted, nobody can ask for them.

use kyso_store::Tx;

use super::begin::lock_open;
use super::table::{self, Code, Enrolment};
use super::{CodeToSend, CodeView, View, view};
use crate::citizen::{Channel, masked};
use crate::ledger::line;
use crate::{CodeId, EnrolmentId, Error, Registration, Result, Task, secret};

pub(super) const DIGITS: usize = 6;
pub(super) const HOUR_MS: i64 = 3_600_000;
/// Budget of the codes that anybody may ask for.
pub(super) const ACTIVATION: &str = "activation";
/// Budget of the codes of first bindings.
pub(super) const DEVICE: &str = "device";

impl Registration {
    /// Sends a new activation code; the one before is void. `network` is where the caller is.
    ///
    /// # Errors
    /// [`Error::Fields`] when the contact this channel needs is not known or its range is sent no code, [`Error::CodeTooSoon`],
    /// [`Error::CodeLimit`], [`Error::MessageBudget`], [`Error::EnrolmentState`].
    pub async fn request_code(
        &self,
        id: &EnrolmentId,
        channel: Channel,
        network: &str,
    ) -> Result<CodeView> {
        let config = self.config();
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let now = tx.now();
        let destination = match channel {
            Channel::Sms => row
                .phone
                .clone()
                .ok_or_else(|| Error::field("phone", "required"))?,
            Channel::Email => row
                .email
                .clone()
                .ok_or_else(|| Error::field("email", "needed-for-channel"))?,
        };
        if let Some(live) = table::live_code(&mut tx, id).await? {
            if now < live.resend_at {
                let at = live.resend_at;
                return Err(Error::CodeTooSoon { at, now });
            }
            table::end_code(&mut tx, &live, "void").await?;
        }
        self.check_prefix(channel, &destination)?;
        let code_id: CodeId = tx.id();
        let context = code_id.to_string();
        let (code, salt) = (secret::digits(DIGITS), secret::bytes());
        let new = table::NewCode {
            id: code_id,
            enrolment: id,
            channel,
            destination: &destination,
            salt_blob: self.sealed().put(&mut tx, &context, &salt).await?,
            code_blob: self
                .sealed()
                .put(&mut tx, &context, code.as_bytes())
                .await?,
            verifier: secret::verifier(&salt, &context, &code),
            resend_at: now + config.code_resend_ms,
            expires_at: now + config.code_ms,
            tries_max: config.code_tries,
        };
        table::insert_code(&mut tx, new).await?;
        let task = Task::SendCode {
            code: code_id,
            channel: channel.as_str().into(),
        };
        tx.enqueue(task.kind(), &task.key(), &task.payload(), now);
        line("registration.code.requested", &id.to_string(), "citizen")
            .with("code", context)
            .with("channel", channel.as_str())
            .record(&mut tx);
        self.allow_code(&mut tx, id, &destination).await?;
        self.allow_network(&mut tx, network).await?;
        self.spend_budget(&mut tx, channel, ACTIVATION).await?;
        let live = table::live_code(&mut tx, id)
            .await?
            .ok_or(Error::CodeNone)?;
        tx.commit().await?;
        Ok(code_view(&live))
    }

    /// Numbers of a range that the operator has closed are sent nothing; a mailbox is another way.
    pub(super) fn check_prefix(&self, channel: Channel, destination: &str) -> Result<()> {
        let refused = &self.config().sms_prefixes_refused;
        let closed = destination.strip_prefix("+84").is_some_and(|rest| {
            let national = format!("0{rest}");
            refused.iter().any(|prefix| national.starts_with(prefix))
        });
        if channel == Channel::Sms && closed {
            return Err(Error::field("phone", "prefix-refused"));
        }
        Ok(())
    }

    /// Uses one of the codes that this enrolment and this destination may be sent in an hour.
    ///
    /// # Errors
    /// [`Error::CodeLimit`].
    pub(super) async fn allow_code(
        &self,
        tx: &mut Tx,
        id: &EnrolmentId,
        destination: &str,
    ) -> Result<()> {
        let config = self.config();
        let limits = [
            (
                secret::subject("code", &id.to_string()),
                config.codes_per_person_hour,
            ),
            (
                secret::subject("code", destination),
                config.codes_per_destination_hour,
            ),
        ];
        let now = tx.now();
        for (subject, most) in limits {
            table::allow(tx, &subject, most, HOUR_MS)
                .await?
                .map_err(|at| Error::CodeLimit { at, now })?;
        }
        Ok(())
    }

    /// Uses one of the codes that whoever calls from this network may ask for in an hour, at the doors that are open to everybody:
    /// one caller does not use up what the provider sends. After every other reason to refuse, because neighbours share it.
    ///
    /// # Errors
    /// [`Error::CodeLimit`].
    pub(super) async fn allow_network(&self, tx: &mut Tx, network: &str) -> Result<()> {
        let (subject, most) = (
            secret::subject("network", network),
            self.config().codes_per_network_hour,
        );
        let now = tx.now();
        table::allow(tx, &subject, most, HOUR_MS)
            .await?
            .map_err(|at| Error::CodeLimit { at, now })
    }

    /// Uses one of the codes for this purpose that the provider sends in a minute, an hour and a day. After everything else is
    /// written: everybody who asks waits for these rows until the commit.
    pub(super) async fn spend_budget(
        &self,
        tx: &mut Tx,
        channel: Channel,
        purpose: &str,
    ) -> Result<()> {
        let budget = match channel {
            Channel::Sms => self.config().sms_budget,
            Channel::Email => self.config().mail_budget,
        };
        let windows = [
            ("minute", budget.minute, 60_000),
            ("hour", budget.hour, HOUR_MS),
            ("day", budget.day, 24 * HOUR_MS),
        ];
        let now = tx.now();
        for (window, most, window_ms) in windows {
            let subject = secret::subject(
                "budget",
                &format!("{purpose}:{}:{window}", channel.as_str()),
            );
            table::allow(tx, &subject, most, window_ms)
                .await?
                .map_err(|at| Error::MessageBudget { at, now })?;
        }
        Ok(())
    }

    /// Enters the code.
    ///
    /// # Errors
    /// [`Error::CodeWrong`] with the tries left, [`Error::CodeNone`], [`Error::CodeLimit`], [`Error::EnrolmentState`].
    pub async fn activate(&self, id: &EnrolmentId, code: &str) -> Result<View> {
        // Step 1. Count the try, durably, before anything is compared: whoever stops here has used it.
        let Some((live, tries)) = self.count_try(id).await? else {
            return self.show(id).await;
        };
        kyso_store::failpoint!("registration.activate.after-count");

        // Step 2. Compare, in constant time, under the salt that only the data key opens.
        let context = live.id.to_string();
        let salt = match self
            .sealed()
            .read(self.store(), &context, &live.salt_blob)
            .await
        {
            Ok(salt) => salt,
            // used or replaced meanwhile
            Err(kyso_store::Error::BlobMissing { .. }) => return Err(Error::CodeNone),
            Err(error) => return Err(error.into()),
        };
        let right = secret::equal(
            &live.verifier,
            &secret::verifier(&salt, &context, code.trim_matches(' ')),
        );

        // Step 3. Keep the outcome.
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let Some(live) = table::live_code(&mut tx, id)
            .await?
            .filter(|now| now.id == live.id)
        else {
            return Err(Error::CodeNone);
        };
        let tries_left = (live.tries_max - tries).max(0);
        if !right {
            line("registration.code.wrong", &id.to_string(), "citizen")
                .with("code", context)
                .with("tries_left", tries_left)
                .record(&mut tx);
            if tries_left == 0 {
                table::end_code(&mut tx, &live, "spent").await?;
            }
            tx.commit().await?;
            return Err(Error::CodeWrong { tries_left });
        }
        table::end_code(&mut tx, &live, "used").await?;
        if row.activated_at.is_none() {
            table::set_activated(&mut tx, id, live.channel).await?;
            let proved = Enrolment {
                activated_channel: Some(live.channel),
                ..row
            };
            if proved.paid_at.is_some() {
                match self.hold_place(&mut tx, &proved).await {
                    // The code was right all the same; the place is asked for again when it is handed in.
                    Err(Error::CampaignFull { .. } | Error::CampaignClosed { .. }) => {}
                    held => held?,
                }
            }
        }
        line(
            "registration.enrolment.activated",
            &id.to_string(),
            "citizen",
        )
        .with("channel", live.channel.as_str())
        .record(&mut tx);
        let view = view(&mut tx, id).await?;
        tx.commit().await?;
        self.end_forgotten(id).await?;
        Ok(view)
    }

    /// The live code and how often it has been tried, this time included; `None` if none is needed any more.
    async fn count_try(&self, id: &EnrolmentId) -> Result<Option<(Code, i64)>> {
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        let Some(live) = table::live_code(&mut tx, id).await? else {
            return if row.activated_at.is_some() {
                Ok(None)
            } else {
                Err(Error::CodeNone)
            };
        };
        let subject = secret::subject("try", &id.to_string());
        let (most, now) = (self.config().tries_per_person_hour, tx.now());
        table::allow(&mut tx, &subject, most, HOUR_MS)
            .await?
            .map_err(|at| Error::CodeLimit { at, now })?;
        let tries = table::try_code(&mut tx, &live.id)
            .await?
            .ok_or(Error::CodeNone)?;
        tx.commit().await?;
        Ok(Some((live, tries)))
    }

    /// The code of a `SendCode` job; `None` if it is sent, void or too old, and the job is simply done.
    pub async fn code_to_send(&self, code: &CodeId) -> Result<Option<CodeToSend>> {
        let mut tx = self.store().read().await?;
        let (sending, now) = (table::sending(&mut tx, code).await?, tx.now());
        drop(tx);
        let Some(sending) = sending.filter(|sending| sending.expires_at > now) else {
            return Ok(None);
        };
        let Some(blob) = sending.code_blob else {
            return Ok(None);
        };
        let digits = match self
            .sealed()
            .read(self.store(), &code.to_string(), &blob)
            .await
        {
            Ok(digits) => digits,
            Err(kyso_store::Error::BlobMissing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(CodeToSend {
            channel: sending.channel,
            destination: sending.destination,
            code: String::from_utf8(digits).map_err(|_| Error::Corrupt {
                table: "activation_code",
                id: code.to_string(),
            })?,
            minutes: (sending.expires_at - now + 59_999) / 60_000,
            language: sending.language,
        }))
    }

    /// The code was handed to a relay: its plain text is wiped.
    pub async fn code_sent(&self, code: &CodeId) -> Result<()> {
        let mut tx = self.store().write().await?;
        let sending = table::sending(&mut tx, code).await?;
        if let Some(blob) = sending.and_then(|sending| sending.code_blob) {
            table::code_sent(&mut tx, code, &blob).await?;
            line("registration.code.sent", &code.to_string(), "system").record(&mut tx);
            tx.commit().await?;
        }
        Ok(())
    }
}

pub(super) fn code_view(live: &Code) -> CodeView {
    CodeView {
        channel: live.channel,
        destination: masked(live.channel, &live.destination),
        expires_at: live.expires_at,
        resend_at: live.resend_at,
        tries_left: (live.tries_max - live.tries).max(0),
    }
}
