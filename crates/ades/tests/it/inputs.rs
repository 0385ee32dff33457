//! Documents to sign, made once a run by inputs.py (reportlab, qpdf, pyHanko), and a folder for the signed ones.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use kyso_ades::pades::{Options, embed, prepare};

use crate::keys::{AUTHORITY, Citizen, chain};
use crate::peers::{peer, said};

/// The documents and the certificates beside them; none when a peer that makes them is missing.
pub static INPUTS: LazyLock<Option<Inputs>> = LazyLock::new(|| {
    peer("qpdf")?;
    let mut python = peer("python")?;
    // Kept for looking at when asked for; otherwise gone with the process's temporary directory.
    let directory = match std::env::var_os("KYSO_ADES_OUT") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("ades"),
    };
    let _ = std::fs::remove_dir_all(&directory);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/inputs.py");
    let output = python
        .arg(script)
        .arg(directory.join("in"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    std::fs::create_dir_all(directory.join("out")).unwrap();
    let root = directory.join("root.pem");
    std::fs::write(&root, AUTHORITY.root.to_pem()).unwrap();
    Some(Inputs { root, directory })
});

pub struct Inputs {
    /// Our root, PEM.
    pub root: PathBuf,
    directory: PathBuf,
}

impl Inputs {
    /// The certificate of the signer whose signatures some documents carry already.
    pub fn other(&self) -> PathBuf {
        self.directory.join("in/other.pem")
    }

    /// A document by name.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.directory.join(format!("in/{name}.pdf"))).unwrap()
    }

    /// Names of the documents that are (or are not) to be refused.
    pub fn names(&self, refused: bool) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.directory.join("in"))
            .unwrap()
            .filter_map(|entry| {
                Some(
                    entry
                        .unwrap()
                        .file_name()
                        .to_str()?
                        .strip_suffix(".pdf")?
                        .to_owned(),
                )
            })
            .filter(|name| name != "locked-exclude")
            .filter(|name| (name.starts_with("refused") || name == "certified-1") == refused)
            .collect();
        names.sort();
        names
    }

    /// Keeps a signed document for the judges.
    pub fn write(&self, name: &str, document: &[u8]) -> PathBuf {
        let path = self.directory.join(format!("out/{name}.pdf"));
        std::fs::write(&path, document).unwrap();
        path
    }
}

/// Prepares, signs and embeds; checks that the original is untouched.
pub fn signed(original: &[u8], citizen: &Citizen, options: &Options) -> Vec<u8> {
    let prepared = prepare(original, options).unwrap();
    let stored = kyso_ades::pades::Prepared::from_bytes(&prepared.to_bytes()).unwrap();
    assert_eq!(stored, prepared);
    let signature = citizen
        .key
        .sign(options.algorithm, &stored.signed_attributes);
    let appended = embed(&stored, citizen.certificate.as_der(), &chain(), &signature).unwrap();
    assert_eq!(appended.len(), prepared.appended.len());
    [original, &appended].concat()
}
