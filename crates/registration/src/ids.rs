//! The identifiers of this crate's rows: typed, prefixed ULIDs.

kyso_store::typed_id!(
    /// An enrolment.
    EnrolmentId, "enr"
);
kyso_store::typed_id!(
    /// A citizen: one per identity number, made when an enrolment is approved.
    CitizenId, "ctz"
);
kyso_store::typed_id!(
    /// One activation code.
    CodeId, "code"
);
kyso_store::typed_id!(
    /// One wish to go on with an enrolment from another phone.
    ResumptionId, "rsm"
);
kyso_store::typed_id!(
    /// One photo of the evidence.
    EvidenceId, "evd"
);
kyso_store::typed_id!(
    /// One version of an enrolment's contract.
    ContractId, "ctr"
);
kyso_store::typed_id!(
    /// An officer of the registration authority.
    OfficerId, "ofc"
);
kyso_store::typed_id!(
    /// One decision of an officer.
    DecisionId, "dec"
);
