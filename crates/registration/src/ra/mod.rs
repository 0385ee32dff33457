//! Officers: who may enter, vet and decide, and how they prove who they are.
//!
//! A token is 256 random bits, so its plain SHA-256 is stored. The officer's own identity number is kept only as a
//! salted hash: enough to recognise their own dossier, no list of officers' numbers.

pub(crate) mod table;

use crate::{OfficerId, Registration, Result};

/// What an officer may do. Roles do not contain one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfficerRole {
    /// Enters enrolments at a desk.
    Helper,
    /// Vets and decides.
    Vetter,
    /// Vets, decides and releases locks of others.
    Lead,
    /// Reads, decides nothing.
    Auditor,
    /// Campaigns and their figures.
    CampaignManager,
}

impl OfficerRole {
    /// Every role.
    pub const ALL: [OfficerRole; 5] =
        [Self::Helper, Self::Vetter, Self::Lead, Self::Auditor, Self::CampaignManager];

    /// The word stored and spoken.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helper => "helper",
            Self::Vetter => "vetter",
            Self::Lead => "lead",
            Self::Auditor => "auditor",
            Self::CampaignManager => "campaign-manager",
        }
    }

    /// Reads a stored or typed word.
    pub fn read(word: &str) -> Option<OfficerRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// An officer who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// Which.
    pub id: OfficerId,
    /// Name as colleagues see it.
    pub name: String,
    /// What they may do.
    pub roles: Vec<OfficerRole>,
}

/// A new officer.
pub struct NewOfficer {
    /// Name as colleagues see it.
    pub name: String,
    /// Their own identity number, for the own-dossier rule; stored as a salted hash.
    pub identity_number: String,
    /// What they may do.
    pub roles: Vec<OfficerRole>,
}

/// An officer just added: the token is shown once.
pub struct AddedOfficer {
    /// Which.
    pub id: OfficerId,
    /// Bearer token, base64url of 32 random bytes.
    pub token: String,
}

impl Registration {
    /// Adds an officer.
    pub async fn add_officer(&self, new: &NewOfficer, actor: &str) -> Result<AddedOfficer> {
        todo!()
    }

    /// Who holds this token.
    pub async fn authenticate_officer(&self, token: &str) -> Result<Officer> {
        todo!()
    }

    /// A new token; the old one is void at once.
    pub async fn rotate_officer_token(&self, officer: &OfficerId, actor: &str) -> Result<String> {
        todo!()
    }

    /// Ends an officer's access; their decisions stand.
    pub async fn disable_officer(&self, officer: &OfficerId, actor: &str) -> Result<()> {
        todo!()
    }

    /// Every officer who is not disabled, by name.
    pub async fn officers(&self) -> Result<Vec<Officer>> {
        todo!()
    }
}
