//! What the papers say and how they are built.

use kyso_paper::{Pdf, acceptance, contract, dossier, sample};

use crate::{peer, text_of};

fn all() -> [(&'static str, Pdf); 3] {
    [
        ("contract", contract(&sample::contract()).unwrap()),
        ("acceptance", acceptance(&sample::acceptance()).unwrap()),
        ("dossier", dossier(&sample::dossier(1)).unwrap()),
    ]
}

#[track_caller]
fn assert_says(pdf: &Pdf, sentences: &[&str]) {
    let Some(text) = text_of(pdf.bytes()) else {
        return;
    };
    for sentence in sentences {
        assert!(text.contains(sentence), "«{sentence}» is not in: {text}");
    }
}

#[test]
fn the_contract_says_who_what_and_for_how_much() {
    let mut fields = sample::contract();
    fields.plan.price_vnd = 1_005_000;
    fields.plan.signatures = Some(500);
    assert_says(
        &contract(&fields).unwrap(),
        &[
            "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
            "Độc lập - Tự do - Hạnh phúc",
            "Số: HD790000000001",
            "ngày 22 tháng 11 năm 2026",
            "TRUNG TÂM CHỨNG THỰC CHỮ KÝ SỐ AN BÌNH",
            "Nguyễn Thị Ngọc Ánh",
            "07/03/1985",
            "079185000001",
            "1.005.000 đồng (bằng chữ: một triệu không trăm lẻ năm nghìn đồng)",
            "500 lượt ký",
            "Điều 4. Quyền kiểm soát duy nhất và mã PIN",
            "Điều 7. Khóa tạm thời và thu hồi chứng thư",
            "Điều 8. Bảo vệ dữ liệu cá nhân",
            "Trang 3/3",
        ],
    );
}

#[test]
fn a_free_unlimited_plan_is_said_in_words() {
    assert_says(
        &contract(&sample::contract()).unwrap(),
        &[
            "Miễn phí",
            "Không giới hạn",
            "Phường Vườn Lài ký số cùng người dân 2026",
        ],
    );
}

#[test]
fn the_acceptance_record_names_contract_and_certificate() {
    assert_says(
        &acceptance(&sample::acceptance()).unwrap(),
        &[
            "BIÊN BẢN NGHIỆM THU",
            "Hợp đồng số HD790000000001 ngày 22 tháng 11 năm 2026",
            "4F1D2A90C37B5E6688A1B2C3D4E5F607",
            "Cấp cho",
            "Số CCCD 079185000001",
            "Phường Vườn Lài, Thành phố Hồ Chí Minh, Việt Nam",
            "An Binh Remote Signing CA",
            "09:24:00, 22/11/2026 (GMT+7)",
            "09:24:00, 22/11/2027 (GMT+7)",
        ],
    );
}

#[test]
fn the_dossier_has_its_tables_over_several_pages() {
    let pdf = dossier(&sample::dossier(7)).unwrap();
    assert!((3..=4).contains(&pdf.pages()), "{} pages", pdf.pages());
    assert_says(
        &pdf,
        &[
            "TỜ KHAI ĐĂNG KÝ HỘ KINH DOANH",
            "H29.25.10-261122-0007",
            "HỘ KINH DOANH TIỆM BÁNH NGỌC ÁNH 7",
            "một trăm năm mươi bảy triệu đồng",
            "Nguyễn Đặng Khánh Quỳnh",
            "50.000.000",
        ],
    );
}

#[test]
fn markup_in_a_field_stays_text() {
    let name = "Nguyễn #panic() *An* $x$ _y_ @z <b> `c` [d] \\e //f \"g\" ~ -- ... =h";
    let mut fields = sample::contract();
    fields.subscriber.full_name = name.into();
    fields.number = "#1*2".into();
    fields.plan.campaign = "#read(\"/etc/passwd\")".into();
    assert_says(
        &contract(&fields).unwrap(),
        &[name, "Số: #1*2", "#read(\"/etc/passwd\")"],
    );
}

#[test]
fn names_of_every_people_of_vietnam_are_printed_exactly() {
    let name = "Y Blŭk Êban Ƀuôn Čư Ñ Ŏ Ĭ Đặng Thùy Ỵ Ỷ Ỹ Ẵ Ộ Ữ";
    let mut fields = sample::contract();
    fields.subscriber.full_name = name.into();
    assert_says(&contract(&fields).unwrap(), &[name]);
}

#[test]
fn every_font_is_embedded_as_a_subset_with_unicode() {
    for (paper, pdf) in all() {
        let Some(output) = peer("pdffonts", &[], pdf.bytes(), &[]) else {
            return;
        };
        let listed = String::from_utf8(output.stdout).unwrap();
        let fonts: Vec<&str> = listed.lines().skip(2).collect();
        assert!(!fonts.is_empty(), "{paper}");
        for font in fonts {
            assert!(
                font.contains("Noto") && font.contains(" yes yes yes "),
                "{paper}: {font}"
            );
        }
    }
}

#[test]
fn qpdf_finds_nothing_wrong() {
    for (paper, pdf) in all() {
        let Some(output) = peer("qpdf", &["--check"], pdf.bytes(), &[]) else {
            return;
        };
        assert!(output.status.success(), "{paper}: {output:?}");
    }
}

#[test]
fn the_file_says_that_it_is_tagged_vietnamese_pdf_a() {
    for (paper, pdf) in all() {
        let Some(output) = peer("pdfinfo", &[], pdf.bytes(), &[]) else {
            return;
        };
        let info = String::from_utf8(output.stdout).unwrap();
        for expected in ["Tagged:          yes", "Title:", "Creator:         kyso"] {
            assert!(
                info.contains(expected),
                "{paper}: «{expected}» is not in\n{info}"
            );
        }
        let Some(output) = peer("pdfinfo", &["-meta"], pdf.bytes(), &[]) else {
            return;
        };
        let metadata = String::from_utf8(output.stdout).unwrap();
        for expected in ["<pdfaid:part>2<", "<pdfaid:conformance>A<"] {
            assert!(
                metadata.contains(expected),
                "{paper}: «{expected}» is not in\n{metadata}"
            );
        }
        let bytes = String::from_utf8_lossy(pdf.bytes());
        assert!(
            bytes.contains("/Lang(vi-VN)") || bytes.contains("/Lang (vi-VN)"),
            "{paper}: no language"
        );
    }
}

#[test]
fn the_same_fields_give_the_same_bytes_from_any_thread() {
    let first = contract(&sample::contract()).unwrap().into_bytes();
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(|| contract(&sample::contract()).unwrap().into_bytes()))
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap() == first);
    }
    let mut other = sample::contract();
    other.subscriber.phone = "0900000002".into();
    assert!(contract(&other).unwrap().into_bytes() != first);
}

#[test]
fn the_places_for_marks_lie_on_the_last_page_side_by_side() {
    for (paper, pdf) in all() {
        let place = pdf.place("subscriber").unwrap();
        assert_eq!(place.page, pdf.pages(), "{paper}");
        assert!(
            place.left > 0.0 && place.left + place.width < 595.0,
            "{paper}: {place:?}"
        );
        assert!(
            place.bottom > 0.0 && place.bottom + place.height < 842.0,
            "{paper}: {place:?}"
        );
        assert!(
            place.width >= 180.0 && place.height >= 60.0,
            "{paper}: {place:?}"
        );
    }
    let pdf = contract(&sample::contract()).unwrap();
    let (provider, subscriber) = (
        pdf.place("provider").unwrap(),
        pdf.place("subscriber").unwrap(),
    );
    assert!(provider.left + provider.width < subscriber.left);
}

#[test]
fn a_mark_that_nobody_placed_still_falls_into_the_place_left_for_it() {
    let pdf = acceptance(&sample::acceptance()).unwrap();
    let place = pdf.place("subscriber").unwrap();
    // 220 × 70 pt, 54 pt from the right and 24 pt from the lower edge of A4: where PAdES marks go by default.
    assert!(
        (place.left + place.width - (595.276 - 54.0)).abs() < 0.01,
        "{place:?}"
    );
    assert_eq!(
        (place.bottom, place.width, place.height),
        (24.0, 220.0, 70.0)
    );
}

#[test]
fn no_mark_stands_out_of_the_text_at_the_side() {
    for (paper, pdf) in all() {
        for place in pdf.places() {
            // 27 mm on the left, 19 mm on the right of A4.
            assert!(place.left >= 76.5, "{paper}: {place:?}");
            assert!(
                place.left + place.width <= 595.28 - 53.8,
                "{paper}: {place:?}"
            );
        }
    }
}
