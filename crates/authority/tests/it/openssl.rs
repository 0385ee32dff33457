//! OpenSSL as the judge of our bytes, called as a program.

use std::path::{Path, PathBuf};
use std::process::Command;

use kyso_authority::status::crl::Published;
use kyso_pki::certificate::Certificate;
use kyso_pki::crl::Crl;
use kyso_store::testing::{Folder, skip};

/// A folder of files and the program that judges them.
pub struct Judge {
    folder: Folder,
}

impl Judge {
    /// None, said on the console, where OpenSSL is not installed.
    pub fn call() -> Option<Judge> {
        let installed = Command::new("openssl")
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success());
        if !installed {
            skip("openssl");
            return None;
        }
        Some(Judge {
            folder: Folder::new(),
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs `openssl` with these words in the folder; whether it was content, and everything it said.
    pub fn openssl(&self, words: &str) -> (bool, String) {
        run(
            self.folder.path(),
            &words.split_whitespace().collect::<Vec<_>>(),
        )
    }

    /// As [`Judge::openssl`], with arguments that hold spaces.
    pub fn openssl_args(&self, words: &[&str]) -> (bool, String) {
        run(self.folder.path(), words)
    }

    /// As [`Judge::openssl`], and content.
    pub fn content(&self, words: &str) -> String {
        let (content, said) = self.openssl(words);
        assert!(content, "openssl {words}\n{said}");
        said
    }

    /// Writes `root.pem` and `issuing.pem`.
    pub fn write_chain(&self, chain: &[Certificate]) {
        self.write("issuing.pem", chain[0].to_pem());
        self.write("root.pem", chain.last().unwrap().to_pem());
    }

    /// Writes `name.crl` in PEM.
    pub fn write_crl(&self, name: &str, published: &Published) {
        self.write(name, Crl::from_der(&published.der).unwrap().to_pem());
    }

    /// `openssl verify` with both CRLs, at `at` (milliseconds).
    pub fn verify(&self, file: &str, at: i64) -> (bool, String) {
        self.openssl(&format!(
            "verify -x509_strict -crl_check_all -attime {} -CAfile root.pem -untrusted issuing.pem -CRLfile root.crl -CRLfile issuing.crl {file}",
            at / 1_000
        ))
    }
}

fn run(folder: &Path, words: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), said)
}
