//! Signing every shape of document, alone and after others.

use std::path::PathBuf;

use kyso_ades::Error;
use kyso_ades::pades::{Mark, embed, inspect, prepare};
use kyso_pki::algorithm::SignatureAlgorithm;

use crate::inputs::{INPUTS, Inputs, signed};
use crate::keys::{AUTHORITY, NOW, chain};
use crate::peers;

pub fn mark(signer: &str) -> Mark {
    Mark::vietnamese(signer, *NOW, "Kyso Test Issuing", Some("KS-7F3K-29QD"))
}

#[test]
fn every_shape_of_document_signed_three_times_satisfies_every_judge() {
    let Some(inputs) = &*INPUTS else { return };
    let names = inputs.names(false);
    assert!(names.len() > 30);
    // The judges are slow to start; two at a time.
    std::thread::scope(|scope| {
        for half in names.chunks(names.len() / 2 + 1) {
            scope.spawn(move || sign_three_times_and_judge(inputs, half));
        }
    });
}

fn sign_three_times_and_judge(inputs: &Inputs, names: &[String]) {
    let (rsa, p256) = (&AUTHORITY.rsa, &AUTHORITY.p256);
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut expected = 0;
    for name in names {
        let original = inputs.read(name);
        let before = inspect(&original).unwrap();
        // A certified document takes no new visible field; see the refusals.
        let marked = |signer| before.certified.is_none().then(|| mark(signer));
        let mut first = rsa.options(SignatureAlgorithm::RsaPkcs1Sha256);
        first.mark = marked("Nguyễn Thị Mẫu Ánh");
        first.reason = Some("Nộp hồ sơ (mẫu)".to_owned());
        let once = signed(&original, rsa, &first);
        let mut second = p256.options(SignatureAlgorithm::EcdsaSha256);
        second.mark = marked("Đặng Văn Thử");
        let twice = signed(&once, p256, &second);
        let thrice = signed(&twice, rsa, &rsa.options(SignatureAlgorithm::RsaPssSha256));
        let after = inspect(&thrice).unwrap();
        assert_eq!(after.signatures, before.signatures + 3, "{name}");
        assert_eq!(after.pages, before.pages, "{name}");
        assert_eq!(after.has_xref_stream, before.has_xref_stream, "{name}");
        for (number, document) in [&once, &twice, &thrice].into_iter().enumerate() {
            let path = inputs.write(&format!("{name}.{}", number + 1), document);
            peers::openssl_is_content(&path, &inputs.root);
        }
        let path = inputs.write(&format!("{name}.signed"), &thrice);
        peers::qpdf_is_content(&path);
        peers::pdfsig_is_content(&path, after.signatures as usize);
        expected += after.signatures as usize;
        paths.push(path);
    }
    let verdicts = peers::pyhanko(&[&inputs.root, &inputs.other()], &paths).unwrap();
    assert_eq!(verdicts.len(), expected);
    for verdict in verdicts {
        assert_eq!(
            verdict[2..],
            ["intact", "valid", "trusted", "whole", "unmodified"],
            "{verdict:?}"
        );
    }
}

#[test]
fn an_empty_signature_field_is_filled_where_the_form_has_it() {
    let Some(inputs) = &*INPUTS else { return };
    let citizen = &AUTHORITY.p256;
    let mut files = Vec::new();
    for (name, is_visible) in [
        ("empty-field", true),
        ("empty-field-invisible", false),
        ("empty-field-locking", true),
        ("certified-with-empty-field", true),
    ] {
        let original = inputs.read(name);
        assert_eq!(
            inspect(&original).unwrap().empty_signature_fields,
            ["NguoiKy"]
        );
        let mut options = citizen.options(SignatureAlgorithm::EcdsaSha256);
        options.field_name = Some("NguoiKy".to_owned());
        options.mark = is_visible.then(|| mark("Đặng Văn Thử"));
        let document = signed(&original, citizen, &options);
        let path = inputs.write(&format!("{name}.filled"), &document);
        peers::qpdf_is_content(&path);
        peers::pdfsig_is_content(&path, if name.starts_with("certified") { 2 } else { 1 });
        files.push(path);
        if name == "empty-field" {
            assert!(
                inspect(&document)
                    .unwrap()
                    .empty_signature_fields
                    .is_empty()
            );
            assert!(matches!(
                prepare(&document, &options),
                Err(Error::FieldSigned)
            ));
        }
        // After a field that locked all fields nobody can sign any more; after the others, anybody.
        let options = AUTHORITY.rsa.options(SignatureAlgorithm::RsaPkcs1Sha256);
        if name == "empty-field-locking" {
            assert!(matches!(
                prepare(&document, &options),
                Err(Error::ChangesForbidden)
            ));
            assert!(matches!(inspect(&document), Err(Error::ChangesForbidden)));
            continue;
        }
        let next = signed(&document, &AUTHORITY.rsa, &options);
        files.push(inputs.write(&format!("{name}.filled-and-signed"), &next));
    }
    for verdict in peers::pyhanko(&[&inputs.root, &inputs.other()], &files).unwrap() {
        assert_eq!(
            verdict[2..],
            ["intact", "valid", "trusted", "whole", "unmodified"],
            "{verdict:?}"
        );
    }
}

#[test]
fn the_same_preparation_twice_is_the_same_bytes() {
    let Some(inputs) = &*INPUTS else { return };
    let original = inputs.read("plain");
    let mut options = AUTHORITY.rsa.options(SignatureAlgorithm::RsaPkcs1Sha256);
    options.mark = Some(mark("Nguyễn Thị Mẫu Ánh"));
    let (one, other) = (
        prepare(&original, &options).unwrap(),
        prepare(&original, &options).unwrap(),
    );
    assert_eq!(one, other);
    assert!(one.is_for(&original));
    let mut swapped = original.clone();
    swapped[100] ^= 1;
    assert!(!one.is_for(&swapped) && !one.is_for(&original[1..]));
    assert_eq!((one.page, one.field_name.as_str()), (3, "Signature1"));
    assert!(
        one.appended.len() < 40_000,
        "{} bytes for one signature",
        one.appended.len()
    );
}

#[test]
fn a_signature_by_another_key_or_for_another_certificate_is_never_embedded() {
    let Some(inputs) = &*INPUTS else { return };
    let (rsa, p256) = (&AUTHORITY.rsa, &AUTHORITY.p256);
    let original = inputs.read("plain");
    let options = rsa.options(SignatureAlgorithm::RsaPkcs1Sha256);
    let prepared = prepare(&original, &options).unwrap();
    let good = rsa.key.sign(options.algorithm, &prepared.signed_attributes);
    let embedded =
        |certificate: &[u8], signature: &[u8]| embed(&prepared, certificate, &chain(), signature);
    assert!(embedded(rsa.certificate.as_der(), &good).is_ok());
    let mut bad = good.clone();
    bad[100] ^= 1;
    for signature in [
        bad,
        rsa.key.sign(options.algorithm, b"something else"),
        rsa.key.sign(
            SignatureAlgorithm::RsaPssSha256,
            &prepared.signed_attributes,
        ),
        Vec::new(),
    ] {
        let refused = embedded(rsa.certificate.as_der(), &signature);
        assert!(matches!(refused, Err(Error::SignatureMismatch)));
    }
    let refused = embedded(p256.certificate.as_der(), &good);
    assert!(matches!(refused, Err(Error::CertificateMismatch)));
}

#[test]
fn an_algorithm_that_the_key_cannot_do_is_refused_before_anybody_is_asked() {
    let Some(inputs) = &*INPUTS else { return };
    let options = AUTHORITY.p256.options(SignatureAlgorithm::RsaPkcs1Sha256);
    assert!(matches!(
        prepare(&inputs.read("plain"), &options),
        Err(Error::Pki(_))
    ));
}

#[test]
fn room_is_kept_for_a_time_stamp_and_a_longer_chain_is_refused() {
    let Some(inputs) = &*INPUTS else { return };
    let citizen = &AUTHORITY.rsa;
    let mut options = citizen.options(SignatureAlgorithm::RsaPkcs1Sha256);
    let original = inputs.read("plain");
    let tight = prepare(&original, &options).unwrap();
    options.spare_bytes = 8192;
    let spare = prepare(&original, &options).unwrap();
    assert!(spare.appended.len() >= tight.appended.len() + 2 * 8192);
    let signature = citizen
        .key
        .sign(options.algorithm, &tight.signed_attributes);
    let longer = [chain(), vec![AUTHORITY.root.as_der().to_vec()]].concat();
    let refused = embed(&tight, citizen.certificate.as_der(), &longer, &signature);
    assert!(matches!(refused, Err(Error::NoRoom { .. })));
}

#[test]
fn everything_signed_is_signed_with_the_largest_digest_too() {
    let Some(inputs) = &*INPUTS else { return };
    let citizen = &AUTHORITY.rsa;
    let options = citizen.options(SignatureAlgorithm::RsaPkcs1Sha512);
    let path = inputs.write(
        "plain.sha-512",
        &signed(&inputs.read("plain"), citizen, &options),
    );
    peers::openssl_is_content(&path, &inputs.root);
    peers::pdfsig_is_content(&path, 1);
}
