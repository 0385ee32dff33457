//! Administrative units: the provinces and communes of an address, with what they were before.
//!
//! Since 1 July 2025 there are 34 provinces and 3,321 communes (wards, communes, special zones) and no districts
//! (Resolution 202/2025/QH15; codes: Decision 19/2025/QĐ-TTg). A code is reused after a merger, so a unit is its code
//! and the day it began. Units that ended stay, with the units they merged into: certificates issued before keep the
//! old names, and an old address can be shown with the new one.
//!
//! The provinces and the communes of the demo are seeded; an operator imports the rest as CSV.

pub(crate) mod seed;
pub(crate) mod table;

use kyso_store::Tx;

use crate::{Error, Registration, Result};

/// Which tier a unit is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Province or centrally run city.
    Province,
    /// Urban or rural district: history only, ended on 1 July 2025.
    District,
    /// Ward, commune or special zone.
    Commune,
}

impl Tier {
    /// `province`, `district`, `commune`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::District => "district",
            Self::Commune => "commune",
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        [Self::Province, Self::District, Self::Commune]
            .into_iter()
            .find(|tier| tier.as_str() == text)
    }
}

/// One unit, for as long as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Two digits for a province, three for a district, five for a commune.
    pub code: String,
    /// Which tier.
    pub tier: Tier,
    /// The unit it belongs to.
    pub parent_code: Option<String>,
    /// Full name, such as `Phường Vườn Lài`.
    pub name: String,
    /// First day, `yyyy-mm-dd`.
    pub valid_from: String,
    /// First day after it; `None` = in force.
    pub valid_to: Option<String>,
}

/// The units that an address names, in force or not.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// By `province_code`.
    pub province: Option<Unit>,
    /// By `commune_code`.
    pub commune: Option<Unit>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Units that are new.
    pub added: u64,
    /// Units whose name, parent or end changed.
    pub changed: u64,
    /// Mergers that are new.
    pub mergers: u64,
}

impl Registration {
    /// The provinces in force, by code.
    pub async fn provinces(&self) -> Result<Vec<Unit>> {
        let mut tx = self.store().read().await?;
        table::of_parent(&mut tx, None).await
    }

    /// The communes of a province in force, by name.
    pub async fn communes(&self, province_code: &str) -> Result<Vec<Unit>> {
        let mut tx = self.store().read().await?;
        table::of_parent(&mut tx, Some(province_code)).await
    }

    /// The units in force that an old unit became, for showing an old address beside the new one.
    pub async fn successors(&self, code: &str) -> Result<Vec<Unit>> {
        let mut tx = self.store().read().await?;
        table::successors(&mut tx, code).await
    }

    /// Adds and changes units from CSV: `code,tier,parent_code,name,valid_from,valid_to,merged_into`, one unit a line,
    /// the first line the header. `merged_into` lists codes separated by spaces. All or nothing.
    ///
    /// # Errors
    /// [`Error::Line`] naming line, column and rule.
    pub async fn import_units(&self, csv: &str, actor: &str) -> Result<Imported> {
        let lines = read_csv(csv)?;
        let mut tx = self.store().write().await?;
        let mut imported = Imported::default();
        for line in &lines {
            let (added, changed) = table::put(&mut tx, &line.unit).await?;
            imported.added += added;
            imported.changed += changed;
            for to in &line.merged_into {
                imported.mergers += table::merge(&mut tx, &line.unit, to).await?;
            }
        }
        crate::ledger::line("registration.units.imported", "units", actor)
            .with("lines", lines.len())
            .record(&mut tx);
        tx.commit().await?;
        Ok(imported)
    }
}

/// The units an address names; districts and the like are found by nobody.
pub(crate) async fn find(tx: &mut Tx, province_code: &str, commune_code: &str) -> Result<Found> {
    Ok(Found {
        province: table::newest(tx, Tier::Province, province_code).await?,
        commune: table::newest(tx, Tier::Commune, commune_code).await?,
    })
}

struct Line {
    unit: Unit,
    merged_into: Vec<String>,
}

/// The first line of an import.
const HEADER: &str = "code,tier,parent_code,name,valid_from,valid_to,merged_into";

fn read_csv(csv: &str) -> Result<Vec<Line>> {
    let mut lines = csv.trim_start_matches('\u{feff}').lines().zip(1..);
    if lines.next().map(|(line, _)| line.trim()) != Some(HEADER) {
        return Err(Error::Line {
            line: 1,
            column: "header",
            rule: HEADER,
        });
    }
    lines
        .filter(|(text, _)| !text.trim().is_empty())
        .map(|(text, line)| {
            read_line(text).map_err(|(column, rule)| Error::Line { line, column, rule })
        })
        .collect()
}

/// One line; else the column that is wrong and what it must be.
fn read_line(text: &str) -> Result<Line, (&'static str, &'static str)> {
    let columns: Vec<&str> = text.split(',').map(str::trim).collect();
    let [code, tier, parent, name, from, to, merged] = columns[..] else {
        return Err(("line", "seven columns, none of which holds a comma"));
    };
    let tier = Tier::read(tier).ok_or(("tier", "province, district or commune"))?;
    let digits = match tier {
        Tier::Province => 2,
        Tier::District => 3,
        Tier::Commune => 5,
    };
    let is_code =
        |code: &str| code.len() == digits && code.bytes().all(|byte| byte.is_ascii_digit());
    if !is_code(code) {
        return Err((
            "code",
            "two digits for a province, three for a district, five for a commune",
        ));
    }
    if merged.split(' ').any(|to| !to.is_empty() && !is_code(to)) {
        return Err(("merged_into", "codes of the same tier with spaces between"));
    }
    if (tier == Tier::Province) != parent.is_empty() {
        return Err(("parent_code", "empty for a province, else given"));
    }
    let is_day = |day: &str| day.parse::<kyso_paper::Date>().is_ok();
    if !is_day(from) {
        return Err(("valid_from", "a day, yyyy-mm-dd"));
    }
    if !(to.is_empty() || is_day(to) && to > from) {
        return Err(("valid_to", "empty, or a day after valid_from, yyyy-mm-dd"));
    }
    let name = crate::citizen::read_line(name, 128, true)
        .map_err(|_| ("name", "1 to 128 letters, as printed"))?;
    Ok(Line {
        unit: Unit {
            code: code.into(),
            tier,
            parent_code: (!parent.is_empty()).then(|| parent.into()),
            name,
            valid_from: from.into(),
            valid_to: (!to.is_empty()).then(|| to.into()),
        },
        merged_into: merged
            .split(' ')
            .filter(|to| !to.is_empty())
            .map(Into::into)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_has_thirty_four_provinces_and_every_line_is_well_formed() {
        let lines = read_csv(seed::UNITS).unwrap();
        let in_force = |tier| {
            lines
                .iter()
                .filter(|l| l.unit.tier == tier && l.unit.valid_to.is_none())
                .count()
        };
        assert_eq!(in_force(Tier::Province), 34);
        assert_eq!(in_force(Tier::District), 0);
        assert!(in_force(Tier::Commune) >= 10);
        for line in lines.iter().filter(|line| line.unit.tier != Tier::Province) {
            let parent = line.unit.parent_code.as_deref().unwrap();
            assert!(
                lines.iter().any(|other| other.unit.code == parent),
                "{parent}"
            );
        }
    }

    #[test]
    fn a_malformed_line_is_refused() {
        let header = "code,tier,parent_code,name,valid_from,valid_to,merged_into\n";
        let good = "27190,commune,79,Phường Vườn Lài,2025-07-01,,\n\n";
        for (wrong, text) in [
            ("code", "2719,commune,79,Phường Vườn Lài,2025-07-01,,"),
            ("tier", "27190,ward,79,Phường Vườn Lài,2025-07-01,,"),
            ("parent_code", "27190,commune,,Phường Vườn Lài,2025-07-01,,"),
            ("name", "27190,commune,79,,2025-07-01,,"),
            (
                "valid_from",
                "27190,commune,79,Phường Vườn Lài,01/07/2025,,",
            ),
            (
                "valid_to",
                "27190,commune,79,Phường Vườn Lài,2025-07-01,2025-07-01,",
            ),
            (
                "merged_into",
                "27190,commune,79,Phường Vườn Lài,2025-07-01,,2716",
            ),
            ("line", "27190,commune,79"),
        ] {
            match read_csv(&format!("{header}{good}{text}")).map(drop) {
                Err(Error::Line { line, column, .. }) => assert_eq!((line, column), (4, wrong)),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(read_csv("code\n").is_err());
    }
}
