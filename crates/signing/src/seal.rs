//! The provider's own seal on a document (the contract a citizen signs): PAdES with the seal key.

use kyso_ades::pades::Mark;
use kyso_keystore::Keystore;
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::certificate::Certificate;
use kyso_store::failpoint;

use crate::format::{self, SignerOfRecord};
use crate::{Error, Result, Signing};

impl Signing {
    /// `pdf` with the provider's e-seal appended, visible where `mark` says.
    ///
    /// # Errors
    /// [`Error::Document`] (position 0) when the PDF cannot be signed; the authority's before a ceremony; the keystore's.
    pub async fn seal(&self, keys: &Keystore, pdf: Vec<u8>, mark: Option<Mark>) -> Result<Vec<u8>> {
        let seal = self.inner.authority.seal_certificate().await?;
        let certificate = seal.certificate.ok_or(Error::NotFound {
            what: "seal certificate",
        })?;
        let chain = self.inner.authority.chain().await?;
        let signer = SignerOfRecord {
            certificate: certificate.as_der().to_vec(),
            chain: chain
                .iter()
                .map(Certificate::as_der)
                .map(<[u8]>::to_vec)
                .collect(),
            algorithm: SignatureAlgorithm::default_for(seal.public_key.algorithm()),
        };
        let at = self.inner.store.now();
        let (pdf, signer, prepared) = tokio::task::spawn_blocking(move || {
            let prepared = format::prepare_pdf(&pdf, &signer, at, mark);
            (pdf, signer, prepared)
        })
        .await
        .map_err(|_| Error::Interrupted)?;
        let prepared = prepared
            .map_err(|source| Error::Document {
                position: 0,
                source,
            })?
            .prepared;
        let key = keys.service(&seal.label).await?;
        failpoint!("signing.seal.before-sign");
        let signature = keys
            .sign_for_service(&key, signer.algorithm, prepared.digest.clone())
            .await?;
        failpoint!("signing.seal.after-sign");
        format::embed_pdf(pdf, &prepared, &signer, &signature)
    }
}
