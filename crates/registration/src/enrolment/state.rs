//! An enrolment's states, the transitions between them, and what to do next. Pure.
//!
//! A step that the citizen takes in `started` is a fact of the row (a timestamp), not a state: the facts may come in
//! any order that harms nothing, and `submit` demands them all.

use std::fmt;

/// Where an enrolment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The citizen is filling it in.
    Started,
    /// Waiting for an officer.
    Submitted,
    /// Waiting for the citizen to repair what an officer named.
    Supplement,
    /// One of two officers has approved.
    Vetted,
    /// Approved: key and certificate are being made.
    Approved,
    /// The certificate exists; phone and PIN are to be bound.
    Certified,
    /// The acceptance record waits to be signed.
    Accepting,
    /// The credential is active.
    Complete,
    /// The credential of a complete enrolment has ended.
    Closed,
    /// An officer said no.
    Rejected,
    /// The citizen gave it up.
    Abandoned,
    /// The citizen did not come back in time.
    Expired,
    /// The certificate could not be made, or was not accepted.
    Failed,
}

/// What happens to an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The citizen hands it in, first or after a supplement.
    Submit,
    /// The first of two officers approves.
    Vet,
    /// The last officer needed approves.
    Approve,
    /// The approval is authentic and no longer enough: officers decide anew.
    Lapse,
    /// An officer asks for a supplement.
    AskSupplement,
    /// An officer says no.
    Reject,
    /// The certificate was issued.
    Certify,
    /// Phone and PIN are bound.
    Bind,
    /// The acceptance was signed.
    Complete,
    /// The credential ended.
    Close,
    /// The citizen gives up.
    Abandon,
    /// Time is over.
    Expire,
    /// It cannot go on.
    Fail,
}

impl State {
    /// Every state.
    pub const ALL: [State; 13] = [
        State::Started,
        State::Submitted,
        State::Supplement,
        State::Vetted,
        State::Approved,
        State::Certified,
        State::Accepting,
        State::Complete,
        State::Closed,
        State::Rejected,
        State::Abandoned,
        State::Expired,
        State::Failed,
    ];

    /// The word stored in the row and spoken by the API.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Started => "started",
            State::Submitted => "submitted",
            State::Supplement => "supplement",
            State::Vetted => "vetted",
            State::Approved => "approved",
            State::Certified => "certified",
            State::Accepting => "accepting",
            State::Complete => "complete",
            State::Closed => "closed",
            State::Rejected => "rejected",
            State::Abandoned => "abandoned",
            State::Expired => "expired",
            State::Failed => "failed",
        }
    }

    /// Reads a stored word.
    pub fn read(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The citizen may change what they entered.
    pub fn is_open_to_citizen(self) -> bool {
        matches!(self, State::Started | State::Supplement)
    }

    /// The state after `change`, or `None` where it has no place.
    pub fn after(self, change: Change) -> Option<State> {
        use Change as C;
        use State as S;
        match (self, change) {
            (S::Started | S::Supplement, C::Submit) => Some(S::Submitted),
            (S::Submitted, C::Vet) => Some(S::Vetted),
            (S::Submitted | S::Vetted, C::Approve) => Some(S::Approved),
            (S::Approved, C::Lapse) => Some(S::Submitted),
            (S::Submitted | S::Vetted, C::AskSupplement) => Some(S::Supplement),
            (S::Submitted | S::Vetted, C::Reject) => Some(S::Rejected),
            (S::Approved, C::Certify) => Some(S::Certified),
            (S::Certified, C::Bind) => Some(S::Accepting),
            (S::Accepting, C::Complete) => Some(S::Complete),
            (S::Complete, C::Close) => Some(S::Closed),
            (S::Started | S::Supplement, C::Abandon) => Some(S::Abandoned),
            (S::Started | S::Supplement, C::Expire) => Some(S::Expired),
            // Nobody took delivery of the certificate: it is revoked, the enrolment fails.
            (S::Approved | S::Certified | S::Accepting, C::Fail) => Some(S::Failed),
            _ => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Front of the card.
    Front,
    /// Back of the card.
    Back,
    /// The face.
    Face,
}

impl Kind {
    /// Every photo an enrolment needs.
    pub const ALL: [Kind; 3] = [Kind::Front, Kind::Back, Kind::Face];

    /// `front`, `back`, `face`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Front => "front",
            Kind::Back => "back",
            Kind::Face => "face",
        }
    }

    /// Reads a stored or sent word.
    pub fn read(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A piece that an officer may ask to be repaired: a field of the owner, or a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Piece {
    /// A field, by its path as in [`crate::citizen::FieldError`]; `address` is one piece.
    Field(&'static str),
    /// A photo.
    Photo(Kind),
}

/// The fields an officer may ask for.
pub const FIELDS: &[&str] = &[
    "full_name",
    "identity_number",
    "issue_date",
    "issue_place",
    "birth_date",
    "sex",
    "nationality",
    "phone",
    "email",
    "address",
];

impl Piece {
    /// The word stored and spoken: `full_name`, `photo:front`.
    pub fn word(self) -> String {
        match self {
            Piece::Field(field) => field.into(),
            Piece::Photo(kind) => format!("photo:{kind}"),
        }
    }

    /// Reads a stored or sent word.
    pub fn read(word: &str) -> Option<Piece> {
        match word.strip_prefix("photo:") {
            Some(kind) => Kind::read(kind).map(Piece::Photo),
            None => FIELDS
                .iter()
                .find(|field| **field == word)
                .map(|field| Piece::Field(field)),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

/// Something to be done, by the citizen or (the waits) by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Give phone (and e-mail), which a code is sent to.
    Contact,
    /// Ask for an activation code and enter it.
    Activation,
    /// Enter the owner's data.
    Owner,
    /// Pay, or confirm that nothing is due.
    Payment,
    /// Take a photo.
    Photo(Kind),
    /// Correct a field that an officer named.
    Repair(Piece),
    /// Read the contract and sign it.
    Contract,
    /// Hand it in.
    Submit,
    /// Wait for an officer.
    WaitVetting,
    /// Wait for the certificate.
    WaitCertificate,
    /// Set a PIN and bind the phone.
    Device,
    /// Wait for the binding.
    WaitDevice,
    /// Sign the acceptance.
    Acceptance,
}

impl Step {
    /// What a citizen has to do about a piece that an officer asked for.
    pub fn repair(piece: Piece) -> Step {
        match piece {
            Piece::Photo(kind) => Step::Photo(kind),
            field => Step::Repair(field),
        }
    }

    /// Stable code, such as `photo:front`.
    pub fn code(self) -> String {
        match self {
            Step::Photo(kind) => format!("photo:{kind}"),
            Step::Repair(piece) => format!("repair:{piece}"),
            Step::Contact => "contact".into(),
            Step::Activation => "activation".into(),
            Step::Owner => "owner".into(),
            Step::Payment => "payment".into(),
            Step::Contract => "contract".into(),
            Step::Submit => "submit".into(),
            Step::WaitVetting => "wait-vetting".into(),
            Step::WaitCertificate => "wait-certificate".into(),
            Step::Device => "device".into(),
            Step::WaitDevice => "wait-device".into(),
            Step::Acceptance => "acceptance".into(),
        }
    }
}

/// The facts of a row from which the next steps follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// A phone number is known.
    pub contact: bool,
    /// A code sent to the present contact was entered.
    pub activated: bool,
    /// The owner's data are entered.
    pub owner: bool,
    /// Nothing is due any more.
    pub paid: bool,
    /// Photos that are there.
    pub photos: Vec<Kind>,
    /// A contract made from the present data is signed.
    pub contract_signed: bool,
    /// Pieces asked for and not yet repaired.
    pub asked: Vec<Piece>,
    /// A binding is under way.
    pub binding: bool,
}

/// What has to be done next, in the order of the screens. Empty = nothing, ever.
pub fn next_steps(state: State, progress: &Progress) -> Vec<Step> {
    match state {
        State::Started => {
            let mut steps = missing(progress);
            if steps.is_empty() {
                steps.push(Step::Submit);
            }
            steps
        }
        State::Supplement => {
            let mut steps: Vec<Step> = progress
                .asked
                .iter()
                .map(|piece| Step::repair(*piece))
                .collect();
            // A repaired field makes the contract void, a repaired phone number the activation.
            steps.extend(
                missing(progress)
                    .into_iter()
                    .filter(|step| !steps.contains(step))
                    .collect::<Vec<_>>(),
            );
            if steps.is_empty() {
                steps.push(Step::Submit);
            }
            steps
        }
        State::Submitted | State::Vetted => vec![Step::WaitVetting],
        State::Approved => vec![Step::WaitCertificate],
        State::Certified if progress.binding => vec![Step::WaitDevice],
        State::Certified => vec![Step::Device],
        State::Accepting => vec![Step::Acceptance],
        State::Complete
        | State::Closed
        | State::Rejected
        | State::Abandoned
        | State::Expired
        | State::Failed => vec![],
    }
}

/// What `submit` misses.
pub fn missing(progress: &Progress) -> Vec<Step> {
    let mut steps = Vec::new();
    if !progress.contact && !progress.owner {
        steps.push(Step::Contact);
    }
    if !progress.activated {
        steps.push(Step::Activation);
    }
    if !progress.owner {
        steps.push(Step::Owner);
    }
    if !progress.paid {
        steps.push(Step::Payment);
    }
    steps.extend(
        Kind::ALL
            .into_iter()
            .filter(|kind| !progress.photos.contains(kind))
            .map(Step::Photo),
    );
    if !progress.contract_signed {
        steps.push(Step::Contract);
    }
    steps
}

/// What a contract needs before it can be written.
pub fn missing_for_contract(progress: &Progress) -> Vec<Step> {
    missing(progress)
        .into_iter()
        .filter(|step| matches!(step, Step::Owner | Step::Payment | Step::Photo(_)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transition_is_the_drawn_one_and_no_other() {
        use Change as C;
        use State as S;
        let drawn = [
            (S::Started, C::Submit, S::Submitted),
            (S::Started, C::Abandon, S::Abandoned),
            (S::Started, C::Expire, S::Expired),
            (S::Submitted, C::Vet, S::Vetted),
            (S::Submitted, C::Approve, S::Approved),
            (S::Submitted, C::AskSupplement, S::Supplement),
            (S::Submitted, C::Reject, S::Rejected),
            (S::Supplement, C::Submit, S::Submitted),
            (S::Supplement, C::Abandon, S::Abandoned),
            (S::Supplement, C::Expire, S::Expired),
            (S::Vetted, C::Approve, S::Approved),
            (S::Vetted, C::AskSupplement, S::Supplement),
            (S::Vetted, C::Reject, S::Rejected),
            (S::Approved, C::Certify, S::Certified),
            (S::Approved, C::Lapse, S::Submitted),
            (S::Approved, C::Fail, S::Failed),
            (S::Certified, C::Bind, S::Accepting),
            (S::Certified, C::Fail, S::Failed),
            (S::Accepting, C::Complete, S::Complete),
            (S::Accepting, C::Fail, S::Failed),
            (S::Complete, C::Close, S::Closed),
        ];
        let changes = [
            C::Submit,
            C::Vet,
            C::Approve,
            C::Lapse,
            C::AskSupplement,
            C::Reject,
            C::Certify,
            C::Bind,
            C::Complete,
            C::Close,
            C::Abandon,
            C::Expire,
            C::Fail,
        ];
        for state in S::ALL {
            for change in changes {
                let expected = drawn
                    .iter()
                    .find(|(from, by, _)| (*from, *by) == (state, change))
                    .map(|(_, _, to)| *to);
                assert_eq!(state.after(change), expected, "{state} {change:?}");
            }
        }
    }

    #[test]
    fn words_read_back_as_written() {
        for state in State::ALL {
            assert_eq!(State::read(state.as_str()), Some(state));
        }
        for kind in Kind::ALL {
            assert_eq!(
                Piece::read(&Piece::Photo(kind).word()),
                Some(Piece::Photo(kind))
            );
        }
        for field in FIELDS {
            assert_eq!(Piece::read(field), Some(Piece::Field(field)));
        }
        assert_eq!(Piece::read("reference"), None);
        assert_eq!(Piece::read("photo:video"), None);
    }

    #[test]
    fn the_first_steps_are_all_there_and_vanish_one_by_one() {
        let codes = |progress: &Progress| {
            next_steps(State::Started, progress)
                .into_iter()
                .map(Step::code)
                .collect::<Vec<_>>()
        };
        let mut progress = Progress::default();
        assert_eq!(
            codes(&progress),
            [
                "contact",
                "activation",
                "owner",
                "payment",
                "photo:front",
                "photo:back",
                "photo:face",
                "contract"
            ]
        );
        progress.contact = true;
        progress.activated = true;
        progress.owner = true;
        assert_eq!(
            codes(&progress),
            [
                "payment",
                "photo:front",
                "photo:back",
                "photo:face",
                "contract"
            ]
        );
        progress.paid = true;
        progress.photos = vec![Kind::Front, Kind::Face];
        assert_eq!(codes(&progress), ["photo:back", "contract"]);
        progress.photos = Kind::ALL.to_vec();
        progress.contract_signed = true;
        assert_eq!(codes(&progress), ["submit"]);
    }

    #[test]
    fn a_supplement_asks_for_its_pieces_and_what_their_repair_undid() {
        let whole = Progress {
            contact: true,
            activated: true,
            owner: true,
            paid: true,
            photos: Kind::ALL.to_vec(),
            contract_signed: true,
            ..Progress::default()
        };
        let asked = Progress {
            asked: vec![Piece::Photo(Kind::Front), Piece::Field("full_name")],
            ..whole.clone()
        };
        assert_eq!(
            next_steps(State::Supplement, &asked),
            [
                Step::Photo(Kind::Front),
                Step::Repair(Piece::Field("full_name"))
            ]
        );
        let repaired = Progress {
            contract_signed: false,
            ..whole.clone()
        };
        assert_eq!(next_steps(State::Supplement, &repaired), [Step::Contract]);
        assert_eq!(next_steps(State::Supplement, &whole), [Step::Submit]);
    }

    #[test]
    fn after_submission_there_is_always_exactly_one_thing_to_do_or_nothing() {
        for state in State::ALL {
            let steps = next_steps(state, &Progress::default());
            match state {
                State::Started | State::Supplement => assert!(steps.len() > 1),
                State::Submitted
                | State::Vetted
                | State::Approved
                | State::Certified
                | State::Accepting => {
                    assert_eq!(steps.len(), 1)
                }
                _ => assert!(steps.is_empty()),
            }
        }
    }
}
