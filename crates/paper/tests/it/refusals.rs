//! What no paper is written for.

use kyso_paper::{Error, Trade, contract, dossier, sample};

#[test]
fn a_character_without_a_glyph_is_refused_by_the_field_that_holds_it() {
    for character in [
        '中', 'Ж', '😀', '\u{0}', '\n', '\u{202E}', '\u{200B}', '\u{E000}',
    ] {
        let mut fields = sample::contract();
        fields.subscriber.full_name = format!("Nguyễn {character}");
        match contract(&fields) {
            Err(Error::Unprintable {
                field,
                character: found,
            }) => {
                assert_eq!((field.as_str(), found), ("subscriber.full_name", character));
            }
            other => panic!("{character:?}: {other:?}"),
        }
    }
}

#[test]
fn an_error_never_repeats_what_the_field_said() {
    let mut fields = sample::contract();
    fields.subscriber.full_name = "Bí Mật 中".into();
    let said = contract(&fields).unwrap_err().to_string();
    assert_eq!(
        said,
        "field subscriber.full_name holds U+4E2D, which the fonts cannot show"
    );
}

#[test]
fn a_field_too_long_is_refused() {
    let mut fields = sample::contract();
    fields.subscriber.address = "a".repeat(401);
    assert!(matches!(
        contract(&fields),
        Err(Error::TooLong {
            characters: 401,
            most: 400,
            ..
        })
    ));
    fields.subscriber.address = "ă".repeat(400);
    assert!(contract(&fields).is_ok());
}

#[test]
fn a_list_too_long_is_refused() {
    let mut fields = sample::dossier(1);
    fields.trades = vec![
        Trade {
            code: "1071".into(),
            name: "Bánh".into()
        };
        51
    ];
    assert!(matches!(
        dossier(&fields),
        Err(Error::TooMany {
            entries: 51,
            most: 50,
            ..
        })
    ));
    fields.trades.truncate(50);
    assert!(dossier(&fields).is_ok());
}

#[test]
fn empty_lists_still_make_a_form() {
    let mut fields = sample::dossier(1);
    fields.trades.clear();
    fields.members.clear();
    fields.attachments.clear();
    assert!(dossier(&fields).is_ok());
}
