//! Everything that can be refused or go wrong in this crate, in words of the field.

use crate::credential::CredentialState;
use crate::request::RequestState;

/// What was refused, and the values that disagreed; each message says it in words. Never a name, number, PIN or token inside.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // portals
    #[error("the client id or secret is not valid")]
    PortalCredentials,
    #[error("the portal has no scope `{scope}`")]
    PortalScope { scope: &'static str },
    #[error("the client id is taken")]
    ClientIdTaken,
    #[error("{field} is not acceptable: {rule}")]
    Unacceptable {
        field: &'static str,
        rule: &'static str,
    },

    // devices
    #[error("the session is unknown or has ended")]
    SessionInvalid,
    #[error("the device challenge is unknown, used or too old")]
    ChallengeInvalid,
    #[error("the device signature does not verify")]
    DeviceSignature,
    #[error("the device is not bound to an account")]
    DeviceUnknown,
    #[error("the device is bound to another account")]
    DeviceTaken,

    // credentials
    #[error("the citizen already has a live credential")]
    CredentialLive,
    #[error("the enrolment opened a credential with another citizen or algorithm")]
    OpeningDiffers,
    #[error("another binding of this credential is on its way")]
    BindingPending,
    #[error("the binding is refused: {code}")]
    BindingRefused { code: String },
    #[error("the credential is {state}, which does not allow this")]
    CredentialState { state: CredentialState },
    #[error("the credential has no bound device yet")]
    CredentialUnbound,
    #[error("the credential is locked after too many wrong PINs")]
    PinLocked,
    #[error(
        "the key row of {credential} is not the newest: row has version {row}, ledger has {ledger}"
    )]
    KeyRolledBack {
        credential: String,
        row: i64,
        ledger: i64,
    },
    #[error("nobody with a usable credential has this identity number or serial")]
    SignerUnknown,

    // requests
    #[error("there is no such {what}")]
    NotFound { what: &'static str },
    #[error("the request is {state}, which does not allow this")]
    RequestState { state: RequestState },
    #[error("the request expired at {expires_at}, it is {now}")]
    RequestExpired { expires_at: i64, now: i64 },
    #[error("the request has {found} documents, at least 1 and at most {most} are allowed")]
    DocumentCount { found: usize, most: usize },
    #[error("document {position} has {found} bytes, at most {most} are allowed")]
    DocumentSize {
        position: usize,
        found: usize,
        most: usize,
    },
    #[error("the documents have {found} bytes together, at most {most} are allowed")]
    RequestSize { found: usize, most: usize },
    #[error("document {position} has a name that is empty, too long or has control characters")]
    DocumentName { position: usize },
    #[error("document {position} cannot be prepared")]
    Document {
        position: usize,
        #[source]
        source: kyso_ades::Error,
    },
    #[error("digest {position} is not one the credential's key can sign")]
    DigestUnsuited { position: usize },
    #[error("{most} requests wait for the citizen already")]
    TooManyPending { most: i64 },
    #[error("the idempotency key was used for another request body")]
    IdempotencyMismatch,
    #[error("the transaction id is in use")]
    TransactionTaken,
    #[error("the page's token is not valid, or its request is over")]
    ScreenToken,
    #[error("the code or link from the screen is not of now")]
    ScreenCodeOld,
    #[error("the code or link is not one of this request")]
    ScreenCodeWrong,
    #[error("these are not the digits on the screen, {tries_left} tries are left")]
    DigitsWrong { tries_left: i64 },
    #[error(
        "these are not the digits on the screen, and it was the last try: the request is refused"
    )]
    DigitsRefused,
    #[error("the request was opened already")]
    RequestOpened,
    #[error("the phone has not been in front of the screen that shows the request")]
    RequestUnopened,
    #[error("the approval is refused: {code}")]
    ApprovalRefused { code: String },
    #[error("no signature units are left: {left} for {needed}")]
    UnitsExhausted { left: i64, needed: i64 },

    // below
    #[error("the work was broken off")]
    Interrupted,
    #[error("no task of this kind or payload: {kind}")]
    UnknownTask { kind: String },
    #[error("the stored row of {table} {id} is not one this version writes")]
    Corrupt { table: &'static str, id: String },
    #[error(transparent)]
    Store(#[from] kyso_store::Error),
    #[error(transparent)]
    Keystore(#[from] kyso_keystore::Error),
    #[error(transparent)]
    Authority(#[from] kyso_authority::Error),
    #[error(transparent)]
    Pki(#[from] kyso_pki::Error),
    #[error("a document format step did not work")]
    Format(#[source] kyso_ades::Error),
}

/// The name of the schema rule that refused a write, if one did.
pub(crate) fn constraint<T>(result: &crate::Result<T>) -> Option<&str> {
    match result {
        Err(Error::Store(kyso_store::Error::Constraint { name, .. })) => Some(name),
        _ => None,
    }
}

/// Whether a guarded change met another row than expected.
pub(crate) fn is_conflict<T>(result: &crate::Result<T>) -> bool {
    matches!(
        result,
        Err(Error::Store(kyso_store::Error::Conflict { .. }))
    )
}
