//! What a sender needs to tell a citizen that something happened.
//!
//! News go to the contacts of now, by one that works. An alarm goes to every contact as it was when it happened, each with a job of
//! its own: the job names a sealed blob, which is erased when it was told or is given up.

use kyso_store::{BlobId, Tx};

use super::Notice;
use super::device::enqueue;
use super::table::{self, Enrolment};
use crate::citizen::Channel;
use crate::task::{Alarm, Event};
use crate::{EnrolmentId, Error, Registration, Result, Task};

impl Registration {
    /// Puts an alarm into the transaction, to every contact the row has.
    pub(crate) async fn alarm(&self, tx: &mut Tx, row: &Enrolment, event: Event) -> Result<()> {
        for (channel, destination) in contacts(row) {
            let context = row.id.to_string();
            let contact = self.sealed().put(tx, &context, destination.as_bytes());
            let alarm = Alarm {
                channel: channel.as_str().into(),
                contact: contact.await?.to_string(),
            };
            let task = Task::Notify {
                enrolment: row.id,
                event,
                round: row.round,
                alarm: Some(alarm),
            };
            enqueue(tx, &task);
        }
        Ok(())
    }

    /// The message of a `Notify` job; `None` for an alarm that was told, and the job is simply done.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an enrolment without a contact.
    pub async fn notice(
        &self,
        enrolment: &EnrolmentId,
        event: Event,
        alarm: Option<&Alarm>,
    ) -> Result<Option<Notice>> {
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, enrolment).await?;
        drop(tx);
        let ways = match alarm {
            Some(alarm) => match self.sealed_contact(enrolment, alarm).await? {
                Some(way) => vec![way],
                None => return Ok(None),
            },
            None => contacts(&row),
        };
        if ways.is_empty() {
            return Err(Error::NotFound { what: "contact" });
        }
        Ok(Some(Notice {
            event,
            ways,
            reference: row.reference,
            language: row.language,
        }))
    }

    /// An alarm was told, or is given up: its contact is erased.
    pub async fn alarm_over(&self, alarm: &Alarm) -> Result<()> {
        let Ok(contact) = alarm.contact.parse::<BlobId>() else {
            return Ok(());
        };
        let mut tx = self.store().write().await?;
        tx.delete_blob(&contact).await?;
        Ok(tx.commit().await?)
    }

    async fn sealed_contact(
        &self,
        enrolment: &EnrolmentId,
        alarm: &Alarm,
    ) -> Result<Option<(Channel, String)>> {
        let corrupt = || Error::Corrupt {
            table: "job",
            id: enrolment.to_string(),
        };
        let channel = Channel::read(&alarm.channel).ok_or_else(corrupt)?;
        let contact: BlobId = alarm.contact.parse().map_err(|_| corrupt())?;
        let context = enrolment.to_string();
        let destination = match self.sealed().read(self.store(), &context, &contact).await {
            Ok(destination) => destination,
            Err(kyso_store::Error::BlobMissing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let destination = String::from_utf8(destination).map_err(|_| corrupt())?;
        Ok(Some((channel, destination)))
    }
}

/// Every contact there is, first the one that was activated.
fn contacts(row: &Enrolment) -> Vec<(Channel, String)> {
    let by_sms = row.phone.clone().map(|number| (Channel::Sms, number));
    let by_mail = row.email.clone().map(|address| (Channel::Email, address));
    let ways = if row.activated_channel == Some(Channel::Email) {
        [by_mail, by_sms]
    } else {
        [by_sms, by_mail]
    };
    ways.into_iter().flatten().collect()
}
