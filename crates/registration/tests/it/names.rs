//! A hundred names: what a citizen of Vietnam may be called, and what only looks like it. Pure; the same rules as in
//! `set_owner`. Where `uconv` (ICU) is installed it is asked whether it agrees on the normal form.

use std::io::Write as _;
use std::process::{Command, Stdio};

use kyso_registration::citizen::{FIELD_CODES, read_name};
use kyso_store::testing::skip;

/// Kept exactly.
const GOOD: &[&str] = &[
    "Nguyễn Thị Hồng Hạnh",
    "Trần Văn Bình",
    "Lê Đỗ Quỳnh Như",
    "Phạm Ngũ Lão",
    "Hoàng Ỷ Lan",
    "ĐẶNG VĂN ƯỚC",
    "Võ Ẵm",
    "Bùi Xuân Phái",
    "Đỗ Ưng",
    "Hồ Ngọc Ẩn",
    "Ngô Bảo Ngọc",
    "Dương Ý",
    "Lý Ửng",
    "Vũ Trọng Ẫm",
    "Phan Ặt",
    "Đinh Ộc",
    "Huỳnh Thúc",
    "Tạ Ỡm",
    "Mai Ễn",
    "Lâm Ệch",
    "Cao Ẳng",
    "La Ằng",
    "Kiều Ẩm",
    "Triệu Ẹn",
    "Nông Thị Ỏn",
    "Sầm Ỗn",
    "Y Bhiông Niê",
    "H'Hen Niê",
    "K'Brêu",
    "Y Jút Êban",
    "Siu H'Wen",
    "Rơ Châm Phiang",
    "A Ma Ƀlŏ",
    "Y Bĭh Niê",
    "Ksor H'Năm",
    "Thạch Thị Sô Phia",
    "Kim Sa Rương",
    "Châu Chắk",
    "Danh Út",
    "Giàng A Páo",
    "Vừ Thị Mỷ",
    "Sùng A Chống",
    "Lò Văn Ơn",
    "Quàng Thị Ín",
    "Nguyễn-Phạm Ngọc",
    "Ñem",
    "Č Rcom",
    "Y Ngŭr",
    "Êban Y ơ\u{306}",
];

/// Typed differently, stored the same.
const NORMALISED: &[(&str, &str)] = &[
    (
        "Nguye\u{302}\u{303}n Thi\u{323} Ho\u{302}\u{300}ng Ha\u{323}nh",
        "Nguyễn Thị Hồng Hạnh",
    ),
    ("Tra\u{302}\u{300}n Va\u{306}n Bi\u{300}nh", "Trần Văn Bình"),
    ("Le\u{323}\u{302}", "Lệ"),
    ("Le\u{302}\u{323}", "Lệ"),
    ("Ta\u{323}\u{306}ng", "Tặng"),
    ("Ta\u{306}\u{323}ng", "Tặng"),
    ("O\u{31b}\u{301}n", "Ớn"),
    ("O\u{301}\u{31b}n", "Ớn"),
    ("U\u{31b}\u{323}", "Ự"),
    ("Đa\u{340}o", "Đào"),
    ("Ha\u{341}", "Há"),
    ("\u{1ea1}\u{302}n", "ận"),
    ("  Lê Minh  ", "Lê Minh"),
    ("H\u{2019}Hen", "H'Hen"),
];

/// Refused, with the rule and the place.
const BAD: &[(&str, &str, Option<usize>)] = &[
    ("", "required", None),
    ("   ", "required", None),
    // another script's letter among ours
    ("Nguyễn Vӑn An", "foreign-script", Some(9)),
    ("Trаn Bình", "foreign-script", Some(3)),
    ("Аn", "foreign-script", Some(1)),
    ("Сao", "foreign-script", Some(1)),
    ("Нoa", "foreign-script", Some(1)),
    ("Οanh", "foreign-script", Some(1)),
    ("Νam", "foreign-script", Some(1)),
    ("Βình", "foreign-script", Some(1)),
    ("Lαn", "foreign-script", Some(2)),
    ("Ａnh", "foreign-script", Some(1)),
    ("𝐀nh", "foreign-script", Some(1)),
    ("Ꭺnh", "foreign-script", Some(1)),
    ("阮文安", "foreign-script", Some(1)),
    ("สมชาย", "foreign-script", Some(1)),
    ("محمد", "foreign-script", Some(1)),
    // Latin letters that pass for ours
    ("Ðặng Thu", "lookalike", Some(1)),
    ("ðức", "lookalike", Some(1)),
    ("Ɖức", "lookalike", Some(1)),
    ("Lınh", "lookalike", Some(2)),
    ("Ɩan", "lookalike", Some(1)),
    ("ɑnh", "lookalike", Some(1)),
    ("Hoaſ", "lookalike", Some(4)),
    // Latin letters of others
    ("Åsa", "letter", Some(1)),
    ("Müller", "letter", Some(2)),
    ("Łan", "letter", Some(1)),
    ("Straße", "letter", Some(5)),
    // hidden
    ("Trần\u{200b}Bình", "invisible", Some(5)),
    ("Lê\u{200c}An", "invisible", Some(3)),
    ("Lê\u{200d}An", "invisible", Some(3)),
    ("\u{feff}Lê An", "invisible", Some(1)),
    ("Lê\u{00ad}An", "invisible", Some(3)),
    ("Lê\u{2060}An", "invisible", Some(3)),
    ("Lê \u{202e}nA", "invisible", Some(4)),
    ("Lê \u{2067}An\u{2069}", "invisible", Some(4)),
    ("Lê\u{200e}An", "invisible", Some(3)),
    ("Lê\u{fe0f}An", "invisible", Some(3)),
    ("Lê\u{3164}An", "invisible", Some(3)),
    ("Lê\u{e0041}An", "invisible", Some(3)),
    ("Lê\u{2800}An", "invisible", Some(3)),
    // spaces
    ("Lê  An", "double-space", Some(4)),
    ("Lê\u{a0}An", "space", Some(3)),
    ("Lê\u{2009}An", "space", Some(3)),
    ("Lê\u{3000}An", "space", Some(3)),
    ("Lê\tAn", "control", Some(3)),
    ("Lê\nAn", "control", Some(3)),
    ("Lê\r\nAn", "control", Some(3)),
    ("Lê\u{0}An", "control", Some(3)),
    ("Lê\u{1b}[31mAn", "control", Some(3)),
    ("Lê\u{85}An", "control", Some(3)),
    // marks that build no letter of ours
    ("d\u{335}ức", "mark", Some(2)),
    ("x\u{301}a", "mark", Some(2)),
    ("Nguye\u{303}\u{302}n", "mark", Some(6)),
    ("a\u{302}\u{301}\u{323}\u{301}n", "mark", Some(2)),
    ("\u{301}An", "mark", Some(1)),
    // not letters
    ("Lê An 2", "digit", Some(7)),
    ("Lê Ａn٣", "digit", Some(6)),
    ("Lê An;", "symbol", Some(6)),
    ("Lê,An", "symbol", Some(3)),
    ("Lê=An", "symbol", Some(3)),
    ("Lê An 😀", "symbol", Some(7)),
    ("Lê <b>", "symbol", Some(4)),
    ("Lê\"An", "symbol", Some(3)),
    ("H`Hen", "symbol", Some(2)),
    ("H´Hen", "symbol", Some(2)),
    ("Hʼen", "foreign-script", Some(2)),
    ("-An", "symbol", Some(1)),
    ("'", "symbol", Some(1)),
];

#[test]
fn a_hundred_names_are_judged_as_the_table_says() {
    assert!(GOOD.len() + NORMALISED.len() + BAD.len() >= 100);
    for name in GOOD {
        assert_eq!(read_name(name).as_deref(), Ok(*name));
    }
    for (typed, stored) in NORMALISED {
        assert_eq!(read_name(typed).as_deref(), Ok(*stored), "{stored}");
    }
    for (typed, code, position) in BAD {
        let faults = read_name(typed).expect_err(code);
        assert!(FIELD_CODES.contains(code));
        let found = faults.iter().find(|fault| fault.code == *code);
        assert_eq!(
            found.map(|fault| fault.position),
            Some(*position),
            "{typed:?}: {faults:?}"
        );
    }
}

#[test]
fn what_is_stored_is_stored_the_same_again() {
    for name in GOOD.iter().chain(NORMALISED.iter().map(|(typed, _)| typed)) {
        let once = read_name(name).unwrap();
        assert_eq!(read_name(&once), Ok(once.clone()));
    }
}

#[test]
fn icu_agrees_on_the_normal_form() {
    let names: Vec<&str> = NORMALISED
        .iter()
        .map(|(typed, _)| typed.trim())
        .filter(|typed| !typed.contains('’'))
        .collect();
    let spawned = Command::new("uconv")
        .args(["-x", "any-nfc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut uconv) = spawned else {
        return skip("uconv");
    };
    uconv
        .stdin
        .take()
        .unwrap()
        .write_all(names.join("\n").as_bytes())
        .unwrap();
    let output = uconv.wait_with_output().unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    let ours: Vec<String> = names.iter().map(|name| read_name(name).unwrap()).collect();
    assert_eq!(theirs.trim_end().split('\n').collect::<Vec<_>>(), ours);
}
