//! Hostile files: whatever the bytes, an answer comes in bounded time and memory, and never a panic.

use kyso_ades::Error;
use kyso_ades::pades::{Prepared, inspect, prepare};
use kyso_pki::algorithm::SignatureAlgorithm;
use proptest::prelude::*;

use crate::inputs::INPUTS;
use crate::keys::{AUTHORITY, clock};
use crate::sign::mark;

/// A file with a classic table from the bodies of objects 1, 2, …
pub fn file(bodies: &[&str]) -> Vec<u8> {
    let bodies: Vec<Vec<u8>> = bodies.iter().map(|body| body.as_bytes().to_vec()).collect();
    file_of(&bodies)
}

fn file_of(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    let size = bodies.len() + 1;
    out.extend_from_slice(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes());
    for offset in offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    out.extend_from_slice(
        format!("trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n").as_bytes(),
    );
    out
}

const CATALOG: &str = "<</Type/Catalog/Pages 2 0 R>>";
const TREE: &str = "<</Type/Pages/Kids[3 0 R]/Count 1>>";
const PAGE: &str = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>";

/// Inspects and prepares with a mark; the answer, whatever it is, must come soon.
fn answer(document: &[u8]) -> Result<(), Error> {
    let started = processor_ms();
    let inspected = inspect(document);
    let mut options = AUTHORITY.p256.options(SignatureAlgorithm::EcdsaSha256);
    options.mark = Some(mark("Đặng Văn Thử"));
    let prepared = prepare(document, &options);
    // Two answers of a second each; without optimisation several times as long.
    let bound_ms = if cfg!(debug_assertions) { 10_000 } else { 2000 };
    let took_ms = processor_ms() - started;
    assert!(took_ms < bound_ms, "took {took_ms} ms");
    if inspected.is_err() {
        assert!(prepared.is_err(), "what inspect refuses, prepare refuses");
    }
    inspected.and(prepared).map(drop)
}

/// What this thread has cost so far (Linux); a busy machine must not fail a test. Elsewhere the clock has to do.
fn processor_ms() -> i64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = spent.and_then(|text| text.split(' ').next()?.parse::<i64>().ok());
    spent.map_or_else(clock, |nanoseconds| nanoseconds / 1_000_000)
}

fn broken(document: &[u8]) {
    let refusal = answer(document).unwrap_err();
    assert!(matches!(refusal, Error::Broken { .. }), "{refusal:?}");
}

fn too_complex(document: &[u8]) {
    let refusal = answer(document).unwrap_err();
    assert!(matches!(refusal, Error::TooComplex { .. }), "{refusal:?}");
}

#[test]
fn loops_end() {
    assert!(answer(&file(&[CATALOG, TREE, PAGE])).is_ok());
    // Page tree, parent within itself, directly and by way of another.
    broken(&file(&[CATALOG, "<</Kids[2 0 R]>>"]));
    broken(&file(&[CATALOG, "<</Kids[3 0 R]>>", "<</Kids[2 0 R]>>"]));
    // References to references.
    too_complex(&file(&[CATALOG, "<</Kids 3 0 R>>", "4 0 R", "3 0 R"]));
    // Form fields among themselves.
    let form = "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]>>>>";
    assert!(
        answer(&file(&[
            form,
            TREE,
            PAGE,
            "<</T(a)/FT/Sig/Kids[4 0 R 5 0 R]>>",
            "<</T(b)/Kids[4 0 R]>>"
        ]))
        .is_ok()
    );
    // A cross-reference that is its own predecessor, and two that are each other's.
    let document = String::from_utf8(file(&[CATALOG, TREE, PAGE])).unwrap();
    let start = document.find("xref\n").unwrap();
    broken(
        document
            .replace("/Root", &format!("/Prev {start}/Root"))
            .as_bytes(),
    );
    let second = document.len();
    let looped = document
        .replace("/Root", &format!("/Prev {}/Root", second + 100))
        .into_bytes();
    let at = looped.len();
    let looped = String::from_utf8(looped)
        .unwrap()
        .replace(&format!("/Prev {}", second + 100), &format!("/Prev {at}"));
    assert_eq!(looped.len(), at);
    let looped = format!(
        "{looped}xref\n0 0\ntrailer\n<</Size 4/Root 1 0 R/Prev {start}>>\nstartxref\n{at}\n%%EOF\n"
    );
    broken(looped.as_bytes());
}

#[test]
fn giant_claims_cost_nothing() {
    let document = String::from_utf8(file(&[CATALOG, TREE, PAGE])).unwrap();
    for (old, new) in [
        ("0 4\n", "0 8388607\n"),
        ("0 4\n", "0 4294967295\n"),
        ("0 4\n", "18446744073709551615 4\n"),
        ("/Size 4", "/Size -1"),
        ("/Size 4", "/Size 99999999999999999999"),
        ("/Size 4/", "/Size 2147483647/"),
        ("startxref\n", "startxref\n9999999999999999999"),
        ("/Root 1 0 R", "/Root 1 1 R"),
        ("/Root 1 0 R", "/Root 4294967295 0 R"),
        ("/Root 1 0 R", "/Root 1 0 R/Prev 4"),
        ("/Root 1 0 R", "/Root 1 0 R/Prev -7"),
        ("/Root 1 0 R", "/Root 1 0 R/XRefStm 9"),
    ] {
        assert!(document.contains(old));
        let refusal = answer(document.replace(old, new).as_bytes()).unwrap_err();
        assert!(
            refusal.is_refusal_of_document(),
            "{old} → {new}: {refusal:?}"
        );
    }
    // Numbers the mark meets.
    for box_text in [
        "[0 0 1e9 1]",
        "[0 0 0 0]",
        "[5 5]",
        "[0 0 99999999999999999999 99999999999999999999]",
        "[null]",
    ] {
        let page =
            format!("<</Type/Page/MediaBox{box_text}/Rotate 9223372036854775807/UserUnit 1E99>>");
        let _ = answer(&file(&[CATALOG, TREE, &page]));
    }
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    too_complex(&file(&[&"[".repeat(1 << 20), TREE]));
    too_complex(&file(&[&"<</A".repeat(1 << 20), TREE]));
    let mut tree: Vec<String> = (0..200)
        .map(|index| format!("<</Kids[{} 0 R]>>", index + 3))
        .collect();
    tree.insert(0, CATALOG.to_owned());
    tree.push(PAGE.to_owned());
    let tree: Vec<&str> = tree.iter().map(String::as_str).collect();
    too_complex(&file(&tree));
}

#[test]
fn much_work_for_few_bytes_is_refused() {
    // A form whose every field leads to the same long object.
    let fields = "4 0 R ".repeat(1_000_000);
    let form = format!("<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[{fields}]>>>>");
    too_complex(&file(&[&form, TREE, PAGE, "<</T(a)>>"]));
    let long = format!("<</T(a)/X({})>>", "x".repeat(1 << 20));
    let fields: String = (0..500)
        .map(|index| format!("{} 0 R ", index + 5))
        .collect();
    let form = format!("<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[{fields}]>>>>");
    let mut bodies = vec![form.as_str(), TREE, PAGE, &long];
    bodies.extend(std::iter::repeat_n("<</T 4 0 R/Kids[4 0 R]/V 4 0 R>>", 500));
    too_complex(&file(&bodies));
}

#[test]
fn what_is_inherited_is_not_copied_for_every_heir() {
    // A field with a long name and many kids; a page tree with a large box and many nodes.
    let name = "x".repeat(1 << 20);
    let kids: String = (0..100_000).map(|_| "5 0 R ").collect();
    let form = "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]>>>>";
    let field = format!("<</T({name})/FT/Sig/Kids[{kids}]>>");
    let _ = answer(&file(&[form, TREE, PAGE, &field, "<</T(b)>>"]));
    let nodes: String = (0..20_000)
        .map(|index| format!("{} 0 R ", index + 4))
        .collect();
    let tree = format!("<</MediaBox[{}]/Kids[{nodes}]>>", "0 ".repeat(100_000));
    let mut bodies = vec![CATALOG, &tree, PAGE];
    bodies.extend(std::iter::repeat_n("<</Kids[3 0 R]>>", 20_000));
    let _ = answer(&file(&bodies));
    too_complex(&file(&[&format!("({})", "x".repeat(8 << 20)), TREE]));
    too_complex(&file(&[&format!("<{}>", "4".repeat(16 << 20)), TREE]));
    too_complex(&file(&[&format!("/{}", "x".repeat(8 << 20)), TREE]));
}

#[test]
fn deflate_bombs_are_refused() {
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b' '; 300 << 20], 9);
    let stream = |dictionary: &str, data: &[u8]| {
        let head = format!(
            "<<{dictionary}/Filter/FlateDecode/Length {}>>\nstream\n",
            data.len()
        );
        [head.as_bytes(), data, b"\nendstream"].concat()
    };
    // As cross-reference stream.
    let mut document = b"%PDF-1.7\n".to_vec();
    let start = document.len();
    document.extend_from_slice(b"1 0 obj\n");
    document.extend(stream("/Type/XRef/W[1 2 1]/Size 5/Root 1 0 R", &bomb));
    document.extend_from_slice(format!("\nendobj\nstartxref\n{start}\n%%EOF\n").as_bytes());
    too_complex(&document);
    // As object stream that holds the catalog, by way of a hybrid file.
    let mut document = file_of(&[stream("/Type/ObjStm/N 1/First 4", &bomb)]);
    let rows = [[2u8, 0, 0, 0].as_slice(), &[1, 0, 9, 0], &[2, 0, 1, 0]].concat();
    let at = document.len();
    document.extend_from_slice(
        format!(
            "9 0 obj\n<</Type/XRef/W[1 2 1]/Size 3/Root 2 0 R/Length {}>>\nstream\n",
            rows.len()
        )
        .as_bytes(),
    );
    document.extend_from_slice(&rows);
    document.extend_from_slice(format!("\nendstream\nendobj\nstartxref\n{at}\n%%EOF\n").as_bytes());
    too_complex(&document);
}

#[test]
fn every_truncation_is_refused() {
    let document = file(&[CATALOG, TREE, PAGE]);
    // Shorter by the line end only is still the whole file.
    for end in 0..document.len() - "1\n%%EOF\n".len() {
        assert!(answer(&document[..end]).is_err(), "cut at {end}");
    }
    let Some(inputs) = &*INPUTS else { return };
    for name in ["plain", "object-streams", "linearised", "hybrid", "signed"] {
        let document = inputs.read(name);
        for part in 1..40 {
            let _ = answer(&document[..document.len() * part / 40]);
        }
    }
}

#[test]
fn a_damaged_octet_never_panics() {
    let Some(inputs) = &*INPUTS else { return };
    for name in [
        "object-streams",
        "hybrid",
        "form-direct-fields-indirect",
        "empty-field-locking",
        "inherited",
    ] {
        let mut document = inputs.read(name);
        let step = (document.len() / 400).max(1);
        for at in (0..document.len()).step_by(step) {
            let old = document[at];
            for new in [0, b'(', b'<', b'9', 0xff] {
                document[at] = new;
                let _ = inspect(&document);
            }
            document[at] = old;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_objects_never_panic(body in "[<>\\[\\]()/ 0-9RSa-f%.\\-]{0,200}") {
        let _ = answer(&file(&[CATALOG, TREE, PAGE, &body]));
        let _ = answer(&file(&[&body, TREE, PAGE]));
        let _ = answer(&file(&[&format!("<</Type/Catalog/Pages 2 0 R/AcroForm {body}>>"), TREE, PAGE]));
    }

    #[test]
    fn random_preparations_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Prepared::from_bytes(&bytes);
        let _ = Prepared::from_bytes(&[b"kyso.prepared.1\n".as_slice(), &bytes].concat());
    }
}
