//! The dossier in canonical form: everything an officer decides on, as one text.
//!
//! Canonical JSON (RFC 8785) like the statements of `keystore`: only strings and integers, names in the order of section
//! 3.2.3. An officer's console shows what this text says and signs its SHA-256; the worker writes it again from the rows
//! before a credential is opened, so a row that was changed in between gives another digest.

use kyso_store::Tx;
use serde::Serialize;

use crate::campaign::{self, Allowance};
use crate::citizen::Owner;
use crate::enrolment::table::{self as enrolment, Enrolment, iso};
use crate::{Error, Result};

/// `type` of the text.
pub const DOSSIER_TYPE: &str = "kyso.dossier.v1";

#[derive(Serialize)]
struct Canonical {
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<CampaignPart>,
    contact: ContactPart,
    contract: ContractPart,
    enrolment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entered_by: Option<String>,
    evidence: Vec<PhotoPart>,
    owner: OwnerPart,
    plan: PlanPart,
    round: i64,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct CampaignPart {
    code: String,
    free_portals: Vec<String>,
}

#[derive(Serialize)]
struct ContactPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    phone: String,
    /// The channel a code was entered from.
    proved: &'static str,
}

#[derive(Serialize)]
struct ContractPart {
    number: String,
    sha256: String,
}

#[derive(Serialize)]
struct PhotoPart {
    kind: &'static str,
    sha256: String,
}

#[derive(Serialize)]
struct OwnerPart {
    address: AddressPart,
    birth_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_expires_on: Option<String>,
    full_name: String,
    identity_number: String,
    issue_date: String,
    issue_place: String,
    nationality: String,
    sex: &'static str,
    source: &'static str,
}

#[derive(Serialize)]
struct AddressPart {
    commune_code: String,
    commune_name: String,
    detail: String,
    province_code: String,
    province_name: String,
}

#[derive(Serialize)]
struct PlanPart {
    code: String,
    months: i64,
    price_vnd: i64,
    /// Signatures included; left out: unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<i64>,
}

/// The canonical dossier of a row, with what the same transaction sees of photos, contract, plan and campaign.
///
/// # Errors
/// [`Error::NotFound`] for an enrolment that was never handed in.
pub(crate) async fn canonical(tx: &mut Tx, row: &Enrolment) -> Result<String> {
    let missing = || Error::NotFound { what: "dossier" };
    let contract = enrolment::contract(tx, &row.id)
        .await?
        .filter(|contract| contract.agreed_at.is_some())
        .ok_or_else(missing)?;
    let plan = campaign::table::plan(tx, &row.plan_code)
        .await?
        .ok_or(Error::NotFound { what: "plan" })?;
    let campaign = match &row.campaign_code {
        Some(code) => {
            let (campaign, _) = campaign::table::campaign(tx, code)
                .await?
                .ok_or(Error::NotFound { what: "campaign" })?;
            let mut free_portals: Vec<String> = campaign
                .free_portals
                .iter()
                .map(ToString::to_string)
                .collect();
            free_portals.sort();
            Some(CampaignPart {
                code: code.clone(),
                free_portals,
            })
        }
        None => None,
    };
    let photos = enrolment::evidence(tx, &row.id).await?;
    write(&Canonical {
        campaign,
        contact: ContactPart {
            email: row.email.clone(),
            phone: row.phone.clone().ok_or_else(missing)?,
            proved: row.activated_channel.ok_or_else(missing)?.as_str(),
        },
        contract: ContractPart {
            number: contract.number,
            sha256: hex::encode(contract.sha256),
        },
        enrolment: row.id.to_string(),
        entered_by: row.entered_by.map(|officer| officer.to_string()),
        evidence: photos
            .into_iter()
            .map(|photo| PhotoPart {
                kind: photo.view.kind.as_str(),
                sha256: photo.view.sha256,
            })
            .collect(),
        owner: OwnerPart::of(row.owner.as_ref().ok_or_else(missing)?),
        plan: PlanPart {
            code: plan.code,
            months: plan.months,
            price_vnd: row.price_vnd,
            units: match plan.allowance {
                Allowance::Unlimited => None,
                Allowance::Pack(signatures) => Some(signatures),
            },
        },
        round: row.round,
        kind: DOSSIER_TYPE,
    })
}

impl OwnerPart {
    fn of(owner: &Owner) -> Self {
        Self {
            address: AddressPart {
                commune_code: owner.address.commune_code.clone(),
                commune_name: owner.address.commune_name.clone(),
                detail: owner.address.detail.clone(),
                province_code: owner.address.province_code.clone(),
                province_name: owner.address.province_name.clone(),
            },
            birth_date: iso(owner.birth_date),
            card_expires_on: owner.card_expires_on.map(iso),
            full_name: owner.full_name.clone(),
            identity_number: owner.identity_number.clone(),
            issue_date: iso(owner.issue_date),
            issue_place: owner.issue_place.clone(),
            nationality: owner.nationality.clone(),
            sex: owner.sex.as_str(),
            source: owner.source.as_str(),
        }
    }
}

fn write(canonical: &Canonical) -> Result<String> {
    serde_json::to_string(canonical).map_err(|_| Error::Corrupt {
        table: "enrolment",
        id: canonical.enrolment.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dossier_has_exactly_these_bytes() {
        let text = write(&Canonical {
            campaign: Some(CampaignPart {
                code: "ward".into(),
                free_portals: vec!["portal_1".into()],
            }),
            contact: ContactPart {
                email: Some("a@b.vn".into()),
                phone: "+84900000001".into(),
                proved: "sms",
            },
            contract: ContractPart {
                number: "HD79".into(),
                sha256: "ab".into(),
            },
            enrolment: "enr_1".into(),
            entered_by: Some("off_1".into()),
            evidence: vec![PhotoPart {
                kind: "front",
                sha256: "cd".into(),
            }],
            owner: OwnerPart {
                address: AddressPart {
                    commune_code: "27190".into(),
                    commune_name: "Phường Vườn Lài".into(),
                    detail: "12/3 \"Hoa\"".into(),
                    province_code: "79".into(),
                    province_name: "Thành phố Hồ Chí Minh".into(),
                },
                birth_date: "2000-08-15".into(),
                card_expires_on: Some("2040-08-15".into()),
                full_name: "Nguyễn Thị Mẫu".into(),
                identity_number: "079300000001".into(),
                issue_date: "2025-07-15".into(),
                issue_place: "Bộ Công an".into(),
                nationality: "VNM".into(),
                sex: "female",
                source: "qr",
            },
            plan: PlanPart {
                code: "free".into(),
                months: 12,
                price_vnd: 0,
                units: Some(20),
            },
            round: 1,
            kind: DOSSIER_TYPE,
        })
        .unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"campaign":{"code":"ward","free_portals":["portal_1"]},"#,
                r#""contact":{"email":"a@b.vn","phone":"+84900000001","proved":"sms"},"#,
                r#""contract":{"number":"HD79","sha256":"ab"},"enrolment":"enr_1","entered_by":"off_1","#,
                r#""evidence":[{"kind":"front","sha256":"cd"}],"owner":{"address":{"commune_code":"27190","#,
                r#""commune_name":"Phường Vườn Lài","detail":"12/3 \"Hoa\"","province_code":"79","#,
                r#""province_name":"Thành phố Hồ Chí Minh"},"birth_date":"2000-08-15","card_expires_on":"2040-08-15","#,
                r#""full_name":"Nguyễn Thị Mẫu","identity_number":"079300000001","issue_date":"2025-07-15","#,
                r#""issue_place":"Bộ Công an","nationality":"VNM","sex":"female","source":"qr"},"#,
                r#""plan":{"code":"free","months":12,"price_vnd":0,"units":20},"round":1,"type":"kyso.dossier.v1"}"#
            )
        );
    }
}
