//! The provider's own seal on a document (the contract a citizen signs): PAdES with the seal key.

use kyso_keystore::Keystore;

use crate::{Result, Signing};

impl Signing {
    /// `pdf` with the provider's e-seal appended, visible where `mark` says.
    pub async fn seal(
        &self,
        keys: &Keystore,
        pdf: Vec<u8>,
        mark: Option<kyso_ades::pades::Mark>,
    ) -> Result<Vec<u8>> {
        todo!()
    }
}
