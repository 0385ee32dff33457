//! Status.
pub mod crl;
pub mod ocsp;
pub mod state;
pub(crate) mod table;

use kyso_pki::certificate::Certificate;

use crate::{Authority, Result};

#[allow(unused_variables)]
impl Authority {
    /// The certificate of the issuer whose key has this label, for `/ca/{label}.cer` (DER, RFC 5280 4.2.2.1).
    ///
    /// # Errors
    /// The store's.
    pub async fn issuer_certificate(&self, label: &str) -> Result<Option<Certificate>> {
        todo!()
    }

    /// Enqueues the tasks that are due now: a regular CRL, a reserved row without its signature, a responder near its end. Cheap;
    /// the worker calls it at start and once a minute.
    ///
    /// # Errors
    /// The store's.
    pub async fn schedule(&self) -> Result<()> {
        todo!()
    }
}
