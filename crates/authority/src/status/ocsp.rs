//! The OCSP responder (RFC 6960, RFC 5019 for caching, RFC 9654 for nonces).
//!
//! Answers *good* only of certificates that were issued: reserved or never heard of is *unknown* (DigiNotar's lesson). Signed by a
//! key that the issuing authority delegated to and that can do nothing else.
//!
//! An answer needs one read by a unique index and one signature. Reading through, instead of a snapshot, makes a revocation visible
//! at the moment of its commit, on every node.

use kyso_keystore::Keystore;
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::ocsp::{self, Answer, CertId, Failure, Request, ResponseTemplate, Status};
use kyso_pki::revocation::Reason;
use kyso_store::failpoint;

use super::state::whole_second;
use super::table;
use crate::known::KnownIssuer;
use crate::revocation::Standing;
use crate::{Authority, Error, Result};

/// Most certificates one request may ask about. Clients ask about one; more is a chain's worth at best.
pub const QUESTIONS_MAX: usize = 16;

/// An OCSP response, successful or not; always sent with HTTP 200 and `application/ocsp-response`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// DER OCSPResponse.
    pub der: Vec<u8>,
    /// Until when a cache may keep it: `nextUpdate`, or none for an error or an answer to a nonce.
    pub cache_until: Option<i64>,
    /// How many serials were asked about that we never issued: an alarm when it is not zero (reliability: DigiNotar).
    pub unknown: usize,
    /// For metrics: `good`, `revoked`, `unknown`, `mixed`, `malformed`, `unauthorized`, `try-later`, `internal`.
    pub outcome: &'static str,
}

impl Authority {
    /// Answers a request (RFC 6960) in the name of the issuing authority, signed by its delegated responder. Never fails: what
    /// cannot be answered is an OCSP error.
    pub async fn answer(&self, keys: &Keystore, request: &[u8], now: i64) -> Response {
        match self.try_answer(keys, request, now).await {
            Ok(response) => response,
            Err(error) => {
                let failure = if is_passing(&error) {
                    Failure::TryLater
                } else {
                    Failure::Internal
                };
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "OCSP request not answered"
                );
                refusal(failure)
            }
        }
    }

    async fn try_answer(&self, keys: &Keystore, request: &[u8], now: i64) -> Result<Response> {
        let request = match Request::from_der(request) {
            Ok(request) if (1..=QUESTIONS_MAX).contains(&request.ids.len()) => request,
            _ => return Ok(refusal(Failure::Malformed)),
        };
        // RFC 6960 2.3: unauthorized is for whom we cannot answer with authority; one foreign name spoils the whole request,
        // because one signature covers all answers.
        let known = self.known().await?;
        let ours = |issuer: &&KnownIssuer| {
            request
                .ids
                .iter()
                .all(|id| id.is_issued_by(&issuer.certificate))
        };
        let Some((issuer, responder)) = known
            .issuers
            .iter()
            .find(ours)
            .and_then(|issuer| Some((issuer, issuer.responder.as_ref()?)))
        else {
            return Ok(refusal(Failure::Unauthorized));
        };
        let Some(certificate) = &responder.certificate else {
            return Ok(refusal(Failure::Internal));
        };
        if certificate.check_valid_at(now).is_err() {
            tracing::error!(
                responder = responder.label,
                "the OCSP responder's certificate {} is not valid now",
                responder.label
            );
            return Ok(refusal(Failure::TryLater));
        }

        let this_update = whole_second(now);
        let life_ms = i64::from(self.config().ocsp_minutes.max(1)) * 60_000;
        let next_update = (this_update + life_ms).min(certificate.not_after());
        let nonce = request.nonce;
        let answers = self
            .answers(issuer, request.ids, (this_update, next_update))
            .await?;
        let unknown = answers
            .iter()
            .filter(|answer| answer.status == Status::Unknown)
            .count();
        let outcome = outcome(&answers);
        let cache_until = nonce.is_none().then_some(next_update);
        let template = ResponseTemplate {
            responder: certificate,
            produced_at: this_update,
            answers,
            nonce,
        };
        let der = self.sign_answers(keys, &responder.label, &template).await?;
        Ok(Response {
            der,
            cache_until,
            unknown,
            outcome,
        })
    }

    /// What is to be said about each certificate asked about.
    async fn answers(
        &self,
        issuer: &KnownIssuer,
        ids: Vec<CertId>,
        (this_update, next_update): (i64, i64),
    ) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            let standing = table::of_serial(self.store(), issuer.id, id.serial()).await?;
            let status = status_of(standing);
            if status == Status::Unknown {
                tracing::warn!(serial = %id.serial(), "OCSP asked about serial {} which was never issued", id.serial());
            }
            answers.push(Answer {
                id,
                status,
                this_update,
                next_update: Some(next_update),
            });
        }
        Ok(answers)
    }

    async fn sign_answers(
        &self,
        keys: &Keystore,
        label: &str,
        template: &ResponseTemplate<'_>,
    ) -> Result<Vec<u8>> {
        let tbs = ocsp::prepare(template)?;
        let algorithm =
            SignatureAlgorithm::default_for(template.responder.public_key()?.algorithm());
        failpoint!("authority.ocsp.before_keystore");
        let signature = self.sign(keys, label, algorithm, &tbs).await?;
        failpoint!("authority.ocsp.after_keystore");
        let response = ocsp::assemble(&tbs, algorithm, &signature, template.responder)?;
        Ok(response)
    }
}

fn status_of(standing: Option<Standing>) -> Status {
    match standing {
        None | Some(Standing::Reserved) => Status::Unknown,
        Some(Standing::Issued) => Status::Good,
        Some(Standing::Suspended { since }) => Status::Revoked {
            at: since,
            reason: Some(Reason::CertificateHold),
        },
        Some(Standing::Revoked { since, reason }) => Status::Revoked {
            at: since,
            reason: (reason != Reason::Unspecified).then_some(reason),
        },
    }
}

fn outcome(answers: &[Answer]) -> &'static str {
    let word = |answer: &Answer| match answer.status {
        Status::Good => "good",
        Status::Revoked { .. } => "revoked",
        Status::Unknown => "unknown",
    };
    match answers.split_first() {
        Some((first, rest)) if rest.iter().all(|other| word(other) == word(first)) => word(first),
        _ => "mixed",
    }
}

fn refusal(failure: Failure) -> Response {
    let outcome = match failure {
        Failure::Malformed => "malformed",
        Failure::Unauthorized => "unauthorized",
        Failure::TryLater => "try-later",
        Failure::Internal | Failure::SignatureRequired => "internal",
    };
    Response {
        der: ocsp::failure(failure),
        cache_until: None,
        unknown: 0,
        outcome,
    }
}

/// Whether the same request may be answered a moment later.
fn is_passing(error: &Error) -> bool {
    use kyso_keystore::Error as Keys;
    use kyso_store::Error as Rows;
    matches!(
        error,
        Error::NoServiceKey { .. }
            | Error::Keystore(Keys::Busy { .. } | Keys::Unavailable { .. })
            | Error::Store(Rows::Unavailable { .. } | Rows::Contended { .. } | Rows::Full { .. })
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_issued_is_good() {
        assert_eq!(status_of(None), Status::Unknown);
        assert_eq!(status_of(Some(Standing::Reserved)), Status::Unknown);
        assert_eq!(status_of(Some(Standing::Issued)), Status::Good);
        let held = Status::Revoked {
            at: 5,
            reason: Some(Reason::CertificateHold),
        };
        assert_eq!(status_of(Some(Standing::Suspended { since: 5 })), held);
        let unspecified = Standing::Revoked {
            since: 5,
            reason: Reason::Unspecified,
        };
        assert_eq!(
            status_of(Some(unspecified)),
            Status::Revoked {
                at: 5,
                reason: None
            }
        );
    }
}
