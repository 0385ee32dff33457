//! The SmartCA sp769 interface's view of requests: digests in, PKCS#1 v1.5 signatures out.
//!
//! Rules W6 (a transaction is found by the portal's id or by our code, an empty id is made here),
//! W7 (ids are unique a portal for ever and among all portals while live), W8 (found only by these
//! ids and only until retention ends). What a `signature_value` is: the key's PKCS#1 v1.5 signature
//! whose DigestInfo holds exactly the digest that was sent.

use std::net::IpAddr;

use kyso_pki::algorithm::{Digest, DigestAlgorithm};
use kyso_pki::certificate::Certificate;

use super::create::{Asked, check_name, check_texts};
use super::table::Extras;
use super::*;
use crate::error::constraint;

/// `signatures/sign`: one batch, one confirmation.
#[derive(Debug, Clone)]
pub struct NewTransaction {
    /// `user_id`: the identity number.
    pub identity_number: String,
    /// `serial_number`, empty taken as none.
    pub serial: Option<String>,
    /// `transaction_id` as the portal chose it; empty: made here.
    pub transaction_id: String,
    /// `transaction_desc`.
    pub description: Option<String>,
    /// The network it came from, as the status call will name it.
    pub asked_from: Option<String>,
    /// `sign_files`.
    pub files: Vec<TransactionFile>,
}

/// One entry of `sign_files` with `sign_type` hash.
#[derive(Debug, Clone)]
pub struct TransactionFile {
    /// Shown on the portal's and on the citizen's screen.
    pub doc_id: String,
    /// `pdf`, `xml`, `json`, … as sent; shown, not interpreted.
    pub file_type: String,
    /// SHA-256.
    pub digest: Digest,
}

/// What `signatures/sign` answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// As sent, or made here.
    pub transaction_id: String,
    /// A UUID of ours, always honoured by the status call.
    pub tran_code: String,
    /// The request behind it.
    pub request: RequestId,
    /// Milliseconds since 1970.
    pub expires_at: i64,
}

/// What `signatures/sign/{tranId}/status` answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionStatus {
    /// As sent, or made here.
    pub transaction_id: String,
    /// A UUID of ours.
    pub tran_code: String,
    /// Where it is.
    pub outcome: Outcome,
}

/// Who asks where a transaction is; the interface lets them say nothing.
#[derive(Debug, Clone, Copy)]
pub enum Asker<'a> {
    /// It proved who it is.
    Portal(&'a Portal),
    /// Only the network of its address is known.
    Network(IpAddr),
}

/// Where the transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Waiting for the citizen, or being signed.
    Waiting,
    /// All of them, in the order sent.
    Signed(Vec<FileSignature>),
    /// By the citizen.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// Not signed, for another reason.
    Failed,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSignature {
    /// As sent.
    pub doc_id: String,
    /// Raw PKCS#1 v1.5 bytes.
    pub signature: Vec<u8>,
}

/// One entry of `user_certificates`.
#[derive(Debug, Clone)]
pub struct UserCertificate {
    /// Ours; the interface wants some stable id.
    pub credential: CredentialId,
    /// Lower-case hex.
    pub serial: String,
    /// `C=VN,ST=…,L=…,CN=…,UID=CCCD:…`.
    pub subject: String,
    /// Milliseconds since 1970.
    pub not_before_at: i64,
    /// Milliseconds since 1970.
    pub not_after_at: i64,
    /// DER.
    pub certificate: Vec<u8>,
    /// Issuer first, root last, DER.
    pub chain: Vec<Vec<u8>>,
}

impl Requests {
    /// Starts a transaction. Needs the scope `sp769` and an RSA credential.
    ///
    /// # Errors
    /// [`Error::PortalScope`], [`Error::TransactionTaken`], and those of [`Requests::create`].
    pub async fn create_transaction(
        &self,
        portal: &Portal,
        new: NewTransaction,
    ) -> Result<Transaction> {
        if !portal.scopes.sp769 {
            return Err(Error::PortalScope { scope: "sp769" });
        }
        self.check_transaction(&new)?;
        let signer = Signer {
            identity_number: new.identity_number,
            serial: new.serial,
        };
        let credential = self.signer(&signer).await?;
        self.check_pending(&mut self.inner.store.read().await?, &credential, portal)
            .await?;
        let units = self
            .units_for(&credential, portal.id, new.files.len())
            .await?;
        let transaction_id = match new.transaction_id.trim() {
            "" => chance::uuid(),
            chosen => chosen.to_owned(),
        };
        let tran_code = chance::uuid();
        let extras = Extras {
            units,
            transaction: Some((transaction_id.clone(), tran_code.clone())),
            asked_from: new.asked_from,
            file_types: new
                .files
                .iter()
                .map(|file| file.file_type.clone())
                .collect(),
            ..Extras::default()
        };
        let documents = new
            .files
            .into_iter()
            .map(|file| NewDocument::Digest {
                name: file.doc_id,
                digest: file.digest,
            })
            .collect();
        let asked = Asked {
            kind: RequestKind::Sp769,
            portal: Some(portal),
            description: new.description,
            return_url: None,
            expires_in_ms: self.inner.config.expires_in_ms,
            on_screen: false,
        };
        let stored = self.store(asked, &credential, documents, extras).await;
        if constraint(&stored).is_some_and(|name| name.ends_with("_transaction")) {
            return Err(Error::TransactionTaken);
        }
        let view = stored?;
        Ok(Transaction {
            transaction_id,
            tran_code,
            request: view.id,
            expires_at: view.expires_at,
        })
    }

    /// By transaction id or tran code (W7). The interface has no caller here, and portals choose ids like `SP_CA_123456`: whoever
    /// knows no more than such an id hears nothing. A tran code and a random UUID cannot be guessed and are answered to anybody;
    /// any other id to its portal, to the network that asked for the transaction, and to those of [`Portal::status_from`].
    ///
    /// # Errors
    /// [`Error::NotFound`], also after retention (W8).
    pub async fn transaction_status(
        &self,
        tran_id: &str,
        asker: Asker<'_>,
    ) -> Result<TransactionStatus> {
        let unknown = Error::NotFound {
            what: "transaction",
        };
        let Some(row) = table::by_transaction(&self.inner.store, tran_id.trim()).await? else {
            return Err(unknown);
        };
        let may_know = match asker {
            Asker::Portal(portal) => row.portal == portal.id,
            Asker::Network(network) => {
                row.tran_code == tran_id.trim()
                    || is_random_uuid(&row.transaction_id)
                    || row.asked_from == Some(network.to_string())
                    || self.is_told(&row.portal, network).await?
            }
        };
        if !may_know {
            return Err(unknown);
        }
        let forgotten_before = self.inner.store.now() - self.inner.config.sp769_retention_ms;
        if row
            .ended_at
            .is_some_and(|ended_at| ended_at <= forgotten_before)
        {
            return Err(unknown);
        }
        let outcome = match row.state {
            RequestState::Pending | RequestState::Approved => Outcome::Waiting,
            RequestState::Refused => Outcome::Rejected,
            RequestState::Expired => Outcome::Expired,
            RequestState::Failed | RequestState::Withdrawn => Outcome::Failed,
            RequestState::Signed | RequestState::Delivered => {
                let view = self.view(row.id).await?;
                if view.state == RequestState::Signed
                    && !webhook::table::is_announced(&self.inner.store, row.id).await?
                {
                    self.collected(row.id, &view.portal_word).await?;
                }
                Outcome::Signed(signatures_of(&view)?)
            }
        };
        Ok(TransactionStatus {
            transaction_id: row.transaction_id,
            tran_code: row.tran_code,
            outcome,
        })
    }

    /// Whether a portal lets this network ask.
    async fn is_told(&self, portal: &PortalId, network: IpAddr) -> Result<bool> {
        let portal = crate::portal::table::by_id(&self.inner.store, *portal).await?;
        let allowed = portal.map(|portal| portal.status_from).unwrap_or_default();
        Ok(allowed.iter().any(|allowed| allowed.contains(network)))
    }

    /// The usable certificates of a citizen; an empty list for an unknown one.
    ///
    /// # Errors
    /// [`Error::PortalScope`]; [`Error::CredentialState`] and [`Error::PinLocked`] for a citizen who cannot sign now.
    pub async fn user_certificates(
        &self,
        portal: &Portal,
        identity_number: &str,
        serial: Option<&str>,
    ) -> Result<Vec<UserCertificate>> {
        if !portal.scopes.sp769 {
            return Err(Error::PortalScope { scope: "sp769" });
        }
        let signer = Signer {
            identity_number: identity_number.to_owned(),
            serial: serial.map(str::to_owned),
        };
        let credential = match self.signer(&signer).await {
            Ok(credential) => credential,
            Err(Error::SignerUnknown) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (certificate, chain) =
            credential::table::chain(&self.inner.store, credential.id).await?;
        let parsed = Certificate::from_der(&certificate)?;
        Ok(vec![UserCertificate {
            credential: credential.id,
            serial: parsed.serial().to_string(),
            subject: parsed.subject().to_string(),
            not_before_at: parsed.not_before(),
            not_after_at: parsed.not_after(),
            certificate,
            chain,
        }])
    }

    fn check_transaction(&self, new: &NewTransaction) -> Result<()> {
        let most = self.inner.config.documents_max;
        if new.files.is_empty() || new.files.len() > most {
            return Err(Error::DocumentCount {
                found: new.files.len(),
                most,
            });
        }
        for (position, file) in new.files.iter().enumerate() {
            check_name(position, &file.doc_id)?;
            if file.digest.algorithm() != DigestAlgorithm::Sha256 {
                return Err(Error::DigestUnsuited { position });
            }
            if file.file_type.chars().count() > 32 || file.file_type.chars().any(char::is_control) {
                return Err(Error::Unacceptable {
                    field: "file_type",
                    rule: "at most 32 characters",
                });
            }
        }
        let id = new.transaction_id.trim();
        if id.chars().count() > 255 || id.chars().any(char::is_control) {
            return Err(Error::Unacceptable {
                field: "transaction_id",
                rule: "at most 255 characters, no control characters",
            });
        }
        check_texts(new.description.as_deref(), None, None)
    }
}

/// A version 4 UUID (RFC 9562 5.4): 122 bits that its maker drew.
fn is_random_uuid(id: &str) -> bool {
    let is_shaped = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => matches!(byte.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_hexdigit(),
        });
    let mut seen = [false; 128];
    id.bytes()
        .for_each(|byte| seen[usize::from(byte & 0x7f)] = true);
    // Not one that somebody typed: a random one has about fourteen different characters.
    is_shaped && seen.iter().filter(|seen| **seen).count() >= 8
}

/// Each signature with the name its portal gave the digest.
pub(crate) fn signatures_of(view: &RequestView) -> Result<Vec<FileSignature>> {
    view.documents
        .iter()
        .map(|document| {
            let signature = document
                .signature
                .clone()
                .ok_or_else(|| corrupt("signature_document", &view.id))?;
            Ok(FileSignature {
                doc_id: document
                    .doc_id
                    .clone()
                    .unwrap_or_else(|| document.name.clone()),
                signature,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_random_uuid_cannot_be_guessed() {
        assert!(is_random_uuid(&chance::uuid()));
        assert!(is_random_uuid(&chance::uuid().to_uppercase()));
        for guessable in [
            "SP_CA_123456",
            "321",
            "00000000-0000-4000-8000-000000000001",
            "d9428888-122b-11e1-b85c-61cd3cbb3210",
        ] {
            assert!(!is_random_uuid(guessable), "{guessable}");
        }
    }
}
