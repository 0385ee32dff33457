//! Moving from one database to the other.
