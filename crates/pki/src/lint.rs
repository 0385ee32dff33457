//! Lint.
use crate::{profile::Kind, public_key::PublicKey};
/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding { 
    /// Stable code.
    pub code: &'static str, 
    /// Rule.
    pub clause: &'static str, 
    /// What.
    pub message: String }
/// TBSCertificate before signing. Empty means: sign.
pub fn lint(tbs: &[u8], kind: Kind) -> Vec<Finding> { todo!() }
/// A finished certificate.
pub fn lint_certificate(der: &[u8], kind: Kind) -> Vec<Finding> { todo!() }
/// Weak keys.
pub fn lint_key(key: &PublicKey) -> Vec<Finding> { todo!() }
