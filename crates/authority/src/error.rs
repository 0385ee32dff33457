//! What can go wrong when the institution signs, in words of the field. Never a name, a number of a person, or a key.

use kyso_keystore::Role;
use kyso_pki::revocation::Reason;

use crate::subject::Fault;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the authority did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An attribute of a subject may not stand in a certificate.
    #[error("the {attribute} {fault}")]
    Subject {
        /// Which attribute.
        attribute: &'static str,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The linter objects. Nothing was reserved, nothing was signed.
    #[error("the certificate for {for_what} breaks {}", .codes.join(", "))]
    Lint {
        /// Credential id or service key label.
        for_what: String,
        /// Stable codes of the findings.
        codes: Vec<&'static str>,
    },
    /// A certificate for this credential or service exists, and it differs from what is asked now.
    #[error("the certificate for {for_what} exists with another {field}")]
    Differs {
        /// Credential id or service key label.
        for_what: String,
        /// What disagreed: `public key`, `subject`.
        field: &'static str,
    },
    /// This key is certified already, for somebody or something else.
    #[error("the key for {for_what} is certified already")]
    KeyCertified {
        /// Credential id or service key label.
        for_what: String,
    },
    /// The clock stands before the newest certificate by more than nodes may differ.
    #[error("the clock says {now}, the newest certificate was made at {newest}")]
    ClockBack {
        /// Milliseconds since 1970.
        now: i64,
        /// Milliseconds since 1970.
        newest: i64,
    },
    /// The plan, the law and the issuer's own end leave no validity.
    #[error("no validity is left: it would start at {not_before} and end at {not_after}")]
    NoValidity {
        /// Milliseconds since 1970.
        not_before: i64,
        /// Milliseconds since 1970.
        not_after: i64,
    },
    /// What came back signed is not what was linted and reserved. It was not stored.
    #[error("what was signed for {for_what} is not what was reserved")]
    NotWhatWasReserved {
        /// Credential id, service key label or CRL.
        for_what: String,
    },
    /// No certificate with this id.
    #[error("no certificate {id}")]
    NoCertificate {
        /// The id or, where asked by it, the credential.
        id: String,
    },
    /// The certificate is in a state that does not allow this.
    #[error("a certificate that is {standing} cannot be {act}")]
    Standing {
        /// `reserved`, `issued`, `suspended`, `revoked`.
        standing: &'static str,
        /// `revoked`, `suspended`, `resumed`, `used`.
        act: &'static str,
    },
    /// The certificate has expired.
    #[error("the certificate ended at {not_after}, it is {now}")]
    Expired {
        /// Milliseconds since 1970.
        not_after: i64,
        /// Milliseconds since 1970.
        now: i64,
    },
    /// Not a reason to revoke this certificate: certificateHold is a suspension, the compromise of an authority is about authorities.
    #[error("{reason} is not a reason to revoke this certificate")]
    Reason {
        /// The reason given.
        reason: Reason,
    },
    /// The status of a root is the business of those who trust it; the status of an outside authority is its root's.
    #[error("the status of a {kind} certificate is not kept here")]
    NotOurs {
        /// The kind of certificate.
        kind: &'static str,
    },
    /// There is no key in use for this role: no ceremony yet, or an outside root has not answered.
    #[error("no {role} key is in use; hold a ceremony first")]
    NoServiceKey {
        /// Whose key.
        role: Role,
    },
    /// A ceremony was held already, with another plan.
    #[error("a {role} key exists already, of another kind than planned")]
    CeremonyHeld {
        /// Whose key.
        role: Role,
    },
    /// A ceremony was begun under another root.
    #[error(
        "a ceremony was begun under {held} root; finish that one, or start with a new keystore and database"
    )]
    OtherRoot {
        /// Whose.
        held: &'static str,
    },
    /// No request to an outside root is waiting for its certificate.
    #[error("no request is waiting for a certificate of an outside root")]
    NothingToImport,
    /// The certificate that came back cannot be ours.
    #[error("the certificate that came back {fault}")]
    Import {
        /// What is wrong with it.
        fault: ImportFault,
    },
    /// A setting cannot be used in a certificate.
    #[error("setting {setting}: {reason}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What to repair.
        reason: String,
    },
    /// A row that the schema and the code do not allow together.
    #[error("{table} {row} is corrupt")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key.
        row: String,
    },
    /// A job whose kind or payload is none of ours.
    #[error("no task of this kind: {kind}")]
    UnknownTask {
        /// The kind.
        kind: String,
    },
    /// A structure could not be built or read.
    #[error(transparent)]
    Pki(#[from] kyso_pki::Error),
    /// A key could not be used.
    #[error(transparent)]
    Keystore(#[from] kyso_keystore::Error),
    /// The rows could not be read or written.
    #[error(transparent)]
    Store(#[from] kyso_store::Error),
}

/// Why a certificate of an outside root is not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportFault {
    /// No certificate in the text has the key we asked for.
    #[error("is not for the key we asked with")]
    OtherKey,
    /// Issued by itself, not by the outside root.
    #[error("is issued by itself")]
    SelfSigned,
    /// Not CA:TRUE, or without keyCertSign and cRLSign.
    #[error("is not a certificate of an authority")]
    NotAnAuthority,
    /// Not valid now.
    #[error("is valid from {not_before} to {not_after}, it is {now}")]
    NotCurrent {
        /// Milliseconds since 1970.
        not_before: i64,
        /// Milliseconds since 1970.
        not_after: i64,
        /// Milliseconds since 1970.
        now: i64,
    },
    /// The chain that came with it does not lead to a root, or a link does not verify.
    #[error("comes with a chain that does not lead to its root")]
    NoChain,
    /// The linter objects.
    #[error("breaks {}", .0.join(", "))]
    Lint(Vec<&'static str>),
}
