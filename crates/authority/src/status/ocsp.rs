//! The OCSP responder (RFC 6960, RFC 5019 for caching, RFC 9654 for nonces).
//!
//! Answers *good* only of certificates that were issued: reserved or never heard of is *unknown* (DigiNotar's lesson). Signed by a
//! key that the issuing authority delegated to and that can do nothing else.
//!
//! A plain question is answered from memory (see [`super::kept`]). Whatever needs a signature that nobody else will use (a nonce,
//! a serial that was never issued, several certificates at once) is signed only as often as the caller's [`Cost`] allows: the key
//! is not there for whoever asks most. Beyond that a nonce is left out, as RFC 9654 2.1 lets a responder do, and the rest is `tryLater`.

use std::sync::atomic::Ordering;

use kyso_keystore::Keystore;
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::ocsp::{self, Answer, CertId, Failure, Request, ResponseTemplate, Status};
use kyso_pki::revocation::Reason;
use kyso_store::failpoint;

use super::kept::Kept;
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
    /// When it was signed, milliseconds since 1970; none for an error.
    pub produced_at: Option<i64>,
    /// Until when a cache may keep it: `nextUpdate`, or none for an error or an answer to a nonce.
    pub cache_until: Option<i64>,
    /// How many serials were asked about that we never issued: an alarm when it is not zero (reliability: DigiNotar).
    pub unknown: usize,
    /// For metrics: `good`, `revoked`, `unknown`, `mixed`, `malformed`, `unauthorized`, `try-later`, `internal`.
    pub outcome: &'static str,
}

/// What an answer costs beyond memory. Whoever passes a question on says whether its asker may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// A look into the database, and a signature that many will share.
    Look,
    /// A signature for this asker alone.
    Signature,
}

/// Whether the asker may have something of this cost now.
pub type Allowance<'a> = &'a (dyn Fn(Cost) -> bool + Send + Sync);

impl Authority {
    /// Answers a request (RFC 6960) in the name of the issuing authority, signed by its delegated responder. Never fails: what
    /// cannot be answered is an OCSP error.
    pub async fn answer(&self, keys: &Keystore, request: &[u8], now: i64) -> Response {
        self.answer_within(&|_| true, keys, request, now).await
    }

    /// As [`Authority::answer`], as far as `may` allows.
    pub async fn answer_within(
        &self,
        may: Allowance<'_>,
        keys: &Keystore,
        request: &[u8],
        now: i64,
    ) -> Response {
        match self.try_answer(may, keys, request, now).await {
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

    async fn try_answer(
        &self,
        may: Allowance<'_>,
        keys: &Keystore,
        request: &[u8],
        now: i64,
    ) -> Result<Response> {
        let mut request = match Request::from_der(request) {
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
        let mut paid = request.nonce.is_some() && may(Cost::Signature);
        if !paid {
            request.nonce = None;
        }
        let question = match request.ids.as_slice() {
            [only] if request.nonce.is_none() && only.is_plain() => Some(only.clone()),
            _ => None,
        };
        let mut changes = 0;
        if let Some(question) = &question {
            if let Some(response) = self.told_again(issuer, question, now).await? {
                return Ok(response);
            }
            changes = self.changes_of(issuer.id, now).await?;
        } else {
            paid = paid || may(Cost::Signature);
        }
        if !paid && (question.is_none() || !may(Cost::Look)) {
            return Ok(refusal(Failure::TryLater));
        }
        let standings = self.standings(issuer, &request.ids).await?;
        let unknown = standings
            .iter()
            .filter(|standing| status_of(**standing) == Status::Unknown)
            .count();
        if unknown > 0 && !paid && !may(Cost::Signature) {
            return Ok(refusal(Failure::TryLater));
        }

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
        let Some(_turn) = self.memory().turn().await else {
            return Ok(refusal(Failure::TryLater));
        };
        // Who waited for the same answer finds it made.
        if let Some(question) = &question
            && let Some(response) = self.told_again(issuer, question, now).await?
        {
            return Ok(response);
        }
        let this_update = whole_second(
            self.inner
                .answered
                .fetch_max(now, Ordering::SeqCst)
                .max(now),
        );
        let life_ms = i64::from(self.config().ocsp_minutes.max(1)) * 60_000;
        let next_update = (this_update + life_ms).min(certificate.not_after());
        let cache_until = request.nonce.is_none().then_some(next_update);
        let answers: Vec<Answer> = request
            .ids
            .into_iter()
            .zip(&standings)
            .map(|(id, standing)| Answer {
                id,
                status: status_of(*standing),
                this_update,
                next_update: Some(next_update),
            })
            .collect();
        let outcome = outcome(&answers);
        let template = ResponseTemplate {
            responder: certificate,
            produced_at: this_update,
            answers,
            nonce: request.nonce,
        };
        let der = self.sign_answers(keys, &responder.label, &template).await?;
        let response = Response {
            der,
            produced_at: Some(this_update),
            cache_until,
            unknown,
            outcome,
        };
        if let (Some(question), [Some(standing)], 0) = (question, standings.as_slice(), unknown) {
            let told_until = this_update + (next_update - this_update) / 2;
            // From now, also while thisUpdate is held ahead of a clock that was set back.
            let kept = Kept::new(
                response.clone(),
                *standing,
                changes,
                (whole_second(now), told_until),
            );
            self.memory().keep(question.as_der().to_vec(), kept);
        }
        Ok(response)
    }

    /// The answer that was signed for this question before, if it is still true.
    async fn told_again(
        &self,
        issuer: &KnownIssuer,
        question: &CertId,
        now: i64,
    ) -> Result<Option<Response>> {
        let Some(kept) = self.memory().kept(question.as_der(), now) else {
            return Ok(None);
        };
        let changes = match self.changes_of(issuer.id, now).await {
            Ok(changes) => changes,
            // Nobody can change what cannot be reached; what was signed stands until it ages.
            Err(error) if is_passing(&error) => return Ok(Some(kept.response)),
            Err(error) => return Err(error),
        };
        if changes != kept.changes {
            let standing = table::of_serial(self.store(), issuer.id, question.serial()).await?;
            if standing != Some(kept.standing) {
                return Ok(None);
            }
            self.memory().confirm(question.as_der(), changes);
        }
        Ok(Some(kept.response))
    }

    /// Where each certificate asked about stands.
    async fn standings(
        &self,
        issuer: &KnownIssuer,
        ids: &[CertId],
    ) -> Result<Vec<Option<Standing>>> {
        let mut standings = Vec::with_capacity(ids.len());
        for id in ids {
            let standing = table::of_serial(self.store(), issuer.id, id.serial()).await?;
            if status_of(standing) == Status::Unknown {
                tracing::warn!(serial = %id.serial(), "OCSP asked about serial {} which was never issued", id.serial());
            }
            standings.push(standing);
        }
        Ok(standings)
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
        produced_at: None,
        cache_until: None,
        unknown: 0,
        outcome,
    }
}

/// Whether the same request may be answered a moment later.
pub(super) fn is_passing(error: &Error) -> bool {
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
