//! Why a document was refused or a signature could not be put in. Each variant has one stable meaning and one stable
//! [`Error::code`]; none carries text from the document.

/// A refusal. The caller may show `code()` to its own caller; the message names what disagreed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes do not begin like a PDF.
    #[error("not a PDF: no %PDF- header in the first 1024 bytes")]
    NotPdf,
    /// The file cannot be read as ISO 32000 describes; a viewer may still guess, we do not sign a guess.
    #[error("broken PDF: {reason} (at byte {at})")]
    Broken {
        /// What was found wrong.
        reason: &'static str,
        /// Where, counted from the start of the file or of the inflated stream.
        at: usize,
    },
    /// Correct perhaps, but uses a feature that is not supported.
    #[error("unsupported PDF: {feature}")]
    Unsupported {
        /// The feature.
        feature: &'static str,
    },
    /// Reading would cost more than a document may cost (loops, deflate bombs, deep nesting).
    #[error("PDF costs too much to read: {limit}")]
    TooComplex {
        /// The bound that was hit.
        limit: &'static str,
    },
    /// The file is encrypted (ISO 32000-1 7.6), with or without a password.
    #[error("PDF is encrypted")]
    Encrypted,
    /// The file is larger than [`crate::pades::DOCUMENT_BYTES_MAX`].
    #[error("PDF has {bytes} bytes, more than {bytes_max}")]
    TooLarge {
        /// Size of the file.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The file has more pages than [`crate::pades::PAGES_MAX`].
    #[error("PDF has more than {pages_max} pages")]
    TooManyPages {
        /// The bound.
        pages_max: u32,
    },
    /// The page tree holds no page.
    #[error("PDF has no pages")]
    NoPages,
    /// An earlier signature forbids every change, further signatures among them (ISO 32000-2 12.8.2.2, 12.8.2.4).
    #[error("an earlier signature allows no changes (DocMDP P=1 or FieldMDP All)")]
    ChangesForbidden,
    /// An author signature allows signing but no new visible field (DocMDP P=2 or 3 and a mark was asked for).
    #[error("PDF is certified (DocMDP P={permission}): no new visible mark may be added")]
    MarkForbidden {
        /// The P that the certification grants.
        permission: i64,
    },
    /// A dynamic XFA form: what is seen is not what the PDF says, so it cannot be signed.
    #[error("PDF is a dynamic XFA form")]
    DynamicForm,
    /// The field named is signed already.
    #[error("signature field is already signed")]
    FieldSigned,
    /// An earlier signature locked the field, or every field but some others (FieldMDP, ISO 32000-1 12.8.2.4).
    #[error("signature field is locked by an earlier signature")]
    FieldLocked,
    /// The field named exists and is not a signature field.
    #[error("field exists and is not a signature field")]
    FieldNotSignature,
    /// The field name is empty, too long or holds a full stop (ISO 32000-1 12.7.3.2).
    #[error("signature field name must have 1 to 100 characters and no full stop")]
    FieldName,
    /// The page asked for does not exist.
    #[error("no page {page}: PDF has {pages}")]
    PageMissing {
        /// The page asked for, from 1.
        page: u32,
        /// How many there are.
        pages: u32,
    },
    /// The mark's box lies outside the page, or is not a box.
    #[error("mark does not fit: {reason}")]
    MarkBox {
        /// What does not fit.
        reason: &'static str,
    },
    /// A character of the mark's text has no glyph in the embedded font.
    #[error("no glyph for U+{character:04X}")]
    MarkGlyph {
        /// The code point.
        character: u32,
    },
    /// The time given cannot be written as a PDF date.
    #[error("time {at} ms is outside the years 1 to 9999")]
    Time {
        /// Milliseconds since 1970-01-01 UTC.
        at: i64,
    },
    /// The bytes are not what `Prepared::to_bytes` wrote.
    #[error("stored preparation is damaged: {reason}")]
    Prepared {
        /// What disagreed.
        reason: &'static str,
    },
    /// The certificate at embedding is not the one the signed attributes name (ESS signing-certificate-v2).
    #[error("certificate differs from the one the document was prepared for")]
    CertificateMismatch,
    /// The signature does not verify under the certificate's key: it must never reach a document.
    #[error("signature does not verify under the certificate")]
    SignatureMismatch,
    /// The finished CMS is longer than the room kept for it.
    #[error("signature container needs {needed} bytes, {reserved} are reserved")]
    NoRoom {
        /// Bytes of the CMS.
        needed: usize,
        /// Bytes kept in /Contents.
        reserved: usize,
    },
    /// A certificate, key or CMS could not be read or built.
    #[error("certificate or CMS refused")]
    Pki(#[source] kyso_pki::Error),
}

impl Error {
    /// A stable word for interfaces and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotPdf => "not-a-pdf",
            Error::Broken { .. } => "pdf-broken",
            Error::Unsupported { .. } => "pdf-unsupported",
            Error::TooComplex { .. } => "pdf-too-complex",
            Error::Encrypted => "pdf-encrypted",
            Error::TooLarge { .. } => "pdf-too-large",
            Error::TooManyPages { .. } => "pdf-too-many-pages",
            Error::NoPages => "pdf-no-pages",
            Error::ChangesForbidden => "pdf-changes-forbidden",
            Error::MarkForbidden { .. } => "pdf-mark-forbidden",
            Error::DynamicForm => "pdf-dynamic-form",
            Error::FieldSigned => "field-signed",
            Error::FieldLocked => "field-locked",
            Error::FieldNotSignature => "field-not-signature",
            Error::FieldName => "field-name",
            Error::PageMissing { .. } => "page-missing",
            Error::MarkBox { .. } => "mark-box",
            Error::MarkGlyph { .. } => "mark-glyph",
            Error::Time { .. } => "time-out-of-range",
            Error::Prepared { .. } => "preparation-damaged",
            Error::CertificateMismatch => "certificate-mismatch",
            Error::SignatureMismatch => "signature-mismatch",
            Error::NoRoom { .. } => "signature-too-large",
            Error::Pki(_) => "pki",
        }
    }

    /// Whether the document itself is at fault (answer 4xx), rather than the caller's or our own bytes.
    pub fn is_refusal_of_document(&self) -> bool {
        matches!(
            self,
            Error::NotPdf
                | Error::Broken { .. }
                | Error::Unsupported { .. }
                | Error::TooComplex { .. }
                | Error::Encrypted
                | Error::TooLarge { .. }
                | Error::TooManyPages { .. }
                | Error::NoPages
                | Error::ChangesForbidden
                | Error::MarkForbidden { .. }
                | Error::DynamicForm
        )
    }
}

impl From<kyso_pki::Error> for Error {
    fn from(source: kyso_pki::Error) -> Self {
        Error::Pki(source)
    }
}
