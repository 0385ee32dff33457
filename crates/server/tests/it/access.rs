//! Every operation of the interface against every kind of caller. An operation that is not in the matrix fails.

use std::collections::BTreeSet;

use kyso_phone::Enrolment;
use kyso_registration::ra::OfficerRole;
use kyso_store::testing::Database;
use reqwest::{Method, RequestBuilder};

use crate::harness::{CAMPAIGN, Citizen, Credentials, Options, PIN, World, client, dossier};

/// Who may pass an operation's door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Anybody; who calls is said in the body, or does not matter.
    Anybody,
    /// Any phone that began an enrolment, for its own.
    Enroller,
    /// The phone that began this enrolment.
    Enrolling,
    /// Any bound phone, for what is its own.
    Citizen,
    /// The phone whose request or binding the path names.
    Signer,
    /// Any portal, for what is its own.
    Portal,
    /// The portal that made the request in the path.
    Asker,
    /// A page with the token of the screen in the path.
    Page,
    /// An officer who may look into dossiers.
    Reader,
    /// An officer who may decide.
    Decider,
    /// An officer who helps at the desk.
    Helper,
}

/// The operation, its door, and whether calling it even with an empty body changes something (then only refusals are tried).
const MATRIX: &[(&str, Door, bool)] = &[
    ("list_plans", Door::Anybody, false),
    ("show_campaign", Door::Anybody, false),
    ("list_administrative_units", Door::Anybody, false),
    ("create_enrolment", Door::Anybody, false),
    ("create_resumption", Door::Anybody, false),
    ("resume_enrolment", Door::Anybody, false),
    ("create_device_challenge", Door::Anybody, false),
    ("show_approval_key", Door::Anybody, false),
    ("create_device_session", Door::Anybody, false),
    ("sca_get_certificate", Door::Anybody, false),
    ("sca_sign", Door::Anybody, false),
    ("sca_status", Door::Anybody, false),
    ("show_current_enrolment", Door::Enroller, false),
    ("leave_current_enrolment", Door::Enroller, false),
    ("show_enrolment", Door::Enrolling, false),
    ("abandon_enrolment", Door::Enrolling, true),
    ("put_contact", Door::Enrolling, false),
    ("put_owner", Door::Enrolling, false),
    ("pay_enrolment", Door::Enrolling, false),
    ("send_activation_code", Door::Enrolling, false),
    ("activate_enrolment", Door::Enrolling, false),
    ("put_evidence", Door::Enrolling, false),
    ("show_contract", Door::Enrolling, false),
    ("show_contract_page", Door::Enrolling, false),
    ("sign_contract", Door::Enrolling, false),
    ("submit_enrolment", Door::Enrolling, true),
    ("create_binding_challenge", Door::Enrolling, false),
    ("bind_device", Door::Enrolling, false),
    ("show_acceptance_record", Door::Enrolling, false),
    ("show_acceptance_record_page", Door::Enrolling, false),
    ("show_device_session", Door::Citizen, false),
    ("rotate_device_session", Door::Citizen, true),
    ("close_device_session", Door::Citizen, true),
    ("show_own_credential", Door::Citizen, false),
    ("show_own_approval_key", Door::Citizen, false),
    ("suspend_own_credential", Door::Citizen, true),
    ("change_binding", Door::Citizen, false),
    ("show_binding", Door::Signer, false),
    ("list_own_signature_requests", Door::Citizen, false),
    ("show_own_signature_request", Door::Signer, false),
    ("fetch_own_document", Door::Signer, false),
    ("show_own_document_page", Door::Signer, false),
    ("fetch_own_signed_document", Door::Signer, false),
    ("show_own_signature_proof", Door::Signer, false),
    ("open_signature_request", Door::Signer, false),
    ("approve_signature_request", Door::Signer, false),
    ("refuse_signature_request", Door::Signer, false),
    ("create_signature_request", Door::Portal, false),
    ("show_signature_request", Door::Asker, false),
    ("fetch_signed_document", Door::Asker, false),
    ("withdraw_signature_request", Door::Asker, true),
    ("show_signature_screen", Door::Asker, false),
    ("show_screen", Door::Page, false),
    ("list_dossiers", Door::Reader, false),
    ("create_assisted_enrolment", Door::Helper, false),
    ("show_dossier", Door::Reader, false),
    ("open_dossier", Door::Decider, true),
    ("release_dossier", Door::Decider, true),
    ("fetch_dossier_photo", Door::Reader, false),
    ("approve_enrolment", Door::Decider, true),
    ("reject_enrolment", Door::Decider, false),
    ("ask_supplement", Door::Decider, false),
    ("suspend_credential", Door::Decider, true),
    ("resume_credential", Door::Decider, true),
    ("revoke_credential", Door::Decider, true),
];

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Nobody,
    Forger,
    Enrolling,
    OtherEnrolling,
    Citizen,
    OtherCitizen,
    /// Our own application in the browser of the first citizen: the same tokens, in cookies.
    Browser,
    /// A page of another site in that browser, as far as a browser lets it go.
    OtherSite,
    /// The same browser without the header that our application adds.
    BareBrowser,
    Portal,
    OtherPortal,
    /// A page that shows the request.
    Page,
    /// A page that shows another request of the same portal.
    OtherPage,
    Vetter,
    Lead,
    Helper,
    Auditor,
    CampaignManager,
    /// An enrolment's token after the enrolment has ended and its time is over.
    EndedEnrolling,
    /// A session of the first citizen's phone, closed.
    ClosedSession,
    /// A portal with every scope, disabled.
    ClosedPortal,
    /// A vetter, disabled.
    FormerVetter,
}

impl Caller {
    /// Whether they once were somebody, and hear what a forger hears.
    fn is_former(self) -> bool {
        use Caller as C;
        matches!(
            self,
            C::EndedEnrolling | C::ClosedSession | C::ClosedPortal | C::FormerVetter
        )
    }
}

const CALLERS: [Caller; 22] = [
    Caller::Nobody,
    Caller::Forger,
    Caller::Enrolling,
    Caller::OtherEnrolling,
    Caller::Citizen,
    Caller::OtherCitizen,
    Caller::Browser,
    Caller::OtherSite,
    Caller::BareBrowser,
    Caller::Portal,
    Caller::OtherPortal,
    Caller::Page,
    Caller::OtherPage,
    Caller::Vetter,
    Caller::Lead,
    Caller::Helper,
    Caller::Auditor,
    Caller::CampaignManager,
    Caller::EndedEnrolling,
    Caller::ClosedSession,
    Caller::ClosedPortal,
    Caller::FormerVetter,
];

/// Everything the calls are made with.
struct People {
    world: World,
    one: Citizen,
    other: Citizen,
    request: String,
    pages: [String; 2],
    binding: String,
    lead: String,
    helper: String,
    auditor: String,
    campaign_manager: String,
    ended: Enrolment,
    closed_session: String,
    closed_portal: Credentials,
    former: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_opens_to_its_callers_and_to_nobody_else() {
    for database in World::databases().await {
        let people = People::gather(database).await;
        walk(&people).await;
        people.world.finish().await;
    }
}

/// Calls every operation as every caller.
async fn walk(people: &People) {
    let operations = operations();
    let known: BTreeSet<&str> = MATRIX.iter().map(|(name, _, _)| *name).collect();
    let found: BTreeSet<&str> = operations
        .iter()
        .map(|(name, _, _)| name.as_str())
        .collect();
    assert_eq!(
        found, known,
        "the matrix and the OpenAPI document name the same operations"
    );

    let mut wrong = Vec::new();
    for (name, method, path) in &operations {
        let (_, door, changes) = MATRIX.iter().find(|(known, _, _)| known == name).unwrap();
        for caller in CALLERS {
            let admitted = admits(*door, caller);
            if admitted && *changes {
                continue;
            }
            let status = people.call(caller, name, method, path).await;
            let passed = ![401, 403, 404].contains(&status);
            let is_told_who = status == 401 || admitted || !caller.is_former();
            if passed != admitted || !is_told_who {
                wrong.push(format!(
                    "{name} by {caller:?}: {status}, admitted should be {admitted}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a developer reads about the door is the door.
#[test]
fn the_openapi_document_says_who_may_call() {
    let document: serde_json::Value =
        serde_json::from_str(&kyso_server::http::openapi::document_json()).unwrap();
    for (_, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            let (_, door, _) = MATRIX.iter().find(|(name, ..)| *name == id).unwrap();
            let scheme = match door {
                Door::Anybody => None,
                Door::Enroller | Door::Enrolling => Some("enrolment"),
                Door::Citizen | Door::Signer => Some("device"),
                Door::Portal | Door::Asker => Some("portal"),
                Door::Page => Some("page"),
                Door::Reader | Door::Decider | Door::Helper => Some("officer"),
            };
            let wanted = scheme.map_or(
                serde_json::json!([]),
                |scheme| serde_json::json!([{ scheme: [] }]),
            );
            assert_eq!(operation["security"], wanted, "{id}");
            if let Some(scheme) = scheme {
                let known = &document["components"]["securitySchemes"][scheme];
                assert_eq!(known["type"], "http", "{scheme}");
            }
        }
    }
}

/// A body that gets past the form where the door stands behind it, and changes nothing; an empty object elsewhere.
fn body(name: &str) -> serde_json::Value {
    use serde_json::json;
    match name {
        "create_enrolment" | "create_assisted_enrolment" => json!({ "campaign": CAMPAIGN }),
        "approve_signature_request" => json!({
            "statement": "e30", "signature": { "signature": "AA" }, "sealed_pin": { "enc": "AA", "ciphertext": "AA" },
        }),
        "open_signature_request" => json!({ "digits": "00" }),
        "approve_enrolment" => json!({ "statement": "e30", "signature": { "signature": "AA" } }),
        "refuse_signature_request" => json!({ "reason": "other" }),
        "reject_enrolment" => json!({ "reasons": ["card-expired"] }),
        "ask_supplement" => {
            json!({ "asks": [{ "piece": "photo:front", "reason": "image-blurred" }] })
        }
        "suspend_credential" => json!({ "reason": "other" }),
        "revoke_credential" => json!({ "reason": "superseded" }),
        _ => json!({}),
    }
}

fn admits(door: Door, caller: Caller) -> bool {
    use Caller as C;
    match door {
        Door::Anybody => true,
        Door::Enroller => matches!(caller, C::Enrolling | C::OtherEnrolling | C::Browser),
        Door::Enrolling => matches!(caller, C::Enrolling | C::Browser),
        Door::Citizen => matches!(caller, C::Citizen | C::OtherCitizen | C::Browser),
        Door::Signer => matches!(caller, C::Citizen | C::Browser),
        Door::Portal => matches!(caller, C::Portal | C::OtherPortal),
        Door::Asker => caller == C::Portal,
        Door::Page => caller == C::Page,
        Door::Reader => matches!(caller, C::Vetter | C::Lead | C::Auditor),
        Door::Decider => matches!(caller, C::Vetter | C::Lead),
        Door::Helper => caller == C::Helper,
    }
}

/// Operation id, method and path of everything in the committed document.
fn operations() -> Vec<(String, Method, String)> {
    let document: serde_json::Value =
        serde_json::from_str(&kyso_server::http::openapi::document_json()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                operations.push((
                    id.to_owned(),
                    method.to_uppercase().parse().unwrap(),
                    path.clone(),
                ));
            }
        }
    }
    operations
}

impl People {
    /// A provider with everybody in it; who is former has been somebody.
    async fn gather(database: Database) -> Self {
        let world = World::on(database, Options::default()).await;
        let one = world.citizen(1).await;
        let other = world.citizen(2).await;
        let request = world.ask_on_screen(&one, &[dossier(1)]).await;
        let shown = world.screen(&request).await;
        let digits = shown["digits"].as_str().unwrap();
        one.phone
            .open_by_digits(&one.session, &request, digits)
            .await
            .unwrap();
        let unsigned = world.ask_on_screen(&one, &[dossier(2)]).await;
        let pages = [shown, world.screen(&unsigned).await]
            .map(|screen| screen["token"].as_str().unwrap().to_owned());
        one.phone
            .approve(&one.session, &request, PIN)
            .await
            .unwrap();
        one.phone
            .wait_request(&one.session, &request, &["signed", "delivered"])
            .await
            .unwrap();
        // Refused for its PIN, so it changes nothing.
        let change = one.phone.change_pin(&one.session, PIN, "123456");
        let binding = change.await.unwrap()["id"].as_str().unwrap().to_owned();

        let appoint =
            async |name: &str, number: &str, role| world.appoint(name, number, role).await;
        let lead = appoint("Trưởng nhóm Mẫu", "079085000096", OfficerRole::Lead).await;
        let helper = appoint("Hỗ trợ Mẫu", "079085000095", OfficerRole::Helper).await;
        let auditor = appoint("Kiểm toán Mẫu", "079085000098", OfficerRole::Auditor).await;
        let manager = OfficerRole::CampaignManager;
        let campaign_manager = appoint("Quản lý Mẫu", "079085000097", manager).await;
        let former = appoint("Cán bộ cũ Mẫu", "079085000094", OfficerRole::Vetter).await;
        let registration = &world.platform.registration;
        let gone = registration.authenticate_officer(&former).await.unwrap();
        let keys = world.platform.keys.as_ref().unwrap();
        registration
            .disable_officer(keys, &gone.id, "test")
            .await
            .unwrap();

        let closed_portal = world.register("Cổng đã đóng").await;
        let portals = &world.platform.signing.portals;
        let gone = portals.find(&closed_portal.client_id).await.unwrap();
        portals.disable(&gone.unwrap().id, "test").await.unwrap();

        let closed = one.phone.open_session().await.unwrap().token;
        let url = format!("{}/v1/citizen/session", world.node.url);
        let answer = client().delete(url).bearer_auth(&closed).send().await;
        assert!(answer.unwrap().status().is_success());

        let ended = world.phone().enrol(CAMPAIGN).await.unwrap();
        let url = format!("{}/v1/enrolments/{}", world.node.url, ended.id);
        let answer = client().delete(url).bearer_auth(&ended.token).send().await;
        assert!(answer.unwrap().status().is_success());
        let long_ago = format!(
            "UPDATE enrolment SET ended_at = ended_at - 864000000 WHERE id = '{}'",
            ended.id
        );
        world.database.tamper(&long_ago).await;
        Self {
            world,
            one,
            other,
            request,
            pages,
            binding,
            lead,
            helper,
            auditor,
            campaign_manager,
            ended,
            closed_session: closed,
            closed_portal,
            former,
        }
    }

    async fn call(&self, caller: Caller, name: &str, method: &Method, path: &str) -> u16 {
        let url = format!("{}{}", self.world.node.url, self.filled(caller, path));
        let request = self.authorised(caller, client().request(method.clone(), url));
        let request = if *method == Method::GET || *method == Method::DELETE {
            request
        } else {
            request.json(&body(name))
        };
        request.send().await.unwrap().status().as_u16()
    }

    /// The path with what belongs to the first citizen and the first portal, or to the enrolment that has ended.
    fn filled(&self, caller: Caller, path: &str) -> String {
        let id = if path.contains("/ra/credentials/") {
            &self.one.session.credential
        } else if path.contains("signature-requests") || path.contains("/screens/") {
            &self.request
        } else if path.contains("/bindings/") {
            &self.binding
        } else if caller == Caller::EndedEnrolling {
            &self.ended.id
        } else {
            &self.one.enrolment.id
        };
        path.replace("{id}", id)
            .replace("{position}", "0")
            .replace("{page}", "1")
            .replace("{kind}", "front")
            .replace("{code}", CAMPAIGN)
            .replace("{tran_id}", "none")
    }

    /// Both cookies of the first citizen, as a browser sends them.
    fn browser(&self, request: RequestBuilder) -> RequestBuilder {
        let (enrolment, device) = (&self.one.enrolment.token, &self.one.session.token);
        request.header(
            "cookie",
            format!("theme=dark; kyso-enrolment={enrolment}; kyso-device={device}"),
        )
    }

    fn authorised(&self, caller: Caller, request: RequestBuilder) -> RequestBuilder {
        match caller {
            Caller::Nobody => request,
            Caller::Forger => request.bearer_auth("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            Caller::Enrolling => request.bearer_auth(&self.one.enrolment.token),
            Caller::OtherEnrolling => request.bearer_auth(&self.other.enrolment.token),
            Caller::Citizen => request.bearer_auth(&self.one.session.token),
            Caller::OtherCitizen => request.bearer_auth(&self.other.session.token),
            Caller::Browser => self
                .browser(request)
                .header("sec-fetch-site", "same-origin")
                .header("x-kyso-app", "1"),
            Caller::OtherSite => self
                .browser(request)
                .header("sec-fetch-site", "cross-site")
                .header("x-kyso-app", "1"),
            Caller::BareBrowser => self.browser(request),
            Caller::Portal => request.basic_auth(
                &self.world.portal.client_id,
                Some(&self.world.portal.secret),
            ),
            Caller::OtherPortal => request.basic_auth(
                &self.world.other_portal.client_id,
                Some(&self.world.other_portal.secret),
            ),
            Caller::Page => request.bearer_auth(&self.pages[0]),
            Caller::OtherPage => request.bearer_auth(&self.pages[1]),
            Caller::Vetter => request.bearer_auth(&self.world.officer),
            Caller::Lead => request.bearer_auth(&self.lead),
            Caller::Helper => request.bearer_auth(&self.helper),
            Caller::Auditor => request.bearer_auth(&self.auditor),
            Caller::CampaignManager => request.bearer_auth(&self.campaign_manager),
            Caller::EndedEnrolling => request.bearer_auth(&self.ended.token),
            Caller::ClosedSession => request.bearer_auth(&self.closed_session),
            Caller::ClosedPortal => request.basic_auth(
                &self.closed_portal.client_id,
                Some(&self.closed_portal.secret),
            ),
            Caller::FormerVetter => request.bearer_auth(&self.former),
        }
    }
}
