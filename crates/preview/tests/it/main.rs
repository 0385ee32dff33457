//! What a picture says, and what there is no picture of. The files are written here, object by object.

#![allow(clippy::unwrap_used)]

use kyso_preview::{Error, picture};

/// A PDF of one page of 300 × 400 points with this content and these resources, and more objects from number 5 on.
fn pdf(content: &str, resources: &str, more: &[&str]) -> Vec<u8> {
    page("[0 0 300 400]", content, resources, more)
}

fn page(box_of_page: &str, content: &str, resources: &str, more: &[&str]) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox {box_of_page} /Contents 4 0 R /Resources << {resources} >> >>"
        ),
        format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ),
    ];
    objects.extend(more.iter().map(|object| (*object).to_owned()));
    let mut file = String::from("%PDF-1.7\n");
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let start = file.len();
    let count = objects.len() + 1;
    file.push_str(&format!("xref\n0 {count}\n0000000000 65535 f \n"));
    for place in places {
        file.push_str(&format!("{place:010} 00000 n \n"));
    }
    file.push_str(&format!(
        "trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    file.into_bytes()
}

/// A page with a word in a font of this name, which is not in the file.
fn written_in(font: &str) -> Vec<u8> {
    let font =
        format!("<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>");
    pdf(
        "BT /F1 40 Tf 20 200 Td (Kyso 12) Tj ET",
        "/Font << /F1 5 0 R >>",
        &[&font],
    )
}

/// Width, height and how many of its points are dark.
fn looked_at(bytes: &[u8]) -> (u32, u32, usize) {
    let seen = image::load_from_memory(bytes).unwrap().to_luma8();
    let dark = seen.pixels().filter(|point| point.0[0] < 128).count();
    (seen.width(), seen.height(), dark)
}

#[test]
fn a_page_comes_out_as_wide_as_asked_with_its_letters() {
    let drawn = picture(written_in("Helvetica"), 1, 600).unwrap();
    assert_eq!((drawn.media_type, drawn.pages), ("image/png", 1));
    let (width, height, dark) = looked_at(&drawn.bytes);
    assert_eq!((width, height), (600, 800));
    assert!((2_000..40_000).contains(&dark), "{dark} dark points");
}

#[test]
fn a_font_that_is_not_there_and_cannot_be_stood_in_for_is_no_picture() {
    for (font, is_shown) in [
        ("Times-Roman", true),
        ("ArialMT", true),
        ("Courier-Bold", true),
        ("Symbol", false),
        ("ZapfDingbats", false),
        (".VnTime", false),
        (".VnTimes", false),
        ("VNI-Times", false),
        ("Wingdings", false),
    ] {
        let drawn = picture(written_in(font), 1, 300);
        match is_shown {
            true => assert!(drawn.is_ok(), "{font}: {drawn:?}"),
            false => assert_eq!(drawn, Err(Error::Incomplete), "{font}"),
        }
    }
}

#[test]
fn a_picture_that_cannot_be_decoded_is_no_picture_of_the_page() {
    let image = "<< /Type /XObject /Subtype /Image /Width 10 /Height 10 /ColorSpace /DeviceRGB /BitsPerComponent 8 \
                 /Filter /DCTDecode /Length 4 >>\nstream\nnone\nendstream";
    let file = pdf(
        "100 0 0 100 0 0 cm /I Do",
        "/XObject << /I 5 0 R >>",
        &[image],
    );
    assert_eq!(picture(file, 1, 300), Err(Error::Incomplete));
}

#[test]
fn an_empty_page_is_white_and_a_page_that_comes_out_empty_is_refused() {
    assert!(picture(pdf("q Q", "", &[]), 1, 300).is_ok());
    assert_eq!(
        picture(pdf("/Nothing Do", "", &[]), 1, 300),
        Err(Error::Incomplete)
    );
}

#[test]
fn what_is_no_pdf_and_what_is_no_page_is_told_apart() {
    assert_eq!(picture(b"hello".to_vec(), 1, 300), Err(Error::Unreadable));
    for page in [0, 2, usize::MAX] {
        let refused = picture(written_in("Helvetica"), page, 300);
        assert_eq!(refused, Err(Error::NoSuchPage));
    }
}

#[test]
fn a_page_of_any_shape_stays_within_bounds() {
    for shape in [
        "[0 0 10 14000]",
        "[0 0 14000 10]",
        "[0 0 14000 14000]",
        "[0 0 1000000 1000000]",
    ] {
        let drawn = picture(page(shape, "10 10 5 5 re f", "", &[]), 1, 1440);
        if let Ok(drawn) = drawn {
            let (width, height, _) = looked_at(&drawn.bytes);
            assert!(width <= 8_192 && height <= 8_192, "{shape}");
            assert!(u64::from(width) * u64::from(height) <= 8_100_000, "{shape}");
        }
    }
}
