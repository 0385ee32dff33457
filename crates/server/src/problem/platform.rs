//! What a platform that is not ready is to a caller.

use super::Problem;
use crate::platform::Error;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NoApprovalKey => Problem::new("approval-key-missing").retry_after(5),
            Error::Store(error) => error.into(),
            Error::Keystore(error) => error.into(),
            Error::Authority(error) => error.into(),
            Error::Registration(error) => error.into(),
            other => Problem::internal(other),
        }
    }
}
