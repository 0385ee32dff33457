//! The SmartCA sp769 interface's view of requests: digests in, PKCS#1 v1.5 signatures out.
//!
//! Rules W6 (a transaction is found by the portal's id or by our code, an empty id is made here),
//! W7 (ids are unique a portal for ever and among all portals while live), W8 (found only by these
//! ids and only until retention ends). What a `signature_value` is: the key's PKCS#1 v1.5 signature
//! whose DigestInfo holds exactly the digest that was sent.

use kyso_pki::algorithm::Digest;

use crate::portal::Portal;
use crate::request::Requests;
use crate::{CredentialId, RequestId, Result};

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
    pub transaction_id: String,
    /// A UUID of ours, always honoured by the status call.
    pub tran_code: String,
    pub request: RequestId,
    pub expires_at: i64,
}

/// What `signatures/sign/{tranId}/status` answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionStatus {
    pub transaction_id: String,
    pub tran_code: String,
    pub outcome: Outcome,
}

/// Where the transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Waiting for the citizen, or being signed.
    Waiting,
    Signed(Vec<FileSignature>),
    Rejected,
    Expired,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSignature {
    pub doc_id: String,
    /// Raw PKCS#1 v1.5 bytes.
    pub signature: Vec<u8>,
}

/// One entry of `user_certificates`.
#[derive(Debug, Clone)]
pub struct UserCertificate {
    pub credential: CredentialId,
    /// Lower-case hex.
    pub serial: String,
    /// `C=VN,ST=…,L=…,CN=…,UID=CCCD:…`.
    pub subject: String,
    pub not_before_at: i64,
    pub not_after_at: i64,
    /// DER.
    pub certificate: Vec<u8>,
    /// Issuer first, root last, DER.
    pub chain: Vec<Vec<u8>>,
}

impl Requests {
    /// Starts a transaction. Needs the scope `sp769` and an RSA credential.
    pub async fn create_transaction(
        &self,
        portal: &Portal,
        new: NewTransaction,
    ) -> Result<Transaction> {
        todo!()
    }

    /// By transaction id or tran code, without a caller (W7); [`crate::Error::NotFound`] after retention.
    pub async fn transaction_status(&self, tran_id: &str) -> Result<TransactionStatus> {
        todo!()
    }

    /// The usable certificates of a citizen; an empty list for an unknown one.
    pub async fn user_certificates(
        &self,
        portal: &Portal,
        identity_number: &str,
        serial: Option<&str>,
    ) -> Result<Vec<UserCertificate>> {
        todo!()
    }
}
