//! What signing's refusals are to a caller.

use super::Problem;

impl From<kyso_signing::Error> for Problem {
    fn from(error: kyso_signing::Error) -> Self {
        use kyso_signing::Error as E;
        let code = match &error {
            E::PortalCredentials => "portal-credentials",
            E::PortalScope { .. } => "portal-scope",
            E::SessionInvalid => "session-invalid",
            E::ChallengeInvalid => "challenge-invalid",
            E::DeviceSignature => "device-signature",
            E::DeviceUnknown => "device-unknown",
            E::DeviceTaken => "device-taken",
            E::CredentialLive => "credential-live",
            E::CredentialState { .. } => "credential-state",
            E::CredentialUnbound => "credential-unbound",
            E::PinLocked => "pin-locked",
            E::SignerUnknown => "signer-unknown",
            E::NotFound { .. } => "not-found",
            E::RequestState { .. } => "request-state",
            E::RequestExpired { .. } => "request-expired",
            E::DocumentCount { .. } => "document-count",
            E::DocumentSize { .. } | E::RequestSize { .. } => "document-too-large",
            E::DocumentName { .. } => "document-name",
            E::DigestUnsuited { .. } => "digest-unsuited",
            E::TooManyPending { .. } => {
                return Problem::new("too-many-pending")
                    .retry_after(30)
                    .because(&error);
            }
            E::IdempotencyMismatch => "idempotency-mismatch",
            E::TransactionTaken => "transaction-taken",
            E::UnitsExhausted { .. } => "units-exhausted",
            E::ClientIdTaken | E::BindingPending => "conflict",
            E::ScreenToken => "screen-token",
            E::ScreenCodeOld => "screen-code-old",
            E::ScreenCodeWrong => "screen-code-wrong",
            E::DigitsRefused => "digits-refused",
            E::RequestOpened => "request-opened",
            E::RequestUnopened => "request-unopened",
            E::DigitsWrong { tries_left } => {
                return Problem::new("digits-wrong")
                    .with_tries_left(u32::try_from(*tries_left).unwrap_or(0))
                    .because(&error);
            }
            E::Unacceptable { field, .. } => {
                return Problem::new("body-malformed")
                    .with_field(*field, "unacceptable")
                    .because(&error);
            }
            E::ApprovalRefused { code } => {
                return Problem::new("approval-refused")
                    .with_field("statement", code)
                    .because(&error);
            }
            E::Document { position, source } => return document(*position, source),
            E::BindingRefused { code } => {
                return Problem::new("binding-refused")
                    .with_field("device", code)
                    .because(&error);
            }
            E::Store(_) | E::Keystore(_) | E::Authority(_) => return below(error),
            _ => return Problem::internal(crate::worker::chain(&error)),
        };
        Problem::new(code).because(&error)
    }
}

fn document(position: usize, source: &kyso_ades::Error) -> Problem {
    use kyso_ades::Error as A;
    let of_the_mark = matches!(
        source,
        A::PageMissing { .. } | A::MarkBox { .. } | A::MarkGlyph { .. } | A::FieldLocked
    );
    if of_the_mark || source.is_refusal_of_document() {
        let field = format!("documents[{position}]");
        return Problem::new("document-refused")
            .with_field(field, source.code())
            .because(source);
    }
    Problem::internal(crate::worker::chain(source))
}

fn below(error: kyso_signing::Error) -> Problem {
    use kyso_signing::Error as E;
    match error {
        E::Store(error) => error.into(),
        E::Keystore(error) => error.into(),
        E::Authority(error) => error.into(),
        other => Problem::internal(other),
    }
}
