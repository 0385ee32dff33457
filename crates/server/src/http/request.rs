//! Signature requests as portals see them: create, look, fetch the signed document, take back.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kyso_signing::RequestId;
use kyso_signing::request::{Idempotency, NewDocument, NewRequest, Place, Signer};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use tokio::sync::SemaphorePermit;

use super::caller::Portal;
use super::wire::{DigestWire, RequestWire, from_base64};
use super::{App, body};
use crate::problem::{Problem, ProblemDocument};

/// Whom the portal asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignerWire {
    /// The citizen's identity number, twelve digits.
    identity_number: String,
    /// Hex serial of one certificate, when the portal insists on it.
    #[serde(default)]
    serial: Option<String>,
}

/// One thing to sign: a PDF (preferred) or a digest (blind, only for portals that may).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDocumentWire {
    /// Shown to the citizen.
    name: String,
    /// A whole PDF in base64. Left out in a multipart request, where the parts named `document` follow in order.
    #[serde(default)]
    content: Option<String>,
    /// A digest made by the portal.
    #[serde(default)]
    digest: Option<DigestWire>,
    /// Where the visible mark goes; left out: the lower right corner of the last page.
    #[serde(default)]
    mark: Option<PlaceWire>,
}

/// The lower left corner of the visible mark (220 × 70 points), in points from that of the displayed page.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceWire {
    /// From 1.
    page: u32,
    left: f32,
    bottom: f32,
}

/// What a portal asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequestWire {
    signer: SignerWire,
    #[serde(deserialize_with = "documents")]
    documents: Vec<NewDocumentWire>,
    /// At most 500 characters, shown to the citizen.
    #[serde(default)]
    description: Option<String>,
    /// Where the citizen's browser goes afterwards.
    #[serde(default)]
    return_url: Option<String>,
    /// How long the citizen has, in seconds.
    #[serde(default)]
    expires_in_seconds: Option<u32>,
    /// The portal shows the request on a screen (`GET …/{id}/screen`): it can be approved only by a phone that was in front of it,
    /// which read the code, followed the link, or whose owner typed the two digits. Left out: by whoever finds it in their list.
    #[serde(default)]
    on_screen: bool,
}

/// The same in parts, so that documents need no base64.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "read part by part; this is how OpenAPI describes them"
)]
pub struct NewRequestParts {
    /// The first part, JSON; its documents have no `content`.
    request: NewRequestWire,
    /// One part for each document without a digest, in order.
    #[schema(value_type = Vec<String>, format = Binary, required = false)]
    document: Vec<Vec<u8>>,
}

/// Entries of `documents` that are read at all: far above any limit on documents, far below what fills the memory.
const DOCUMENTS_READ_MAX: usize = 200_000;

/// Reads `documents`, and stops where nobody means it any more.
fn documents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NewDocumentWire>, D::Error> {
    struct Bounded;

    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<NewDocumentWire>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {DOCUMENTS_READ_MAX} documents")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut read = Vec::new();
            while let Some(document) = list.next_element()? {
                if read.len() == DOCUMENTS_READ_MAX {
                    return Err(serde::de::Error::invalid_length(read.len() + 1, &self));
                }
                read.push(document);
            }
            Ok(read)
        }
    }

    deserializer.deserialize_seq(Bounded)
}

/// `wait`: how many seconds to hold the answer until the request moves.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct Wait {
    /// At most 25.
    #[serde(default)]
    wait: u64,
}

/// How long a wait goes on without looking: this process hears of its own results at once, of another node's it does not.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Ask a citizen to sign documents.
#[utoipa::path(post, path = "/v1/signature-requests", tag = "portal",
    request_body(content((NewRequestWire = "application/json"), (NewRequestParts = "multipart/form-data"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = RequestWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn create_signature_request(
    State(app): State<App>,
    Portal(portal): Portal,
    request: Request,
) -> Result<Response, Problem> {
    let key = idempotency_key(request.headers())?;
    let _room = room_for(&app, request.headers())?;
    let (mut new, body_digest) = read_new_request(&app, request).await?;
    new.idempotency = key.map(|key| Idempotency { key, body_digest });
    let view = app.platform.signing.requests.create(&portal, new).await?;
    let location = format!("/v1/signature-requests/{}", view.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(RequestWire::from(view)),
    )
        .into_response())
}

/// The request and its state; with `wait`, answered when it moves. When too many wait already, or the server stops, it is answered
/// at once, with `Retry-After`.
#[utoipa::path(get, path = "/v1/signature-requests/{id}", tag = "portal", params(("id" = String, Path), Wait),
    responses((status = 200, body = RequestWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_signature_request(
    State(app): State<App>,
    Portal(portal): Portal,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let may_wait = wait.wait == 0 || hold(&app, &portal, id, wait.wait.min(25) as i64).await?;
    let requests = &app.platform.signing.requests;
    let answer = Json(RequestWire::from(requests.of_portal(&portal, &id).await?));
    let soon = [(header::RETRY_AFTER, "2")];
    Ok(match may_wait {
        true => answer.into_response(),
        false => (soon, answer).into_response(),
    })
}

/// Returns when the request has moved, or after these seconds; `false` if there is no room to wait, or no longer.
async fn hold(
    app: &App,
    portal: &kyso_signing::portal::Portal,
    id: RequestId,
    seconds: i64,
) -> Result<bool, Problem> {
    let requests = &app.platform.signing.requests;
    let mut listener = requests.listen(id);
    let began = requests.state_of_portal(portal, &id).await?;
    if began.is_final() {
        return Ok(true);
    }
    let Some(_place) = app.waits.enter(portal.id, true) else {
        metrics::counter!("kyso_http_waits_refused_total").increment(1);
        return Ok(false);
    };
    let now = || app.platform.store.now();
    let until = now() + seconds * 1000;
    while now() < until {
        if *app.stopped.borrow() {
            return Ok(false);
        }
        listener.wait(LOOK_AGAIN).await;
        if requests.state_of_portal(portal, &id).await? != began {
            break;
        }
    }
    Ok(true)
}

/// The signed PDF: the bytes that were sent, with the signature appended.
#[utoipa::path(get, path = "/v1/signature-requests/{id}/documents/{position}", tag = "portal",
    params(("id" = String, Path), ("position" = usize, Path, description = "from 0")),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn fetch_signed_document(
    State(app): State<App>,
    Portal(portal): Portal,
    Path((id, position)): Path<(String, usize)>,
) -> Result<Response, Problem> {
    let bytes = app
        .platform
        .signing
        .requests
        .signed_document(&portal, &parse_id(&id)?, position)
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/pdf")], bytes).into_response())
}

/// Take a request back that the citizen has not answered.
#[utoipa::path(post, path = "/v1/signature-requests/{id}/withdrawal", tag = "portal", params(("id" = String, Path)),
    responses((status = 200, body = RequestWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn withdraw_signature_request(
    State(app): State<App>,
    Portal(portal): Portal,
    Path(id): Path<String>,
) -> Result<Json<RequestWire>, Problem> {
    Ok(Json(
        app.platform
            .signing
            .requests
            .withdraw(&portal, &parse_id(&id)?)
            .await?
            .into(),
    ))
}

/// A request id; one of another shape is as unknown as one that does not exist.
pub fn parse_id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new("not-found"))
}

/// Room for a body of the length that is announced, or of the longest there may be: together they are bounded, so that portals
/// which send much at once do not fill the memory.
fn room_for<'a>(app: &'a App, headers: &HeaderMap) -> Result<SemaphorePermit<'a>, Problem> {
    let most = app.platform.loaded.config.server.body_bytes_max;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = announced.unwrap_or(most);
    if bytes > most {
        return Err(Problem::new("body-too-large"));
    }
    let kilobytes = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
    let room = app.room.try_acquire_many(kilobytes);
    room.map_err(|_| Problem::new("overloaded").retry_after(2))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let refuse = || Problem::new("body-malformed").with_field("Idempotency-Key", "visible-ascii");
    let key = value.to_str().map_err(|_| refuse())?;
    let fits = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        Ok(Some(key.to_owned()))
    } else {
        Err(refuse())
    }
}

async fn read_new_request(app: &App, request: Request) -> Result<(NewRequest, [u8; 32]), Problem> {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    if kind.starts_with("multipart/form-data") {
        return read_multipart(app, request).await;
    }
    if !kind.starts_with("application/json") {
        return Err(Problem::new("media-type-unsupported"));
    }
    let bytes = body::bytes(request, app.platform.loaded.config.server.body_bytes_max).await?;
    let wire: NewRequestWire = body::json(&bytes)?;
    Ok((wire.read(Vec::new())?, sha256(&[&bytes])))
}

/// Parts named `document` that are read at all.
const DOCUMENT_PARTS_MAX: usize = 1000;

/// One part named `request` (JSON), then one part named `document` for each PDF, in order.
async fn read_multipart(app: &App, request: Request) -> Result<(NewRequest, [u8; 32]), Problem> {
    let malformed = || Problem::new("body-malformed").with_field("multipart", "shape");
    let mut parts = Multipart::from_request(request, app)
        .await
        .map_err(|_| malformed())?;
    let mut wire: Option<(NewRequestWire, Vec<u8>)> = None;
    let mut files = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| malformed())? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part
            .bytes()
            .await
            .map_err(|_| Problem::new("body-too-large"))?;
        match name.as_str() {
            "request" if wire.is_none() => wire = Some((body::json(&bytes)?, bytes.to_vec())),
            "document" if files.len() < DOCUMENT_PARTS_MAX => files.push(bytes.to_vec()),
            _ => return Err(malformed()),
        }
    }
    let (wire, json) = wire.ok_or_else(malformed)?;
    let mut hashed: Vec<&[u8]> = vec![&json];
    hashed.extend(files.iter().map(Vec::as_slice));
    let digest = sha256(&hashed);
    Ok((wire.read(files)?, digest))
}

/// SHA-256 over each piece's length and bytes, so that pieces cannot be shifted into each other.
fn sha256(pieces: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for piece in pieces {
        context.update(&(piece.len() as u64).to_be_bytes());
        context.update(piece);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

impl NewRequestWire {
    fn read(self, files: Vec<Vec<u8>>) -> Result<NewRequest, Problem> {
        let mut files = files.into_iter();
        let mut documents = Vec::with_capacity(self.documents.len());
        for (position, document) in self.documents.into_iter().enumerate() {
            documents.push(document.read(position, &mut files)?);
        }
        if files.next().is_some() {
            return Err(
                Problem::new("body-malformed").with_field("multipart", "too-many-documents")
            );
        }
        Ok(NewRequest {
            signer: Signer {
                identity_number: self.signer.identity_number,
                serial: self.signer.serial,
            },
            documents,
            description: self.description,
            return_url: self.return_url,
            idempotency: None,
            expires_in_ms: self
                .expires_in_seconds
                .map(|seconds| i64::from(seconds) * 1000),
            on_screen: self.on_screen,
        })
    }
}

impl NewDocumentWire {
    fn read(
        self,
        position: usize,
        files: &mut impl Iterator<Item = Vec<u8>>,
    ) -> Result<NewDocument, Problem> {
        let field = |key: &str| format!("documents[{position}].{key}");
        let place = self.mark.map(|mark| Place {
            page: mark.page,
            left: mark.left,
            bottom: mark.bottom,
        });
        match (self.content, self.digest) {
            (Some(_), Some(_)) => {
                Err(Problem::new("body-malformed").with_field(field("digest"), "either-or"))
            }
            (None, Some(digest)) => Ok(NewDocument::Digest {
                name: self.name,
                digest: digest.read(&field("digest"))?,
            }),
            (Some(content), None) => Ok(NewDocument::Pdf {
                name: self.name,
                bytes: from_base64(&field("content"), &content)?,
                place,
            }),
            (None, None) => match files.next() {
                Some(bytes) => Ok(NewDocument::Pdf {
                    name: self.name,
                    bytes,
                    place,
                }),
                None => Err(Problem::new("body-malformed").with_field(field("content"), "missing")),
            },
        }
    }
}
