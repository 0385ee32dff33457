//! The SmartCA interface sp769 v1, for portals whose client exists already: only the base URL changes.
//!
//! Shapes follow the published integration document and what independent clients really test. The rules that look
//! odd are deliberate: a business refusal is HTTP 200 with `status_code` in the body, because C# clients take any
//! other HTTP status for "no answer"; `message` is compared letter by letter; `data` of a waiting transaction is
//! never null, because clients reach into it. The status call names no caller and portals choose ids that can be guessed:
//! such an id is answered only to the network that asked for the transaction, to those an operator allowed the portal
//! (`kyso portal network`), or with `sp_id` and `sp_password` in the body; our own id (`tran_code`) cannot be guessed.
//! Results are held until a short retention ends. What the server refuses before a call is read (too many calls, too
//! busy) is said in this shape too ([`shape`]).

use std::borrow::Cow;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kyso_pki::algorithm::{Digest, DigestAlgorithm};
use kyso_signing::portal::Portal;
use kyso_signing::request::sp769::{
    NewTransaction, Outcome, Transaction, TransactionFile, TransactionStatus, UserCertificate,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use kyso_signing::request::sp769::Asker;

use super::caller::Anyone;
use super::wire::{from_base64, to_base64, to_instant};
use super::{App, body};

/// Largest body: fifty digests and their names need far less.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest body of a status call.
const STATUS_BYTES_MAX: usize = 4 * 1024;
/// Message of a transaction that waits for the citizen.
const WAITING: &str = "sig_wait_for_user_confirm";

/// Message for a `user_id` that nobody here has.
const NO_CERTIFICATE: &str = "SP_CREDENTIAL_INVALID: user_id has no certificate";

/// `credentials/get_certificate`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct GetCertificate {
    sp_id: String,
    sp_password: String,
    /// Identity number of the citizen.
    user_id: String,
    #[serde(default)]
    serial_number: Option<String>,
    #[serde(default)]
    transaction_id: Option<String>,
}

/// `signatures/sign`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Sign {
    sp_id: String,
    sp_password: String,
    user_id: String,
    #[serde(default)]
    transaction_id: Option<String>,
    #[serde(default)]
    transaction_desc: Option<String>,
    #[serde(default)]
    serial_number: Option<String>,
    sign_files: Vec<SignFile>,
}

/// One entry of `sign_files`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SignFile {
    /// A SHA-256 digest: 64 hex digits, or 44 characters of base64.
    data_to_be_signed: String,
    doc_id: String,
    #[serde(default)]
    file_type: String,
    #[serde(default)]
    sign_type: String,
}

/// `signatures/sign/{tran_id}/status`: existing clients send `{}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Status {
    /// With `sp_password`: the portal's own transactions are found by any of their ids, from anywhere.
    sp_id: Option<String>,
    sp_password: Option<String>,
}

/// The envelope of every answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope {
    status_code: u16,
    message: String,
    #[schema(value_type = Object)]
    data: Value,
}

/// SmartCA: the citizen's certificates.
#[utoipa::path(post, path = "/sca/sp769/v1/credentials/get_certificate", tag = "smartca", request_body = GetCertificate,
    responses((status = 200, body = Envelope), (status = 400, body = Envelope)))]
pub async fn sca_get_certificate(State(app): State<App>, _: Anyone, request: Request) -> Response {
    let asked: GetCertificate = match read(request).await {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let portal = match portal(&app, &asked.sp_id, &asked.sp_password).await {
        Ok(portal) => portal,
        Err(answer) => return *answer,
    };
    let serial = given(asked.serial_number);
    let requests = &app.platform.signing.requests;
    match requests
        .user_certificates(&portal, asked.user_id.trim(), serial.as_deref())
        .await
    {
        Ok(found) if found.is_empty() => refusal(401, NO_CERTIFICATE),
        Ok(found) => {
            let transaction_id = asked.transaction_id.unwrap_or_default();
            let certificates: Vec<Value> = found
                .iter()
                .map(|certificate| user_certificate(certificate, &transaction_id))
                .collect();
            envelope(200, "Success", json!({ "user_certificates": certificates }))
        }
        Err(error) => refused(&error),
    }
}

/// SmartCA: ask the citizen to sign digests.
#[utoipa::path(post, path = "/sca/sp769/v1/signatures/sign", tag = "smartca", request_body = Sign,
    responses((status = 200, body = Envelope), (status = 400, body = Envelope)))]
pub async fn sca_sign(State(app): State<App>, anyone: Anyone, request: Request) -> Response {
    let asked: Sign = match read(request).await {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let portal = match portal(&app, &asked.sp_id, &asked.sp_password).await {
        Ok(portal) => portal,
        Err(answer) => return *answer,
    };
    let mut files = Vec::with_capacity(asked.sign_files.len());
    for file in asked.sign_files {
        match read_file(file) {
            Ok(file) => files.push(file),
            Err(answer) => return *answer,
        }
    }
    let new = NewTransaction {
        identity_number: asked.user_id.trim().to_owned(),
        serial: given(asked.serial_number),
        transaction_id: given(asked.transaction_id).unwrap_or_default(),
        description: given(asked.transaction_desc),
        asked_from: Some(anyone.network.to_string()),
        files,
    };
    match app
        .platform
        .signing
        .requests
        .create_transaction(&portal, new)
        .await
    {
        Ok(Transaction {
            transaction_id,
            tran_code,
            ..
        }) => envelope(
            200,
            WAITING,
            json!({ "transaction_id": transaction_id, "tran_code": tran_code }),
        ),
        Err(error) => refused(&error),
    }
}

/// SmartCA: where a transaction is.
#[utoipa::path(post, path = "/sca/sp769/v1/signatures/sign/{tran_id}/status", tag = "smartca",
    params(("tran_id" = String, Path, description = "transaction_id or tran_code")), request_body = Status,
    responses((status = 200, body = Envelope)))]
pub async fn sca_status(
    State(app): State<App>,
    anyone: Anyone,
    Path(tran_id): Path<String>,
    request: Request,
) -> Response {
    // Clients send `{}`, nothing, or what they like: only credentials mean anything.
    let asked = match body::bytes(request, STATUS_BYTES_MAX).await {
        Ok(bytes) => serde_json::from_slice::<Status>(&bytes).unwrap_or_default(),
        Err(problem) => return problem.into_response(),
    };
    let portal = match (asked.sp_id, asked.sp_password) {
        (Some(id), Some(password)) => {
            let portals = &app.platform.signing.portals;
            match portals.authenticate(&id, &password).await {
                Ok(portal) => Some(portal),
                Err(error) => return refused_status(&error),
            }
        }
        _ => None,
    };
    let asker = portal
        .as_ref()
        .map_or(Asker::Network(anyone.network), Asker::Portal);
    match app
        .platform
        .signing
        .requests
        .transaction_status(tran_id.trim(), asker)
        .await
    {
        Ok(status) => status_answer(status),
        Err(error) => refused_status(&error),
    }
}

fn status_answer(status: TransactionStatus) -> Response {
    let (message, signatures) = match status.outcome {
        Outcome::Waiting => (WAITING, Value::Null),
        Outcome::Rejected => ("REJECTED by the citizen", Value::Null),
        Outcome::Expired => ("EXPIRED before the citizen confirmed", Value::Null),
        Outcome::Failed => ("FAILED: the signature could not be made", Value::Null),
        Outcome::Signed(files) => {
            let signatures: Vec<Value> = files
                .iter()
                .map(|file| {
                    json!({
                        "doc_id": file.doc_id,
                        "signature_value": to_base64(&file.signature),
                        "timestamp_signature": null,
                    })
                })
                .collect();
            ("SUCCESS", Value::Array(signatures))
        }
    };
    envelope(
        200,
        message,
        json!({ "transaction_id": status.transaction_id, "signatures": signatures }),
    )
}

fn user_certificate(certificate: &UserCertificate, transaction_id: &str) -> Value {
    json!({
        "service_type": "SMARTCA",
        "service_name": "SMARTCA PERSONAL PRO",
        "cert_id": certificate.credential.to_string(),
        "cert_status": "Đang hoạt động",
        "serial_number": certificate.serial,
        "cert_subject": certificate.subject,
        "cert_valid_from": to_instant(certificate.not_before_at),
        "cert_valid_to": to_instant(certificate.not_after_at),
        "cert_data": to_base64(&certificate.certificate),
        "chain_data": {
            "ca_cert": certificate.chain.first().map(|der| to_base64(der)),
            "root_cert": certificate.chain.get(1).map(|der| to_base64(der)),
        },
        "transaction_id": transaction_id,
    })
}

/// A digest as clients send it: hex of either case or base64, with stray white space around.
fn read_file(file: SignFile) -> Result<TransactionFile, Box<Response>> {
    if file.sign_type.trim().eq_ignore_ascii_case("file") {
        return Err(Box::new(refusal(
            400,
            "BAD_REQUEST: sign_type must be hash",
        )));
    }
    let text = file.data_to_be_signed.trim();
    let value = match text.len() {
        44 => from_base64("data_to_be_signed", text).ok(),
        _ => hex::decode(text).ok(),
    };
    let digest = value.and_then(|value| Digest::new(DigestAlgorithm::Sha256, value).ok());
    match digest {
        Some(digest) => Ok(TransactionFile {
            doc_id: file.doc_id,
            file_type: file.file_type,
            digest,
        }),
        None => Err(Box::new(malformed(
            "data_to_be_signed must be a SHA-256 digest in hex or base64",
        ))),
    }
}

async fn portal(app: &App, sp_id: &str, sp_password: &str) -> Result<Portal, Box<Response>> {
    app.platform
        .signing
        .portals
        .authenticate(sp_id, sp_password)
        .await
        .map_err(|e| Box::new(refused(&e)))
}

async fn read<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, Box<Response>> {
    let bytes = body::bytes(request, BODY_BYTES_MAX)
        .await
        .map_err(|problem| Box::new(problem.into_response()))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Box::new(malformed(&format!(
            "the body is not the JSON of this call ({place})"
        )))
    })
}

/// Puts what the layers around the calls refuse into the envelope: too many calls and faults of ours under HTTP 200, what is
/// malformed under HTTP 400, as [`refusal`] and [`malformed`] do. A poller finds `data.signatures` null and asks again.
pub async fn shape(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with("/sca/") {
        return next.run(request).await;
    }
    let data = match path.ends_with("/status") {
        true => json!({ "signatures": null }),
        false => Value::Null,
    };
    let answer = next.run(request).await;
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "application/problem+json") {
        return answer;
    }
    let (http, status_code, message) = match answer.status() {
        StatusCode::NOT_FOUND => return answer,
        StatusCode::TOO_MANY_REQUESTS => (200, 400, "BAD_REQUEST: too many calls, try again later"),
        status if status.is_server_error() => (200, 500, "SERVAR_INTERNAL_ERROR"),
        _ => (400, 400, "BAD_REQUEST: the call cannot be read"),
    };
    let mut shaped = envelope(status_code, message, data);
    *shaped.status_mut() = StatusCode::from_u16(http).unwrap_or_default();
    if let Some(seconds) = answer.headers().get(header::RETRY_AFTER) {
        let seconds = seconds.clone();
        shaped.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    shaped
}

/// An optional text, with empty and blank taken as not given.
fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// What our refusals are called in this interface.
fn words(error: &kyso_signing::Error) -> (u16, Cow<'static, str>) {
    use kyso_signing::Error as E;
    match error {
        E::PortalCredentials => (401, "SP_CREDENTIAL_INVALID: sp_id or sp_password".into()),
        E::PortalScope { .. } => {
            let said = "SP_CREDENTIAL_INVALID: this interface is not open to sp_id";
            (401, said.into())
        }
        E::SignerUnknown => (401, NO_CERTIFICATE.into()),
        E::CredentialState { .. }
        | E::PinLocked
        | E::CredentialUnbound
        | E::UnitsExhausted { .. } => (403, "CREDENTIAL_STATUS_INVALID".into()),
        E::TooManyPending { .. } => {
            let said = "BAD_REQUEST: too many transactions wait for user_id";
            (400, said.into())
        }
        E::TransactionTaken => (400, "BAD_REQUEST: transaction_id is in use".into()),
        E::NotFound { .. } => (400, "BAD_REQUEST: transaction not found".into()),
        E::DocumentCount { most, .. } => {
            let said = format!("BAD_REQUEST: sign_files must hold 1 to {most} entries");
            (400, said.into())
        }
        E::DocumentName { position } => {
            let said = format!("BAD_REQUEST: sign_files[{position}].doc_id");
            (400, said.into())
        }
        E::Unacceptable { field, .. } => (400, format!("BAD_REQUEST: {field}").into()),
        E::DigestUnsuited { position } => {
            let said = format!("BAD_REQUEST: sign_files[{position}].data_to_be_signed");
            (400, said.into())
        }
        other => {
            tracing::error!(error = %other, instance = super::correlation::current(), "sp769 call failed");
            (500, "SERVAR_INTERNAL_ERROR".into())
        }
    }
}

/// A refusal in the envelope, without data.
fn refused(error: &kyso_signing::Error) -> Response {
    let (status_code, message) = words(error);
    refusal(status_code, &message)
}

/// As [`refused`], for clients that reach into `data.signatures` before they look at the code.
fn refused_status(error: &kyso_signing::Error) -> Response {
    let (status_code, message) = words(error);
    envelope(status_code, &message, json!({ "signatures": null }))
}

fn refusal(status_code: u16, message: &str) -> Response {
    envelope(status_code, message, Value::Null)
}

fn malformed(message: &str) -> Response {
    let body = Envelope {
        status_code: 400,
        message: format!("BAD_REQUEST: {message}"),
        data: Value::Null,
    };
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn envelope(status_code: u16, message: &str, data: Value) -> Response {
    Json(Envelope {
        status_code,
        message: message.to_owned(),
        data,
    })
    .into_response()
}
