//! Documents that must not be signed, and the word each is refused with.

use kyso_ades::Error;
use kyso_ades::pades::{DOCUMENT_BYTES_MAX, PAGES_MAX, inspect, prepare};
use kyso_pki::algorithm::SignatureAlgorithm;

use crate::inputs::INPUTS;
use crate::keys::AUTHORITY;
use crate::sign::mark;

#[test]
fn each_unfit_document_is_refused_with_its_own_code() {
    let Some(inputs) = &*INPUTS else { return };
    let options = AUTHORITY.p256.options(SignatureAlgorithm::EcdsaSha256);
    let codes: Vec<(String, &str)> = inputs
        .names(true)
        .into_iter()
        .map(|name| {
            let document = inputs.read(&name);
            let refusal = inspect(&document).unwrap_err();
            assert!(refusal.is_refusal_of_document());
            assert_eq!(
                prepare(&document, &options).unwrap_err().code(),
                refusal.code(),
                "{name}"
            );
            (name, refusal.code())
        })
        .collect();
    let expected = [
        ("certified-1", "pdf-changes-forbidden"),
        ("refused-dynamic-form", "pdf-dynamic-form"),
        ("refused-encrypted", "pdf-encrypted"),
        ("refused-encrypted-by-hand", "pdf-encrypted"),
        ("refused-encrypted-password", "pdf-encrypted"),
        ("refused-encrypted-streams", "pdf-encrypted"),
        ("refused-no-pages", "pdf-no-pages"),
    ];
    assert_eq!(codes, expected.map(|(name, code)| (name.to_owned(), code)));
}

#[test]
fn what_is_no_pdf_or_too_large_is_refused() {
    for bytes in [b"".as_slice(), b"PK\x03\x04", b"%PDX-1.7\n", &[0; 4096]] {
        assert!(matches!(inspect(bytes), Err(Error::NotPdf)));
    }
    let large = vec![b'%'; DOCUMENT_BYTES_MAX + 1];
    assert!(matches!(inspect(&large), Err(Error::TooLarge { .. })));
}

#[test]
fn too_many_pages_are_refused() {
    let kids = "3 0 R ".repeat(PAGES_MAX as usize + 1);
    let document = crate::hostile::file(&[
        "<</Type/Catalog/Pages 2 0 R>>",
        &format!("<</Type/Pages/Count 1/Kids[{kids}]>>"),
        "<</Type/Page/MediaBox[0 0 100 100]>>",
    ]);
    assert!(matches!(
        inspect(&document),
        Err(Error::TooManyPages { .. })
    ));
}

#[test]
fn a_certified_document_takes_no_new_visible_mark() {
    let Some(inputs) = &*INPUTS else { return };
    let mut options = AUTHORITY.p256.options(SignatureAlgorithm::EcdsaSha256);
    for permission in [2, 3] {
        let document = inputs.read(&format!("certified-{permission}"));
        assert_eq!(inspect(&document).unwrap().certified, Some(permission));
        options.mark = Some(mark("Đặng Văn Thử"));
        let refused = prepare(&document, &options);
        assert!(
            matches!(refused, Err(Error::MarkForbidden { permission: found }) if found == permission)
        );
        options.mark = None;
        assert!(prepare(&document, &options).is_ok());
    }
}

#[test]
fn a_field_that_is_none_of_ours_to_fill_is_refused() {
    let Some(inputs) = &*INPUTS else { return };
    let mut options = AUTHORITY.p256.options(SignatureAlgorithm::EcdsaSha256);
    let mut named = |document: &str, name: &str| {
        options.field_name = Some(name.to_owned());
        prepare(&inputs.read(document), &options).map(|prepared| prepared.field_name)
    };
    assert!(matches!(
        named("form", "ho_ten"),
        Err(Error::FieldNotSignature)
    ));
    assert!(matches!(named("signed", "Truoc"), Err(Error::FieldSigned)));
    for name in ["", "a.b", &"x".repeat(101)] {
        assert!(matches!(named("plain", name), Err(Error::FieldName)));
    }
    assert_eq!(named("plain", "Người ký").unwrap(), "Người ký");
    options.field_name = Some("NguoiKy".to_owned());
    options.mark = Some(mark("Đặng Văn Thử"));
    let refused = prepare(&inputs.read("empty-field-invisible"), &options);
    assert!(matches!(refused, Err(Error::MarkBox { .. })));
}

#[test]
fn a_field_that_an_earlier_signature_locked_is_refused() {
    let Some(inputs) = &*INPUTS else { return };
    let options = AUTHORITY.p256.options(SignatureAlgorithm::EcdsaSha256);
    assert!(prepare(&inputs.read("locked-include"), &options).is_ok());
    let refused = prepare(&inputs.read("locked-exclude"), &options);
    assert!(matches!(refused, Err(Error::FieldLocked)));
}
