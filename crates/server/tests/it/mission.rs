//! The whole mission on every database: enrol, vet, certify, bind, accept, ask, approve, fetch, and be told.

use std::time::Duration;

use kyso_store::testing::Database;
use serde_json::json;

use crate::harness::{Options, PIN, World, dossier, until};
use crate::judges::{self, StatusAddress};

#[tokio::test(flavor = "multi_thread")]
async fn a_citizen_enrols_and_a_portal_gets_a_signed_dossier() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let citizen = world.citizen(1).await;
        let original = dossier(1);
        let request = world.ask(&citizen, std::slice::from_ref(&original)).await;
        let shown = citizen.phone.see(&citizen.session, &request).await.unwrap();
        assert_eq!(
            shown["portal_name"], "Cổng dịch vụ công thử nghiệm",
            "the name is the register's"
        );
        assert_eq!(shown["documents"][0]["preview"], "previewed");
        citizen
            .phone
            .approve(&citizen.session, &request, PIN)
            .await
            .unwrap();
        citizen
            .phone
            .wait_request(&citizen.session, &request, &["signed", "delivered"])
            .await
            .unwrap();

        let signed = world.signed_document(&request, 0).await;
        assert!(signed.starts_with(&original) && signed.len() > original.len());
        assert_eq!(
            signed,
            world.signed_document(&request, 0).await,
            "asked again, the same bytes"
        );
        let webhook = world
            .catcher
            .wait_for_webhook("portal", 0, Duration::from_secs(20))
            .await
            .expect("a webhook");
        assert!(webhook.body.contains(&request), "{}", webhook.body);
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_documents_are_signed_by_one_approval() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let originals: Vec<Vec<u8>> = (1..=3).map(dossier).collect();
    let signed = world.signed(&citizen, &originals).await;
    for (original, signed) in originals.iter().zip(&signed) {
        assert!(signed.starts_with(original) && signed.len() > original.len());
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_accept_what_the_portal_fetched_until_it_is_touched_or_revoked() {
    for algorithm in ["rsa-2048", "p-256"] {
        let address = StatusAddress::new().await;
        let options = Options {
            algorithm,
            configuration: address.section(),
            ..Options::default()
        };
        let world = World::on(Database::sqlite().await, options).await;
        let _leading = address.lead_to(&world.node);
        let citizen = world.citizen(1).await;
        let fetched = world.signed(&citizen, &[dossier(1)]).await.remove(0);
        judges::accept(&world, "signed.pdf", &fetched).await;

        // In the comment after the header, which no reader reads.
        let mut forged = fetched.clone();
        forged[12] ^= 1;
        judges::refuse(&world, "forged.pdf", &forged);

        let path = format!(
            "/v1/ra/credentials/{}/revocation",
            citizen.session.credential
        );
        world
            .officer_post(&path, &json!({ "reason": "superseded" }))
            .await
            .unwrap();
        until("OpenSSL hears of it by the list", async || {
            judges::keep_list(&world, &world.node.url).await;
            judges::openssl_with_list(&world, "signed.pdf")
                .is_none_or(|(content, told)| !content && told.contains("certificate revoked"))
        })
        .await;
        until("NSS hears of it by the responder", async || {
            judges::pdfsig_of_the_certificate(&world, "signed.pdf")
                .is_none_or(|verdict| verdict == "Certificate has been Revoked.")
        })
        .await;
        world.finish().await;
    }
}
