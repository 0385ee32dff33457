//! Provinces and communes: seeded, imported, merged.

use kyso_registration::Error;
use kyso_registration::unit::Imported;

use crate::office::Office;

crate::everywhere!(
    thirty_four_provinces_are_there_and_preparing_again_changes_nothing,
    an_old_ward_leads_to_the_new_one,
    an_import_adds_changes_and_ends_units_or_does_nothing,
    the_sample_is_one_that_an_import_takes,
);

const HEADER: &str = "code,tier,parent_code,name,valid_from,valid_to,merged_into\n";

async fn thirty_four_provinces_are_there_and_preparing_again_changes_nothing(office: Office) {
    office.registration.prepare().await.unwrap();
    let provinces = office.registration.provinces().await.unwrap();
    assert_eq!(provinces.len(), 34);
    assert_eq!(
        (provinces[0].code.as_str(), provinces[0].name.as_str()),
        ("01", "Thành phố Hà Nội")
    );
    let communes = office.registration.communes("79").await.unwrap();
    assert!(
        communes
            .iter()
            .any(|commune| commune.code == "27190" && commune.name == "Phường Vườn Lài")
    );
    assert!(
        !communes.iter().any(|commune| commune.code == "27184"),
        "a ward that ended is not offered"
    );
}

async fn an_old_ward_leads_to_the_new_one(office: Office) {
    let now = office.registration.successors("27184").await.unwrap();
    assert_eq!(
        now.iter()
            .map(|unit| unit.code.as_str())
            .collect::<Vec<_>>(),
        ["27190"]
    );
}

async fn an_import_adds_changes_and_ends_units_or_does_nothing(office: Office) {
    let add = format!("{HEADER}27349,commune,79,Phường Phú Lâm,2025-07-01,,\n");
    let import = async |csv: String| office.registration.import_units(&csv, "cli").await;
    assert_eq!(
        import(add.clone()).await.unwrap(),
        Imported {
            added: 1,
            changed: 0,
            mergers: 0
        }
    );
    assert_eq!(import(add).await.unwrap(), Imported::default());
    let end = format!("{HEADER}27349,commune,79,Phường Phú Lâm,2025-07-01,2026-01-01,27343\n");
    assert_eq!(
        import(end).await.unwrap(),
        Imported {
            added: 0,
            changed: 1,
            mergers: 1
        }
    );
    assert_eq!(
        office.registration.successors("27349").await.unwrap()[0].name,
        "Phường Chợ Lớn"
    );
    let half = format!(
        "{HEADER}27350,commune,79,Phường Mới,2025-07-01,,\n27351,commune,79,\u{202e},2025-07-01,,\n"
    );
    assert!(matches!(
        import(half).await,
        Err(Error::Line {
            line: 3,
            column: "name",
            ..
        })
    ));
    assert!(
        !office
            .registration
            .communes("79")
            .await
            .unwrap()
            .iter()
            .any(|unit| unit.code == "27350")
    );
}

async fn the_sample_is_one_that_an_import_takes(office: Office) {
    let sample = include_str!("../../../../docs/samples/units.csv");
    let imported = office.registration.import_units(sample, "cli").await;
    assert_eq!(imported.unwrap(), Imported::default());
}
