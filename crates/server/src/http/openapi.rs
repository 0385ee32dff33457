//! The OpenAPI 3.1 document, generated from the handlers and committed as `openapi/v1.json`.

use utoipa::openapi::OpenApi;
use utoipa::openapi::info::{Contact, InfoBuilder};

/// The document as it is served and committed.
pub fn document() -> OpenApi {
    let (_, mut document) = super::api().split_for_parts();
    document.info = InfoBuilder::new()
        .title("kyso")
        .version("1")
        .description(Some(
            "Remote digital signatures: enrol a citizen, ask for a signature, let the phone approve it, \
             fetch the signed document. Problems are RFC 9457 documents with stable codes (docs/errors.md).",
        ))
        .contact(Some(Contact::new()))
        .build();
    document
}

/// The document as pretty JSON with a line feed at the end.
pub fn document_json() -> String {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
