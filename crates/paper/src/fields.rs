//! What each paper is filled with. Text only: the caller has already decided that it is true.

use serde::Serialize;

use crate::Date;

/// The organisation that runs the service, as its licence names it.
#[derive(Debug, Clone, Serialize)]
pub struct Provider {
    /// Full name, such as `TRUNG TÂM CHỨNG THỰC CHỮ KÝ SỐ AN BÌNH`.
    pub name: String,
    /// Name of the service in the text, such as `KySo`.
    pub service: String,
    /// Registered address.
    pub address: String,
    /// Tax number.
    pub tax_number: String,
    /// Licence to provide public certification services: number, date and authority, in words.
    pub licence: String,
    /// Who signs for the provider.
    pub representative: String,
    /// The representative's position.
    pub position: String,
    /// Hotline as dialled.
    pub hotline: String,
    /// E-mail for complaints.
    pub email: String,
    /// Web address of the certificate policy.
    pub policy_url: String,
}

/// The citizen, exactly as on the identity card.
#[derive(Debug, Clone, Serialize)]
pub struct Subscriber {
    /// Full name with its marks.
    pub full_name: String,
    /// Day of birth.
    pub birth_date: Date,
    /// `Nam` or `Nữ`, as printed.
    pub sex: String,
    /// Nationality, such as `Việt Nam`.
    pub nationality: String,
    /// Kind of paper, such as `CCCD`.
    pub identity_kind: String,
    /// Its number.
    pub identity_number: String,
    /// Day of issue.
    pub identity_issued_on: Date,
    /// Who issued it.
    pub identity_issuer: String,
    /// Contact address, detail first, then commune and province.
    pub address: String,
    /// E-mail, empty if none.
    pub email: String,
    /// Telephone number.
    pub phone: String,
}

/// What is bought.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Name, such as `Cá nhân 12 tháng`.
    pub name: String,
    /// How long the certificate runs, months.
    pub months: u32,
    /// Price in đồng, VAT included; 0 = free.
    #[serde(serialize_with = "crate::money::vnd")]
    pub price_vnd: u64,
    /// Signatures included; `None` = not counted.
    pub signatures: Option<u32>,
    /// The campaign that pays for it, empty if none.
    pub campaign: String,
}

/// Fills [`crate::contract`].
#[derive(Debug, Clone, Serialize)]
pub struct ContractFields {
    /// Contract number.
    pub number: String,
    /// Day of the contract; also the document's date.
    pub made_on: Date,
    /// Where, such as `Thành phố Hồ Chí Minh`.
    pub made_at: String,
    /// Party A.
    pub provider: Provider,
    /// Party B.
    pub subscriber: Subscriber,
    /// What is bought.
    pub plan: Plan,
}

/// Fills [`crate::acceptance`].
#[derive(Debug, Clone, Serialize)]
pub struct AcceptanceFields {
    /// Number of the contract that is accepted.
    pub contract_number: String,
    /// Day of the contract.
    pub contract_made_on: Date,
    /// Day of the record; also the document's date.
    pub made_on: Date,
    /// Where.
    pub made_at: String,
    /// Party A.
    pub provider: Provider,
    /// Party B.
    pub subscriber: Subscriber,
    /// What was bought.
    pub plan: Plan,
    /// Serial number of the certificate, hexadecimal.
    pub certificate_serial: String,
    /// Subject of the certificate as a person reads it, line by line: name, identity, place.
    pub certificate_subject: Vec<String>,
    /// Issuer of the certificate, the same way: name, organisation.
    pub certificate_issuer: Vec<String>,
    /// Key and algorithm in words, such as `RSA 2048 bit`.
    pub certificate_key: String,
    /// Valid from, milliseconds since 1970-01-01 UTC; printed in Vietnam time.
    #[serde(serialize_with = "crate::date::moment")]
    pub not_before: i64,
    /// Valid to.
    #[serde(serialize_with = "crate::date::moment")]
    pub not_after: i64,
}

/// Fills [`crate::dossier`].
#[derive(Debug, Clone, Serialize)]
pub struct DossierFields {
    /// Dossier number at the portal.
    pub number: String,
    /// Day of the form; also the document's date.
    pub made_on: Date,
    /// Commune where it is filed, such as `Phường Vườn Lài`.
    pub commune: String,
    /// Province where it is filed, such as `Thành phố Hồ Chí Minh`.
    pub province: String,
    /// Who declares.
    pub applicant: Subscriber,
    /// The household business.
    pub business: Business,
    /// Lines of trade, first is the main one.
    pub trades: Vec<Trade>,
    /// Family members who contribute.
    pub members: Vec<Member>,
    /// Papers sent with the form.
    pub attachments: Vec<Attachment>,
}

/// A household business.
#[derive(Debug, Clone, Serialize)]
pub struct Business {
    /// Name.
    pub name: String,
    /// Where it stands.
    pub address: String,
    /// Capital in đồng.
    #[serde(serialize_with = "crate::money::vnd")]
    pub capital_vnd: u64,
    /// People employed.
    pub employees: u32,
    /// Opening day.
    pub opens_on: Date,
}

/// A line of trade.
#[derive(Debug, Clone, Serialize)]
pub struct Trade {
    /// Code of the national classification, four or five digits.
    pub code: String,
    /// Name.
    pub name: String,
}

/// A family member who contributes.
#[derive(Debug, Clone, Serialize)]
pub struct Member {
    /// Full name.
    pub full_name: String,
    /// Day of birth.
    pub birth_date: Date,
    /// Identity number.
    pub identity_number: String,
    /// Relation to the applicant.
    pub relation: String,
    /// Contribution in đồng.
    #[serde(serialize_with = "crate::money::vnd")]
    pub contribution_vnd: u64,
}

/// A paper sent with the form.
#[derive(Debug, Clone, Serialize)]
pub struct Attachment {
    /// Name.
    pub name: String,
    /// Form: original, copy, electronic.
    pub form: String,
    /// How many pages.
    pub pages: u32,
}
