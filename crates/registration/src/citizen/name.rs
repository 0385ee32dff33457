//! The owner's name: kept exactly as on the card, refused when it could be mistaken for another.
//!
//! Stored in Unicode normalisation form C (UAX #15; TCVN 6909 precomposed letters), so that a name typed on a phone
//! that decomposes and one read from the card's QR are the same bytes, and the certificate's CN is stable.
//! At most 64 characters: `ub-common-name`, RFC 5280 appendix A.1.
//!
//! Invariant: a refusal names the rule and the place, never the text.

use unicode_normalization::UnicodeNormalization;

/// `ub-common-name`, RFC 5280 appendix A.1, in characters.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// What is wrong with a text, and at which character (counted from 1, after normalisation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Stable code; see [`super::FIELD_CODES`].
    pub code: &'static str,
    /// Place of the first character concerned.
    pub position: Option<usize>,
}

/// Reads a person's name. Every rule broken is reported once, with its first place.
pub fn read_name(typed: &str) -> Result<String, Vec<Fault>> {
    let name = normalised(typed);
    let mut faults = Faults::default();
    if name.is_empty() {
        faults.add("required", None);
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        faults.add("too-long", Some(NAME_CHARACTERS_MAX + 1));
    }
    let mut before = None;
    for (index, letter) in name.chars().enumerate() {
        if let Some(code) = fault_of(letter, before) {
            faults.add(code, Some(index + 1));
        }
        before = Some(letter);
    }
    if !name.is_empty() && !name.chars().next().is_some_and(char::is_alphabetic) {
        faults.add("symbol", Some(1));
    }
    faults.finish(name)
}

/// Reads free text of one line, such as the detail of an address or who issued the card: the scripts and signs of
/// [`read_name`], and digits and the punctuation of addresses besides.
pub fn read_line(typed: &str, characters_max: usize, required: bool) -> Result<String, Vec<Fault>> {
    let line = normalised(typed);
    let mut faults = Faults::default();
    if required && line.is_empty() {
        faults.add("required", None);
    }
    if line.chars().count() > characters_max {
        faults.add("too-long", Some(characters_max + 1));
    }
    let mut before = None;
    for (index, letter) in line.chars().enumerate() {
        let plain = letter.is_ascii_digit() || ",./()#&;:+\"–".contains(letter);
        if let Some(code) = fault_of(letter, before).filter(|_| !plain) {
            faults.add(code, Some(index + 1));
        }
        before = Some(letter);
    }
    faults.finish(line)
}

/// NFC, without the plain spaces that keyboards leave at the ends, and with the apostrophe that cards print instead
/// of the curly one that phones put in its place (H’Hen → H'Hen).
fn normalised(typed: &str) -> String {
    typed
        .trim_matches(' ')
        .nfc()
        .map(|letter| if letter == '’' { '\'' } else { letter })
        .collect()
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, code: &'static str, position: Option<usize>) {
        if !self.0.iter().any(|fault| fault.code == code) {
            self.0.push(Fault { code, position });
        }
    }

    fn finish(self, text: String) -> Result<String, Vec<Fault>> {
        if self.0.is_empty() {
            Ok(text)
        } else {
            Err(self.0)
        }
    }
}

fn fault_of(letter: char, before: Option<char>) -> Option<&'static str> {
    match letter {
        ' ' if before == Some(' ') => Some("double-space"),
        ' ' | '\'' | '-' => None,
        _ if letter.is_control() => Some("control"),
        _ if is_invisible(letter) => Some("invisible"),
        _ if letter.is_whitespace() => Some("space"),
        _ if is_name_letter(letter) => None,
        // Ê Đê and Gia Rai write breves on vowels for which Unicode has no single character.
        '\u{0306}' if before.is_some_and(|vowel| "êôơưÊÔƠƯ".contains(vowel)) => None,
        '\u{0300}'..='\u{036f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' => Some("mark"),
        _ if letter.is_numeric() => Some("digit"),
        _ if is_lookalike(letter) => Some("lookalike"),
        'A'..='\u{024f}' | '\u{1e00}'..='\u{1eff}' if letter.is_alphabetic() => Some("letter"),
        _ if letter.is_alphabetic() => Some("foreign-script"),
        _ => Some("symbol"),
    }
}

/// The letters of Vietnamese and of the Latin alphabets of Vietnam's other peoples, as they stand on identity cards.
fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphabetic()
        || "ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯưÑñČčĔĕĬĭŎŏŬŭɃƀ".contains(letter)
        || ('\u{1ea0}'..='\u{1ef9}').contains(&letter)
}

/// Latin letters that a reader takes for one of ours: eth and African D for Đ, dotless i, long s and the like.
fn is_lookalike(letter: char) -> bool {
    "ÐðƉɖƊɗıĸŉſɑɡɩƖǀ".contains(letter)
}

/// Characters that show nothing or reorder what is shown (UTS #39 5.1, UAX #9).
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(typed: &str) -> Vec<&'static str> {
        read_name(typed)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|fault| fault.code)
            .collect()
    }

    #[test]
    fn decomposed_and_precomposed_input_become_the_same_bytes() {
        for (typed, stored) in [
            (
                "Nguye\u{0302}\u{0303}n Thi\u{0323} Ho\u{0302}\u{0300}ng Ha\u{0323}nh",
                "Nguyễn Thị Hồng Hạnh",
            ),
            ("Nguye\u{0303}\u{0302}n", "Nguy\u{1ebd}\u{0302}n"),
            ("Le\u{0323}\u{0302}", "Lệ"),
            ("Le\u{0302}\u{0323}", "Lệ"),
            ("To\u{031b}\u{0301}", "Tớ"),
            ("To\u{0301}\u{031b}", "Tớ"),
            ("Đa\u{0340}", "Đà"),
        ] {
            match read_name(typed) {
                Ok(name) => assert_eq!(name, stored),
                // A tilde below a circumflex is another letter for Unicode; it must not pass for ễ.
                Err(faults) => {
                    assert_eq!((faults[0].code, stored.nfc().count() > 6), ("mark", true))
                }
            }
        }
    }

    #[test]
    fn a_refusal_names_rule_and_place() {
        for (typed, code, position) in [
            ("Nguyễn Vӑn An", "foreign-script", Some(9)),
            ("Trần\u{200b}Bình", "invisible", Some(5)),
            ("Lê  Minh", "double-space", Some(4)),
            ("Ðặng Thu", "lookalike", Some(1)),
            ("Lê Minh 2", "digit", Some(9)),
            ("", "required", None),
            ("-", "symbol", Some(1)),
        ] {
            assert_eq!(
                read_name(typed).unwrap_err(),
                vec![Fault { code, position }],
                "{code}"
            );
        }
    }

    #[test]
    fn sixty_four_characters_pass_and_one_more_does_not() {
        assert!(read_name(&"ệ".repeat(64)).is_ok());
        assert_eq!(codes(&"ệ".repeat(65)), ["too-long"]);
        // 65 code points as typed, 64 as stored
        assert!(read_name(&format!("{}e\u{0301}", "ệ".repeat(63))).is_ok());
    }

    #[test]
    fn every_broken_rule_is_reported_once() {
        assert_eq!(
            codes("А  Б  1\u{202e}2"),
            ["foreign-script", "double-space", "digit", "invisible"]
        );
    }

    #[test]
    fn an_address_line_takes_digits_and_punctuation_but_no_hidden_characters() {
        assert!(read_line("410–412 Ngô Gia Tự, tổ 5 (hẻm 12/3)", 120, true).is_ok());
        assert!(read_line("", 120, false).is_ok());
        for line in ["a\u{202e}b", "a\nb", "Đường Ленина"] {
            assert!(read_line(line, 120, true).is_err());
        }
    }
}
