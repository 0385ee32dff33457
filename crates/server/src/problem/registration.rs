//! What registration's refusals are to a caller.

use super::Problem;

impl From<kyso_registration::Error> for Problem {
    fn from(error: kyso_registration::Error) -> Self {
        use kyso_registration::Error as E;
        let code = match &error {
            E::Fields(fields) => {
                return fields
                    .iter()
                    .fold(Problem::new("fields-invalid"), |problem, field| {
                        problem.with_field(field.field, field.code)
                    });
            }
            E::StepsMissing { missing } => {
                return missing
                    .iter()
                    .fold(Problem::new("steps-missing"), |problem, step| {
                        problem.with_field(step.code(), "required")
                    });
            }
            E::CodeWrong { tries_left } => {
                return Problem::new("code-wrong")
                    .with_tries_left(u32::try_from(*tries_left).unwrap_or(0));
            }
            E::Image(fault) => {
                return Problem::new("photo-refused").with_field("photo", fault.code());
            }
            E::BindingRefused { code } => {
                return Problem::new("binding-refused").with_field("device", code);
            }
            E::DecisionRefused { code } => {
                return Problem::new("decision-refused").with_field("statement", code);
            }
            E::CodeTooSoon { at, now } => return later("code-too-soon", *at, *now),
            E::ResumptionRests { at, now } => return later("resumption-rests", *at, *now),
            E::CodeLimit { at, now } => return later("code-limit", *at, *now),
            E::MessageBudget { at, now } => return later("message-budget", *at, *now),
            E::CodeNone => "code-none",
            E::NotFound { .. } => "not-found",
            E::SessionInvalid => "session-invalid",
            E::EnrolmentState { .. } => "enrolment-state",
            E::PieceNotAsked { .. } => "piece-not-asked",
            E::PersonTaken => "person-taken",
            E::DeviceTaken => "device-taken",
            E::CardExpired => "card-expired",
            E::CampaignClosed { .. } => "campaign-closed",
            E::CampaignFull { .. } => "campaign-full",
            E::CampaignArea => "campaign-area",
            E::PaymentUnavailable { .. } => "payment-unavailable",
            E::Unacceptable { field, .. } => {
                return Problem::new("body-malformed")
                    .with_field(*field, "unacceptable")
                    .because(&error);
            }
            E::CodeTaken { .. } => "conflict",
            E::ContractChanged => "contract-changed",
            E::AgreementText => "agreement-text",
            E::OfficerForbidden => "officer-forbidden",
            E::OwnEnrolment => "own-enrolment",
            E::Locked { .. } => "dossier-locked",
            E::NotLocked => "dossier-not-locked",
            E::SecondOfficer => "second-officer",
            E::Reason => "reason-unknown",
            E::EvidenceMissing(_) => "evidence-missing",
            E::Store(_) | E::Signing(_) | E::Keystore(_) | E::Authority(_) => return below(error),
            _ => return Problem::internal(crate::worker::chain(&error)),
        };
        Problem::new(code).because(&error)
    }
}

/// Not before `at` (both in ms), which is more than a second away.
fn later(code: &'static str, at: i64, now: i64) -> Problem {
    let seconds = (at - now).max(0).unsigned_abs().div_ceil(1000);
    Problem::new(code).retry_after(seconds.max(1))
}

fn below(error: kyso_registration::Error) -> Problem {
    use kyso_registration::Error as E;
    match error {
        E::Store(error) => error.into(),
        E::Signing(error) => error.into(),
        E::Keystore(error) => error.into(),
        E::Authority(error) => error.into(),
        other => Problem::internal(other),
    }
}
