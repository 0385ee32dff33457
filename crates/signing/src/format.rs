//! The one bridge to ades: (format, level) → prepare / embed.
//!
//! The signature of a PDF is not written into a second copy of the file: the increment prepared at
//! creation and the raw signature are kept, and the signed file is put together when it is asked
//! for. Both rows never change, so it is always the same bytes.

use kyso_ades::pades::{self, Mark, MarkPage, Options, Placement, Prepared};
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::certificate::Certificate;

use crate::request::Place;
use crate::{Error, Result};

/// Who signs, as a format needs it.
#[derive(Debug, Clone)]
pub(crate) struct SignerOfRecord {
    /// DER.
    pub(crate) certificate: Vec<u8>,
    /// Issuer first, root last, DER.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) algorithm: SignatureAlgorithm,
}

/// A PDF with room for its signature.
pub(crate) struct PreparedPdf {
    pub(crate) page_count: i64,
    pub(crate) prepared: Prepared,
}

/// A citizen's document laid out: the mark names signer, instant, issuer and document code. A pure function: the worker makes
/// again with it what the web role made.
pub(crate) fn lay_out(
    pdf: &[u8],
    signer: &SignerOfRecord,
    at: i64,
    code: &str,
    place: Option<Place>,
) -> Result<PreparedPdf, kyso_ades::Error> {
    let certificate = Certificate::from_der(&signer.certificate)?;
    let signer_name = certificate.subject().common_name().unwrap_or_default();
    let issuer_name = certificate
        .issuer()
        .organization()
        .or_else(|| certificate.issuer().common_name())
        .unwrap_or_default();
    let mut mark = Mark::vietnamese(signer_name, at, issuer_name, Some(code));
    if let Some(place) = place {
        mark.page = MarkPage::Number(place.page);
        mark.placement = Placement::At {
            left: place.left,
            bottom: place.bottom,
        };
    }
    prepare_pdf(pdf, signer, at, Some(mark))
}

/// PAdES-B-B with a visible mark. Where the document's author allows signatures but no new mark, or its name has a letter the
/// font lacks, the signature is invisible rather than refused.
pub(crate) fn prepare_pdf(
    pdf: &[u8],
    signer: &SignerOfRecord,
    at: i64,
    mark: Option<Mark>,
) -> Result<PreparedPdf, kyso_ades::Error> {
    let inspection = pades::inspect(pdf)?;
    let mut options = Options::new(
        signer.certificate.clone(),
        signer.chain.clone(),
        signer.algorithm,
        at,
    );
    // A portal that says where the mark goes hears that it does not fit; nobody else minds an invisible one.
    let placed = mark
        .as_ref()
        .is_some_and(|mark| matches!(mark.placement, Placement::At { .. }));
    options.mark = mark;
    let prepared = match pades::prepare(pdf, &options) {
        Err(
            kyso_ades::Error::MarkForbidden { .. }
            | kyso_ades::Error::MarkGlyph { .. }
            | kyso_ades::Error::MarkBox { .. },
        ) if !placed => {
            options.mark = None;
            pades::prepare(pdf, &options)?
        }
        other => other?,
    };
    Ok(PreparedPdf {
        page_count: i64::from(inspection.pages),
        prepared,
    })
}

/// The signed file: the original, then the increment with the signature in it.
pub(crate) fn embed_pdf(
    mut original: Vec<u8>,
    prepared: &Prepared,
    signer: &SignerOfRecord,
    signature: &[u8],
) -> Result<Vec<u8>> {
    let appended = pades::embed(prepared, &signer.certificate, &signer.chain, signature)
        .map_err(Error::Format)?;
    original.extend_from_slice(&appended);
    Ok(original)
}
