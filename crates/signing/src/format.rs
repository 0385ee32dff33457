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

/// Version of what [`lay_out`] makes, stored with every document that it made: **raise it with every change of the bytes**, here or
/// in ades, for which a test below stands. What another version laid out may be laid out otherwise now, and that is no forgery.
pub(crate) const LAYOUT: i64 = 1;

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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use kyso_pki::algorithm::{Digest, DigestAlgorithm};

    use super::*;

    /// A certificate of nobody, whose key is gone.
    const SIGNER: &str = concat!(
        "MIIBuzCCAWGgAwIBAgICEjQwCgYIKoZIzj0EAwIwPDELMAkGA1UEBhMCVk4xFDAS",
        "BgNVBAoMC1RvIGNodWMgbWF1MRcwFQYDVQQDDA5OZ3V5ZW4gVGhpIE1hdTAeFw0y",
        "NjExMjIxNzQxMjBaFw0zNjExMTkxNzQxMjBaMDwxCzAJBgNVBAYTAlZOMRQwEgYD",
        "VQQKDAtUbyBjaHVjIG1hdTEXMBUGA1UEAwwOTmd1eWVuIFRoaSBNYXUwWTATBgcq",
        "hkjOPQIBBggqhkjOPQMBBwNCAAS33xh8qMhkxwV1p9wr9JWAwQIc+eKKXik8eAQ3",
        "+at9ffaug87vt5b/+iMglhsKhnqQJZ4KntKKWVJdpzRisepko1MwUTAdBgNVHQ4E",
        "FgQUXptGV4RtpVw1OqWHEFsoDVmwEwYwHwYDVR0jBBgwFoAUXptGV4RtpVw1OqWH",
        "EFsoDVmwEwYwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAxBVR",
        "mlwv0JwOn251L6q6e4NexGkTBx1VBOLJgNnBaMACIBVnwlr4n/fzSggpggfFg1lr",
        "UIhLc5G1ie1uPwyS+lKT",
    );

    const PDF: &[u8] = b"%PDF-1.4\n\
1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n\
2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n\
3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>\nendobj\n";

    fn document() -> Vec<u8> {
        let mut document = PDF.to_vec();
        let (text, start) = (String::from_utf8_lossy(PDF), PDF.len());
        document.extend_from_slice(b"xref\n0 4\n0000000000 65535 f \n");
        for number in 1..=3 {
            let at = text.find(&format!("{number} 0 obj")).unwrap();
            document.extend_from_slice(format!("{at:010} 00000 n \n").as_bytes());
        }
        let trailer = format!("trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
        document.extend_from_slice(trailer.as_bytes());
        document
    }

    #[test]
    fn another_layout_has_another_version() {
        let signer = SignerOfRecord {
            certificate: base64::engine::general_purpose::STANDARD
                .decode(SIGNER)
                .unwrap(),
            chain: Vec::new(),
            algorithm: SignatureAlgorithm::EcdsaSha256,
        };
        let place = Place {
            page: 1,
            left: 72.5,
            bottom: 100.0,
        };
        let digests: Vec<u8> = [None, Some(place)]
            .into_iter()
            .flat_map(|place| {
                let laid_out =
                    lay_out(&document(), &signer, 1_764_000_000_000, "7K-4Q", place).unwrap();
                laid_out.prepared.digest.value().to_vec()
            })
            .collect();
        let found = hex::encode(Digest::of(DigestAlgorithm::Sha256, &digests).value());
        assert_eq!(
            (LAYOUT, found.as_str()),
            (
                1,
                "eef9db2d8b95e0844fad4489032c27858ff7e90396d9f2823c4dfba90e53f00c"
            ),
            "the bytes of a layout changed: raise LAYOUT, then write version and digest here"
        );
    }
}
