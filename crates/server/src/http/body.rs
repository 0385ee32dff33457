//! Request bodies: JSON read strictly, with the place of a fault told (RFC 6901) and never the value.
//!
//! Each body has a bound of its own, far below the server's: only documents and photos may be large.

use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::App;
use crate::problem::Problem;

/// Largest JSON body of an ordinary operation, bytes.
const JSON_BYTES_MAX: usize = 256 * 1024;

/// A JSON body of type `T`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        if !is_json {
            return Err(Problem::new("media-type-unsupported"));
        }
        Ok(Self(json(&bytes(request, JSON_BYTES_MAX).await?)?))
    }
}

/// The whole body, at most `bytes_max`; too large is told apart from broken off.
pub async fn bytes(request: Request, bytes_max: usize) -> Result<axum::body::Bytes, Problem> {
    axum::body::to_bytes(request.into_body(), bytes_max)
        .await
        .map_err(|error| {
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(at) = cause {
                if at.to_string().contains("length limit") {
                    return Problem::new("body-too-large");
                }
                cause = at.source();
            }
            Problem::new("body-malformed").because("the body broke off")
        })
}

/// Parses JSON; the problem names the place of the first fault by JSON pointer, never a value.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| misshapen(&error))?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    let place = format!("body (line {}, column {})", error.line(), error.column());
    Problem::new("body-malformed").with_field(place, "not-json")
}

fn misshapen(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if inner.classify() != serde_json::error::Category::Data {
        return not_json(inner);
    }
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } if is_plain(key) => pointer.push_str(&format!("/{key}")),
            // A name that the caller made up is repeated only if it is harmless; else its parent is named.
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    // serde tells these apart in words only; a test holds each of them.
    let message = inner.to_string();
    let fault = message.split(" `").next().unwrap_or_default();
    // Of these two the path ends at the object; the name is one of ours.
    if matches!(fault, "missing field" | "duplicate field")
        && let Some(name) = message.split('`').nth(1)
    {
        pointer.push_str(&format!("/{name}"));
    }
    let rule = match fault {
        "missing field" => "missing",
        "unknown field" => "unknown-field",
        "unknown variant" => "unknown",
        "duplicate field" => "duplicate",
        _ => "shape",
    };
    Problem::new("body-malformed").with_pointer(pointer, rule)
}

fn is_plain(key: &str) -> bool {
    (1..=64).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Outer {
        signer: Inner,
        documents: Vec<Inner>,
        kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        number: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
    }

    /// Pointer and code of the first field that is named.
    fn named(text: &str) -> (Option<String>, String) {
        let problem = json::<Outer>(text.as_bytes()).unwrap_err();
        let field = &problem.fields()[0];
        (field.pointer.clone(), field.code.clone())
    }

    #[test]
    fn every_fault_is_named_by_its_place_and_code() {
        let inner = r#"{"number":"1"}"#;
        let cases = [
            ("[]".to_owned(), Some(""), "shape"),
            ("{}".to_owned(), Some("/signer"), "missing"),
            (
                r#"{"signer":{}}"#.to_owned(),
                Some("/signer/number"),
                "missing",
            ),
            (r#"{"signer":7}"#.to_owned(), Some("/signer"), "shape"),
            (
                format!(r#"{{"signer":{inner},"documents":[{inner},{{"number":7}}]}}"#),
                Some("/documents/1/number"),
                "shape",
            ),
            (
                format!(r#"{{"signer":{inner},"documents":[{{"number":"1","nr":1}}]}}"#),
                Some("/documents/0/nr"),
                "unknown-field",
            ),
            (
                r#"{"singer":1}"#.to_owned(),
                Some("/singer"),
                "unknown-field",
            ),
            (r#"{"<script>":1}"#.to_owned(), Some(""), "unknown-field"),
            (r#"{"kind":"fancy"}"#.to_owned(), Some("/kind"), "unknown"),
            (
                format!(r#"{{"signer":{inner},"signer":{inner}}}"#),
                Some("/signer"),
                "duplicate",
            ),
            ("{".to_owned(), None, "not-json"),
            (
                format!("{}{}", "[".repeat(500), "]".repeat(500)),
                Some("/0/0"),
                "shape",
            ),
        ];
        // The last one is read as structs written as lists, and refused where text is wanted.
        for (text, pointer, code) in cases {
            assert_eq!(
                named(&text),
                (pointer.map(str::to_owned), code.to_owned()),
                "{text}"
            );
        }
        assert!(json::<Value>(b"{} x").is_err(), "nothing may follow");
    }
}
