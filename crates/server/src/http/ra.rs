//! The registration authority's desk: the queue, a dossier, the decision, and a credential's life afterwards.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kyso_pki::revocation::Reason;
use kyso_registration::enrolment::{Kind, Piece, State as EnrolmentState};
use kyso_registration::vetting::{self, Ask, Order, QueueEntry, Tab};
use kyso_registration::{EnrolmentId, ra};
use kyso_signing::CredentialId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::body::Body;
use super::caller::Officer;
use super::citizen::CredentialWire;
use super::enrolment::{EvidenceWire, NewEnrolmentWire, OwnerView, StartedWire};
use super::wire::{DeviceSignatureWire, from_base64url};
use crate::problem::{Problem, ProblemDocument};

/// Which part of the queue.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct QueueQuery {
    /// `new` (default), `mine`, `second` or `supplement`.
    #[serde(default)]
    tab: String,
    /// `oldest` (default) or `risk`.
    #[serde(default)]
    order: String,
    /// At most 200; 50 when left out.
    #[serde(default = "most_default")]
    most: usize,
}

fn most_default() -> usize {
    50
}

/// One line of the queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueEntryWire {
    id: String,
    reference: String,
    state: &'static str,
    full_name: String,
    commune: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    /// Milliseconds since 1970.
    submitted_at: i64,
    /// Higher is riskier.
    risk: i64,
    /// Why, as codes.
    flags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_by: Option<String>,
    round: i64,
}

/// Everything an officer decides on.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierWire {
    entry: QueueEntryWire,
    /// All that is decided on as one canonical text (`kyso.dossier.v1`, RFC 8785): what a console shows, and the text
    /// whose SHA-256 an approval is signed over. Photos are named by their SHA-256.
    canonical: String,
    /// Who is asking, as the statement of a decision names them.
    officer: String,
    owner: OwnerView,
    evidence: Vec<EvidenceWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract_number: Option<String>,
    decisions: Vec<DecisionWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_until: Option<i64>,
}

/// An earlier decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionWire {
    officer: String,
    verdict: &'static str,
    reasons: Vec<String>,
    round: i64,
    at: i64,
}

/// An approval, signed by the officer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedDecisionWire {
    /// Canonical bytes of a `kyso.decision.v1` statement, base64url.
    statement: String,
    /// By the key registered for the officer.
    signature: DeviceSignatureWire,
}

/// Where the enrolment is after a decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedWire {
    state: &'static str,
}

/// Why it is rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectionWire {
    /// Codes of reasons, at least one.
    reasons: Vec<String>,
}

/// What is to be repaired.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SupplementWire {
    asks: Vec<NewAskWire>,
}

/// One piece to repair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAskWire {
    /// A field such as `full_name`, or a photo such as `photo:front`.
    piece: String,
    /// Code of a reason.
    reason: String,
}

/// Why a credential is suspended or revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonWire {
    /// For a suspension `citizen-asked`, `phone-lost`, `misuse-suspected`, `data-in-doubt`, `authority-order` or `other`; for a
    /// revocation a name of RFC 5280, 5.3.1, such as `key-compromise`.
    reason: String,
}

type Answer<T> = Result<Json<T>, Problem>;

/// The queue as this officer may see it.
#[utoipa::path(get, path = "/v1/ra/enrolments", tag = "officer", params(QueueQuery),
    responses((status = 200, body = Vec<QueueEntryWire>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn list_dossiers(
    State(app): State<App>,
    Officer(officer): Officer,
    Query(query): Query<QueueQuery>,
) -> Answer<Vec<QueueEntryWire>> {
    let tab = match query.tab.as_str() {
        "" | "new" => Tab::New,
        "mine" => Tab::Mine,
        "second" => Tab::Second,
        "supplement" => Tab::Supplement,
        _ => return Err(Problem::new("query-malformed").with_field("tab", "unknown")),
    };
    let order = match query.order.as_str() {
        "" | "oldest" => Order::Oldest,
        "risk" => Order::Risk,
        _ => return Err(Problem::new("query-malformed").with_field("order", "unknown")),
    };
    let entries = app
        .platform
        .registration
        .queue(&officer, tab, order, query.most.min(200))
        .await?;
    Ok(Json(
        entries.into_iter().map(QueueEntryWire::from).collect(),
    ))
}

/// Begin an enrolment for somebody at the desk, as a helper. Its token goes on as any other's; whoever entered it never decides
/// on it.
#[utoipa::path(post, path = "/v1/ra/enrolments", tag = "officer", request_body = NewEnrolmentWire,
    responses((status = 201, body = StartedWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn create_assisted_enrolment(
    State(app): State<App>,
    Officer(officer): Officer,
    Body(new): Body<NewEnrolmentWire>,
) -> Result<(StatusCode, Json<StartedWire>), Problem> {
    let started = app
        .platform
        .registration
        .start(new.start(Some(&officer)))
        .await?;
    Ok((StatusCode::CREATED, Json(started.into())))
}

/// Open a dossier: it is locked for this officer, or the lock is renewed.
#[utoipa::path(post, path = "/v1/ra/enrolments/{id}/lock", tag = "officer", params(("id" = String, Path)),
    responses((status = 200, body = DossierWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn open_dossier(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
) -> Answer<DossierWire> {
    let id = enrolment_id(&id)?;
    let dossier = app
        .platform
        .registration
        .open_dossier(&officer, &id)
        .await?;
    Ok(Json(DossierWire::of(dossier, &officer)))
}

/// Read a dossier without locking it.
#[utoipa::path(get, path = "/v1/ra/enrolments/{id}", tag = "officer", params(("id" = String, Path)),
    responses((status = 200, body = DossierWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_dossier(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
) -> Answer<DossierWire> {
    let id = enrolment_id(&id)?;
    let dossier = app.platform.registration.dossier(&officer, &id).await?;
    Ok(Json(DossierWire::of(dossier, &officer)))
}

/// Give the lock back.
#[utoipa::path(delete, path = "/v1/ra/enrolments/{id}/lock", tag = "officer", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn release_dossier(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.platform
        .registration
        .release_dossier(&officer, &enrolment_id(&id)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A photo. The look is recorded.
#[utoipa::path(get, path = "/v1/ra/enrolments/{id}/evidence/{kind}", tag = "officer",
    params(("id" = String, Path), ("kind" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn fetch_dossier_photo(
    State(app): State<App>,
    Officer(officer): Officer,
    Path((id, kind)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = enrolment_id(&id)?;
    let kind = Kind::read(&kind).ok_or(Problem::new("not-found"))?;
    let (bytes, media_type) = app
        .platform
        .registration
        .dossier_photo(&officer, &id, kind)
        .await?;
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, bytes).into_response())
}

/// Approve the enrolment: the officer's signature over the dossier as it is now.
#[utoipa::path(post, path = "/v1/ra/enrolments/{id}/approval", tag = "officer", params(("id" = String, Path)),
    request_body = SignedDecisionWire,
    responses((status = 200, body = DecidedWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn approve_enrolment(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
    Body(decision): Body<SignedDecisionWire>,
) -> Answer<DecidedWire> {
    let id = enrolment_id(&id)?;
    let decision = vetting::SignedDecision {
        statement: from_base64url("statement", &decision.statement)?,
        signature: decision.signature.read()?,
    };
    let registration = &app.platform.registration;
    decided(registration.approve(&officer, &id, &decision).await?)
}

/// Reject the enrolment, with at least one reason.
#[utoipa::path(post, path = "/v1/ra/enrolments/{id}/rejection", tag = "officer", params(("id" = String, Path)),
    request_body = RejectionWire,
    responses((status = 200, body = DecidedWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn reject_enrolment(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
    Body(rejection): Body<RejectionWire>,
) -> Answer<DecidedWire> {
    let reasons: Vec<&str> = rejection.reasons.iter().map(String::as_str).collect();
    decided(
        app.platform
            .registration
            .reject(&officer, &enrolment_id(&id)?, &reasons)
            .await?,
    )
}

/// Send it back to the citizen for exactly these pieces.
#[utoipa::path(post, path = "/v1/ra/enrolments/{id}/supplement", tag = "officer", params(("id" = String, Path)),
    request_body = SupplementWire,
    responses((status = 200, body = DecidedWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn ask_supplement(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
    Body(supplement): Body<SupplementWire>,
) -> Answer<DecidedWire> {
    let asks = supplement
        .asks
        .iter()
        .map(NewAskWire::read)
        .collect::<Result<Vec<Ask>, Problem>>()?;
    decided(
        app.platform
            .registration
            .ask_supplement(&officer, &enrolment_id(&id)?, &asks)
            .await?,
    )
}

/// Suspend a credential: it signs nothing until resumed.
#[utoipa::path(post, path = "/v1/ra/credentials/{id}/suspension", tag = "officer", params(("id" = String, Path)),
    request_body = ReasonWire,
    responses((status = 200, body = CredentialWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn suspend_credential(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
    Body(wire): Body<ReasonWire>,
) -> Answer<CredentialWire> {
    let id = credential_id(&app, &officer, &id).await?;
    if !ra::SUSPENSION_REASONS.contains(&wire.reason.as_str()) {
        return Err(Problem::new("reason-unknown").with_field("reason", "unknown"));
    }
    let credentials = &app.platform.signing.credentials;
    credentials
        .suspend(&id, &wire.reason, &officer.id.to_string())
        .await?;
    Ok(Json(credentials.show(&id).await?.into()))
}

/// Resume a suspended credential.
#[utoipa::path(post, path = "/v1/ra/credentials/{id}/resumption", tag = "officer", params(("id" = String, Path)),
    responses((status = 200, body = CredentialWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn resume_credential(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
) -> Answer<CredentialWire> {
    let id = credential_id(&app, &officer, &id).await?;
    let credentials = &app.platform.signing.credentials;
    credentials.resume(&id, &officer.id.to_string()).await?;
    Ok(Json(credentials.show(&id).await?.into()))
}

/// Revoke a credential for good; its key is destroyed.
#[utoipa::path(post, path = "/v1/ra/credentials/{id}/revocation", tag = "officer", params(("id" = String, Path)),
    request_body = ReasonWire,
    responses((status = 200, body = CredentialWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn revoke_credential(
    State(app): State<App>,
    Officer(officer): Officer,
    Path(id): Path<String>,
    Body(wire): Body<ReasonWire>,
) -> Answer<CredentialWire> {
    let reason: Reason = wire
        .reason
        .parse()
        .map_err(|_| Problem::new("body-malformed").with_field("reason", "unknown"))?;
    let id = credential_id(&app, &officer, &id).await?;
    let credentials = &app.platform.signing.credentials;
    credentials
        .revoke(&id, reason, &officer.id.to_string())
        .await?;
    Ok(Json(credentials.show(&id).await?.into()))
}

fn enrolment_id(text: &str) -> Result<EnrolmentId, Problem> {
    text.parse().map_err(|_| Problem::new("not-found"))
}

/// The credential, if this officer may act on it at all.
async fn credential_id(
    app: &App,
    officer: &ra::Officer,
    text: &str,
) -> Result<CredentialId, Problem> {
    app.platform
        .registration
        .may_manage_credential(officer, text)
        .await?;
    text.parse().map_err(|_| Problem::new("not-found"))
}

fn decided(state: EnrolmentState) -> Answer<DecidedWire> {
    Ok(Json(DecidedWire {
        state: state.as_str(),
    }))
}

impl NewAskWire {
    fn read(&self) -> Result<Ask, Problem> {
        let refuse = |field| Problem::new("body-malformed").with_field(field, "unknown");
        let piece = Piece::read(&self.piece).ok_or_else(|| refuse("piece"))?;
        let reason = vetting::Reason::of(&self.reason)
            .ok_or_else(|| refuse("reason"))?
            .code;
        Ok(Ask { piece, reason })
    }
}

impl From<QueueEntry> for QueueEntryWire {
    fn from(entry: QueueEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            reference: entry.reference,
            state: entry.state.as_str(),
            full_name: entry.full_name,
            commune: entry.commune_name,
            campaign: entry.campaign,
            submitted_at: entry.submitted_at,
            risk: entry.risk,
            flags: entry.flags,
            locked_by: entry.locked_by.map(|id| id.to_string()),
            round: entry.round,
        }
    }
}

impl DossierWire {
    fn of(dossier: vetting::Dossier, officer: &ra::Officer) -> Self {
        let decisions = dossier.decisions.into_iter().map(|decision| DecisionWire {
            officer: decision.officer.to_string(),
            verdict: decision.verdict.as_str(),
            reasons: decision.reasons,
            round: decision.round,
            at: decision.at,
        });
        Self {
            entry: dossier.entry.into(),
            canonical: dossier.canonical,
            officer: officer.id.to_string(),
            owner: dossier.owner.into(),
            evidence: dossier
                .evidence
                .into_iter()
                .map(EvidenceWire::from)
                .collect(),
            contract_number: dossier.contract.map(|(number, _)| number),
            decisions: decisions.collect(),
            locked_until: dossier.locked_until,
        }
    }
}
