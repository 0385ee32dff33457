//! Typed, prefixed ids: `req_01JD…`, a ULID (time-ordered, 80 random bits) behind a short word that says what it names.
//!
//! Invariant: one id has exactly one text. Lower case, look-alike letters (`I`, `L`, `O`) and other prefixes are refused,
//! so comparing texts is comparing ids.
//!
//! ```
//! kyso_store::typed_id!(
//!     /// A signature request.
//!     RequestId, "req"
//! );
//! let id: RequestId = "req_01JD3ZQ8000000000000000000".parse()?;
//! assert_eq!(id.to_string(), "req_01JD3ZQ8000000000000000000");
//! # Ok::<(), kyso_store::IdError>(())
//! ```

use std::sync::{Arc, Mutex, PoisonError};

pub use ulid::Ulid;

use crate::Entropy;

/// A text that is not an id of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of type {prefix}_")]
pub struct IdError {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

/// What [`typed_id!`](crate::typed_id) implements.
pub trait TypedId: Sized {
    /// The word before the underscore.
    const PREFIX: &'static str;
    /// Wraps a ULID.
    fn from_ulid(ulid: Ulid) -> Self;
    /// The ULID inside.
    fn ulid(&self) -> Ulid;

    /// Reads `<prefix>_<26 characters>`, strictly.
    fn parse(text: &str) -> Result<Self, IdError> {
        let refused = IdError {
            prefix: Self::PREFIX,
        };
        let rest = text
            .strip_prefix(Self::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .ok_or(refused.clone())?;
        let ulid = Ulid::from_string(rest).map_err(|_| refused.clone())?;
        let mut buffer = [0u8; ulid::ULID_LEN];
        if ulid.array_to_str(&mut buffer) != rest {
            return Err(refused);
        }
        Ok(Self::from_ulid(ulid))
    }

    /// Writes the one text of this id.
    fn write(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut buffer = [0u8; ulid::ULID_LEN];
        write!(
            to,
            "{}_{}",
            Self::PREFIX,
            self.ulid().array_to_str(&mut buffer)
        )
    }

    /// Milliseconds since 1970 at which the id was made.
    fn made_at(&self) -> i64 {
        i64::try_from(self.ulid().timestamp_ms()).unwrap_or(i64::MAX)
    }
}

/// Makes ids that rise: within a millisecond, and when the clock steps back, the last one plus one.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    entropy: Entropy,
    last: Arc<Mutex<Ulid>>,
}

impl Ids {
    pub(crate) fn new(entropy: Entropy) -> Ids {
        Ids {
            entropy,
            last: Arc::new(Mutex::new(Ulid::nil())),
        }
    }

    pub(crate) fn next(&self, now: i64) -> Ulid {
        let now = u64::try_from(now).unwrap_or(0);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that steps back a little keeps the order; one that steps back far starts anew, or a clock once set to
        // the year 3000 would mark every later id.
        const STEP_BACK_MS: u64 = 60_000;
        let fresh = now > last.timestamp_ms() || now + STEP_BACK_MS < last.timestamp_ms();
        *last = match last.increment() {
            Ok(next) if !fresh => next,
            _ => {
                let mut random = [0u8; 16];
                self.entropy.fill(&mut random[6..]);
                // The top bit is left free, so that a millisecond has 2^79 ids to count through.
                random[6] &= 0x7f;
                Ulid::from_parts(now, u128::from_be_bytes(random))
            }
        };
        *last
    }
}

/// Declares an id type: `typed_id!(/// doc … RequestId, "req")`.
#[macro_export]
macro_rules! typed_id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($crate::id::Ulid);

        impl $crate::id::TypedId for $name {
            const PREFIX: &'static str = $prefix;
            fn from_ulid(ulid: $crate::id::Ulid) -> Self {
                $name(ulid)
            }
            fn ulid(&self) -> $crate::id::Ulid {
                self.0
            }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::id::TypedId::write(self, f)
            }
        }
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::id::TypedId::write(self, f)
            }
        }
        impl ::std::str::FromStr for $name {
            type Err = $crate::IdError;
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                $crate::id::TypedId::parse(text)
            }
        }
        impl ::std::convert::From<$name> for $crate::Value {
            fn from(id: $name) -> $crate::Value {
                $crate::Value::Text(::std::string::ToString::to_string(&id))
            }
        }
        impl ::std::convert::From<&$name> for $crate::Value {
            fn from(id: &$name) -> $crate::Value {
                $crate::Value::Text(::std::string::ToString::to_string(id))
            }
        }
        impl $crate::id::serde::Serialize for $name {
            fn serialize<S: $crate::id::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> $crate::id::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as $crate::id::serde::Deserialize>::deserialize(deserializer)?;
                $crate::id::TypedId::parse(&text).map_err($crate::id::serde::de::Error::custom)
            }
        }
    };
}

#[doc(hidden)]
pub use serde;

#[cfg(test)]
mod tests {
    use super::*;

    crate::typed_id!(
        /// For the tests below.
        ThingId, "thing"
    );

    #[test]
    fn ids_rise_within_a_millisecond_and_when_the_clock_steps_back() {
        let ids = Ids::new(Entropy::seeded(1));
        let mut last = ids.next(1_000_000);
        for now in [
            1_000_000, 1_000_000, 999_999, 1_000_001, 1_000_000, 2_000_000,
        ] {
            let next = ids.next(now);
            assert!(next > last, "{next:?} after {last:?}");
            last = next;
        }
    }

    #[test]
    fn a_clock_once_far_ahead_does_not_mark_later_ids() {
        let ids = Ids::new(Entropy::seeded(1));
        ids.next(32_503_680_000_000);
        assert_eq!(ids.next(1_000_000).timestamp_ms(), 1_000_000);
    }

    #[test]
    fn an_id_has_exactly_one_text() {
        let id: ThingId = "thing_01JD3ZQ8000000000000000000".parse().unwrap();
        assert_eq!(id.to_string(), "thing_01JD3ZQ8000000000000000000");
        for wrong in [
            "thing_01jd3zq8000000000000000000",
            "thing_O1JD3ZQ8000000000000000000",
            "thing_01JD3ZQ800000000000000000",
            "other_01JD3ZQ8000000000000000000",
            "thing01JD3ZQ8000000000000000000",
            "thing_81JD3ZQ8000000000000000000",
            "thing_",
            "",
            "thing_01JD3ZQ8000000000000000000 ",
        ] {
            assert_eq!(
                wrong.parse::<ThingId>(),
                Err(IdError { prefix: "thing" }),
                "{wrong}"
            );
        }
    }

    #[test]
    fn json_carries_the_text() {
        let id: ThingId = "thing_01JD3ZQ8000000000000000000".parse().unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"thing_01JD3ZQ8000000000000000000\"");
        assert_eq!(serde_json::from_str::<ThingId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<ThingId>("\"x_01JD3ZQ8000000000000000000\"").is_err());
    }
}
