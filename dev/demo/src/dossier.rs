//! The form that the portal asks the citizen to sign: an invented business of the person who enrolled.

use kyso_paper::{Date, DossierFields, Subscriber};
use kyso_phone::Owner;

use kyso_demo::stage::Failure;

/// The commune and province of the owner's codes, as people write them.
const COMMUNE: &str = "Phường Vườn Lài";
const PROVINCE: &str = "Thành phố Hồ Chí Minh";

/// The dossier of this person, made today: nothing on it is anybody else's.
pub fn of(owner: &Owner) -> Result<DossierFields, Failure> {
    let detail = owner.address["detail"].as_str().unwrap_or_default();
    let address = format!("{detail}, {COMMUNE}, {PROVINCE}");
    let mut form = kyso_paper::sample::dossier(1);
    form.made_on = today();
    form.number = format!(
        "H29.25.10-{:02}{:02}{:02}-0001",
        form.made_on.year() % 100,
        form.made_on.month(),
        form.made_on.day()
    );
    form.commune = COMMUNE.into();
    form.province = PROVINCE.into();
    form.business.name = format!("HỘ KINH DOANH TIỆM BÁNH {}", given_name(&owner.full_name));
    form.business.address = address.clone();
    form.business.capital_vnd = 150_000_000;
    form.business.opens_on = Date::new(form.made_on.year() + 1, 1, 15)?;
    form.applicant = Subscriber {
        full_name: owner.full_name.clone(),
        birth_date: day(&owner.birth_date)?,
        sex: match owner.sex.as_str() {
            "female" => "Nữ".into(),
            _ => "Nam".into(),
        },
        nationality: "Việt Nam".into(),
        identity_kind: "CCCD".into(),
        identity_number: owner.identity_number.clone(),
        identity_issued_on: day(&owner.issue_date)?,
        identity_issuer: owner.issue_place.clone(),
        address,
        email: owner.email.clone(),
        phone: owner.phone.clone(),
    };
    Ok(form)
}

/// The last two words, in capitals: `Hồng Ánh` of `Nguyễn Thị Hồng Ánh`.
fn given_name(full_name: &str) -> String {
    let words: Vec<&str> = full_name.split(' ').collect();
    words[words.len().saturating_sub(2)..]
        .join(" ")
        .to_uppercase()
}

/// `yyyy-mm-dd`.
fn day(text: &str) -> Result<Date, Failure> {
    let mut parts = text.split('-');
    let mut next = || parts.next().ok_or("a date is yyyy-mm-dd");
    Ok(Date::new(
        next()?.parse()?,
        next()?.parse()?,
        next()?.parse()?,
    )?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the form is dated as people date one"
)]
fn today() -> Date {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Date::in_vietnam(i64::try_from(since.as_millis()).unwrap_or_default())
}
