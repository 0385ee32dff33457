//! What a document is, before anybody is asked to sign it: the clear refusals come from here.

use super::form::Form;
use super::pdf::{Object, PageChoice, Pages, Reader};
use crate::Error;

/// What was found in a document that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Size in bytes.
    pub bytes: u64,
    /// Pages.
    pub pages: u32,
    /// Signature fields that carry a signature.
    pub signatures: u32,
    /// Names of the signature fields still empty, in the order of the form.
    pub empty_signature_fields: Vec<String>,
    /// Whether the file is encrypted; always false here, since that is refused.
    pub encrypted: bool,
    /// Whether there is an interactive form (AcroForm with fields).
    pub has_form: bool,
    /// Whether the cross-reference is a stream (PDF 1.5) rather than a table.
    pub has_xref_stream: bool,
    /// The P of an author's certification (DocMDP), 2 or 3; 1 is refused.
    pub certified: Option<i64>,
    /// Version stated by the header or, if later, by the catalog, such as `1.7`.
    pub version: String,
}

/// Reads the structure of a document and says what it holds. What this refuses, `prepare` refuses as well.
///
/// # Errors
/// The document's refusals: [`Error::NotPdf`], [`Error::Broken`], [`Error::Unsupported`], [`Error::TooComplex`],
/// [`Error::Encrypted`], [`Error::TooLarge`], [`Error::TooManyPages`], [`Error::NoPages`],
/// [`Error::ChangesForbidden`], [`Error::DynamicForm`].
pub fn inspect(original: &[u8]) -> Result<Inspection, Error> {
    let reader = Reader::open(original)?;
    let (_, catalog) = reader.catalog()?;
    let pages = Pages::walk(&reader, &catalog, PageChoice::Last)?;
    let form = Form::read(&reader, &catalog)?;
    let stated = match catalog.get(b"Version") {
        Some(Object::Name(version)) => String::from_utf8_lossy(version).into_owned(),
        _ => String::new(),
    };
    Ok(Inspection {
        bytes: original.len() as u64,
        pages: pages.count,
        signatures: u32::try_from(form.signatures()).unwrap_or(u32::MAX),
        empty_signature_fields: form
            .signature_fields
            .iter()
            .filter(|field| !field.signed)
            .map(|field| field.name.clone())
            .collect(),
        encrypted: false,
        has_form: form.has_fields(),
        has_xref_stream: reader.has_xref_stream(),
        certified: form.certified,
        version: reader.header_version().max(stated),
    })
}
