//! From template and fields to PDF/A-2: the only file that knows Typst.
//!
//! The compiler sees a world of its own: the templates compiled into this program, one JSON file with the fields, and
//! the embedded fonts. There is no path to the disk, to packages or to the clock.
//!
//! Standard: ISO 19005-2 level A (PDF/A-2a: level B plus Unicode text and structure tags), checked by the writer.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value as Json;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::ecow::EcoVec;
use typst::foundations::{Bytes, Datetime, Dict, Duration, Label, Selector, Smart, Value};
use typst::introspection::{Introspector, MetadataElem};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::{LazyHash, PicoStr};
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use crate::{Error, Result};

/// Longest text a field may hold, in characters: an address fits many times over, a novel does not.
const FIELD_CHARACTERS_MAX: usize = 400;
/// Longest list, so that a form stays a form.
const LIST_ENTRIES_MAX: usize = 50;

/// A finished paper.
#[derive(Debug, Clone)]
pub struct Pdf {
    bytes: Vec<u8>,
    pages: usize,
    places: Vec<Place>,
}

/// A rectangle left free for a visible mark, in PDF user space (points, origin at the page's lower left corner).
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Whose mark: `provider` or `subscriber`.
    pub name: String,
    /// Page, from 1.
    pub page: usize,
    /// Left edge.
    pub left: f64,
    /// Lower edge.
    pub bottom: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Pdf {
    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The file, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Every place left for a mark, in reading order.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The place left for one party's mark.
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.name == name)
    }
}

/// The templates, each one file beside `common.typ`.
#[derive(Clone, Copy)]
pub(crate) enum Template {
    Contract,
    Acceptance,
    Dossier,
}

impl Template {
    fn name(self) -> &'static str {
        match self {
            Template::Contract => "contract",
            Template::Acceptance => "acceptance",
            Template::Dossier => "dossier",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Template::Contract => include_str!("../templates/contract.typ"),
            Template::Acceptance => include_str!("../templates/acceptance.typ"),
            Template::Dossier => include_str!("../templates/dossier.typ"),
        }
    }
}

/// Fills the template. `identifier` makes the PDF's file identifier stable and distinct between papers.
pub(crate) fn typeset(
    template: Template,
    fields: &impl Serialize,
    identifier: &str,
) -> Result<Pdf> {
    let defect = |message: String| Error::Template {
        template: template.name(),
        message,
    };
    let fields = serde_json::to_value(fields).map_err(|error| defect(error.to_string()))?;
    check_printable(&fields, "")?;

    let _evict = EvictAtEnd;
    let desk = Desk::new(template, fields.to_string().into_bytes());
    let document = typst::compile::<PagedDocument>(&desk)
        .output
        .map_err(|found| defect(first_words(&found)))?;
    let options = PdfOptions {
        ident: Smart::Custom(format!("kyso/{}/{identifier}", template.name())),
        creator: Smart::Custom(Some("kyso".to_owned())),
        // The only date in the file is `set document(date: …)`, taken from the fields.
        timestamp: None,
        page_ranges: None,
        standards: PdfStandards::new(&[PdfStandard::A_2a])
            .map_err(|error| defect(error.message().to_string()))?,
        tagged: true,
        pretty: false,
    };
    let bytes = typst_pdf::pdf(&document, &options).map_err(|found| defect(first_words(&found)))?;
    Ok(Pdf {
        bytes,
        pages: document.pages().len(),
        places: places(&document),
    })
}

/// Drops the compiler's memory of this document, whichever way the function is left.
struct EvictAtEnd;

impl Drop for EvictAtEnd {
    fn drop(&mut self) {
        typst::comemo::evict(0);
    }
}

/// Refuses what the page could not show, before the compiler sees it.
fn check_printable(value: &Json, path: &str) -> Result<()> {
    match value {
        Json::String(text) => {
            let characters = text.chars().count();
            if characters > FIELD_CHARACTERS_MAX {
                return Err(Error::TooLong {
                    field: path.to_owned(),
                    characters,
                    most: FIELD_CHARACTERS_MAX,
                });
            }
            match text.chars().find(|&character| !FONTS.shows(character)) {
                Some(character) => Err(Error::Unprintable {
                    field: path.to_owned(),
                    character,
                }),
                None => Ok(()),
            }
        }
        Json::Array(entries) => {
            if entries.len() > LIST_ENTRIES_MAX {
                return Err(Error::TooMany {
                    field: path.to_owned(),
                    entries: entries.len(),
                    most: LIST_ENTRIES_MAX,
                });
            }
            entries
                .iter()
                .enumerate()
                .try_for_each(|(index, entry)| check_printable(entry, &format!("{path}[{index}]")))
        }
        Json::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            check_printable(
                field,
                &if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                },
            )
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(()),
    }
}

/// Reads the rectangles that the templates announce as `metadata((name: …, width: …, height: …)) <place>`.
fn places(document: &PagedDocument) -> Vec<Place> {
    let label = Label::new(PicoStr::intern("place")).expect("the label is not empty");
    let introspector = document.introspector();
    introspector
        .query(&Selector::Label(label))
        .iter()
        .filter_map(|content| {
            let announced = &content.to_packed::<MetadataElem>()?.value;
            let Value::Dict(announced) = announced else {
                return None;
            };
            let position = introspector.position(content.location()?)?;
            let page_height = document
                .pages()
                .get(position.page.get() - 1)?
                .frame
                .height()
                .to_pt();
            let height = points(announced, "height")?;
            let Ok(Value::Str(name)) = announced.get("name") else {
                return None;
            };
            Some(Place {
                name: name.to_string(),
                page: position.page.get(),
                left: position.point.x.to_pt(),
                bottom: page_height - position.point.y.to_pt() - height,
                width: points(announced, "width")?,
                height,
            })
        })
        .collect()
}

fn points(announced: &Dict, key: &str) -> Option<f64> {
    match announced.get(key) {
        Ok(Value::Length(length)) => Some(length.abs.to_pt()),
        _ => None,
    }
}

/// The compiler's own message; it speaks of the template, not of the fields.
fn first_words(found: &EcoVec<SourceDiagnostic>) -> String {
    found.first().map_or_else(
        || "no diagnostic".to_owned(),
        |diagnostic| diagnostic.message.to_string(),
    )
}

/// Everything the compiler may see.
struct Desk {
    template: Source,
    common: Source,
    fields: (FileId, Bytes),
}

impl Desk {
    fn new(template: Template, fields: Vec<u8>) -> Self {
        Self {
            template: Source::new(
                file(&format!("/{}.typ", template.name())),
                template.text().to_owned(),
            ),
            common: Source::new(
                file("/common.typ"),
                include_str!("../templates/common.typ").to_owned(),
            ),
            fields: (file("/fields.json"), Bytes::new(fields)),
        }
    }
}

impl World for Desk {
    fn library(&self) -> &LazyHash<Library> {
        static LIBRARY: LazyLock<LazyHash<Library>> =
            LazyLock::new(|| LazyHash::new(Library::default()));
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &FONTS.book
    }

    fn main(&self) -> FileId {
        self.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        match id {
            id if id == self.template.id() => Ok(self.template.clone()),
            id if id == self.common.id() => Ok(self.common.clone()),
            _ => Err(FileError::AccessDenied),
        }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.fields.0 {
            Ok(self.fields.1.clone())
        } else {
            Err(FileError::AccessDenied)
        }
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}

fn file(path: &str) -> FileId {
    RootedPath::new(
        VirtualRoot::Project,
        VirtualPath::new(path).expect("a fixed, well-formed path"),
    )
    .intern()
}

struct Fonts {
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
}

static FONTS: LazyLock<Fonts> = LazyLock::new(|| {
    const FILES: [&[u8]; 7] = [
        include_bytes!("../assets/NotoSerif-Regular.ttf"),
        include_bytes!("../assets/NotoSerif-Bold.ttf"),
        include_bytes!("../assets/NotoSerif-Italic.ttf"),
        include_bytes!("../assets/NotoSerif-BoldItalic.ttf"),
        include_bytes!("../assets/NotoSans-Regular.ttf"),
        include_bytes!("../assets/NotoSans-Bold.ttf"),
        include_bytes!("../assets/NotoSans-Italic.ttf"),
    ];
    let fonts: Vec<Font> = FILES
        .into_iter()
        .map(|file| Font::new(Bytes::new(file), 0).expect("the embedded fonts are well-formed"))
        .collect();
    Fonts {
        book: LazyHash::new(FontBook::from_fonts(&fonts)),
        fonts,
    }
});

impl Fonts {
    /// Whether every face has a glyph: a name set in bold must not lose a letter.
    fn shows(&self, character: char) -> bool {
        self.fonts
            .iter()
            .all(|font| font.info().coverage.contains(character.into()))
    }
}
