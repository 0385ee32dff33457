//! From "please sign" to "signed": portals, devices, credentials, signature requests.
//!
//! A portal asks, the citizen approves on the phone, the worker signs with the citizen's key, the
//! portal fetches the result. The web role holds no key: it writes intentions (a request, an
//! approval, a binding), each a row and a job in one transaction; every verb that can reach a
//! private key takes `&Keystore`, and only the worker owns one.
//!
//! ```text
//! credential   opening → active ⇄ suspended → revoked             | expired | failed
//!              (opening: reserved → keyed → issued → bound; a bound one may sign its acceptance only)
//! binding      pending → bound                                    | refused
//! request      pending → approved → signed → delivered            | refused | withdrawn | expired | failed
//!              (a wrong PIN takes approved back to pending, with a new nonce)
//! document     prepared → reserved → consumed
//! delivery     pending → delivered                                | dead
//! ```
//!
//! Invariants, each a constraint in the schema and a check in a verb; counted by [`Signing::verify`]:
//! - a signature leaves only after its row, its debit and its ledger entry are durable (I1, I3);
//! - one approval has at most one set of signatures; asking again returns the same bytes (I2, I7);
//! - the failure count of a credential is durable before its PIN is compared: at most one approval
//!   of a credential is in flight, named in the credential's row (`attempt`);
//! - the key row that the keystore authenticates carries a version; the ledger has the same
//!   version, so an older row put back is refused;
//! - one person has one live credential, one device one account.
//!
//! Standards: EN 419 241-1 (sole control, signature activation), Standard Webhooks (delivery).

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::sync::Arc;

use kyso_authority::Authority;
use kyso_store::Store;

pub mod billing;
mod chance;
pub mod credential;
pub mod device;
mod error;
mod format;
mod ids;
pub mod portal;
pub mod request;
mod seal;
pub mod task;
mod verify;
pub mod webhook;

pub use credential::Credentials;
pub use device::Devices;
pub use error::Error;
pub use ids::{BindingId, CredentialId, DeliveryId, DeviceId, PortalId, RequestId};
pub use portal::Portals;
pub use request::Requests;
pub use verify::{Broken, Verified};
pub use webhook::Webhooks;

// What our verbs are called with, so that registration needs no crate below us.
pub use kyso_ades::pades::{Mark, MarkPage, MarkRow, Placement};
pub use kyso_pki::algorithm::KeyAlgorithm;
pub use kyso_pki::name::SubjectName;

/// What every verb of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The limits and names an operator may set. Every field has a safe default.
#[derive(Debug, Clone)]
pub struct SigningConfig {
    /// Whom the citizen reads as asking, when the provider itself asks (acceptance).
    pub provider_name: String,
    /// Documents or digests in one request. Default 50.
    pub documents_max: usize,
    /// Bytes of one PDF. Default 20 MiB.
    pub document_bytes_max: usize,
    /// Bytes of all PDFs of one request. Default 40 MiB.
    pub request_bytes_max: usize,
    /// How long a citizen has to approve when the portal says nothing. Default 300 s.
    pub expires_in_ms: i64,
    /// The longest a portal may ask for. Default 24 h.
    pub expires_in_ms_max: i64,
    /// How long an acceptance waits for its citizen. Default 7 days.
    pub acceptance_expires_in_ms: i64,
    /// How long a device session lasts. Default 12 h.
    pub session_ms: i64,
    /// How long sp769 answers a status question after the transaction ended (W8). Default 1 h.
    pub sp769_retention_ms: i64,
    /// Sealed RSA pairs kept ahead of need, an algorithm. Default 16.
    pub pool_size: usize,
}

impl Default for SigningConfig {
    fn default() -> Self {
        SigningConfig {
            provider_name: "kyso".into(),
            documents_max: 50,
            document_bytes_max: 20 << 20,
            request_bytes_max: 40 << 20,
            expires_in_ms: 300_000,
            expires_in_ms_max: 86_400_000,
            acceptance_expires_in_ms: 7 * 86_400_000,
            session_ms: 12 * 3_600_000,
            sp769_retention_ms: 3_600_000,
            pool_size: 16,
        }
    }
}

/// The crate's verbs, by folder. Cheap to clone.
#[derive(Clone)]
pub struct Signing {
    pub portals: Portals,
    pub devices: Devices,
    pub credentials: Credentials,
    pub requests: Requests,
    pub webhooks: Webhooks,
    inner: Arc<Inner>,
}

/// What all folders stand on.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) authority: Authority,
    pub(crate) config: SigningConfig,
}

impl Signing {
    pub fn new(store: Store, authority: Authority, config: SigningConfig) -> Signing {
        let inner = Arc::new(Inner {
            store,
            authority,
            config,
        });
        Signing {
            portals: Portals::new(inner.clone()),
            devices: Devices::new(inner.clone()),
            credentials: Credentials::new(inner.clone()),
            requests: Requests::new(inner.clone()),
            webhooks: Webhooks::new(inner.clone()),
            inner,
        }
    }
}

/// Every statement of this crate, for the test that prepares them on both databases.
pub fn statements() -> impl Iterator<Item = &'static str> {
    [
        portal::table::STATEMENTS,
        device::table::STATEMENTS,
        credential::table::STATEMENTS,
        request::table::STATEMENTS,
        billing::table::STATEMENTS,
        webhook::table::STATEMENTS,
        verify::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

impl Signing {
    /// Runs claimed jobs of the kinds in [`task::KINDS`], finishes or retries each, and says what came of them.
    ///
    /// `Sign` jobs of one call are one batch: two durable commits whatever their number.
    pub async fn work(
        &self,
        keys: &kyso_keystore::Keystore,
        jobs: Vec<kyso_store::jobs::Job>,
    ) -> Result<Vec<task::Done>> {
        todo!()
    }
}

/// The detail of a ledger entry: ids, codes and counts.
pub(crate) fn detail<const N: usize>(
    fields: [(&str, serde_json::Value); N],
) -> serde_json::Map<String, serde_json::Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
