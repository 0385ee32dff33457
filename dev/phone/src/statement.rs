//! The statements a phone signs, as canonical JSON (RFC 8785): sorted keys, no spaces, only texts and integers.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

/// How long an approval stays good, ms.
const LIFETIME_MS: i64 = 240_000;

/// Binds this device to the credential of an enrolment.
pub fn binding(enrolment: &str, device_key: &str, nonce: &str, now: i64) -> Vec<u8> {
    canonical(&json!({
        "type": "kyso.binding.v1",
        "purpose": "enrol",
        "enrolment": enrolment,
        "device_key": device_key,
        "nonce": nonce,
        "issued_at": now,
        "expires_at": now + LIFETIME_MS,
    }))
}

/// Binds a device to a credential in place of what is in force. `purpose`: `change-device` or `change-pin`.
pub fn change(purpose: &str, credential: &str, device_key: &str, nonce: &str, now: i64) -> Vec<u8> {
    canonical(&json!({
        "type": "kyso.binding.v1",
        "purpose": purpose,
        "credential": credential,
        "device_key": device_key,
        "nonce": nonce,
        "issued_at": now,
        "expires_at": now + LIFETIME_MS,
    }))
}

/// Opens a session.
pub fn session(device: &str, nonce: &str, now: i64) -> Vec<u8> {
    canonical(
        &json!({ "type": "kyso.session.v1", "device": device, "nonce": nonce, "issued_at": now }),
    )
}

/// Approves a request as the server showed it. `channel`: `same-device`, `qr` or `push`.
pub fn approval(request: &Value, channel: &str, now: i64) -> Vec<u8> {
    let none = Vec::new();
    let documents = request["documents"].as_array().unwrap_or(&none);
    let stated: Vec<Value> = documents
        .iter()
        .map(|document| {
            json!({
                "name": document["name"],
                "document_digest": document["document_digest"]["value"],
                "to_be_signed": document["to_be_signed"]["value"],
                "digest_algorithm": document["to_be_signed"]["algorithm"],
                "preview": document["preview"],
            })
        })
        .collect();
    canonical(&json!({
        "type": "kyso.approval.v1",
        "version": 1,
        "request": request["id"],
        "credential": request["credential"],
        "portal": request["portal"],
        "count": stated.len(),
        "documents": stated,
        "code": request["code"],
        "channel": channel,
        "nonce": request["nonce"],
        "issued_at": now,
        "expires_at": now + LIFETIME_MS,
    }))
}

/// Approves an enrolment: `stated` is the dossier that the text `canonical` says.
pub fn decision(stated: &Value, canonical: &str, officer: &Value, now: i64) -> Vec<u8> {
    self::canonical(&json!({
        "type": "kyso.decision.v1",
        "verdict": "approve",
        "enrolment": stated["enrolment"],
        "round": stated["round"],
        "officer": officer,
        "dossier": hex::encode(digest(&SHA256, canonical.as_bytes())),
        "issued_at": now,
    }))
}

/// RFC 8785 for what occurs here: names sorted by UTF-16 code units (section 3.2.3), no spaces, integers in plain digits,
/// strings as ECMAScript writes them (section 3.2.2.2), which is how `serde_json` does.
fn canonical(value: &Value) -> Vec<u8> {
    let mut written = String::new();
    write(value, &mut written);
    written.into_bytes()
}

fn write(value: &Value, written: &mut String) {
    match value {
        Value::Object(members) => {
            // Not left to the map: whether it sorts depends on a feature another crate may switch on.
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_by_key(|name| name.encode_utf16().collect::<Vec<_>>());
            written.push('{');
            for (index, name) in names.into_iter().enumerate() {
                if index > 0 {
                    written.push(',');
                }
                written.push_str(&Value::from(name.as_str()).to_string());
                written.push(':');
                write(&members[name], written);
            }
            written.push('}');
        }
        Value::Array(entries) => {
            written.push('[');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    written.push(',');
                }
                write(entry, written);
            }
            written.push(']');
        }
        scalar => written.push_str(&scalar.to_string()),
    }
}

/// The document code that a portal and a phone show side by side: the first 40 bits of SHA-256 over the documents'
/// digests in order, in Crockford's base 32, grouped by four. `None` when a digest is not hex.
pub fn document_code(request: &Value) -> Option<String> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut digests = Vec::new();
    for document in request["documents"].as_array()? {
        digests.extend(hex::decode(document["document_digest"]["value"].as_str()?).ok()?);
    }
    let whole = digest(&SHA256, &digests);
    let bits = whole.as_ref()[..5]
        .iter()
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let letter = |group: u32| char::from(ALPHABET[(bits >> (5 * group)) as usize & 31]);
    let half = |groups: std::ops::Range<u32>| groups.rev().map(letter).collect::<String>();
    Some(format!("{}-{}", half(4..8), half(0..4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_has_exactly_these_bytes() {
        assert_eq!(
            String::from_utf8(binding("enr_1", "__4", "n", 1)).unwrap(),
            r#"{"device_key":"__4","enrolment":"enr_1","expires_at":240001,"issued_at":1,"nonce":"n","purpose":"enrol","type":"kyso.binding.v1"}"#
        );
    }

    #[test]
    fn an_approval_has_exactly_these_bytes() {
        let request = json!({
            "id": "req_1", "credential": "cred_1", "portal": "portal_1", "code": "7K4Q-0000", "nonce": "n0",
            "documents": [{
                "name": "Tờ khai \"A\"\n\u{f}/€.pdf", "preview": "previewed",
                "document_digest": { "algorithm": "sha-256", "value": "ab" },
                "to_be_signed": { "algorithm": "sha-384", "value": "cd" },
            }],
        });
        assert_eq!(
            String::from_utf8(approval(&request, "qr", 1_000)).unwrap(),
            concat!(
                r#"{"channel":"qr","code":"7K4Q-0000","count":1,"credential":"cred_1","documents":["#,
                r#"{"digest_algorithm":"sha-384","document_digest":"ab","name":"Tờ khai \"A\"\n\u000f/€.pdf","#,
                r#""preview":"previewed","to_be_signed":"cd"}],"expires_at":241000,"issued_at":1000,"nonce":"n0","#,
                r#""portal":"portal_1","request":"req_1","type":"kyso.approval.v1","version":1}"#
            )
        );
    }

    #[test]
    fn a_session_has_exactly_these_bytes() {
        assert_eq!(
            String::from_utf8(session("dev_1", "n", 1)).unwrap(),
            r#"{"device":"dev_1","issued_at":1,"nonce":"n","type":"kyso.session.v1"}"#
        );
    }

    #[test]
    fn a_decision_has_exactly_these_bytes() {
        // printf '{}' | sha256sum
        let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let stated = json!({ "enrolment": "enr_1", "round": 1 });
        assert_eq!(
            String::from_utf8(decision(&stated, "{}", &json!("ofc_1"), 1)).unwrap(),
            format!(
                r#"{{"dossier":"{digest}","enrolment":"enr_1","issued_at":1,"officer":"ofc_1","round":1,"type":"kyso.decision.v1","verdict":"approve"}}"#
            )
        );
    }

    #[test]
    fn the_document_code_follows_from_the_digests() {
        // printf abcd | xxd -r -p | sha256sum = 123d4c7ef2d1600a1b3a0f6addc60a10f05a3495c9409f2ecbf4cc095d000a6b
        let request = json!({ "documents": [
            { "document_digest": { "value": "ab" } }, { "document_digest": { "value": "cd" } },
        ] });
        assert_eq!(document_code(&request).as_deref(), Some("28YM-RZQJ"));
        assert_eq!(
            document_code(&json!({ "documents": [{ "document_digest": { "value": "xy" } }] })),
            None
        );
        assert_eq!(document_code(&json!({})), None);
    }
}
