pub(crate) const STATEMENTS: &[&str] = &[];
