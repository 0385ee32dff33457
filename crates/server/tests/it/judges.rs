//! What a relying party does with a signed PDF, by programs of strangers: pyHanko with our root trusted and nothing else of ours,
//! OpenSSL with the chain and the list of revoked certificates, poppler (pdfsig) with our root in NSS, which asks our responder.

use std::process::Command;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Node, World, client};
use crate::openssl::{keep_chain, openssl};
use crate::peers;

/// The address at which strangers ask for status. It stands in every certificate, so it is there before the node that answers.
pub struct StatusAddress(TcpListener);

impl StatusAddress {
    /// A free one.
    pub async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The section of the configuration that names it.
    pub fn section(&self) -> String {
        let address = self.0.local_addr().unwrap();
        format!("[authority]\nstatus_url = \"http://{address}\"\n")
    }

    /// Leads to `node`, until what is returned is dropped.
    pub fn lead_to(self, node: &Node) -> JoinSet<()> {
        let node = node.url.trim_start_matches("http://").to_owned();
        let mut leading = JoinSet::new();
        leading.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut from, _)) = self.0.accept().await {
                let mut to = TcpStream::connect(&node).await.unwrap();
                open.spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
            }
        });
        leading
    }
}

/// Fails if any judge refuses `signed`, which is kept as `name`. Leaves `root.pem`, `issuing.pem` and the parts of the signature.
pub async fn accept(world: &World, name: &str, signed: &[u8]) {
    keep_chain(world).await;
    keep_list(world, &world.node.url).await;
    let (file, root) = kept(world, name, signed);
    peers::qpdf_is_content(&file);
    peers::pdfsig_is_content(&file, 1);
    if let Some(verdicts) = peers::pyhanko(&[&root], std::slice::from_ref(&file)) {
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        assert_eq!(
            verdicts[0][2..],
            ["intact", "valid", "trusted", "whole", "unmodified"],
            "{verdicts:?}"
        );
    }
    if let Some(verdict) = pdfsig_of_the_certificate(world, name) {
        assert_eq!(verdict, "Certificate is Trusted.");
    }
    peers::openssl_is_content(&file, &root);
    if let Some((content, told)) = openssl_with_list(world, name) {
        assert!(content, "{told}");
    }
}

/// Fails if any judge takes `forged`, a signed document with another byte, for whole.
pub fn refuse(world: &World, name: &str, forged: &[u8]) {
    let (file, root) = kept(world, name, forged);
    if let Some(verdicts) = peers::pyhanko(&[&root], std::slice::from_ref(&file)) {
        assert!(!verdicts[0].contains(&"intact".to_owned()), "{verdicts:?}");
    }
    if let Some(mut pdfsig) = peers::peer("pdfsig") {
        let output = pdfsig.arg("-nocert").arg(&file).output().unwrap();
        let told = peers::said(&output);
        assert!(told.contains("Digest Mismatch."), "{told}");
    }
    let (content, _) = peers::last_signature(forged);
    std::fs::write(file.with_extension("content"), content).unwrap();
    if let Some((content, told)) = openssl_with_list(world, name) {
        assert!(!content && told.contains("verification failure"), "{told}");
    }
}

/// What poppler says of the signer's certificate, asked with NSS, which trusts our root and nothing else and asks the responder that
/// the certificate names: "Certificate is Trusted.", or why not.
pub fn pdfsig_of_the_certificate(world: &World, name: &str) -> Option<String> {
    let folder = world.folder.path();
    let certutil = peers::peer("certutil")?;
    if !folder.join("nss").exists() {
        std::fs::create_dir(folder.join("nss")).unwrap();
        let make = "-N --empty-password -d sql:nss";
        // Of three trusts, that of web servers, of e-mail and of programs, the middle one.
        let add = "-A -n root -t ,C, -i root.pem -d sql:nss";
        for arguments in [make, add] {
            let mut certutil = Command::new(certutil.get_program());
            certutil.args(arguments.split(' ')).current_dir(folder);
            let output = certutil.output().unwrap();
            assert!(output.status.success(), "{}", peers::said(&output));
        }
    }
    let mut pdfsig = peers::peer("pdfsig")?;
    pdfsig
        .args(["-nssdir", "sql:nss", name])
        .current_dir(folder);
    // It asks our responder, so it must not hold up those who answer.
    let output = tokio::task::block_in_place(|| pdfsig.output()).unwrap();
    let words = peers::said(&output);
    let verdict = words.split("Certificate Validation: ").nth(1);
    Some(verdict.expect(&words).lines().next().unwrap().to_owned())
}

/// `openssl cms -verify` up to the root, with the list kept last: only what is not revoked passes. Needs what [`accept`] left.
pub fn openssl_with_list(world: &World, name: &str) -> Option<(bool, String)> {
    let stem = name.trim_end_matches(".pdf");
    let ask = format!(
        "cms -verify -cades -binary -inform DER -in signed.cms -content {stem}.content \
         -CAfile trusted.pem -crl_check -out /dev/null"
    );
    openssl(world.folder.path(), &ask)
}

/// Writes `trusted.pem`: the root, and the list as it is served now.
pub async fn keep_list(world: &World, url: &str) {
    let folder = world.folder.path();
    let list = client().get(format!("{url}/crl/issuing-1.crl")).send();
    let list = list.await.unwrap().error_for_status().unwrap();
    std::fs::write(folder.join("list.crl"), list.bytes().await.unwrap()).unwrap();
    let Some((content, list)) = openssl(folder, "crl -inform DER -in list.crl") else {
        return;
    };
    assert!(content, "{list}");
    let root = std::fs::read_to_string(folder.join("root.pem")).unwrap();
    std::fs::write(folder.join("trusted.pem"), root + &list).unwrap();
}

fn kept(world: &World, name: &str, pdf: &[u8]) -> (std::path::PathBuf, std::path::PathBuf) {
    let file = world.folder.path().join(name);
    std::fs::write(&file, pdf).unwrap();
    (file, world.folder.path().join("root.pem"))
}
