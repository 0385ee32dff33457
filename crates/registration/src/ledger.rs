//! How this crate writes a line of the audit ledger: ids, codes and counts, nothing else.

use kyso_store::{Event, Tx};
use serde_json::{Map, Value};

pub(crate) struct Line<'a> {
    kind: &'static str,
    subject: &'a str,
    actor: &'a str,
    detail: Map<String, Value>,
}

pub(crate) fn line<'a>(kind: &'static str, subject: &'a str, actor: &'a str) -> Line<'a> {
    Line {
        kind,
        subject,
        actor,
        detail: Map::new(),
    }
}

impl Line<'_> {
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.into(), value.into());
        self
    }

    pub(crate) fn record(self, tx: &mut Tx) {
        tx.record(Event {
            kind: self.kind,
            subject: self.subject,
            actor: self.actor,
            detail: self.detail,
        });
    }
}
