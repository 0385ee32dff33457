//! The visible mark as others see it: the text that is extracted, the fonts, where it is.

use std::path::Path;

use kyso_ades::Error;
use kyso_ades::pades::{Corner, MarkPage, Placement, prepare};
use kyso_pki::algorithm::SignatureAlgorithm;

use crate::inputs::{INPUTS, signed};
use crate::keys::AUTHORITY;
use crate::peers::{peer, said};
use crate::sign::mark;

/// The words of a page, as poppler reads them, with one space between.
fn text_of(file: &Path, page: u32) -> Option<String> {
    let page = page.to_string();
    let output = peer("pdftotext")?
        .args(["-f", &page, "-l", &page])
        .arg(file)
        .arg("-")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn the_text_extracted_is_the_text_written() {
    let Some(inputs) = &*INPUTS else { return };
    let citizen = &AUTHORITY.p256;
    for (name, signer, page) in [
        ("plain", "Nguyễn Thị Mẫu Ánh", 3),
        ("plain", "ẮẰẲẴẶ ẤẦẨẪẬ ĐẾỀỂỄỆ ỐỒỔỖỘ ỚỜỞỠỢ ỨỪỬỮỰ ỲỴỶỸ", 3),
        ("rotated-90", "Đặng Văn Thử", 1),
        ("rotated-180", "Đặng Văn Thử", 1),
        ("rotated-270", "Đặng Văn Thử", 1),
        ("user-unit", "Đặng Văn Thử", 1),
        ("small-page", "Đặng Văn Thử", 1),
    ] {
        let mut options = citizen.options(SignatureAlgorithm::EcdsaSha256);
        let mark = mark(signer);
        options.mark = Some(mark.clone());
        let document = signed(&inputs.read(name), citizen, &options);
        let file = inputs.write(&format!("{name}.text-{}", signer.len()), &document);
        let Some(text) = text_of(&file, page) else {
            return;
        };
        for row in &mark.rows {
            let written = format!("{} {}", row.label, row.value);
            assert!(text.contains(&written), "{name}: {written:?} in {text}");
        }
    }
}

#[test]
fn a_long_name_wraps_and_can_still_be_copied() {
    let Some(inputs) = &*INPUTS else { return };
    let citizen = &AUTHORITY.p256;
    let name = "Công Tằng Tôn Nữ Hoàng Thị Ngọc Khánh Quỳnh Như Diễm Phượng Thùy Trang Anh Thư";
    let mut options = citizen.options(SignatureAlgorithm::EcdsaSha256);
    options.mark = Some(mark(name));
    let file = inputs.write(
        "plain.long",
        &signed(&inputs.read("plain"), citizen, &options),
    );
    let Some(text) = text_of(&file, 3) else {
        return;
    };
    assert!(text.contains(name), "{text}");
}

#[test]
fn the_font_is_embedded_as_a_subset_with_unicode() {
    let Some(inputs) = &*INPUTS else { return };
    let citizen = &AUTHORITY.p256;
    let mut options = citizen.options(SignatureAlgorithm::EcdsaSha256);
    options.mark = Some(mark("Đặng Văn Thử"));
    let document = signed(&inputs.read("inherited"), citizen, &options);
    assert!(document.windows(9).any(|window| window == b"+NotoSans"));
    let file = inputs.write("inherited.fonts", &document);
    if let Some(mut qpdf) = peer("qpdf") {
        let output = qpdf.arg("--qdf").arg(&file).arg("-").output().unwrap();
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        for word in [
            "/FontFile2",
            "/ToUnicode",
            "/Identity-H",
            "/CIDFontType2",
            "beginbfchar",
        ] {
            assert!(words.contains(word), "{word}");
        }
    }
}

#[test]
fn the_mark_goes_to_the_page_and_corner_asked_for() {
    let Some(inputs) = &*INPUTS else { return };
    let original = inputs.read("plain");
    let mut options = AUTHORITY.p256.options(SignatureAlgorithm::EcdsaSha256);
    let mut asked = |page, placement| {
        let mut mark = mark("Đặng Văn Thử");
        (mark.page, mark.placement) = (page, placement);
        options.mark = Some(mark);
        prepare(&original, &options)
    };
    let corner = Placement::Corner(Corner::TopLeft);
    assert_eq!(asked(MarkPage::First, corner).unwrap().page, 1);
    assert_eq!(asked(MarkPage::Number(2), corner).unwrap().page, 2);
    assert_eq!(asked(MarkPage::Last, corner).unwrap().page, 3);
    for page in [0, 4, u32::MAX] {
        assert!(matches!(
            asked(MarkPage::Number(page), corner),
            Err(Error::PageMissing { pages: 3, .. })
        ));
    }
    let outside = Placement::At {
        left: 500.0,
        bottom: 10.0,
    };
    assert!(matches!(
        asked(MarkPage::Last, outside),
        Err(Error::MarkBox { .. })
    ));
}

#[test]
fn characters_that_cannot_be_drawn_are_named() {
    let Some(inputs) = &*INPUTS else { return };
    let mut options = AUTHORITY.p256.options(SignatureAlgorithm::EcdsaSha256);
    options.mark = Some(mark("An 漢"));
    let refused = prepare(&inputs.read("plain"), &options);
    assert!(matches!(
        refused,
        Err(Error::MarkGlyph { character: 0x6f22 })
    ));
}
