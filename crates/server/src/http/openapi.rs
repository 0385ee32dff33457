//! The OpenAPI 3.1 document, generated from the handlers and committed as `openapi/v1.json`.
//!
//! Handlers say what they take and give; who may call stands in their extractors, which no macro reads, so the
//! security of each operation is added here by its tag. The access test holds it against the doors themselves.

use utoipa::openapi::content::Content;
use utoipa::openapi::encoding::EncodingBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::Response;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi, RefOr};

/// Security schemes by the tag of the operations they open: name, HTTP scheme, how to come by it.
const SCHEMES: &[(&str, &str, HttpAuthScheme, &str)] = &[
    (
        "enrolment",
        "enrolment",
        HttpAuthScheme::Bearer,
        "The token that `create_enrolment` or, later, `resume_enrolment` answered with; it opens that one enrolment. A browser may keep it in a cookie: see the tag.",
    ),
    (
        "citizen",
        "device",
        HttpAuthScheme::Bearer,
        "The session of a bound phone, from `create_device_session`. A browser may keep it in a cookie: see the tag.",
    ),
    (
        "portal",
        "portal",
        HttpAuthScheme::Basic,
        "Client id and secret of a portal, as `kyso portal add` printed them.",
    ),
    (
        "page",
        "page",
        HttpAuthScheme::Bearer,
        "The token that `show_signature_screen` gave the portal; it opens that one screen.",
    ),
    (
        "officer",
        "officer",
        HttpAuthScheme::Bearer,
        "The token of an officer, as `kyso officer add` printed it.",
    ),
];

/// Operations of those tags that need no caller.
const OPEN: &[&str] = &[
    "list_plans",
    "show_campaign",
    "list_administrative_units",
    "create_enrolment",
    "create_resumption",
    "resume_enrolment",
    "create_device_challenge",
    "show_approval_key",
    "create_device_session",
];

/// What each tag is about.
const TAGS: &[(&str, &str)] = &[
    (
        "portal",
        "Ask a citizen to sign, wait, fetch the signed document.",
    ),
    (
        "enrolment",
        "The phone of somebody who enrols, step by step. A page of this same origin that sends the header `x-kyso-app` is given \
         its token in an `HttpOnly` cookie (`__Host-kyso-enrolment`) instead of the body, and need not send it itself. No cookie \
         counts without that header.",
    ),
    (
        "citizen",
        "The bound phone: see what is asked, approve, refuse. Cookies as for an enrolment (`__Host-kyso-device`).",
    ),
    (
        "page",
        "A portal's page, in the browser of whoever is to sign elsewhere. `/elements/v1/kyso-sign.js` is an element that does it all.",
    ),
    ("officer", "The registration authority's desk."),
    (
        "smartca",
        "The SmartCA interface sp769 v1 for portals whose client exists already; `sp_id` and `sp_password` are the \
         client id and secret of the portal.",
    ),
];

/// The document as it is served and committed.
pub fn document() -> OpenApi {
    let (_, mut document) = super::api().split_for_parts();
    document.info = InfoBuilder::new()
        .title("kyso")
        .version("1")
        .description(Some(
            "Remote digital signatures: enrol a citizen, ask for a signature, let the phone approve it, \
             fetch the signed document. Problems are RFC 9457 documents with stable codes; the `type` of each is the \
             address of a page about it, `/errors` lists them all.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0 OR MIT")
                .identifier(Some("Apache-2.0 OR MIT"))
                .build(),
        ))
        .build();
    document.servers = Some(vec![
        ServerBuilder::new()
            .url("/")
            .description(Some("The provider that serves this document"))
            .build(),
    ]);
    document.tags = Some(
        TAGS.iter()
            .map(|(name, description)| {
                TagBuilder::new()
                    .name(*name)
                    .description(Some(*description))
                    .build()
            })
            .collect(),
    );
    let components = document.components.get_or_insert_default();
    for (_, name, scheme, description) in SCHEMES {
        let scheme = HttpBuilder::new()
            .scheme(scheme.clone())
            .description(Some(*description))
            .build();
        components
            .security_schemes
            .insert((*name).to_owned(), SecurityScheme::Http(scheme).into());
    }
    for item in document.paths.paths.values_mut() {
        operations(item).for_each(complete);
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

/// Adds what the handlers' annotations leave out: security, the parts' types, words for each response.
fn complete(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next().cloned();
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let scheme = SCHEMES
        .iter()
        .find(|(of, ..)| tag.as_deref() == Some(of) && !OPEN.contains(&id));
    operation.security = Some(
        scheme
            .map(|(_, name, ..)| SecurityRequirement::new::<_, [&str; 0], &str>(*name, []))
            .into_iter()
            .collect(),
    );
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && let Some(RefOr::T(form)) = body.content.get_mut("multipart/form-data")
    {
        encode_parts(form);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            describe(status, response);
        }
    }
}

fn encode_parts(form: &mut Content) {
    for (part, kind) in [
        ("request", "application/json"),
        ("document", "application/pdf"),
    ] {
        let encoding = EncodingBuilder::new().content_type(Some(kind)).build();
        form.encoding.insert(part.to_owned(), encoding);
    }
}

/// The specification wants words for every response.
fn describe(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        let words = match status {
            "200" => "Done.",
            "201" => "Made.",
            "202" => "Accepted; the work goes on.",
            "204" => "Done; there is nothing to say.",
            "400" => "Not understood.",
            _ => "Refused: a problem document with a stable code.",
        };
        words.clone_into(&mut response.description);
    }
}

/// The document as pretty JSON with a line feed at the end.
pub fn document_json() -> String {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
