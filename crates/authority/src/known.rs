//! What every verb needs to know and what hardly ever changes: the keys in use and their certificates, read once and kept.
//!
//! Invariant: a copy older than [`FRESH_MS`] is read again before it is used; if the database is away, the old copy serves on
//! (status must be told even then). A ceremony in this process drops the copy at once.

use std::sync::{Arc, PoisonError};

use kyso_keystore::Role;
use kyso_pki::certificate::Certificate;
use kyso_pki::public_key::PublicKey;

use crate::ceremony::table::{self, CertifiedBy, InUse};
use crate::{Authority, CertificateId, Error, Result};

/// How long a copy is believed: what another node's ceremony or renewal changes is seen after a minute at the latest.
pub(crate) const FRESH_MS: i64 = 60_000;

/// Longest way from an issuing certificate to its root.
const CHAIN_MAX: usize = 8;

/// A key of the institution in use.
#[derive(Debug, Clone)]
pub struct Service {
    /// What it is for.
    pub role: Role,
    /// Its label in the keystore: `keys.service(&label)`.
    pub label: String,
    /// Its public key.
    pub public_key: PublicKey,
    /// Its certificate; none for the ledger.
    pub certificate: Option<Certificate>,
    /// The id of that certificate.
    pub certificate_id: Option<CertificateId>,
}

/// An authority of ours that issued something, in use or retired.
pub(crate) struct KnownIssuer {
    pub id: CertificateId,
    pub label: String,
    pub certificate: Certificate,
    pub is_root: bool,
    pub is_active: bool,
    pub responder: Option<Service>,
}

/// The copy.
pub(crate) struct Known {
    /// The issuing certificate in use first, its root last; empty before there is one.
    pub chain: Vec<Certificate>,
    /// Newest first within a role.
    pub issuers: Vec<KnownIssuer>,
    services: Vec<Service>,
    read_at: i64,
}

impl Known {
    /// The authority that issues now.
    pub(crate) fn issuing(&self) -> Result<&KnownIssuer> {
        let in_use = |issuer: &&KnownIssuer| issuer.is_active && !issuer.is_root;
        self.issuers.iter().find(in_use).ok_or(Error::NoServiceKey {
            role: Role::Issuing,
        })
    }

    pub(crate) fn issuer(&self, id: CertificateId) -> Option<&KnownIssuer> {
        self.issuers.iter().find(|issuer| issuer.id == id)
    }

    /// The key in use for a role.
    pub(crate) fn service(&self, role: Role) -> Result<&Service> {
        if role == Role::Ocsp {
            return self
                .issuing()?
                .responder
                .as_ref()
                .ok_or(Error::NoServiceKey { role });
        }
        self.services
            .iter()
            .find(|service| service.role == role)
            .ok_or(Error::NoServiceKey { role })
    }

    fn is_fresh(&self, now: i64) -> bool {
        (self.read_at..self.read_at + FRESH_MS).contains(&now)
    }
}

impl Authority {
    /// The key in use for a role.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`] before a ceremony.
    pub async fn service(&self, role: Role) -> Result<Service> {
        self.known().await?.service(role).cloned()
    }

    pub(crate) async fn known(&self) -> Result<Arc<Known>> {
        let now = self.store().now();
        let kept = self
            .inner
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(kept) = &kept
            && kept.is_fresh(now)
        {
            return Ok(Arc::clone(kept));
        }
        match (self.read_known(now).await, kept) {
            (Ok(read), _) => {
                let read = Arc::new(read);
                // Half a ceremony is not kept: its next step changes it.
                if !read.chain.is_empty() {
                    *self
                        .inner
                        .known
                        .write()
                        .unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
                }
                Ok(read)
            }
            (Err(Error::Store(error)), Some(kept)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "keys in use not read again, the last copy serves on"
                );
                Ok(kept)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Drops the copy, after something changed.
    pub(crate) fn forget_known(&self) {
        *self
            .inner
            .known
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
        self.memory().forget();
    }

    async fn read_known(&self, now: i64) -> Result<Known> {
        let rows = table::in_use(self.store()).await?;
        let outside = table::outside(self.store()).await?;
        if !rows
            .iter()
            .any(|row| matches!(row.role, Role::Root | Role::Issuing))
        {
            return Err(Error::NoServiceKey {
                role: Role::Issuing,
            });
        }
        let mut services = Vec::new();
        let mut issuers = Vec::new();
        for row in &rows {
            let service = service_of(row)?;
            if let (Role::Root | Role::Issuing, Some(certificate), Some(id)) =
                (row.role, &service.certificate, service.certificate_id)
            {
                let answers = |other: &&InUse| {
                    other.role == Role::Ocsp && other.is_active && other.serves == row.label
                };
                issuers.push(KnownIssuer {
                    id,
                    label: row.label.clone(),
                    certificate: certificate.clone(),
                    is_root: row.role == Role::Root,
                    is_active: row.is_active,
                    responder: rows.iter().find(answers).map(service_of).transpose()?,
                });
            }
            if row.is_active {
                services.push(service);
            }
        }
        let chain = chain(&rows, &outside)?;
        Ok(Known {
            chain,
            issuers,
            services,
            read_at: now,
        })
    }
}

fn service_of(row: &InUse) -> Result<Service> {
    let certificate = row
        .certificate
        .as_ref()
        .map(|certified| Certificate::from_der(&certified.der))
        .transpose()?;
    Ok(Service {
        role: row.role,
        label: row.label.clone(),
        public_key: PublicKey::from_der(&row.public_key)?,
        certificate,
        certificate_id: row.certificate.as_ref().map(|certified| certified.id),
    })
}

/// From the issuing certificate in use up to its root; empty if none is in use.
fn chain(rows: &[InUse], outside: &[CertifiedBy]) -> Result<Vec<Certificate>> {
    let all = || {
        rows.iter()
            .filter_map(|row| row.certificate.as_ref())
            .chain(outside)
    };
    let mut chain = Vec::new();
    let issuing = rows
        .iter()
        .find(|row| row.role == Role::Issuing && row.is_active);
    let mut next = issuing.and_then(|row| row.certificate.as_ref());
    while let Some(certified) = next {
        chain.push(Certificate::from_der(&certified.der)?);
        if certified.issuer_id == certified.id {
            return Ok(chain);
        }
        next = all().find(|other| other.id == certified.issuer_id);
        if next.is_none() || chain.len() == CHAIN_MAX {
            return Err(Error::Corrupt {
                table: "certificate",
                row: certified.id.to_string(),
            });
        }
    }
    Ok(chain)
}
