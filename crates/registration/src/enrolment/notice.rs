//! What a sender needs to tell a citizen that something happened.

use super::{Notice, table};
use crate::citizen::Channel;
use crate::task::Event;
use crate::{EnrolmentId, Error, Registration, Result};

impl Registration {
    /// The message of a `Notify` job.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an enrolment without a contact.
    pub async fn notice(&self, enrolment: &EnrolmentId, event: Event) -> Result<Notice> {
        let mut tx = self.store().read().await?;
        let row = table::by_id(&mut tx, enrolment).await?;
        Ok(Notice {
            event,
            phone: row.phone.ok_or(Error::NotFound { what: "contact" })?,
            email: row.email,
            channel: row.activated_channel.unwrap_or(Channel::Sms),
            reference: row.reference,
            language: row.language,
        })
    }
}
