//! The papers kyso writes, as Vietnamese PDF/A-2 made from Typst templates: the service contract, the acceptance
//! record, and a public-service dossier for the demo and the tests.
//!
//! A paper is a pure function of its fields: no clock, no network, no file, no randomness. The same fields give the
//! same bytes, so a digest shown to a citizen can be computed again years later with the same release.
//!
//! # Invariants
//! - A field is data, never markup: it reaches the template as a JSON value, so `#`, `*` or `$` in a name stay text.
//! - Every font is embedded (Noto Sans, Noto Serif; SIL OFL, see `assets/`). A character the fonts do not have is
//!   refused as [`Error::Unprintable`]; it never becomes an empty box on a signed page.
//! - What one document left in the compiler's cache is dropped before the function returns: no personal data stays.
//!
//! # Known issues
//! A letter that Unicode has no composed form for (such as `Ơ̆` in Ê Đê) is drawn right, but poppler's `pdftotext` reads
//! it twice.
//!
//! Typesetting is CPU work of some tens of milliseconds: call it from a blocking thread.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod date;
mod error;
mod fields;
mod money;
pub mod sample;
mod typeset;

pub use date::Date;
pub use error::{Error, Result};
pub use fields::{
    AcceptanceFields, Attachment, Business, ContractFields, DossierFields, Member, Plan, Provider,
    Subscriber, Trade,
};
pub use typeset::{Pdf, Place};

/// The service contract between provider and subscriber («Hợp đồng cung cấp và sử dụng dịch vụ»), 2 to 3 pages.
///
/// Places for visible marks: `provider`, `subscriber`.
pub fn contract(fields: &ContractFields) -> Result<Pdf> {
    typeset::typeset(typeset::Template::Contract, fields, &fields.number)
}

/// The acceptance record («Biên bản nghiệm thu»): the first thing a new certificate signs, one page.
///
/// Places for visible marks: `subscriber`.
pub fn acceptance(fields: &AcceptanceFields) -> Result<Pdf> {
    typeset::typeset(
        typeset::Template::Acceptance,
        fields,
        &fields.certificate_serial,
    )
}

/// A filled public-service form («Tờ khai đăng ký hộ kinh doanh»), 3 to 4 pages: what a portal asks a citizen to sign.
/// For the demo and the tests; the product itself never writes one.
///
/// Places for visible marks: `subscriber`.
pub fn dossier(fields: &DossierFields) -> Result<Pdf> {
    typeset::typeset(typeset::Template::Dossier, fields, &fields.number)
}
