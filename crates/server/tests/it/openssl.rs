//! What OpenSSL, as a relying party would use it, makes of us: revocation seen over HTTP, and a root that is not ours.

use std::path::Path;
use std::process::Command;

use kyso_server::platform::Platform;
use kyso_store::testing::{Database, Folder, skip};
use serde_json::json;

use crate::harness::{Citizen, Options, World, client, dossier, kyso, said, until};

/// What `openssl` said, run in the folder of the world, and whether it was content. `None` where there is none.
pub fn openssl(folder: &Path, arguments: &str) -> Option<(bool, String)> {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output();
    let Ok(output) = output else {
        skip("openssl");
        return None;
    };
    Some((output.status.success(), said(&output)))
}

fn pem(kind: &str, base64: &str) -> String {
    format!("-----BEGIN {kind}-----\n{base64}\n-----END {kind}-----\n")
}

/// Writes a citizen's certificate as `leaf.pem`.
pub async fn keep_certificate(world: &World, citizen: &Citizen) {
    let shown = citizen.phone.credential(&citizen.session).await.unwrap();
    let text = pem("CERTIFICATE", shown["certificate"].as_str().unwrap());
    std::fs::write(world.folder.path().join("leaf.pem"), text).unwrap();
}

/// Writes `issuing.pem` and `root.pem`.
pub async fn keep_chain(world: &World) {
    let chain = world.platform.authority.chain().await.unwrap();
    for (certificate, name) in chain.iter().zip(["issuing.pem", "root.pem"]) {
        std::fs::write(world.folder.path().join(name), certificate.to_pem()).unwrap();
    }
}

/// The standing of `leaf.pem` by OCSP, as `openssl ocsp` prints it, from whoever answers at `url`.
pub fn ocsp(world: &World, url: &str) -> Option<String> {
    let ask = format!(
        "ocsp -issuer issuing.pem -cert leaf.pem -CAfile root.pem -VAfile issuing.pem -url {url}/ocsp"
    );
    let folder = world.folder.path().to_owned();
    let (content, told) = tokio::task::block_in_place(|| openssl(&folder, &ask))?;
    assert!(content && told.contains("Response verify OK"), "{told}");
    Some(told)
}

/// `openssl verify -crl_check` with the list as it is served now.
async fn verify_with_list(world: &World) -> (bool, String) {
    let url = format!("{}/crl/issuing-1.crl", world.node.url);
    let list = client().get(url).send().await.unwrap();
    let list = list.bytes().await.unwrap();
    std::fs::write(world.folder.path().join("list.crl"), &list).unwrap();
    let ask =
        "verify -crl_check -CAfile root.pem -untrusted issuing.pem -CRLfile list.crl leaf.pem";
    openssl(world.folder.path(), ask).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_sees_a_revocation_within_seconds() {
    for by_officer in [true, false] {
        for database in World::databases().await {
            let world = World::on(database, Options::default()).await;
            let citizen = world.citizen(1).await;
            keep_chain(&world).await;
            keep_certificate(&world, &citizen).await;
            let Some(told) = ocsp(&world, &world.node.url) else {
                return;
            };
            assert!(told.contains("leaf.pem: good"), "{told}");
            let (content, told) = verify_with_list(&world).await;
            assert!(content, "{told}");

            let reason = if by_officer {
                let path = format!(
                    "/v1/ra/credentials/{}/revocation",
                    citizen.session.credential
                );
                let ask = json!({ "reason": "key-compromise" });
                world.officer_post(&path, &ask).await.unwrap();
                "keyCompromise"
            } else {
                citizen.phone.lock(&citizen.session).await.unwrap();
                "certificateHold"
            };
            until("the responder says so", async || {
                let told = ocsp(&world, &world.node.url).unwrap();
                told.contains("leaf.pem: revoked") && told.contains(reason)
            })
            .await;
            until("the list says so", async || {
                let (content, told) = verify_with_list(&world).await;
                !content && told.contains("certificate revoked")
            })
            .await;
            world.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_citizen_under_an_outside_root_verifies_to_it() {
    const EXTENSIONS: &str = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
        subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\ncertificatePolicies=1.3.6.1.4.1.99999.1.1.1\n\
        authorityInfoAccess=caIssuers;URI:http://root.example/root.cer\ncrlDistributionPoints=URI:http://root.example/root.crl\n";
    const ROOT: &str = "req -x509 -newkey rsa:3072 -nodes -keyout outside.key -out outside.pem -days 9000 \
        -subj /C=VN/O=Outside/CN=Outside-Root -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign";
    const SIGN: &str = "x509 -req -in issuing.csr -CA outside.pem -CAkey outside.key -days 3000 -sha256 \
        -set_serial 0x5a0102030405060708090a0b0c0d0e0f -extfile extensions.cnf -out answer.pem";
    let database = Database::sqlite().await;
    let carried = async |folder: &Folder, _: &Platform| {
        let run = |arguments: &[&str], code: i32| {
            let output = kyso(folder, arguments);
            let told = said(&output);
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
            told
        };
        let ours = ["ceremony", "run", "--root-algorithm", "p-384"];
        run(
            &[
                "ceremony",
                "run",
                "--outside-root",
                "--issuing-algorithm",
                "p-256",
            ],
            0,
        );
        let told = run(&ours, 2);
        assert!(told.contains("under an outside root"), "{told}");
        let path = folder.path();
        std::fs::write(path.join("extensions.cnf"), EXTENSIONS).unwrap();
        let (content, told) = openssl(path, ROOT)?;
        assert!(content, "{told}");
        let (content, told) = openssl(path, SIGN)?;
        assert!(content, "{told}");
        let both = ["outside.pem", "answer.pem"]
            .map(|file| std::fs::read_to_string(path.join(file)).unwrap());
        std::fs::write(path.join("both.pem"), both.concat()).unwrap();
        run(&["ceremony", "import", "both.pem"], 0);
        let told = run(&ours, 2);
        assert!(told.contains("under an outside root"), "{told}");
        Some(())
    };
    let Some(world) = World::after(database, Options::default(), carried).await else {
        return;
    };
    let citizen = world.citizen(1).await;
    world.signed(&citizen, &[dossier(1)]).await;
    keep_certificate(&world, &citizen).await;
    keep_chain(&world).await;
    let ask = "verify -x509_strict -CAfile outside.pem -untrusted issuing.pem leaf.pem";
    let (content, told) = openssl(world.folder.path(), ask).unwrap();
    assert!(content, "{told}");
    world.finish().await;
}
