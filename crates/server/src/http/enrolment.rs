//! Enrolment as the citizen's phone sees it: each call is one step, and every answer says what to do next.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kyso_registration::Error;
use kyso_registration::campaign::{Allowance, Offer, Plan};
use kyso_registration::citizen::{Channel, NewAddress, NewOwner};
use kyso_registration::enrolment::{
    CodeView, ContractSignature, EvidenceView, Kind, Start, Started, View,
};
use kyso_registration::ra::Officer;
use kyso_signing::credential::BindingIntention;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::body::{self, Body};
use super::caller::{Anyone, Enrolling, Network, Own};
use super::cookie::Jar;
use super::page::Size;
use super::wire::{DeviceKeyWire, DeviceSignatureWire, SealedPinWire, from_base64url};
use crate::problem::{Problem, ProblemDocument};

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanWire {
    code: String,
    name: String,
    name_en: String,
    /// How long it runs.
    months: i64,
    /// Signatures included; absent when unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<i64>,
    /// Price in đồng, VAT included.
    price_vnd: i64,
}

/// A campaign, as its QR shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignWire {
    code: String,
    name: String,
    plan: PlanWire,
    price_vnd: i64,
    /// Milliseconds since 1970.
    starts_at: i64,
    /// Milliseconds since 1970.
    ends_at: i64,
    /// Places left; absent without a quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    places_left: Option<i64>,
    /// Codes of the provinces and communes whose people are eligible; empty: everybody.
    area: Vec<String>,
    /// Where to get help in person.
    desk_address: String,
    desk_hours: String,
    desk_helper: String,
    hotline: String,
    /// Whether one can enrol through it now.
    open: bool,
}

/// How an enrolment begins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnrolmentWire {
    /// Code of the campaign.
    #[serde(default)]
    campaign: Option<String>,
    /// Code of the plan; may be left out with a campaign.
    #[serde(default)]
    plan: Option<String>,
    /// `vi` (default) or `en`.
    #[serde(default)]
    language: Option<String>,
}

/// The owner's data, exactly as on the card.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerWire {
    full_name: String,
    /// `cccd`.
    identity_kind: String,
    /// Twelve digits.
    identity_number: String,
    /// `yyyy-mm-dd` or `dd/mm/yyyy`.
    issue_date: String,
    issue_place: String,
    /// `yyyy-mm-dd` or `dd/mm/yyyy`.
    birth_date: String,
    /// `male` or `female`.
    sex: String,
    /// `VNM`.
    nationality: String,
    /// Ten digits from 0.
    phone: String,
    #[serde(default)]
    email: String,
    address: AddressWire,
    /// `typed`, `qr` or `qr-edited`.
    #[serde(default)]
    source: String,
}

/// Where the person lives or works: two tiers since 1 July 2025.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressWire {
    /// Two digits.
    province_code: String,
    /// Five digits.
    commune_code: String,
    /// House number, street, hamlet.
    detail: String,
    /// No longer part of an address; named only to be refused clearly.
    #[serde(default)]
    district_code: String,
}

/// Phone and e-mail alone, so that a code can be sent first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactWire {
    phone: String,
    #[serde(default)]
    email: String,
}

/// By which channel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelWire {
    /// `sms` or `email`.
    channel: String,
}

/// The code that came.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivationWire {
    /// Six digits.
    code: String,
}

/// Which enrolments to go on with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResumptionWire {
    /// The telephone number that was proved, ten digits from 0.
    phone: String,
}

/// A code is on its way, if there is somebody to send it to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResumptionWire {
    /// What the code is entered with.
    id: String,
    /// Where it goes, with its middle hidden.
    destination: String,
    /// Milliseconds since 1970.
    expires_at: i64,
    /// When the next one may be asked for.
    resend_at: i64,
}

/// The code that came, and whose enrolment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeWire {
    /// Six digits.
    code: String,
    /// The owner's twelve digits; needed once the owner is entered.
    #[serde(default)]
    identity_number: Option<String>,
}

/// The explicit act of signing the contract.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractSignatureWire {
    /// Hex SHA-256 of the PDF that was read.
    sha256: String,
    /// The sentence agreed with, exactly as it was given.
    agreement: String,
}

/// A phone and PIN to bind.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindingWire {
    /// Canonical bytes of a `kyso.binding.v1` statement, base64url.
    statement: String,
    device: DeviceKeyWire,
    signature: DeviceSignatureWire,
    /// PIN and code, one after the other (twelve digits), sealed with info `kyso.pin-and-code.v1`.
    sealed_pin: SealedPinWire,
}

/// A code on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeWire {
    channel: &'static str,
    /// With its middle hidden.
    destination: String,
    /// Milliseconds since 1970.
    expires_at: i64,
    /// When the next one may be asked for.
    resend_at: i64,
    tries_left: i64,
}

/// A photo that is stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceWire {
    /// `front`, `back` or `face`.
    kind: &'static str,
    sha256: String,
    media_type: &'static str,
    width: i64,
    height: i64,
    /// How many times it was taken.
    version: i64,
}

/// The contract in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractWire {
    number: String,
    /// Of the PDF that is read and signed.
    sha256: String,
    /// The sentence to agree with.
    agreement: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_at: Option<i64>,
    /// Whether the provider's seal is on it.
    sealed: bool,
}

/// Something to repair.
#[derive(Debug, Serialize, ToSchema)]
pub struct AskWire {
    /// A field such as `full_name`, or a photo such as `photo:front`.
    piece: String,
    /// Stable code.
    reason: &'static str,
    message_vi: &'static str,
    message_en: &'static str,
    repaired: bool,
}

/// An enrolment.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrolmentWire {
    id: String,
    /// The number to say on the telephone.
    reference: String,
    state: &'static str,
    /// What to do next, in order: `owner`, `payment`, `activation`, `photo:front`, `contract`, `submit`, …
    next: Vec<String>,
    plan: PlanWire,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    price_vnd: i64,
    /// The owner as stored, for the citizen to check.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<CodeWire>,
    evidence: Vec<EvidenceWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<ContractWire>,
    /// What an officer asked to be repaired.
    supplement: Vec<AskWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplement_until: Option<i64>,
    /// Why it was rejected or failed.
    reasons: Vec<String>,
    /// Enrolments handed in earlier that wait too.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_ahead: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    /// `pending`, `bound`, or why the binding was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<String>,
    /// The device that is bound: what the phone names to open a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// The signature request by which the acceptance is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    acceptance_request: Option<String>,
}

/// The owner as stored.
#[derive(Serialize, ToSchema)]
pub struct OwnerView {
    full_name: String,
    identity_number: String,
    /// `yyyy-mm-dd`.
    birth_date: String,
    /// `yyyy-mm-dd`.
    issue_date: String,
    sex: &'static str,
    phone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Detail, commune, province.
    address: String,
}

impl std::fmt::Debug for OwnerView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerView { .. }")
    }
}

/// An enrolment just begun.
#[derive(Serialize, ToSchema)]
pub struct StartedWire {
    /// Bearer token of this enrolment; shown once, and absent where it went into a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    enrolment: EnrolmentWire,
}

/// What a device binding statement needs. The code that goes with it is on its way to the citizen.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceChallengeWire {
    /// Good until `expires_at`, once.
    nonce: String,
    /// The credential that is being bound.
    credential: String,
    /// How the code travels: `sms` or `email`.
    channel: &'static str,
    /// Where to, with its middle hidden.
    destination: String,
    /// Milliseconds since 1970.
    expires_at: i64,
    /// When the next one may be asked for.
    resend_at: i64,
}

type Answer<T> = Result<Json<T>, Problem>;

/// The plans offered to whoever comes.
#[utoipa::path(get, path = "/v1/plans", tag = "enrolment",
    responses((status = 200, body = Vec<PlanWire>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn list_plans(State(app): State<App>, _: Anyone) -> Answer<Vec<PlanWire>> {
    Ok(Json(
        app.platform
            .registration
            .plans()
            .await?
            .into_iter()
            .map(PlanWire::from)
            .collect(),
    ))
}

/// A campaign.
#[utoipa::path(get, path = "/v1/campaigns/{code}", tag = "enrolment", params(("code" = String, Path)),
    responses((status = 200, body = CampaignWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_campaign(
    State(app): State<App>,
    _: Anyone,
    Path(code): Path<String>,
) -> Answer<CampaignWire> {
    Ok(Json(
        app.platform.registration.campaign(&code).await?.into(),
    ))
}

/// Begin an enrolment. With `x-kyso-app`, as our own application says, the token goes into a cookie.
#[utoipa::path(post, path = "/v1/enrolments", tag = "enrolment", request_body = NewEnrolmentWire,
    responses((status = 201, body = StartedWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn create_enrolment(
    State(app): State<App>,
    _: Anyone,
    Own(is_own): Own,
    Body(new): Body<NewEnrolmentWire>,
) -> Result<Response, Problem> {
    let started = app.platform.registration.start(new.start(None)).await?;
    Ok(answer_started(&app, is_own, StatusCode::CREATED, started))
}

/// The enrolment that this token opens: for a phone that has lost what it had kept but the cookie.
#[utoipa::path(get, path = "/v1/enrolments/current", tag = "enrolment",
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_current_enrolment(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Answer<EnrolmentWire> {
    Ok(Json(app.platform.registration.show(&id).await?.into()))
}

/// Leave the enrolment on this phone: the cookie is emptied. The enrolment stays as it is and goes on from any phone by a code.
#[utoipa::path(delete, path = "/v1/enrolments/current", tag = "enrolment",
    responses((status = 204), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn leave_current_enrolment(State(app): State<App>, _: Enrolling) -> Response {
    app.cookies.forget(Jar::Enrolment, StatusCode::NO_CONTENT)
}

/// Ask to go on with an enrolment from another phone: a code is sent, if there is one of this number. The answer is the same if
/// there is not.
#[utoipa::path(post, path = "/v1/enrolment-resumptions", tag = "enrolment", request_body = NewResumptionWire,
    responses((status = 202, body = ResumptionWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn create_resumption(
    State(app): State<App>,
    anyone: Anyone,
    Body(new): Body<NewResumptionWire>,
) -> Result<(StatusCode, Json<ResumptionWire>), Problem> {
    let registration = &app.platform.registration;
    let network = anyone.network.to_string();
    let asked = counted(registration.ask_to_resume(&new.phone, &network).await)?;
    let wire = ResumptionWire {
        id: asked.id.to_string(),
        destination: asked.destination,
        expires_at: asked.expires_at,
        resend_at: asked.resend_at,
    };
    Ok((StatusCode::ACCEPTED, Json(wire)))
}

/// Enter the code: answers with a new token, and the one before opens the enrolment no more. With `x-kyso-app` the token goes into
/// a cookie.
#[utoipa::path(post, path = "/v1/enrolment-resumptions/{id}/session", tag = "enrolment", params(("id" = String, Path)),
    request_body = ResumeWire,
    responses((status = 200, body = StartedWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn resume_enrolment(
    State(app): State<App>,
    _: Anyone,
    Own(is_own): Own,
    Path(id): Path<String>,
    Body(resume): Body<ResumeWire>,
) -> Result<Response, Problem> {
    // One that never was is as over as one that was used.
    let id = id.parse().map_err(|_| Problem::new("code-none"))?;
    let started = app
        .platform
        .registration
        .resume(&id, &resume.code, resume.identity_number.as_deref())
        .await?;
    Ok(answer_started(&app, is_own, StatusCode::OK, started))
}

/// Where the enrolment stands and what to do next.
#[utoipa::path(get, path = "/v1/enrolments/{id}", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_enrolment(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Answer<EnrolmentWire> {
    Ok(Json(app.platform.registration.show(&id).await?.into()))
}

/// Give phone and e-mail first, so that a code can be sent before anything else is typed.
#[utoipa::path(put, path = "/v1/enrolments/{id}/contact", tag = "enrolment", params(("id" = String, Path)),
    request_body = ContactWire,
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn put_contact(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Body(contact): Body<ContactWire>,
) -> Answer<EnrolmentWire> {
    Ok(Json(
        app.platform
            .registration
            .set_contact(&id, &contact.phone, &contact.email)
            .await?
            .into(),
    ))
}

/// Enter the owner's data; every broken rule is named at once.
#[utoipa::path(put, path = "/v1/enrolments/{id}/owner", tag = "enrolment", params(("id" = String, Path)),
    request_body = OwnerWire,
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn put_owner(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Body(owner): Body<OwnerWire>,
) -> Answer<EnrolmentWire> {
    Ok(Json(
        app.platform
            .registration
            .set_owner(&id, &owner.into())
            .await?
            .into(),
    ))
}

/// Pay what is due. Whoever has proved a telephone number holds a place of the campaign from now on; others get theirs at
/// submission, if there is one.
#[utoipa::path(post, path = "/v1/enrolments/{id}/payment", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn pay_enrolment(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Answer<EnrolmentWire> {
    Ok(Json(app.platform.registration.pay(&id).await?.into()))
}

/// Send an activation code; the one before is void.
#[utoipa::path(post, path = "/v1/enrolments/{id}/activation-codes", tag = "enrolment", params(("id" = String, Path)),
    request_body = ChannelWire,
    responses((status = 202, body = CodeWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn send_activation_code(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Network(network): Network,
    Body(wire): Body<ChannelWire>,
) -> Result<(StatusCode, Json<CodeWire>), Problem> {
    let channel = Channel::read(&wire.channel)
        .ok_or_else(|| Problem::new("body-malformed").with_field("channel", "unknown"))?;
    let registration = &app.platform.registration;
    let network = network.to_string();
    let code = counted(registration.request_code(&id, channel, &network).await)?;
    Ok((StatusCode::ACCEPTED, Json(code.into())))
}

/// Enter the activation code.
#[utoipa::path(post, path = "/v1/enrolments/{id}/activation", tag = "enrolment", params(("id" = String, Path)),
    request_body = ActivationWire,
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn activate_enrolment(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Body(activation): Body<ActivationWire>,
) -> Answer<EnrolmentWire> {
    Ok(Json(
        app.platform
            .registration
            .activate(&id, &activation.code)
            .await?
            .into(),
    ))
}

/// Store a photo: `front`, `back` or `face`. JPEG or PNG bytes as the body.
#[utoipa::path(put, path = "/v1/enrolments/{id}/evidence/{kind}", tag = "enrolment",
    params(("id" = String, Path), ("kind" = String, Path)),
    request_body(content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
    responses((status = 200, body = EvidenceWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn put_evidence(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Path((_id, kind)): Path<(String, String)>,
    request: Request,
) -> Answer<EvidenceWire> {
    let kind = Kind::read(&kind).ok_or(Problem::new("not-found"))?;
    let bytes = body::bytes(
        request,
        app.platform.loaded.config.registration.photo_bytes_max,
    )
    .await?;
    Ok(Json(
        app.platform
            .registration
            .put_photo(&id, kind, &bytes)
            .await?
            .into(),
    ))
}

/// The contract to read; with the provider's seal once it has one. `x-contract-sha256` is what is signed.
#[utoipa::path(get, path = "/v1/enrolments/{id}/contract", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_contract(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Result<Response, Problem> {
    let contract = app.platform.registration.contract(&id).await?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/pdf".to_owned()),
        ("x-contract-sha256", contract.view.sha256),
    ];
    Ok((headers, contract.pdf).into_response())
}

/// A page of the contract as a picture, counted from 1.
#[utoipa::path(get, path = "/v1/enrolments/{id}/contract/pages/{page}", tag = "enrolment",
    params(("id" = String, Path), ("page" = usize, Path), Size),
    responses((status = 200, content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg")), description = "`x-page-count`: pages of the document."), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_contract_page(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Path((_id, page)): Path<(String, usize)>,
    Query(size): Query<Size>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let contract = app.platform.registration.contract(&id).await?;
    app.own_page(&headers, contract.pdf, (page, &size)).await
}

/// Sign the contract electronically, by an explicit act.
#[utoipa::path(post, path = "/v1/enrolments/{id}/contract/signature", tag = "enrolment", params(("id" = String, Path)),
    request_body = ContractSignatureWire,
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn sign_contract(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Body(wire): Body<ContractSignatureWire>,
) -> Answer<EnrolmentWire> {
    let signature = ContractSignature {
        sha256: &wire.sha256,
        agreement: &wire.agreement,
        channel: "web",
    };
    Ok(Json(
        app.platform
            .registration
            .sign_contract(&id, signature)
            .await?
            .into(),
    ))
}

/// Hand the enrolment in for vetting; from now on no other of the same person is taken in.
#[utoipa::path(post, path = "/v1/enrolments/{id}/submission", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn submit_enrolment(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Answer<EnrolmentWire> {
    Ok(Json(app.platform.registration.submit(&id).await?.into()))
}

/// Give the enrolment up.
#[utoipa::path(delete, path = "/v1/enrolments/{id}", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn abandon_enrolment(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Answer<EnrolmentWire> {
    Ok(Json(app.platform.registration.abandon(&id).await?.into()))
}

/// A nonce for binding this phone and a PIN; the six digits that go with it are sent to the contact of the dossier.
#[utoipa::path(post, path = "/v1/enrolments/{id}/device-challenges", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 201, body = DeviceChallengeWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn create_binding_challenge(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Result<(StatusCode, Json<DeviceChallengeWire>), Problem> {
    let challenge = counted(app.platform.registration.device_challenge(&id).await)?;
    let wire = DeviceChallengeWire {
        nonce: challenge.nonce,
        credential: challenge.credential,
        channel: challenge.channel.as_str(),
        destination: challenge.destination,
        expires_at: challenge.expires_at,
        resend_at: challenge.resend_at,
    };
    Ok((StatusCode::CREATED, Json(wire)))
}

/// Bind this phone and a PIN; `binding` of the enrolment says how it went.
#[utoipa::path(put, path = "/v1/enrolments/{id}/device", tag = "enrolment", params(("id" = String, Path)),
    request_body = BindingWire,
    responses((status = 202, body = EnrolmentWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn bind_device(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Body(wire): Body<BindingWire>,
) -> Result<(StatusCode, Json<EnrolmentWire>), Problem> {
    let intention = BindingIntention {
        statement: from_base64url("statement", &wire.statement)?,
        device: wire.device.read(&app.relying_party)?,
        signature: wire.signature.read()?,
        sealed_pin: wire.sealed_pin.read()?,
        consent: None,
    };
    let view = app
        .platform
        .registration
        .bind_device(&id, intention)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(view.into())))
}

/// The acceptance record with the citizen's own signature.
#[utoipa::path(get, path = "/v1/enrolments/{id}/acceptance-record", tag = "enrolment", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_acceptance_record(
    State(app): State<App>,
    Enrolling(id): Enrolling,
) -> Result<Response, Problem> {
    let pdf = app.platform.registration.acceptance_record(&id).await?;
    Ok(([(header::CONTENT_TYPE, "application/pdf")], pdf).into_response())
}

/// A page of the acceptance record as a picture, counted from 1.
#[utoipa::path(get, path = "/v1/enrolments/{id}/acceptance-record/pages/{page}", tag = "enrolment",
    params(("id" = String, Path), ("page" = usize, Path), Size),
    responses((status = 200, content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg")), description = "`x-page-count`: pages of the document."), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_acceptance_record_page(
    State(app): State<App>,
    Enrolling(id): Enrolling,
    Path((_id, page)): Path<(String, usize)>,
    Query(size): Query<Size>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let pdf = app.platform.registration.acceptance_record(&id).await?;
    app.own_page(&headers, pdf, (page, &size)).await
}

impl App {
    /// A page of a paper of ours, which is at hand.
    async fn own_page(
        &self,
        headers: &HeaderMap,
        pdf: Vec<u8>,
        wanted: (usize, &Size),
    ) -> Result<Response, Problem> {
        let digest = digest(&SHA256, &pdf).as_ref().to_vec();
        self.page(headers, digest, wanted, async { Ok(pdf) }).await
    }
}

/// The enrolment and its token: in the body, or for our own application in a cookie.
fn answer_started(app: &App, is_own: bool, status: StatusCode, started: Started) -> Response {
    let mut wire = StartedWire::from(started);
    match wire.session.take_if(|_| is_own) {
        Some(token) => app
            .cookies
            .keep(Jar::Enrolment, &token, None, (status, Json(wire))),
        None => (status, Json(wire)).into_response(),
    }
}

/// Counts what became of somebody's wish for a code: where codes are pumped shows here first.
fn counted<T>(asked: Result<T, Error>) -> Result<T, Error> {
    let outcome = match &asked {
        Ok(_) => "accepted",
        Err(Error::CodeTooSoon { .. } | Error::CodeLimit { .. }) => "limit",
        Err(Error::MessageBudget { .. }) => "budget",
        Err(Error::Fields(_)) => "number",
        Err(_) => "refused",
    };
    metrics::counter!("kyso_codes_asked_total", "outcome" => outcome).increment(1);
    asked
}

impl NewEnrolmentWire {
    /// What registration is asked for, entered by the citizen or by a helper.
    pub(super) fn start<'a>(&'a self, entered_by: Option<&'a Officer>) -> Start<'a> {
        Start {
            campaign: self.campaign.as_deref(),
            plan: self.plan.as_deref(),
            language: self.language.as_deref(),
            entered_by,
        }
    }
}

impl From<Started> for StartedWire {
    fn from(started: Started) -> Self {
        Self {
            session: Some(started.session),
            enrolment: started.view.into(),
        }
    }
}

impl From<OwnerWire> for NewOwner {
    fn from(wire: OwnerWire) -> Self {
        Self {
            full_name: wire.full_name,
            identity_kind: wire.identity_kind,
            identity_number: wire.identity_number,
            issue_date: wire.issue_date,
            issue_place: wire.issue_place,
            birth_date: wire.birth_date,
            sex: wire.sex,
            nationality: wire.nationality,
            phone: wire.phone,
            email: wire.email,
            address: NewAddress {
                province_code: wire.address.province_code,
                commune_code: wire.address.commune_code,
                detail: wire.address.detail,
                district_code: wire.address.district_code,
            },
            source: wire.source,
        }
    }
}

impl From<Plan> for PlanWire {
    fn from(plan: Plan) -> Self {
        let units = match plan.allowance {
            Allowance::Unlimited => None,
            Allowance::Pack(units) => Some(units),
        };
        Self {
            code: plan.code,
            name: plan.name,
            name_en: plan.name_en,
            months: plan.months,
            units,
            price_vnd: plan.price_vnd,
        }
    }
}

impl From<Offer> for CampaignWire {
    fn from(offer: Offer) -> Self {
        let campaign = offer.campaign;
        Self {
            plan: offer.plan.into(),
            places_left: campaign.quota.map(|quota| (quota - offer.taken).max(0)),
            open: offer.open,
            code: campaign.code,
            name: campaign.name,
            price_vnd: campaign.price_vnd,
            starts_at: campaign.starts_at,
            ends_at: campaign.ends_at,
            area: campaign.area,
            desk_address: campaign.desk.address,
            desk_hours: campaign.desk.hours,
            desk_helper: campaign.desk.helper,
            hotline: campaign.desk.hotline,
        }
    }
}

impl From<CodeView> for CodeWire {
    fn from(code: CodeView) -> Self {
        Self {
            channel: code.channel.as_str(),
            destination: code.destination,
            expires_at: code.expires_at,
            resend_at: code.resend_at,
            tries_left: code.tries_left,
        }
    }
}

impl From<EvidenceView> for EvidenceWire {
    fn from(evidence: EvidenceView) -> Self {
        Self {
            kind: evidence.kind.as_str(),
            sha256: evidence.sha256,
            media_type: evidence.media_type,
            width: evidence.width,
            height: evidence.height,
            version: evidence.version,
        }
    }
}

impl From<kyso_registration::citizen::Owner> for OwnerView {
    fn from(owner: kyso_registration::citizen::Owner) -> Self {
        Self {
            address: owner.address.line(),
            full_name: owner.full_name,
            identity_number: owner.identity_number,
            birth_date: owner.birth_date.to_string(),
            issue_date: owner.issue_date.to_string(),
            sex: owner.sex.as_str(),
            phone: owner.phone,
            email: owner.email,
        }
    }
}

impl From<View> for EnrolmentWire {
    fn from(view: View) -> Self {
        let supplement = view.supplement.iter().map(|ask| {
            let reason = kyso_registration::vetting::Reason::of(ask.reason);
            AskWire {
                piece: ask.piece.word(),
                reason: ask.reason,
                message_vi: reason.map_or("", |reason| reason.vi),
                message_en: reason.map_or("", |reason| reason.en),
                repaired: ask.repaired,
            }
        });
        Self {
            supplement: supplement.collect(),
            id: view.id.to_string(),
            reference: view.reference,
            state: view.state.as_str(),
            next: view.next.iter().map(|step| step.code()).collect(),
            plan: view.plan.into(),
            campaign: view.campaign,
            price_vnd: view.price_vnd,
            owner: view.owner.map(OwnerView::from),
            code: view.code.map(CodeWire::from),
            evidence: view.evidence.into_iter().map(EvidenceWire::from).collect(),
            contract: view.contract.map(|contract| ContractWire {
                number: contract.number,
                sha256: contract.sha256,
                agreement: contract.agreement,
                signed_at: contract.signed_at,
                sealed: contract.sealed,
            }),
            supplement_until: view.supplement_until,
            reasons: view.reasons,
            queue_ahead: view.queue_ahead,
            credential: view.credential,
            binding: view.binding,
            device: view.device,
            acceptance_request: view.acceptance_request,
        }
    }
}
