//! Billing, light: units left on the credential, debited in the transaction that stores the result.
//!
//! One signature costs one unit. `units_left` NULL is unlimited; portals named free by the citizen's
//! campaign cost nothing, and so does the acceptance. The guard in the statement that stores the
//! reset key row decides who gets the last unit; here the debit is written down, so that debits and
//! results can be counted against each other (I3).

pub(crate) mod table;

pub(crate) use table::debit_many;
