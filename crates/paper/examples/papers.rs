//! Writes one of each paper into a folder, to be looked at: `cargo run -p kyso-paper --example papers -- /tmp/papers`.
#![allow(clippy::unwrap_used)]

use kyso_paper::sample;

fn main() {
    let folder = std::path::PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "/tmp/papers".to_owned()),
    );
    std::fs::create_dir_all(&folder).unwrap();
    for (name, pdf) in [
        (
            "hop-dong.pdf",
            kyso_paper::contract(&sample::contract()).unwrap(),
        ),
        (
            "nghiem-thu.pdf",
            kyso_paper::acceptance(&sample::acceptance()).unwrap(),
        ),
        (
            "to-khai.pdf",
            kyso_paper::dossier(&sample::dossier(1)).unwrap(),
        ),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, pdf.bytes()).unwrap();
        println!(
            "{}  {} pages, {} bytes, {:?}",
            path.display(),
            pdf.pages(),
            pdf.bytes().len(),
            pdf.places()
        );
    }
}
