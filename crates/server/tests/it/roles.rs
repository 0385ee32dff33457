//! The roles as processes of their own on one PostgreSQL: `web` in a folder without a keystore, `worker`, and `status`.

use kyso_store::testing::{Database, Folder};

use crate::harness::{Node, Options, World, client, dossier, restrict};
use crate::openssl::{keep_certificate, keep_chain, ocsp};

/// The status with which a node answers GET.
async fn get(node: &Node, path: &str) -> u16 {
    let answer = client().get(format!("{}{path}", node.url)).send().await;
    answer.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mission_passes_web_worker_and_status_and_each_does_only_its_own() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let mut world = World::on(database, Options::default()).await;
    world.node.stop();
    let role = |role| [("KYSO__SERVER__ROLE", role)];
    // The web has the configuration, the database, and what seals photos; no key of the keystore is on its machine.
    let bare = Folder::new();
    for file in ["kyso.toml", "data.key", "sms.token"] {
        std::fs::copy(world.folder.path().join(file), bare.path().join(file)).unwrap();
    }
    restrict(&bare.path().join("data.key"));
    let mut worker = Node::start_with(&world.folder, &role("worker")).await;
    let mut status = Node::start_with(&world.folder, &role("status")).await;
    world.node = Node::start_with(&bare, &role("web")).await;

    let citizen = world.citizen(1).await;
    let original = dossier(1);
    let signed = world
        .signed(&citizen, std::slice::from_ref(&original))
        .await;
    assert!(signed[0].starts_with(&original) && signed[0].len() > original.len());
    assert!(
        !bare.path().join("keys").exists(),
        "the web made no keystore"
    );

    keep_chain(&world).await;
    keep_certificate(&world, &citizen).await;
    if let Some(told) = ocsp(&world, &status.url) {
        assert!(told.contains("leaf.pem: good"), "{told}");
    }
    for path in ["/crl/issuing-1.crl", "/ca/issuing-1.cer"] {
        assert_eq!(get(&status, path).await, 200, "{path}");
        for other in [&world.node, &worker] {
            assert_eq!(get(other, path).await, 404, "{path} of {}", other.url);
        }
    }
    for path in ["/v1/plans", "/v1/openapi.json"] {
        assert_eq!(get(&world.node, path).await, 200, "{path}");
        for other in [&status, &worker] {
            assert_eq!(get(other, path).await, 404, "{path} of {}", other.url);
        }
    }
    for node in [&world.node, &worker, &status] {
        assert_eq!(get(node, "/livez").await, 200, "{}", node.log());
        assert_eq!(get(node, "/readyz").await, 200, "{}", node.log());
    }
    for node in [&mut worker, &mut status] {
        node.terminate();
        assert_eq!(node.exit_code(), Some(0), "{}", node.log());
    }
    world.finish().await;
}
