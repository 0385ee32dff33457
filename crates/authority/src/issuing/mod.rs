//! Issuing.
pub(crate) mod state;
pub(crate) mod table;

use kyso_keystore::Keystore;
use kyso_pki::certificate::Certificate;
use kyso_pki::name::SubjectName;
use kyso_pki::public_key::PublicKey;

use crate::{Authority, CertificateId, Result};

/// What a citizen's certificate is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The credential it is for. One credential, one certificate.
    pub credential: String,
    /// The subject, exactly as it will stand there.
    pub subject: SubjectName,
    /// The citizen's public key, as the keystore made it.
    pub public_key: PublicKey,
    /// The plan's end, milliseconds since 1970; the certificate ends then, or after three years, or with its issuer.
    pub plan_ends_at: i64,
    /// An e-mail address for the subjectAltName, only where the citizen asked for it.
    pub email: Option<String>,
}

/// Permission to sign one certificate: profile checked, linted, serial and exact bytes on disk. Made by
/// [`Authority::prepare`] only, consumed by [`Authority::issue`].
#[derive(Debug)]
#[must_use = "a reserved certificate waits for its signature"]
pub struct Prepared {
    id: CertificateId,
}

impl Prepared {
    /// The certificate's id.
    #[must_use]
    pub fn id(&self) -> CertificateId {
        self.id
    }
}

/// A certificate that left the authority.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Its id.
    pub id: CertificateId,
    /// The credential id or the label of the service key it is for.
    pub for_what: String,
    /// The certificate.
    pub certificate: Certificate,
}

#[allow(unused_variables)]
impl Authority {
    /// Checks, lints and reserves a citizen's certificate. Asked again for the same credential it returns the same one, reserved or
    /// issued.
    ///
    /// # Errors
    /// [`Subject`](crate::Error::Subject), [`Lint`](crate::Error::Lint), [`Differs`](crate::Error::Differs),
    /// [`KeyCertified`](crate::Error::KeyCertified), [`ClockBack`](crate::Error::ClockBack), [`NoValidity`](crate::Error::NoValidity).
    pub async fn prepare(&self, keys: &Keystore, order: &Order) -> Result<Prepared> {
        todo!()
    }

    /// Signs what was prepared and keeps it; or returns it if it is issued already. Called twice at once, both get the same
    /// certificate.
    ///
    /// # Errors
    /// The keystore's; [`NotWhatWasReserved`](crate::Error::NotWhatWasReserved).
    pub async fn issue(&self, keys: &Keystore, prepared: Prepared) -> Result<Issued> {
        todo!()
    }

    /// Signs every certificate and CRL that a crash left reserved. Returns how many.
    ///
    /// # Errors
    /// The first that could not be signed.
    pub async fn recover(&self, keys: &Keystore) -> Result<u64> {
        todo!()
    }

    /// An issued certificate by its id.
    ///
    /// # Errors
    /// [`NoCertificate`](crate::Error::NoCertificate), also while it is only reserved.
    pub async fn certificate(&self, id: CertificateId) -> Result<Issued> {
        todo!()
    }

    /// The issued certificate of a credential, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub async fn certificate_for(&self, credential: &str) -> Result<Option<Issued>> {
        todo!()
    }
}
