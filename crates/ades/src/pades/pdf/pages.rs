//! The page tree (ISO 32000-1 7.7.3): how many pages there are, and one of them with what it inherits.

use std::collections::HashSet;
use std::rc::Rc;

use super::object::{Dictionary, Object, Reference};
use super::{PAGES_MAX, Reader};
use crate::Error;

/// Deepest page tree.
const DEPTH_MAX: usize = 64;

/// Which page to keep while walking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageChoice {
    /// This one, from 1.
    Number(u32),
    /// The last.
    Last,
    /// The page object with this reference.
    Object(Reference),
}

/// A walked page tree.
pub struct Pages {
    /// How many pages there are, at least 1.
    pub count: u32,
    /// The page chosen, if it exists.
    pub chosen: Option<Page>,
}

/// A page, with the attributes it may inherit (7.7.3.4).
pub struct Page {
    /// Its object.
    pub reference: Reference,
    /// Its own dictionary.
    pub dictionary: Dictionary,
    /// Its number, from 1.
    pub number: u32,
    /// What is visible: CropBox within MediaBox, in default user space units.
    pub visible: [f32; 4],
    /// Clockwise rotation when shown: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Points a unit has (`/UserUnit`).
    pub unit: f32,
}

/// What pages take from the nodes above; shared, so that a large value is never copied for every node.
#[derive(Default)]
struct Inherited {
    media_box: Option<Rc<Object>>,
    crop_box: Option<Rc<Object>>,
    rotate: Option<Rc<Object>>,
}

struct Frame {
    kids: std::vec::IntoIter<Object>,
    inherited: Rc<Inherited>,
}

impl Pages {
    /// Walks the tree in page order.
    ///
    /// # Errors
    /// [`Error::NoPages`], [`Error::TooManyPages`], [`Error::Broken`] (loops, kids that are no pages).
    pub fn walk(
        reader: &Reader<'_>,
        catalog: &Dictionary,
        choice: PageChoice,
    ) -> Result<Pages, Error> {
        let root = catalog
            .get(b"Pages")
            .cloned()
            .ok_or(broken("catalog without /Pages"))?;
        let mut frames = vec![Frame {
            kids: vec![root].into_iter(),
            inherited: Rc::default(),
        }];
        let mut nodes = HashSet::new();
        let mut count = 0;
        let mut chosen: Option<(Reference, Dictionary, Rc<Inherited>, u32)> = None;
        while let Some(frame) = frames.last_mut() {
            let Some(kid) = frame.kids.next() else {
                frames.pop();
                continue;
            };
            let inherited = frame.inherited.clone();
            let (reference, dictionary) = node(reader, &kid)?;
            if let Some(kids) = reader.array(&dictionary, b"Kids")? {
                if !nodes.insert(reference) {
                    return Err(broken("page tree forms a loop"));
                }
                if frames.len() == DEPTH_MAX {
                    return Err(Error::TooComplex {
                        limit: "depth of the page tree",
                    });
                }
                frames.push(Frame {
                    kids: kids.into_iter(),
                    inherited: Rc::new(inherited.with(&dictionary)),
                });
                continue;
            }
            count += 1;
            if count > PAGES_MAX {
                return Err(Error::TooManyPages {
                    pages_max: PAGES_MAX,
                });
            }
            let wanted = match choice {
                PageChoice::Last => true,
                PageChoice::Number(number) => number == count,
                PageChoice::Object(object) => object == reference && chosen.is_none(),
            };
            if wanted {
                chosen = Some((reference, dictionary, inherited, count));
            }
        }
        if count == 0 {
            return Err(Error::NoPages);
        }
        let chosen = chosen
            .map(|(reference, dictionary, inherited, number)| {
                Page::new(reader, reference, dictionary, &inherited, number)
            })
            .transpose()?;
        Ok(Pages { count, chosen })
    }
}

impl Inherited {
    fn with(&self, dictionary: &Dictionary) -> Inherited {
        let own = |key: &[u8], old: &Option<Rc<Object>>| match dictionary.get(key) {
            Some(object) => Some(Rc::new(object.clone())),
            None => old.clone(),
        };
        Inherited {
            media_box: own(b"MediaBox", &self.media_box),
            crop_box: own(b"CropBox", &self.crop_box),
            rotate: own(b"Rotate", &self.rotate),
        }
    }
}

impl Page {
    fn new(
        reader: &Reader<'_>,
        reference: Reference,
        dictionary: Dictionary,
        inherited: &Inherited,
        number: u32,
    ) -> Result<Page, Error> {
        let attributes = inherited.with(&dictionary);
        let rectangle = |object: Option<Rc<Object>>| match object {
            Some(object) => reader.rectangle(&object),
            None => Ok(None),
        };
        // A missing MediaBox is wrong; readers agree on US Letter.
        let media = rectangle(attributes.media_box)?.unwrap_or([0.0, 0.0, 612.0, 792.0]);
        let crop = rectangle(attributes.crop_box)?.unwrap_or(media);
        let within = [
            crop[0].max(media[0]),
            crop[1].max(media[1]),
            crop[2].min(media[2]),
            crop[3].min(media[3]),
        ];
        let empty = within[0] >= within[2] || within[1] >= within[3];
        let rotate = match attributes.rotate {
            Some(object) => reader.resolve(&object)?.as_integer().unwrap_or(0),
            None => 0,
        };
        let rotation = match rotate.rem_euclid(360) {
            90 => 90,
            180 => 180,
            270 => 270,
            _ => 0,
        };
        let unit = reader
            .value(&dictionary, b"UserUnit")?
            .and_then(|unit| unit.as_number())
            .filter(|unit| (0.01..=1000.0).contains(unit))
            .unwrap_or(1.0);
        Ok(Page {
            reference,
            dictionary,
            number,
            visible: if empty { media } else { within },
            rotation,
            unit,
        })
    }
}

fn node(reader: &Reader<'_>, kid: &Object) -> Result<(Reference, Dictionary), Error> {
    let reference = kid
        .as_reference()
        .ok_or(broken("page tree with a kid that is no reference"))?;
    match reader.object(reference)? {
        Object::Dictionary(dictionary) => Ok((reference, dictionary)),
        _ => Err(broken("page tree with a kid that is no dictionary")),
    }
}

fn broken(reason: &'static str) -> Error {
    Error::Broken { reason, at: 0 }
}
