//! Refusals of the pages drawn as pictures.

use super::Problem;
use crate::preview::{Error, Refusal};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(Refusal::NotRenderable) => Self::new("page-not-renderable"),
            Error::Refused(Refusal::NoSuchPage) => Self::new("not-found"),
            Error::Busy => Self::new("overloaded").retry_after(2),
            Error::Child(cause) => Self::internal(format!("the drawing process: {cause}")),
        }
    }
}
