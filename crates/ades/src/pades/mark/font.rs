//! Noto Sans: widths to lay out with, and the subset that goes into a file (ISO 32000-1 9.7: Type0, CIDFontType2,
//! Identity-H, with a ToUnicode map so that text can be searched and copied).

use std::collections::BTreeMap;

use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};

use crate::Error;
use crate::pades::pdf::{Dictionary, Object, Reference, Update};

static NOTO_SANS: &[u8] = include_bytes!("../../../assets/noto-sans-vietnamese.ttf");

/// The font, collecting the glyphs that get used.
pub struct Font {
    face: Face<'static>,
    remapper: GlyphRemapper,
    /// Glyph in the subset → character and its width in the font's units.
    used: BTreeMap<u16, (char, u16)>,
}

impl Font {
    /// The embedded font with no glyph used yet.
    pub fn noto_sans() -> Font {
        Font {
            face: Face::parse(NOTO_SANS, 0).expect("the embedded font is a font"),
            remapper: GlyphRemapper::new(),
            used: BTreeMap::new(),
        }
    }

    /// Width of a text in points at a size.
    ///
    /// # Errors
    /// [`Error::MarkGlyph`] for a character without a glyph.
    pub fn width(&self, text: &str, size: f32) -> Result<f32, Error> {
        let mut units = 0u32;
        for character in text.chars() {
            units += u32::from(self.advance(self.glyph(character)?));
        }
        Ok(units as f32 * size / self.units())
    }

    /// Height of capital letters at size 1.
    pub fn capital_height(&self) -> f32 {
        f32::from(self.face.capital_height().unwrap_or(700)) / self.units()
    }

    /// The text as a hexadecimal string of subset glyphs; they count as used from now on.
    ///
    /// # Errors
    /// [`Error::MarkGlyph`] for a character without a glyph.
    pub fn encode(&mut self, text: &str) -> Result<String, Error> {
        let mut out = String::with_capacity(text.len() * 4 + 2);
        out.push('<');
        for character in text.chars() {
            let glyph = self.glyph(character)?;
            let subset = self.remapper.remap(glyph.0);
            let width = self.advance(glyph);
            self.used.entry(subset).or_insert((character, width));
            out.push_str(&format!("{subset:04X}"));
        }
        out.push('>');
        Ok(out)
    }

    /// Writes the font with the glyphs used.
    pub fn embed(&self, update: &mut Update<'_, '_>) -> Result<Reference, Error> {
        let program =
            subsetter::subset(NOTO_SANS, 0, &self.remapper).map_err(|_| Error::Unsupported {
                feature: "subset of the embedded font",
            })?;
        let program_length = Dictionary::new()
            .with(b"Filter", Object::name("FlateDecode"))
            .with(b"Length1", program.len() as i64);
        let file = update.add_stream(program_length, &deflate(&program))?;
        let name = Object::Name(format!("{}+NotoSans", self.tag()).into_bytes());
        let descriptor = self.descriptor(&name, file);
        let descriptor = update.add(descriptor)?;
        let system = Dictionary::new()
            .with(b"Registry", Object::text("Adobe"))
            .with(b"Ordering", Object::text("Identity"))
            .with(b"Supplement", 0);
        let descendant = Dictionary::new()
            .with(b"Type", Object::name("Font"))
            .with(b"Subtype", Object::name("CIDFontType2"))
            .with(b"BaseFont", name.clone())
            .with(b"CIDSystemInfo", system)
            .with(b"FontDescriptor", descriptor)
            .with(b"CIDToGIDMap", Object::name("Identity"))
            .with(b"DW", 0)
            .with(b"W", self.widths());
        let descendant = update.add(descendant)?;
        let filter = Dictionary::new().with(b"Filter", Object::name("FlateDecode"));
        let to_unicode = update.add_stream(filter, &deflate(self.to_unicode().as_bytes()))?;
        update.add(
            Dictionary::new()
                .with(b"Type", Object::name("Font"))
                .with(b"Subtype", Object::name("Type0"))
                .with(b"BaseFont", name)
                .with(b"Encoding", Object::name("Identity-H"))
                .with(b"DescendantFonts", vec![Object::from(descendant)])
                .with(b"ToUnicode", to_unicode),
        )
    }

    fn glyph(&self, character: char) -> Result<GlyphId, Error> {
        self.face
            .glyph_index(character)
            .filter(|glyph| glyph.0 != 0)
            .ok_or(Error::MarkGlyph {
                character: u32::from(character),
            })
    }

    fn advance(&self, glyph: GlyphId) -> u16 {
        self.face.glyph_hor_advance(glyph).unwrap_or(0)
    }

    fn units(&self) -> f32 {
        f32::from(self.face.units_per_em())
    }

    /// A length in the font's units, in thousandths.
    fn thousandths(&self, units: impl Into<f32>) -> i64 {
        (units.into() * 1000.0 / self.units()).round() as i64
    }

    fn descriptor(&self, name: &Object, file: Reference) -> Dictionary {
        const SYMBOLIC: i64 = 4;
        let bounds = self.face.global_bounding_box();
        let bounds: Vec<Object> = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max]
            .iter()
            .map(|edge| Object::Integer(self.thousandths(*edge)))
            .collect();
        Dictionary::new()
            .with(b"Type", Object::name("FontDescriptor"))
            .with(b"FontName", name.clone())
            .with(b"Flags", SYMBOLIC)
            .with(b"FontBBox", bounds)
            .with(b"ItalicAngle", 0)
            .with(b"Ascent", self.thousandths(self.face.ascender()))
            .with(b"Descent", self.thousandths(self.face.descender()))
            .with(
                b"CapHeight",
                self.thousandths(self.face.capital_height().unwrap_or(700)),
            )
            .with(b"StemV", 80)
            .with(b"FontFile2", file)
    }

    fn widths(&self) -> Vec<Object> {
        self.used
            .iter()
            .flat_map(|(glyph, (_, width))| {
                let width = Object::Integer(self.thousandths(*width));
                [Object::Integer(i64::from(*glyph)), vec![width].into()]
            })
            .collect()
    }

    /// 9.10.3: glyph → UTF-16BE, at most 100 lines a block.
    fn to_unicode(&self) -> String {
        let mut map = String::from(
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n\
             /CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def\n\
             /CMapName/Adobe-Identity-UCS def /CMapType 2 def\n\
             1 begincodespacerange <0000><FFFF> endcodespacerange\n",
        );
        let entries: Vec<_> = self.used.iter().collect();
        for block in entries.chunks(100) {
            map.push_str(&format!("{} beginbfchar\n", block.len()));
            for (glyph, (character, _)) in block {
                let mut units = [0u16; 2];
                let utf16: String = character
                    .encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("{unit:04X}"))
                    .collect();
                map.push_str(&format!("<{glyph:04X}><{utf16}>\n"));
            }
            map.push_str("endbfchar\n");
        }
        map.push_str("endcmap CMapName currentdict /CMap defineresource pop end end\n");
        map
    }

    /// Six letters that differ between subsets (9.6.4), made from the characters used (FNV-1a).
    fn tag(&self) -> String {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for (character, _) in self.used.values() {
            hash = (hash ^ u64::from(u32::from(*character))).wrapping_mul(0x0100_0000_01b3);
        }
        (0..6u32)
            .map(|place| char::from(b'A' + ((hash >> (place * 8)) % 26) as u8))
            .collect()
    }
}

fn deflate(data: &[u8]) -> Vec<u8> {
    crate::pades::pdf::deflate(data)
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    /// The 12 vowels of the alphabet, each with 6 tones, and đ; both cases.
    fn vietnamese_letters() -> Vec<char> {
        let tones = ["", "\u{300}", "\u{309}", "\u{303}", "\u{301}", "\u{323}"];
        let mut letters: Vec<char> = Vec::new();
        for vowel in "aăâeêioôơuưy".chars() {
            for tone in tones {
                let composed: Vec<char> = format!("{vowel}{tone}").nfc().collect();
                assert_eq!(
                    composed.len(),
                    1,
                    "{vowel} with a tone is one character in NFC"
                );
                letters.extend(&composed);
            }
        }
        letters.push('đ');
        let upper: Vec<char> = letters
            .iter()
            .flat_map(|letter| letter.to_uppercase())
            .collect();
        letters.extend(upper);
        letters
    }

    #[test]
    fn every_vietnamese_letter_has_a_glyph_of_its_own() {
        let font = Font::noto_sans();
        let letters = vietnamese_letters();
        assert_eq!(letters.len(), 2 * 73);
        let glyphs: std::collections::BTreeSet<u16> = letters
            .iter()
            .map(|letter| font.glyph(*letter).unwrap().0)
            .collect();
        assert_eq!(glyphs.len(), letters.len());
        for letter in letters {
            let glyph = font.glyph(letter).unwrap();
            assert!(font.advance(glyph) > 0);
            assert!(
                font.face.glyph_bounding_box(glyph).is_some(),
                "{letter} draws something"
            );
        }
    }

    #[test]
    fn a_character_without_a_glyph_is_named() {
        let font = Font::noto_sans();
        assert!(matches!(
            font.width("an 漢", 8.0),
            Err(Error::MarkGlyph { character: 0x6f22 })
        ));
    }

    #[test]
    fn the_subset_holds_what_is_used_and_little_else() {
        let mut font = Font::noto_sans();
        font.encode("Nguyễn Thị Ánh Tuyết").unwrap();
        let subset = subsetter::subset(NOTO_SANS, 0, &font.remapper).unwrap();
        assert!(subset.len() < NOTO_SANS.len() / 6, "{} bytes", subset.len());
    }
}
