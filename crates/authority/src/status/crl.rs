//! CRLs.
use kyso_keystore::Keystore;

use crate::{Authority, Result};

/// A published CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Label of the issuer's key, as in `/crl/{label}.crl`.
    pub label: String,
    /// cRLNumber.
    pub number: i64,
    /// Milliseconds since 1970.
    pub this_update: i64,
    /// Milliseconds since 1970.
    pub next_update: i64,
    /// How many certificates it lists.
    pub entries: i64,
    /// DER CertificateList.
    pub der: Vec<u8>,
}

#[allow(unused_variables)]
impl Authority {
    /// Publishes a CRL of every issuer whose key is here and for which one is due: first, by schedule, or because a status changed.
    ///
    /// # Errors
    /// The keystore's, the store's. What was reserved stays and is signed by the next call.
    pub async fn publish_crl_if_due(&self, keys: &Keystore) -> Result<Vec<Published>> {
        todo!()
    }

    /// The newest CRL of the issuer whose key has this label.
    ///
    /// # Errors
    /// The store's.
    pub async fn crl(&self, label: &str) -> Result<Option<Published>> {
        todo!()
    }
}
