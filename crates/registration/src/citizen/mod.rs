//! Who somebody is: what the owner types, judged by the rules of Vietnamese identity cards.
//!
//! Everything here is pure: the day and the administrative units found are arguments. All broken rules are reported at
//! once, each as field and stable code. No value is ever part of a refusal.
//!
//! Standards: Law on Identification 26/2023/QH15 (number, expiry by age, end of the 9-digit card), RFC 5280 appendix A
//! (64 characters of a name), E.164.

mod contact;
mod name;
mod number;

pub use contact::{Channel, masked, read_email, read_phone};
pub use name::{Fault, NAME_CHARACTERS_MAX, read_line, read_name};
pub use number::{NumberSays, Sex, age_on, card_expires_on, read_number};

use kyso_paper::Date;

use crate::unit::{Found, Unit};

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Path of the field, such as `full_name` or `address.commune_code`.
    pub field: &'static str,
    /// Stable code of the rule, one of [`FIELD_CODES`].
    pub code: &'static str,
    /// The character concerned, counted from 1, where there is one.
    pub position: Option<usize>,
}

/// Every code a [`FieldError`] can have.
pub const FIELD_CODES: &[&str] = &[
    // any text
    "required",
    "too-long",
    "control",
    "invisible",
    "space",
    "double-space",
    "mark",
    "digit",
    "lookalike",
    "letter",
    "foreign-script",
    "symbol",
    // number
    "digits",
    "length",
    "cmnd-not-accepted",
    "place-unknown",
    "kind-not-accepted",
    "sex-mismatch",
    "birth-year-mismatch",
    // dates and age
    "date",
    "in-future",
    "too-young",
    "too-old",
    "before-birth",
    "before-first-card",
    "card-expired",
    // choices
    "unknown",
    "nationality-not-accepted",
    // contact
    "phone-form",
    "not-mobile",
    "prefix-refused",
    "email-form",
    "needed-for-channel",
    // address
    "province-unknown",
    "province-merged",
    "commune-unknown",
    "commune-merged",
    "commune-elsewhere",
    "district-not-used",
    "out-of-campaign",
];

/// Rules that an operator may set.
#[derive(Debug, Clone, Copy)]
pub struct OwnerPolicy {
    /// Youngest age in whole years.
    pub age_min: i32,
}

/// What somebody typed about themselves, or a phone read from the card's QR code.
#[derive(Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewOwner {
    /// Full name as on the card.
    pub full_name: String,
    /// `cccd`; `cmnd` and `passport` are named to be refused clearly.
    pub identity_kind: String,
    /// Twelve digits.
    pub identity_number: String,
    /// `yyyy-mm-dd` or `dd/mm/yyyy`.
    pub issue_date: String,
    /// Who issued the card, as printed.
    pub issue_place: String,
    /// `yyyy-mm-dd` or `dd/mm/yyyy`.
    pub birth_date: String,
    /// `male` or `female` (`Nam`, `Nữ`).
    pub sex: String,
    /// `VNM`.
    pub nationality: String,
    /// Mobile number, ten digits from 0.
    pub phone: String,
    /// E-mail; empty = none.
    #[serde(default)]
    pub email: String,
    /// Where the person lives or works now.
    pub address: NewAddress,
    /// `typed`, `qr` (as read from the card) or `qr-edited`; tells the officer where to look.
    #[serde(default)]
    pub source: String,
}

/// An address as typed: two tiers since 1 July 2025.
#[derive(Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    /// Two digits.
    pub province_code: String,
    /// Five digits.
    pub commune_code: String,
    /// House number, street, hamlet.
    pub detail: String,
    /// Not part of an address any more; refused, so that an old form notices.
    #[serde(default)]
    pub district_code: String,
}

/// An owner that obeys every rule.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// NFC, exactly the letters of the card.
    pub full_name: String,
    /// Twelve digits.
    pub identity_number: String,
    /// Day of issue.
    pub issue_date: Date,
    /// Who issued the card.
    pub issue_place: String,
    /// When the card stops being valid; `None` = never.
    pub card_expires_on: Option<Date>,
    /// Day of birth.
    pub birth_date: Date,
    /// Sex.
    pub sex: Sex,
    /// `VNM`.
    pub nationality: String,
    /// E.164.
    pub phone: String,
    /// With the host in lower case.
    pub email: Option<String>,
    /// Where.
    pub address: Address,
    /// Where the fields came from.
    pub source: Source,
}

/// An address whose units exist today.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Two digits.
    pub province_code: String,
    /// Full name, such as `Thành phố Hồ Chí Minh`.
    pub province_name: String,
    /// Five digits.
    pub commune_code: String,
    /// Full name, such as `Phường Vườn Lài`.
    pub commune_name: String,
    /// House number, street.
    pub detail: String,
}

impl Address {
    /// One line: detail, commune, province.
    pub fn line(&self) -> String {
        format!(
            "{}, {}, {}",
            self.detail, self.commune_name, self.province_name
        )
    }
}

/// Where the fields came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Typed by hand.
    Typed,
    /// Read from the card's QR code and left as read.
    Qr,
    /// Read from the card's QR code and changed by hand.
    QrEdited,
}

impl Source {
    /// `typed`, `qr`, `qr-edited`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Qr => "qr",
            Self::QrEdited => "qr-edited",
        }
    }

    /// Reads a stored or sent word; anything unknown counts as typed.
    pub fn read(text: &str) -> Self {
        match text {
            "qr" => Self::Qr,
            "qr-edited" => Self::QrEdited,
            _ => Self::Typed,
        }
    }
}

// Personal data stays out of logs even when somebody prints a whole struct.
macro_rules! silent {
    ($($type:ty),* $(,)?) => { $(impl std::fmt::Debug for $type {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(concat!(stringify!($type), " { .. }"))
        }
    })* };
}
pub(crate) use silent;
silent!(NewOwner, NewAddress, Owner, Address);

/// Longest detail of an address and name of an issuer, in characters.
const LINE_CHARACTERS_MAX: usize = 120;
/// Nobody alive is older; a typing mistake is.
const AGE_MAX: i32 = 120;
/// The 12-digit CCCD exists since the Law on Citizen Identification 59/2014/QH13 took effect. A 12-digit card issued
/// before is a CMND, void since 1 January 2025 like the 9-digit one.
const FIRST_CARD: (i32, u8, u8) = (2016, 1, 1);

/// Judges what was typed. `found` = the units that its two codes name; `today` in Vietnam.
pub fn read_owner(
    new: &NewOwner,
    found: &Found,
    today: Date,
    policy: OwnerPolicy,
) -> Result<Owner, Vec<FieldError>> {
    let mut errors = Errors::default();
    let full_name = errors.text("full_name", read_name(&new.full_name));
    let issue_place = errors.text(
        "issue_place",
        read_line(&new.issue_place, LINE_CHARACTERS_MAX, true),
    );
    let number = errors.number(new);
    let birth = errors.date("birth_date", &new.birth_date, today);
    let issued = errors.date("issue_date", &new.issue_date, today);
    let sex = errors.choice("sex", &new.sex, Sex::read);
    errors.agreement(number, birth, sex);
    errors.age(birth, today, policy);
    let card_expires_on = errors.card(birth, issued, today);
    if new.nationality != "VNM" {
        errors.add(
            "nationality",
            if new.nationality.is_empty() {
                "required"
            } else {
                "nationality-not-accepted"
            },
        );
    }
    let phone = errors.rule("phone", read_phone(&new.phone));
    let email = errors.rule("email", read_email(&new.email));
    let address = errors.address(&new.address, found);
    match (
        errors.0.is_empty(),
        full_name,
        issue_place,
        birth,
        issued,
        sex,
        phone,
        email,
        address,
    ) {
        (
            true,
            Some(full_name),
            Some(issue_place),
            Some(birth_date),
            Some(issue_date),
            Some(sex),
            Some(phone),
            Some(email),
            Some(address),
        ) => Ok(Owner {
            full_name,
            identity_number: new.identity_number.clone(),
            issue_date,
            issue_place,
            card_expires_on,
            birth_date,
            sex,
            nationality: new.nationality.clone(),
            phone,
            email,
            address,
            source: Source::read(&new.source),
        }),
        _ => Err(errors.0),
    }
}

/// Reads `yyyy-mm-dd`, or `dd/mm/yyyy` as people in Vietnam write it.
pub fn read_date(text: &str) -> Option<Date> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [day, month, year] if day.len() == 2 && month.len() == 2 => {
            format!("{year}-{month}-{day}").parse().ok()
        }
        _ => text.parse().ok(),
    }
}

#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn add(&mut self, field: &'static str, code: &'static str) {
        self.0.push(FieldError {
            field,
            code,
            position: None,
        });
    }

    fn rule<T>(&mut self, field: &'static str, read: Result<T, &'static str>) -> Option<T> {
        read.map_err(|code| self.add(field, code)).ok()
    }

    fn text(&mut self, field: &'static str, read: Result<String, Vec<Fault>>) -> Option<String> {
        read.map_err(|faults| {
            self.0.extend(
                faults
                    .into_iter()
                    .map(|Fault { code, position }| FieldError {
                        field,
                        code,
                        position,
                    }),
            );
        })
        .ok()
    }

    fn choice<T>(
        &mut self,
        field: &'static str,
        text: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let choice = read(text);
        if choice.is_none() {
            self.add(
                field,
                if text.is_empty() {
                    "required"
                } else {
                    "unknown"
                },
            );
        }
        choice
    }

    fn date(&mut self, field: &'static str, text: &str, today: Date) -> Option<Date> {
        let Some(date) = read_date(text) else {
            self.add(field, if text.is_empty() { "required" } else { "date" });
            return None;
        };
        if date > today {
            self.add(field, "in-future");
            return None;
        }
        Some(date)
    }

    fn number(&mut self, new: &NewOwner) -> Option<NumberSays> {
        match new.identity_kind.as_str() {
            "cccd" => self.rule("identity_number", read_number(&new.identity_number)),
            "cmnd" => {
                self.add("identity_kind", "cmnd-not-accepted");
                None
            }
            "" => {
                self.add("identity_kind", "required");
                None
            }
            _ => {
                self.add("identity_kind", "kind-not-accepted");
                None
            }
        }
    }

    /// The number says sex and year of birth; both fields it can disagree with are named.
    fn agreement(&mut self, number: Option<NumberSays>, birth: Option<Date>, sex: Option<Sex>) {
        let Some(says) = number else { return };
        if birth.is_some_and(|birth| birth.year() != says.birth_year) {
            self.add("birth_date", "birth-year-mismatch");
        }
        if sex.is_some_and(|sex| sex != says.sex) {
            self.add("sex", "sex-mismatch");
        }
    }

    fn age(&mut self, birth: Option<Date>, today: Date, policy: OwnerPolicy) {
        match birth.map(|birth| age_on(birth, today)) {
            Some(age) if age < policy.age_min => self.add("birth_date", "too-young"),
            Some(age) if age > AGE_MAX => self.add("birth_date", "too-old"),
            _ => {}
        }
    }

    fn card(&mut self, birth: Option<Date>, issued: Option<Date>, today: Date) -> Option<Date> {
        let (Some(birth), Some(issued)) = (birth, issued) else {
            return None;
        };
        let expires = card_expires_on(birth, issued);
        if issued < birth {
            self.add("issue_date", "before-birth");
        } else if (issued.year(), issued.month(), issued.day()) < FIRST_CARD {
            self.add("issue_date", "before-first-card");
        } else if expires.is_some_and(|expires| expires <= today) {
            self.add("issue_date", "card-expired");
        }
        expires
    }

    fn address(&mut self, new: &NewAddress, found: &Found) -> Option<Address> {
        let detail = self.text(
            "address.detail",
            read_line(&new.detail, LINE_CHARACTERS_MAX, true),
        );
        if !new.district_code.is_empty() {
            self.add("address.district_code", "district-not-used");
        }
        let province = self.unit(
            "address.province_code",
            &new.province_code,
            &found.province,
            "province-unknown",
            "province-merged",
        );
        let commune = self.unit(
            "address.commune_code",
            &new.commune_code,
            &found.commune,
            "commune-unknown",
            "commune-merged",
        );
        let (province, commune) = (province?, commune?);
        if commune.parent_code.as_deref() != Some(&province.code) {
            self.add("address.commune_code", "commune-elsewhere");
            return None;
        }
        Some(Address {
            province_code: province.code,
            province_name: province.name,
            commune_code: commune.code,
            commune_name: commune.name,
            detail: detail?,
        })
    }

    /// A unit in force; one that only history knows is refused as merged, so that the form can offer its successors.
    fn unit(
        &mut self,
        field: &'static str,
        code: &str,
        found: &Option<Unit>,
        unknown: &'static str,
        merged: &'static str,
    ) -> Option<Unit> {
        match found {
            Some(unit) if unit.valid_to.is_none() => Some(unit.clone()),
            Some(_) => {
                self.add(field, merged);
                None
            }
            None => {
                self.add(field, if code.is_empty() { "required" } else { unknown });
                None
            }
        }
    }
}
