//! From template and fields to PDF/A: the only file that knows Typst.

use serde::Serialize;

use crate::Result;

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

    /// Every place left for a mark.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The place left for one party's mark.
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.name == name)
    }
}

pub(crate) enum Template {
    Contract,
    Acceptance,
    Dossier,
}

pub(crate) fn typeset(_template: Template, _fields: &impl Serialize, _identifier: &str) -> Result<Pdf> {
    todo!()
}
