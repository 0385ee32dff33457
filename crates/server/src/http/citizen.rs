//! What a citizen's bound phone does: open a session with the device key, see, approve, refuse, lock, change phone or PIN.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kyso_keystore::Consent;
use kyso_signing::credential::{Binding, BindingIntention, BindingState};
use kyso_signing::device::{OpenedSession, Session};
use kyso_signing::request::{Approval, ApprovalProof, Opening, Page, RequestState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::body::Body;
use super::caller::{Anyone, Citizen, Own};
use super::cookie::Jar;
use super::page::Size;
use super::request::parse_id;
use super::wire::{
    DeviceKeyWire, DeviceSignatureWire, RequestWire, SealedPinWire, from_base64url, to_base64url,
};
use crate::platform::SignedApprovalKey;
use crate::problem::{Problem, ProblemDocument};

/// A nonce to sign.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChallengeWire {
    /// Good for five minutes, once.
    pub nonce: String,
}

/// The public key a PIN is sealed to. A phone believes `signed`, not the other fields.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalKeyWire {
    /// Names the key.
    pub key_id: String,
    /// SubjectPublicKeyInfo of a P-256 key, base64url.
    pub public_key: String,
    /// The same as a compact JWS (RFC 7515) of `typ` `kyso.approval-key.v1` by the provider's seal, `x5c` up to its root. Payload:
    /// `type`, `key_id`, `public_key`, `backend`, `issued_at` (milliseconds since 1970; renewed every hour).
    pub signed: String,
}

impl From<SignedApprovalKey> for ApprovalKeyWire {
    fn from(key: SignedApprovalKey) -> Self {
        Self {
            key_id: key.key_id,
            public_key: key.public_key,
            signed: key.jws,
        }
    }
}

/// What opens a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSessionWire {
    /// Canonical bytes of a `kyso.session.v1` statement, base64url.
    statement: String,
    device: DeviceKeyWire,
    signature: DeviceSignatureWire,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionWire {
    /// Bearer token; absent where it went into a cookie, or is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// `dev_…`.
    device: String,
    /// `cred_…`.
    credential: String,
    /// Milliseconds since 1970.
    expires_at: i64,
}

/// The citizen's credential as the phone's home screen shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialWire {
    id: String,
    /// `opening`, `active`, `suspended`, `revoked`, `expired` or `failed`.
    state: &'static str,
    /// Lower-case hex of the certificate's serial number.
    serial: Option<String>,
    /// Milliseconds since 1970.
    not_before: Option<i64>,
    /// Milliseconds since 1970.
    not_after: Option<i64>,
    /// Signatures left; absent when unlimited.
    units_left: Option<i64>,
    /// Whether five wrong PINs locked the key.
    pin_locked: bool,
    /// The certificate, DER in base64.
    certificate: Option<String>,
}

/// A citizen's approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalWire {
    /// Canonical bytes of a `kyso.approval.v1` statement, base64url.
    statement: String,
    signature: DeviceSignatureWire,
    sealed_pin: SealedPinWire,
}

/// How the phone was in front of the screen that shows the request: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningWire {
    /// What stood behind the `#` of the code that was read, or of the link that was followed.
    #[serde(default)]
    proof: Option<String>,
    /// The two digits that stand on the screen.
    #[serde(default)]
    digits: Option<String>,
}

/// Why the citizen refuses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalWire {
    /// `not-me`, `wrong-document` or `other`.
    reason: String,
}

/// Another phone or PIN in place of those in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWire {
    /// Canonical bytes of a `kyso.binding.v1` statement of purpose `change-device` or `change-pin`, base64url.
    statement: String,
    /// The phone to be bound: another one for `change-device`, the one in force for `change-pin`.
    device: DeviceKeyWire,
    /// By that phone over the statement.
    signature: DeviceSignatureWire,
    /// The new PIN.
    sealed_pin: SealedPinWire,
    /// The PIN in force, sealed for the same statement.
    current_pin: SealedPinWire,
    /// For `change-device`: the phone in force signs the same statement. Left out for `change-pin`, where `signature` is that.
    #[serde(default)]
    consent: Option<DeviceSignatureWire>,
}

/// A change on its way, or how it ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeStateWire {
    /// `bind_…`.
    id: String,
    /// `pending`, `bound` or `refused`.
    state: &'static str,
    /// Why it was refused: `wrong-pin`, `pin-locked`, `pin-weak`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// After a wrong PIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    tries_left: Option<i64>,
    /// `dev_…`: what the new phone names to open a session.
    device: String,
}

/// A line of the ledger: the very texts that are hashed.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineWire {
    /// `evt_…`.
    id: String,
    /// `signing.request.approved`.
    kind: String,
    /// `req_…`.
    subject: String,
    /// Whose approval it is.
    actor: String,
    /// JSON, in which `statement` is the hex SHA-256 of the statement.
    detail: String,
    /// Milliseconds since 1970.
    at: i64,
}

/// The proof that an approval is in the ledger.
///
/// Content of a line = SHA-256(`kyso.ledger.line.v1\n` ‖ each of `id`, `kind`, `subject`, `actor`, `detail` behind its length in bytes ‖
/// `at`); its hash = SHA-256(`kyso.ledger.v1\n` ‖ hash of the line before ‖ position ‖ content). Numbers are 64 bits, the most
/// significant first. The last hash is the one in `checkpoint`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProofWire {
    /// Canonical bytes of the `kyso.approval.v1` statement, base64url.
    statement: String,
    line: LineWire,
    /// Place in the ledger, from 1; this and what follows is absent until a checkpoint covers the line, which takes about a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<i64>,
    /// Hash of the line before, hex; zeros before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    /// Contents of the lines from there to the checkpoint, hex, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    between: Option<Vec<String>>,
    /// A signed note (C2SP signed-note) over the ledger's name, the number of its lines and base64 of the last one's hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

/// Which to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct PageQuery {
    /// At most 100; 20 when left out.
    #[serde(default = "most_default")]
    most: usize,
    /// States, with commas between them; all when left out.
    state: Option<String>,
    /// The last one of the page before.
    before: Option<String>,
}

impl PageQuery {
    fn read(&self) -> Result<Page, Problem> {
        let malformed = |field| Problem::new("query-malformed").with_field(field, "unknown");
        let words = self.state.as_deref().unwrap_or_default().split(',');
        let states = words.filter(|word| !word.is_empty()).map(|word| {
            let mut known = RequestState::ALL.into_iter();
            known
                .find(|state| state.as_str() == word)
                .ok_or_else(|| malformed("state"))
        });
        let before = self.before.as_deref().map(str::parse).transpose();
        Ok(Page {
            states: states.collect::<Result<_, _>>()?,
            before: before.map_err(|_| malformed("before"))?,
            most: self.most.min(100),
        })
    }
}

fn most_default() -> usize {
    20
}

/// A nonce for a session or binding statement.
#[utoipa::path(post, path = "/v1/device-challenges", tag = "citizen",
    responses((status = 201, body = ChallengeWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn create_device_challenge(
    State(app): State<App>,
    _: Anyone,
) -> Result<(StatusCode, Json<ChallengeWire>), Problem> {
    let nonce = app.platform.signing.devices.challenge().await?;
    Ok((StatusCode::CREATED, Json(ChallengeWire { nonce })))
}

/// `credential`: whose key it is.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct OfCredential {
    /// As the challenge of a first binding names it.
    credential: Option<String>,
}

/// The public key that the PIN and the code of a first binding are sealed to: of the keystore that holds the credential's key, or,
/// without one, of the keystore that makes new keys.
#[utoipa::path(get, path = "/v1/approval-key", tag = "citizen", params(OfCredential),
    responses((status = 200, body = ApprovalKeyWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_approval_key(
    State(app): State<App>,
    _: Anyone,
    Query(of): Query<OfCredential>,
) -> Result<Json<ApprovalKeyWire>, Problem> {
    let backend = match of.credential {
        Some(id) => {
            let key = app
                .platform
                .signing
                .credentials
                .key(&parse_id(&id)?)
                .await?;
            Some(key.backend())
        }
        None => None,
    };
    Ok(Json(app.platform.approval_key(backend).await?.into()))
}

/// Open a session by the device key. With `x-kyso-app`, as our own application says, the token goes into a cookie.
#[utoipa::path(post, path = "/v1/device-sessions", tag = "citizen", request_body = NewSessionWire,
    responses((status = 201, body = SessionWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn create_device_session(
    State(app): State<App>,
    _: Anyone,
    Own(is_own): Own,
    Body(new): Body<NewSessionWire>,
) -> Result<Response, Problem> {
    let statement = from_base64url("statement", &new.statement)?;
    let device = new.device.read(&app.relying_party)?;
    let signature = new.signature.read()?;
    let opened = app
        .platform
        .signing
        .devices
        .open_session(&statement, &device, &signature)
        .await?;
    Ok(app.session(is_own, StatusCode::CREATED, opened))
}

/// Who this phone is, and until when.
#[utoipa::path(get, path = "/v1/citizen/session", tag = "citizen",
    responses((status = 200, body = SessionWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_device_session(citizen: Citizen) -> Json<SessionWire> {
    Json(citizen.session.into())
}

/// A new token for the session; the old one ends half a minute later.
#[utoipa::path(post, path = "/v1/citizen/session/rotation", tag = "citizen",
    responses((status = 200, body = SessionWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn rotate_device_session(
    State(app): State<App>,
    Own(is_own): Own,
    citizen: Citizen,
) -> Result<Response, Problem> {
    let devices = &app.platform.signing.devices;
    let rotated = devices.rotate_session(&citizen.token).await?;
    Ok(app.session(is_own, StatusCode::OK, rotated))
}

/// End the session.
#[utoipa::path(delete, path = "/v1/citizen/session", tag = "citizen",
    responses((status = 204), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn close_device_session(
    State(app): State<App>,
    Own(is_own): Own,
    citizen: Citizen,
) -> Result<Response, Problem> {
    let devices = &app.platform.signing.devices;
    devices.close_session(&citizen.token).await?;
    let done = StatusCode::NO_CONTENT;
    Ok(match is_own {
        true => app.cookies.forget(Jar::Device, done),
        false => done.into_response(),
    })
}

/// The credential this phone is bound to.
#[utoipa::path(get, path = "/v1/citizen/credential", tag = "citizen",
    responses((status = 200, body = CredentialWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_own_credential(
    State(app): State<App>,
    citizen: Citizen,
) -> Result<Json<CredentialWire>, Problem> {
    let credential = app
        .platform
        .signing
        .credentials
        .show(&citizen.session.credential)
        .await?;
    Ok(Json(credential.into()))
}

/// The public key that PINs for this credential are sealed to: of the keystore that holds its key.
#[utoipa::path(get, path = "/v1/citizen/credential/approval-key", tag = "citizen",
    responses((status = 200, body = ApprovalKeyWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_own_approval_key(
    State(app): State<App>,
    citizen: Citizen,
) -> Result<Json<ApprovalKeyWire>, Problem> {
    let credentials = &app.platform.signing.credentials;
    let key = credentials.key(&citizen.session.credential).await?;
    let signed = app.platform.approval_key(Some(key.backend())).await?;
    Ok(Json(signed.into()))
}

/// Lock now: no PIN is asked, nothing can be signed until it is resumed.
#[utoipa::path(post, path = "/v1/citizen/credential/suspension", tag = "citizen",
    responses((status = 200, body = CredentialWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn suspend_own_credential(
    State(app): State<App>,
    citizen: Citizen,
) -> Result<Json<CredentialWire>, Problem> {
    let credentials = &app.platform.signing.credentials;
    let id = &citizen.session.credential;
    credentials
        .suspend(id, "citizen-lock", &citizen.session.citizen)
        .await?;
    Ok(Json(credentials.show(id).await?.into()))
}

/// Change phone or PIN: signed by the phone in force, with the PIN in force. A lost phone means revoking and enrolling anew.
///
/// After a change of phone this session ends with it; the new phone opens one of its own.
#[utoipa::path(post, path = "/v1/citizen/credential/bindings", tag = "citizen", request_body = ChangeWire,
    responses((status = 202, body = ChangeStateWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn change_binding(
    State(app): State<App>,
    citizen: Citizen,
    Body(wire): Body<ChangeWire>,
) -> Result<(StatusCode, Json<ChangeStateWire>), Problem> {
    let consent = wire.consent.as_ref().unwrap_or(&wire.signature);
    let intention = BindingIntention {
        statement: from_base64url("statement", &wire.statement)?,
        device: wire.device.read(&app.relying_party)?,
        signature: wire.signature.read()?,
        sealed_pin: wire.sealed_pin.read()?,
        consent: Some(Consent {
            signature: consent.read()?,
            current_pin: wire.current_pin.read()?,
        }),
    };
    let credentials = &app.platform.signing.credentials;
    let binding = credentials
        .request_binding(&citizen.session.credential, intention)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(binding.into())))
}

/// Where a change is.
#[utoipa::path(get, path = "/v1/citizen/credential/bindings/{id}", tag = "citizen", params(("id" = String, Path)),
    responses((status = 200, body = ChangeStateWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_binding(
    State(app): State<App>,
    citizen: Citizen,
    Path(id): Path<String>,
) -> Result<Json<ChangeStateWire>, Problem> {
    let credentials = &app.platform.signing.credentials;
    let binding = credentials.binding(&parse_id(&id)?).await?;
    if binding.credential != citizen.session.credential {
        return Err(Problem::new("not-found"));
    }
    Ok(Json(binding.into()))
}

/// What waits for this citizen and what has ended, newest first. The next page begins `before` the last of this one; one that is
/// shorter than `most` is the last.
#[utoipa::path(get, path = "/v1/citizen/signature-requests", tag = "citizen", params(PageQuery),
    responses((status = 200, body = Vec<RequestWire>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn list_own_signature_requests(
    State(app): State<App>,
    citizen: Citizen,
    Query(page): Query<PageQuery>,
) -> Result<Json<Vec<RequestWire>>, Problem> {
    let views = app
        .platform
        .signing
        .requests
        .list(&citizen.session, &page.read()?)
        .await?;
    Ok(Json(views.into_iter().map(RequestWire::from).collect()))
}

/// Everything the statement is made from.
#[utoipa::path(get, path = "/v1/citizen/signature-requests/{id}", tag = "citizen", params(("id" = String, Path)),
    responses((status = 200, body = RequestWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_own_signature_request(
    State(app): State<App>,
    citizen: Citizen,
    Path(id): Path<String>,
) -> Result<Json<RequestWire>, Problem> {
    Ok(Json(
        app.platform
            .signing
            .requests
            .show(&citizen.session, &parse_id(&id)?)
            .await?
            .into(),
    ))
}

/// The very bytes whose digest is in the statement.
#[utoipa::path(get, path = "/v1/citizen/signature-requests/{id}/documents/{position}", tag = "citizen",
    params(("id" = String, Path), ("position" = usize, Path, description = "from 0")),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn fetch_own_document(
    State(app): State<App>,
    citizen: Citizen,
    Path((id, position)): Path<(String, usize)>,
) -> Result<Response, Problem> {
    let bytes = app
        .platform
        .signing
        .requests
        .document(&citizen.session, &parse_id(&id)?, position)
        .await?;
    Ok(pdf(bytes))
}

fn pdf(bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    (headers, bytes).into_response()
}

/// The signed PDF, for its signer: the same bytes that the portal gets.
#[utoipa::path(get, path = "/v1/citizen/signature-requests/{id}/documents/{position}/signed", tag = "citizen",
    params(("id" = String, Path), ("position" = usize, Path, description = "from 0")),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn fetch_own_signed_document(
    State(app): State<App>,
    citizen: Citizen,
    Path((id, position)): Path<(String, usize)>,
) -> Result<Response, Problem> {
    let requests = &app.platform.signing.requests;
    let bytes = requests
        .signed_copy(&citizen.session, &parse_id(&id)?, position)
        .await?;
    Ok(pdf(bytes))
}

/// The proof that the approval is in the ledger: what was approved, the line about it, and the hashes from there to a checkpoint.
#[utoipa::path(get, path = "/v1/citizen/signature-requests/{id}/proof", tag = "citizen", params(("id" = String, Path)),
    responses((status = 200, body = ProofWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_own_signature_proof(
    State(app): State<App>,
    citizen: Citizen,
    Path(id): Path<String>,
) -> Result<Json<ProofWire>, Problem> {
    app.spend_proof(citizen.session.device)?;
    let requests = &app.platform.signing.requests;
    let proof = requests.proof(&citizen.session, &parse_id(&id)?).await?;
    Ok(Json(proof.into()))
}

/// A page of a document as a picture, counted from 1: drawn from the very bytes.
#[utoipa::path(get, path = "/v1/citizen/signature-requests/{id}/documents/{position}/pages/{page}", tag = "citizen",
    params(("id" = String, Path), ("position" = usize, Path, description = "from 0"), ("page" = usize, Path), Size),
    responses((status = 200, content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg")), description = "`x-page-count`: pages of the document."), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_own_document_page(
    State(app): State<App>,
    citizen: Citizen,
    Path((id, position, page)): Path<(String, usize, usize)>,
    Query(size): Query<Size>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (requests, id) = (&app.platform.signing.requests, parse_id(&id)?);
    let view = requests.show(&citizen.session, &id).await?;
    let document = view.documents.get(position);
    let document = document.ok_or(Problem::new("not-found"))?;
    if !document.previewed {
        return Err(Problem::new("page-not-renderable"));
    }
    let digest = document.document_digest.value().to_vec();
    let fetch = async { Ok(requests.document(&citizen.session, &id, position).await?) };
    app.page(&headers, digest, (page, &size), fetch).await
}

/// Approve: checked here in full except the PIN, which only the keystore can open.
#[utoipa::path(post, path = "/v1/citizen/signature-requests/{id}/approval", tag = "citizen",
    params(("id" = String, Path)), request_body = ApprovalWire,
    responses((status = 202, body = RequestWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn approve_signature_request(
    State(app): State<App>,
    citizen: Citizen,
    Path(id): Path<String>,
    Body(wire): Body<ApprovalWire>,
) -> Result<(StatusCode, Json<RequestWire>), Problem> {
    let approval = Approval {
        statement: from_base64url("statement", &wire.statement)?,
        signature: wire.signature.read()?,
        sealed_pin: wire.sealed_pin.read()?,
    };
    let view = app
        .platform
        .signing
        .requests
        .approve(&citizen.session, &parse_id(&id)?, approval)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}

/// The phone has been in front of the screen that shows the request. A third wrong try of the digits refuses the request.
#[utoipa::path(post, path = "/v1/citizen/signature-requests/{id}/opening", tag = "citizen",
    params(("id" = String, Path)), request_body = OpeningWire,
    responses((status = 200, body = RequestWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn open_signature_request(
    State(app): State<App>,
    citizen: Citizen,
    Path(id): Path<String>,
    Body(wire): Body<OpeningWire>,
) -> Result<Json<RequestWire>, Problem> {
    let opening = match (wire.proof, wire.digits) {
        (Some(proof), None) => Opening::Proof(proof),
        (None, Some(digits)) => Opening::Digits(digits),
        _ => return Err(Problem::new("body-malformed").with_field("proof", "either-or")),
    };
    let id = parse_id(&id)?;
    let requests = &app.platform.signing.requests;
    let view = requests.open(&citizen.session, &id, &opening).await?;
    Ok(Json(view.into()))
}

/// Refuse: one tap, no PIN.
#[utoipa::path(post, path = "/v1/citizen/signature-requests/{id}/refusal", tag = "citizen",
    params(("id" = String, Path)), request_body = RefusalWire,
    responses((status = 200, body = RequestWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn refuse_signature_request(
    State(app): State<App>,
    citizen: Citizen,
    Path(id): Path<String>,
    Body(refusal): Body<RefusalWire>,
) -> Result<Json<RequestWire>, Problem> {
    let id = parse_id(&id)?;
    let view = app
        .platform
        .signing
        .requests
        .refuse(&citizen.session, &id, &refusal.reason)
        .await?;
    Ok(Json(view.into()))
}

impl App {
    /// A session's token on its way to the phone: into the cookie of our own application, to anybody else in the body.
    fn session(&self, is_own: bool, status: StatusCode, opened: OpenedSession) -> Response {
        let lasts_ms = opened.session.expires_at - self.platform.store.now();
        let mut wire = SessionWire::from(opened.session);
        if is_own {
            let answer = (status, Json(wire));
            let cookies = self.cookies;
            return cookies.keep(Jar::Device, &opened.token, Some(lasts_ms), answer);
        }
        wire.token = Some(opened.token);
        (status, Json(wire)).into_response()
    }
}

impl From<ApprovalProof> for ProofWire {
    fn from(proven: ApprovalProof) -> Self {
        let line = proven.proof.line;
        let mut wire = Self {
            statement: to_base64url(&proven.statement),
            line: LineWire {
                id: line.id,
                kind: line.kind,
                subject: line.subject,
                actor: line.actor,
                detail: line.detail,
                at: line.at,
            },
            position: None,
            previous: None,
            between: None,
            checkpoint: None,
        };
        if let Some(place) = proven.proof.place {
            wire.position = Some(place.position);
            wire.previous = Some(hex::encode(place.previous));
            wire.between = Some(place.between.iter().map(hex::encode).collect());
            wire.checkpoint = Some(place.checkpoint);
        }
        wire
    }
}

impl From<Session> for SessionWire {
    fn from(session: Session) -> Self {
        Self {
            token: None,
            device: session.device.to_string(),
            credential: session.credential.to_string(),
            expires_at: session.expires_at,
        }
    }
}

impl From<Binding> for ChangeStateWire {
    fn from(binding: Binding) -> Self {
        let (state, refusal) = match binding.state {
            BindingState::Pending => ("pending", None),
            BindingState::Bound => ("bound", None),
            BindingState::Refused { code } => ("refused", Some(code)),
        };
        Self {
            id: binding.id.to_string(),
            state,
            refusal,
            tries_left: binding.tries_left,
            device: binding.device.to_string(),
        }
    }
}

impl From<kyso_signing::credential::Credential> for CredentialWire {
    fn from(credential: kyso_signing::credential::Credential) -> Self {
        Self {
            id: credential.id.to_string(),
            state: credential.state.as_str(),
            serial: credential.serial,
            not_before: credential.not_before_at,
            not_after: credential.not_after_at,
            units_left: credential.units_left,
            pin_locked: credential.pin_locked_at.is_some(),
            certificate: credential
                .certificate
                .as_deref()
                .map(super::wire::to_base64),
        }
    }
}
