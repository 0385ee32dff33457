//! The virtual phone: a client with its own device key that speaks only HTTP, for the demo, the tests and the benches.
//!
//! It links nothing of the server: statements, PIN sealing and signatures are written here from the wire's
//! description, so that a mistake on one side cannot hide behind the same mistake on the other.
//!
//! [`Console`] is what an officer has instead.
//!
//! What a person's phone must do, it does: it computes the digest of the very bytes it was shown and refuses to sign a
//! statement over anything else; it seals a PIN or code only to a key that the institution under its pinned root signed.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod hpke;
mod institution;
mod key;
mod officer;
mod statement;

pub use api::{Enrolment, Error, Owner, Phone, Session};
pub use institution::fingerprint;
pub use key::DeviceKey;
pub use officer::Console;
