//! Where keys live: in files under a master key, or in a PKCS#11 token.

use std::fmt;
use std::str::FromStr;

/// Names a backend, in configuration and in every stored key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackendName {
    /// Keys in files, wrapped under a master key file.
    Software,
    /// Keys in, or wrapped by, a PKCS#11 token.
    Pkcs11,
}

impl BackendName {
    /// The name as written in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            BackendName::Software => "software",
            BackendName::Pkcs11 => "pkcs11",
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text names no [`BackendName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a keystore backend")]
pub struct UnknownBackend;

impl FromStr for BackendName {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        match text {
            "software" => Ok(BackendName::Software),
            "pkcs11" => Ok(BackendName::Pkcs11),
            _ => Err(UnknownBackend),
        }
    }
}
