//! Back to an enrolment from another phone, or after a browser lost what it kept: by the telephone number that was proved, a
//! fresh code, and, once the owner is entered, their identity number. A number alone changes hands; what a stranger who has it
//! now would see is somebody's dossier, and what they could do is bind a phone to it.
//!
//! Nobody learns whether a number has an enrolment. Asking looks at no enrolment: it writes the same rows and answers the same
//! for every number, and the worker finds out whether there is somebody to send the code to. Only a right code is told more.
//!
//! Guessing and pumping are bounded as for the first code, in counters of their own: five tries a code, five codes an hour and
//! number, of which one network gets two: a number is no secret, and who asks for it does not use up what its citizen needs. Whoever
//! asks from three networks does, until the hour is over. The provider's budget is charged by the worker, only for a code that is sent: numbers nobody has use none of it up.
//!
//! Who takes a number over and knows the identity number would get token and code of a first binding both. So before the citizen
//! has handed in, a resumption takes back the photo of the face and the contract: whoever goes on is photographed, and an officer
//! compares. After that, no phone is bound for [`crate::RegistrationConfig::resumption_rest_ms`]. Either is an alarm on every
//! contact as it was then: the number is in other hands, and who goes on may enter another mailbox.

use super::code::{ACTIVATION, DIGITS, HOUR_MS};
use super::device::enqueue;
use super::table::{self, Resumption};
use super::{CodeToSend, Kind, ResumptionView, Started, State, begin, view};
use crate::citizen::{Channel, masked, read_phone};
use crate::ledger::line;
use crate::task::Event;
use crate::{Error, Registration, Result, ResumptionId, Task, secret};

/// Codes an hour to one number that are sent for one calling network.
const NETWORK_SHARE_HOUR: i64 = 2;

impl Registration {
    /// Sends a code to whoever has an enrolment under way with this telephone number; answers the same if nobody has. `network` is
    /// where the caller is.
    ///
    /// # Errors
    /// [`Error::Fields`] for what is no number or one of a closed range, [`Error::CodeTooSoon`], [`Error::CodeLimit`].
    pub async fn ask_to_resume(&self, phone: &str, network: &str) -> Result<ResumptionView> {
        let config = self.config();
        let phone = read_phone(phone).map_err(|code| Error::field("phone", code))?;
        self.check_prefix(Channel::Sms, &phone)?;
        let mut tx = self.store().write().await?;
        let now = tx.now();
        let id: ResumptionId = tx.id();
        let context = id.to_string();
        let (code, salt) = (secret::digits(DIGITS), secret::bytes());
        let new = Resumption {
            id,
            salt_blob: self.sealed().put(&mut tx, &context, &salt).await?,
            code_blob: Some(
                self.sealed()
                    .put(&mut tx, &context, code.as_bytes())
                    .await?,
            ),
            verifier: secret::verifier(&salt, &context, &code),
            tries_max: config.code_tries,
            expires_at: now + config.code_ms,
            phone,
        };
        table::insert_resumption(&mut tx, &new).await?;
        enqueue(
            &mut tx,
            &Task::SendResumptionCode {
                resumption: id,
                channel: Channel::Sms.as_str().into(),
            },
        );
        line("registration.resumption.requested", &context, "citizen").record(&mut tx);
        let pause = secret::subject("resume-pause", &new.phone);
        table::allow(&mut tx, &pause, 1, config.code_resend_ms)
            .await?
            .map_err(|at| Error::CodeTooSoon { at, now })?;
        // Of the number's codes one network gets a share, so that nobody keeps from theirs a citizen who lost the phone.
        let share = secret::subject("resume-network", &format!("{} {network}", new.phone));
        table::allow(&mut tx, &share, NETWORK_SHARE_HOUR, HOUR_MS)
            .await?
            .map_err(|at| Error::CodeLimit { at, now })?;
        let number = secret::subject("resume", &new.phone);
        table::allow(&mut tx, &number, config.codes_per_destination_hour, HOUR_MS)
            .await?
            .map_err(|at| Error::CodeLimit { at, now })?;
        self.allow_network(&mut tx, network).await?;
        tx.commit().await?;
        Ok(ResumptionView {
            id,
            destination: masked(Channel::Sms, &new.phone),
            expires_at: new.expires_at,
            resend_at: now + config.code_resend_ms,
        })
    }

    /// The code of a `SendResumptionCode` job; `None` if nobody has an enrolment under way with this number, or it is sent or
    /// too old, and the job is simply done. Uses one code of the budget, the first time.
    ///
    /// # Errors
    /// [`Error::MessageBudget`]: to be tried later.
    pub async fn resumption_code_to_send(&self, id: &ResumptionId) -> Result<Option<CodeToSend>> {
        let mut tx = self.store().read().await?;
        let now = tx.now();
        let asked = table::resumption(&mut tx, id).await?;
        let Some(asked) = asked.filter(|asked| asked.expires_at > now) else {
            return Ok(None);
        };
        let (Some(blob), Some(language)) = (
            asked.code_blob,
            table::language_of_phone(&mut tx, &asked.phone).await?,
        ) else {
            return Ok(None);
        };
        drop(tx);
        let mut tx = self.store().write().await?;
        if table::charge_resumption(&mut tx, id).await? {
            self.spend_budget(&mut tx, Channel::Sms, ACTIVATION).await?;
            tx.commit().await?;
        }
        let context = id.to_string();
        let digits = match self.sealed().read(self.store(), &context, &blob).await {
            Ok(digits) => digits,
            Err(kyso_store::Error::BlobMissing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(CodeToSend {
            channel: Channel::Sms,
            destination: asked.phone,
            code: String::from_utf8(digits).map_err(|_| Error::Corrupt {
                table: "resumption",
                id: context,
            })?,
            minutes: (asked.expires_at - now + 59_999) / 60_000,
            language,
        }))
    }

    /// The code was handed to the gateway: its plain text is wiped.
    pub async fn resumption_code_sent(&self, id: &ResumptionId) -> Result<()> {
        let mut tx = self.store().write().await?;
        let asked = table::resumption(&mut tx, id).await?;
        if let Some(blob) = asked.and_then(|asked| asked.code_blob) {
            table::resumption_sent(&mut tx, id, &blob).await?;
            line("registration.code.sent", &id.to_string(), "system").record(&mut tx);
            tx.commit().await?;
        }
        Ok(())
    }

    /// Enters the code: the enrolment goes on here, and nowhere else any more. The citizen is told.
    ///
    /// `identity_number` picks the person's enrolment among those of a family's number; it may be left out before the owner is
    /// entered.
    ///
    /// # Errors
    /// [`Error::CodeWrong`] with the tries left, [`Error::CodeNone`]; after a right code [`Error::NotFound`] if no enrolment of
    /// this number and person is under way.
    pub async fn resume(
        &self,
        id: &ResumptionId,
        code: &str,
        identity_number: Option<&str>,
    ) -> Result<Started> {
        // Step 1. Count the try, durably, before anything is compared.
        let mut tx = self.store().write().await?;
        let tries = table::try_resumption(&mut tx, id).await?;
        let asked = table::resumption(&mut tx, id).await?;
        tx.commit().await?;
        let (Some(tries), Some(asked)) = (tries, asked) else {
            return Err(Error::CodeNone);
        };

        // Step 2. Compare, in constant time, under the salt that only the data key opens.
        let context = id.to_string();
        let salt = match self
            .sealed()
            .read(self.store(), &context, &asked.salt_blob)
            .await
        {
            Ok(salt) => salt,
            // used meanwhile
            Err(kyso_store::Error::BlobMissing { .. }) => return Err(Error::CodeNone),
            Err(error) => return Err(error.into()),
        };
        let entered = secret::verifier(&salt, &context, code.trim_matches(' '));
        let is_right = secret::equal(&asked.verifier, &entered);

        // Step 3. Keep the outcome. A code is good once.
        let mut tx = self.store().write().await?;
        let tries_left = (asked.tries_max - tries).max(0);
        if !is_right {
            line("registration.code.wrong", &context, "citizen")
                .with("tries_left", tries_left)
                .record(&mut tx);
            if tries_left == 0 {
                table::end_resumption(&mut tx, id).await?;
            }
            tx.commit().await?;
            return Err(Error::CodeWrong { tries_left });
        }
        if !table::end_resumption(&mut tx, id).await? {
            return Err(Error::CodeNone);
        }
        let number = identity_number.unwrap_or_default().trim_matches(' ');
        let Some(enrolment) = table::resumable(&mut tx, &asked.phone, number).await? else {
            tx.commit().await?;
            return Err(Error::NotFound { what: "enrolment" });
        };
        let session = secret::token();
        table::set_session(&mut tx, &enrolment, secret::sha256(session.as_bytes())).await?;
        let row = table::by_id(&mut tx, &enrolment).await?;
        line(
            "registration.enrolment.resumed",
            &enrolment.to_string(),
            "citizen",
        )
        .record(&mut tx);
        // What is not handed in yet may be all genuine, and would be handed in by whoever is here now.
        if row.state == State::Started
            && table::withdraw_photo(&mut tx, &enrolment, Kind::Face).await?
        {
            let subject = enrolment.to_string();
            line("registration.evidence.withdrawn", &subject, "system").record(&mut tx);
            begin::void_contract(&mut tx, &row).await?;
        }
        self.alarm(&mut tx, &row, Event::Resumed).await?;
        let view = view(&mut tx, &enrolment).await?;
        tx.commit().await?;
        Ok(Started {
            id: enrolment,
            session,
            view,
        })
    }
}
