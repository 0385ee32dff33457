//! What the worker makes again for itself before a key row is touched: of what the web role computed, nothing is believed.
//!
//! The citizen approves documents as displayed; the key signs other digests, of attributes laid out around them at creation.
//! That these belong together is what this file finds out:
//! - a PDF: the original has the digest that was approved, and laying it out again (a pure function of original, certificate,
//!   chain, algorithm, instant, code and place of the mark) gives exactly the digest to be signed. An increment that shows something
//!   else, or attributes for another file, would give another;
//! - a bare digest: what was shown is what is signed, and the portal may ask for what nobody can see;
//! - the document code is that of the documents.
//!
//! A request laid out by another version of us, which laid out differently, ends as `layout-changed`: no forgery, and its portal asks
//! again. (The version is a row's word: a forger who changes it is not believed, only called by the milder name.)
//!
//! Known issue: the portal's permission to ask blind is a row like any other. The citizen's phone is told `blind` in the statement
//! all the same, which no row can change.

use kyso_keystore::CitizenKey;
use kyso_pki::certificate::Certificate;

use super::create::code_of_digests;
use super::table::{PdfSource, Work, WorkDocument};
use super::*;

/// What was approved is not what would be signed.
pub(super) const MISMATCH: &str = "documents-mismatch";
/// Another version of us laid it out, in another way.
const LAYOUT_CHANGED: &str = "layout-changed";

impl Requests {
    /// `Ok(Err(code))` when the request must not be signed.
    ///
    /// # Errors
    /// The store's, while rows and blobs cannot be read.
    pub(super) async fn recompute(
        &self,
        work: &Work,
        key: &CitizenKey,
    ) -> Result<Result<(), &'static str>> {
        let documents = &work.documents;
        let digests = documents
            .iter()
            .map(|document| document.document_digest.as_slice());
        if code_of_digests(digests) != work.code {
            return Ok(Err(MISMATCH));
        }
        if let Err(code) = check_blind(work) {
            return Ok(Err(code));
        }
        if documents.iter().all(|document| document.source.is_none()) {
            return Ok(Ok(()));
        }
        let store = &self.inner.store;
        let (certificate, chain) = match credential::table::chain(store, work.credential).await {
            Ok(found) => found,
            Err(error) => return unreadable(error),
        };
        let is_of_key = Certificate::from_der(&certificate).is_ok_and(|certificate| {
            certificate
                .public_key()
                .is_ok_and(|public_key| public_key == key.public_key())
        });
        if !is_of_key {
            return Ok(Err("certificate-changed"));
        }
        let signer = Arc::new(SignerOfRecord {
            certificate,
            chain,
            algorithm: work.algorithm,
        });
        for document in documents {
            let Some(source) = document.source else {
                continue;
            };
            // A blob is read only if its bytes have the digest that is its name.
            if source.original.digest().as_slice() != document.document_digest {
                return Ok(Err(MISMATCH));
            }
            let original = match store.read_blob(&source.original).await {
                Ok(original) => original,
                Err(error) => return unreadable(error.into()),
            };
            let (signer, code, layout) = (signer.clone(), work.code.clone(), source.layout);
            // Laying out a PDF is the processor's work: off the threads that wait for others.
            let laid_out = tokio::task::spawn_blocking(move || {
                let PdfSource {
                    prepared_at, place, ..
                } = source;
                format::lay_out(&original, &signer, prepared_at, &code, place)
            })
            .await
            .map_err(|_| Error::Interrupted)?;
            if !laid_out.is_ok_and(|pdf| pdf.prepared.digest == document.to_be_signed) {
                return Ok(Err(match layout == format::LAYOUT {
                    true => MISMATCH,
                    false => LAYOUT_CHANGED,
                }));
            }
        }
        Ok(Ok(()))
    }
}

/// What has no bytes to show: the digest that was shown is the one to be signed, and the portal may ask for it.
fn check_blind(work: &Work) -> Result<(), &'static str> {
    for document in &work.documents {
        match document.format {
            DocumentFormat::Pdf if document.source.is_some() => {}
            DocumentFormat::Pdf => return Err(MISMATCH),
            DocumentFormat::Digest if !is_bare(document) => return Err(MISMATCH),
            DocumentFormat::Digest if !work.may_ask_blind => return Err("portal-scope"),
            DocumentFormat::Digest => {}
        }
    }
    Ok(())
}

fn is_bare(document: &WorkDocument) -> bool {
    document.source.is_none() && document.document_digest == document.to_be_signed.value()
}

/// What is missing or damaged ends the request; what the database could not do now stops the batch.
fn unreadable(error: Error) -> Result<Result<(), &'static str>> {
    match error {
        Error::Store(
            kyso_store::Error::BlobMissing { .. } | kyso_store::Error::BlobDamaged { .. },
        )
        | Error::Corrupt { .. }
        | Error::NotFound { .. } => Ok(Err(MISMATCH)),
        error => Err(error),
    }
}
