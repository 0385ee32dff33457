//! Officers: who may enter, vet and decide, and how they prove who they are.
//!
//! A token is 256 random bits, so its plain SHA-256 is stored. The officer's own identity number is kept only as a
//! salted hash: enough to recognise their own dossier, no list of officers' numbers.

pub(crate) mod table;

use kyso_store::Tx;

use crate::citizen::{read_name, read_number};
use crate::ledger::line;
use crate::{Error, OfficerId, Registration, Result, secret};

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
    pub const ALL: [OfficerRole; 5] = [
        Self::Helper,
        Self::Vetter,
        Self::Lead,
        Self::Auditor,
        Self::CampaignManager,
    ];

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

impl Officer {
    /// Whether they have one of these roles.
    pub fn is_one_of(&self, roles: &[OfficerRole]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }

    pub(crate) fn must_be(&self, roles: &[OfficerRole]) -> Result<()> {
        if self.is_one_of(roles) {
            Ok(())
        } else {
            Err(Error::OfficerForbidden)
        }
    }
}

/// Who decides.
pub(crate) const DECIDES: &[OfficerRole] = &[OfficerRole::Vetter, OfficerRole::Lead];
/// Who reads dossiers.
pub(crate) const READS: &[OfficerRole] =
    &[OfficerRole::Vetter, OfficerRole::Lead, OfficerRole::Auditor];

impl Registration {
    /// Adds an officer.
    ///
    /// # Errors
    /// [`Error::Unacceptable`] for a name, number or list of roles that cannot be.
    pub async fn add_officer(&self, new: &NewOfficer, actor: &str) -> Result<AddedOfficer> {
        let name = read_name(&new.name).map_err(|_| Error::Unacceptable {
            field: "name",
            rule: "a person's name",
        })?;
        read_number(&new.identity_number).map_err(|_| Error::Unacceptable {
            field: "identity_number",
            rule: "12 digits of a CCCD",
        })?;
        if new.roles.is_empty() {
            return Err(Error::Unacceptable {
                field: "roles",
                rule: "at least one",
            });
        }
        let (token, salt) = (secret::token(), secret::bytes());
        let mut tx = self.store().write().await?;
        let id: OfficerId = tx.id();
        let officer = Officer {
            id,
            name,
            roles: new.roles.clone(),
        };
        let identity = table::Identity {
            salt: salt.to_vec(),
            hash: identity_hash(&salt, &new.identity_number),
        };
        table::insert(
            &mut tx,
            &officer,
            &identity,
            secret::sha256(token.as_bytes()),
        )
        .await?;
        line("registration.officer.added", &id.to_string(), actor)
            .with("roles", table::words(&new.roles))
            .record(&mut tx);
        tx.commit().await?;
        Ok(AddedOfficer { id, token })
    }

    /// Who holds this token. [`Error::SessionInvalid`] otherwise.
    pub async fn authenticate_officer(&self, token: &str) -> Result<Officer> {
        let mut tx = self.store().read().await?;
        table::by_token(&mut tx, secret::sha256(token.as_bytes()))
            .await?
            .ok_or(Error::SessionInvalid)
    }

    /// A new token; the old one is void at once.
    pub async fn rotate_officer_token(&self, officer: &OfficerId, actor: &str) -> Result<String> {
        let token = secret::token();
        let mut tx = self.store().write().await?;
        if !table::set_token(&mut tx, officer, secret::sha256(token.as_bytes())).await? {
            return Err(Error::NotFound { what: "officer" });
        }
        line(
            "registration.officer.token-rotated",
            &officer.to_string(),
            actor,
        )
        .record(&mut tx);
        tx.commit().await?;
        Ok(token)
    }

    /// Ends an officer's access; their decisions stand.
    pub async fn disable_officer(&self, officer: &OfficerId, actor: &str) -> Result<()> {
        let mut tx = self.store().write().await?;
        if !table::disable(&mut tx, officer).await? {
            return Err(Error::NotFound { what: "officer" });
        }
        line("registration.officer.disabled", &officer.to_string(), actor).record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// Every officer who is not disabled, by name.
    pub async fn officers(&self) -> Result<Vec<Officer>> {
        table::all(&mut self.store().read().await?).await
    }

    /// Whether this officer may suspend, resume or revoke this credential: one who decides, and not on their own.
    ///
    /// # Errors
    /// [`Error::OfficerForbidden`], [`Error::OwnEnrolment`], [`Error::NotFound`].
    pub async fn may_manage_credential(&self, officer: &Officer, credential: &str) -> Result<()> {
        officer.must_be(DECIDES)?;
        let id = self.of_credential(credential).await?;
        let mut tx = self.store().read().await?;
        let row = crate::enrolment::table::by_id(&mut tx, &id).await?;
        match row.owner {
            Some(owner) if is_self(&mut tx, officer, &owner.identity_number).await? => {
                Err(Error::OwnEnrolment)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a dossier's number is the officer's own.
pub(crate) async fn is_self(tx: &mut Tx, officer: &Officer, identity_number: &str) -> Result<bool> {
    let identity = table::identity(tx, &officer.id)
        .await?
        .ok_or(Error::OfficerForbidden)?;
    Ok(secret::equal(
        &identity.hash,
        &identity_hash(&identity.salt, identity_number),
    ))
}

fn identity_hash(salt: &[u8], identity_number: &str) -> Vec<u8> {
    secret::verifier(salt, "officer", identity_number)
}
