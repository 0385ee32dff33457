//! What a relying party does with a signed PDF, by programs of strangers: pyHanko with our root trusted and nothing else of ours,
//! OpenSSL with the chain and the list of revoked certificates, poppler (pdfsig) for the signature alone: NSS, which it asks
//! about trust, takes every signer for a writer of e-mail and refuses a certificate for documents (RFC 9336) as such.

use crate::harness::{World, client};
use crate::openssl::{keep_chain, openssl};
use crate::peers;

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

/// `openssl cms -verify` up to the root, with the list kept last: only what is not revoked passes. Needs what [`accept`] left.
pub fn openssl_with_list(world: &World, name: &str) -> Option<(bool, String)> {
    let stem = name.trim_end_matches(".pdf");
    let ask = format!(
        "cms -verify -cades -binary -inform DER -purpose any -in signed.cms -content {stem}.content \
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
