//! The key that PINs and codes are sealed to, served by a web role that may be somebody else's.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kyso_authority::ceremony::Plan;
use kyso_phone::{DeviceKey, Error};
use kyso_server::platform::Platform;
use kyso_store::testing::{Database, Folder};
use serde_json::{Value, json};

use crate::harness::{Citizen, Options, PIN, World, dossier};

const KIND: &str = "kyso.approval-key.v1";

/// Serves another statement in place of every published one, as whoever writes rows can.
async fn serve_instead(world: &World, jws: &str) {
    let value = hex::encode(jws);
    let sql = format!("UPDATE setting SET value = X'{value}' WHERE name LIKE 'approval-key%'");
    world.database.tamper(&sql).await;
}

async fn served(world: &World) -> Value {
    let url = format!("{}/v1/approval-key", world.node.url);
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// Why the phone does not approve; nothing was sent.
async fn refusal(world: &World, citizen: &Citizen) -> &'static str {
    let request = world.ask(citizen, &[dossier(1)]).await;
    let (phone, session) = (&citizen.phone, &citizen.session);
    let Err(Error::Unsafe(why)) = phone.approve(session, &request, PIN).await else {
        panic!("the phone did not refuse");
    };
    let shown = phone.see(session, &request).await.unwrap();
    assert_eq!(shown["state"], "pending");
    why
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// r ‖ s out of an ECDSA-Sig-Value of P-256.
fn fixed(der: &[u8]) -> Vec<u8> {
    let (r, s) = der[4..].split_at(usize::from(der[3]));
    let part = |octets: &[u8]| {
        let kept = &octets[octets.len().saturating_sub(32)..];
        [&vec![0; 32 - kept.len()][..], kept].concat()
    };
    [part(r), part(&s[2..])].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_role_that_serves_a_key_of_its_own_learns_no_pin_and_no_code() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let honest = served(&world).await["signed"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = honest.split('.').collect();
    let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let mut payload: Value = serde_json::from_slice(&payload).unwrap();
    let own = DeviceKey::generate().unwrap();
    payload["public_key"] = URL_SAFE_NO_PAD.encode(own.spki()).into();
    payload["issued_at"] = world.platform.store.now().into();

    let altered = [parts[0], &encode(&payload), parts[2]].join(".");
    serve_instead(&world, &altered).await;
    let why = refusal(&world, &citizen).await;
    assert!(why.contains("signature"), "{why}");

    // A citizen under the same root signs it, as a digest that a portal makes of it.
    let shown = citizen.phone.credential(&citizen.session).await.unwrap();
    let mut x5c = vec![shown["certificate"].as_str().unwrap().to_owned()];
    let chain = world.platform.authority.chain().await.unwrap();
    x5c.extend(chain.iter().map(|above| STANDARD.encode(above.as_der())));
    let header = json!({ "alg": "ES256", "typ": KIND, "x5c": x5c });
    let input = format!("{}.{}", encode(&header), encode(&payload));
    serve_instead(&world, &honest).await;
    let signature = signed_blind(&world, &citizen, input.as_bytes()).await;
    let signature = URL_SAFE_NO_PAD.encode(fixed(&signature));
    serve_instead(&world, &format!("{input}.{signature}")).await;
    let why = refusal(&world, &citizen).await;
    assert!(why.contains("seal"), "{why}");

    // The code of a first binding is not sealed to it either.
    let (phone, enrolment, owner) = world.submitted(2).await;
    world.approve_enrolment(&enrolment).await;
    phone
        .wait_enrolment(&enrolment, "the certificate", |shown| {
            shown["next"][0] == "device"
        })
        .await
        .unwrap();
    let after = world.last_message(&owner);
    let challenge = phone.ask_device_code(&enrolment).await.unwrap();
    let code = world.code_after(&owner, after).await;
    let refused = phone.bind(&enrolment, &challenge, PIN, &code).await;
    assert!(matches!(refused, Err(Error::Unsafe(_))), "{refused:?}");

    serve_instead(&world, &honest).await;
    let bound = phone.bind(&enrolment, &challenge, PIN, &code).await;
    assert_eq!(bound.unwrap()["binding"], "bound");
    world.signed(&citizen, &[dossier(3)]).await;
    world.finish().await;
}

/// What the citizen's key signs when asked for nothing but a digest.
async fn signed_blind(world: &World, citizen: &Citizen, message: &[u8]) -> Vec<u8> {
    let digest = hex::encode(aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        message,
    ));
    let ask = json!({
        "signer": { "identity_number": citizen.owner.identity_number },
        "documents": [{ "name": "a", "digest": { "algorithm": "sha-256", "value": digest } }],
    });
    let asked = world.portal_post("/v1/signature-requests", &ask).await;
    let id = asked.unwrap()["id"].as_str().unwrap().to_owned();
    let (phone, session) = (&citizen.phone, &citizen.session);
    phone.approve(session, &id, PIN).await.unwrap();
    let signed = phone
        .wait_request(session, &id, &["signed", "delivered"])
        .await;
    let signature = signed.unwrap()["documents"][0]["signature"].clone();
    STANDARD.decode(signature.as_str().unwrap()).unwrap()
}

/// The default ceremony makes RSA keys: the phone believes that seal too, and nothing that it did not sign.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_believes_an_rsa_seal_and_not_another_s_words_under_it() {
    let ceremony = async |_: &Folder, platform: &Platform| {
        let keys = platform.keys.as_ref()?;
        let plan = Plan::default();
        let held = platform.authority.ceremony(keys, &plan, &|_| ()).await;
        held.unwrap();
        Some(())
    };
    let database = Database::sqlite().await;
    let world = World::after(database, Options::default(), ceremony).await;
    let world = world.unwrap();
    let citizen = world.citizen(1).await;
    let honest = served(&world).await["signed"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = honest.split('.').collect();
    let header = URL_SAFE_NO_PAD.decode(parts[0]).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["alg"], "RS256");
    let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let mut payload: Value = serde_json::from_slice(&payload).unwrap();
    payload["issued_at"] = world.platform.store.now().into();
    serve_instead(&world, &[parts[0], &encode(&payload), parts[2]].join(".")).await;
    let why = refusal(&world, &citizen).await;
    assert!(why.contains("signature"), "{why}");
    serve_instead(&world, &honest).await;
    world.signed(&citizen, &[dossier(1)]).await;
    world.finish().await;
}
