//! Keeping the authority's view of a certificate in line with the credential's state.
//!
//! The credential's state decides at once what may be signed; the certificate's status follows by a
//! job, because a transaction never crosses crates. Doing it twice changes nothing.

use kyso_store::Job;

use super::*;

impl Credentials {
    /// Suspends, resumes or revokes the certificate as the credential's state says, and finishes the job.
    pub(crate) async fn align_status(&self, job: &Job, id: CredentialId) -> Result<()> {
        let credential = self.show(&id).await?;
        if let Some(issued) = self
            .inner
            .authority
            .certificate_for(&id.to_string())
            .await?
        {
            let authority = &self.inner.authority;
            let aligned = match credential.state {
                CredentialState::Opening | CredentialState::Active => {
                    authority.resume(issued.id, "system").await
                }
                CredentialState::Suspended => authority.suspend(issued.id, "system").await,
                CredentialState::Revoked => {
                    let reason = credential
                        .reason
                        .as_deref()
                        .and_then(|word| word.parse().ok())
                        .unwrap_or(Reason::Unspecified);
                    authority.revoke(issued.id, reason, "system").await
                }
                CredentialState::Failed => {
                    authority
                        .revoke(issued.id, Reason::CessationOfOperation, "system")
                        .await
                }
                CredentialState::Expired => authority.status(issued.id).await,
            };
            match aligned {
                // Where it stands already, or where time has ended it: nothing is left to align.
                Ok(_)
                | Err(
                    kyso_authority::Error::Standing { .. } | kyso_authority::Error::Expired { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut tx = self.inner.store.write().await?;
        tx.finish(job).await?;
        Ok(tx.commit().await?)
    }

    /// Ends credentials whose certificate has ended; returns how many.
    pub(crate) async fn expire_ended(&self) -> Result<usize> {
        let mut tx = self.inner.store.write().await?;
        let ended = table::ended(&mut tx).await?;
        for (id, from) in &ended {
            table::expire(&mut tx, *id, *from).await?;
            device_table::remove(&mut tx, *id).await?;
            record(
                &mut tx,
                "signing.credential.expired",
                *id,
                "system",
                detail([("from", json!(from.as_str()))]),
            );
        }
        tx.commit().await?;
        Ok(ended.len())
    }
}
