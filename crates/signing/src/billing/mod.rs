//! Billing, light: units left on the credential, debited in the transaction that stores the result.
//!
//! One signature costs one unit. `units_left` NULL is unlimited; portals named free by the citizen's
//! campaign cost nothing, and so does the acceptance. The guard in the statement decides who gets the last unit.

pub(crate) mod table;
