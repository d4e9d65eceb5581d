//! Which calls of AWS's APIs were made, and what became of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::aws::Moment;

/// Of so many calls the single ones are kept; the counts go on.
const MOST_KEPT: usize = 100_000;

/// The calls since the start, or since the last reset.
#[derive(Debug)]
pub(crate) struct Calls(Mutex<Record>);

#[derive(Debug, Clone, Serialize)]
struct Record {
    since: String,
    total: u64,
    /// By `service:Operation`.
    operations: BTreeMap<String, Count>,
    log: VecDeque<Entry>,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Count {
    calls: u64,
    /// Those that a fault refused or cut off.
    faulted: u64,
    /// Those that were refused without a fault.
    refused: u64,
}

#[derive(Debug, Clone, Serialize)]
struct Entry {
    time: String,
    service: String,
    operation: String,
    outcome: Outcome,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "code", rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Answered,
    /// With this error code.
    Refused(String),
    /// By a fault, with this error code, or `cut-off` without an answer.
    Faulted(String),
}

impl Default for Calls {
    fn default() -> Self {
        Self(Mutex::new(Record::new()))
    }
}

impl Record {
    fn new() -> Self {
        Self {
            since: Moment::now().to_rfc3339(),
            total: 0,
            operations: BTreeMap::new(),
            log: VecDeque::new(),
        }
    }
}

impl Calls {
    pub(crate) fn note(&self, service: &str, operation: &str, outcome: Outcome) {
        let mut record = self.lock();
        record.total += 1;
        let count = record
            .operations
            .entry(format!("{service}:{operation}"))
            .or_default();
        count.calls += 1;
        match &outcome {
            Outcome::Answered => {}
            Outcome::Refused(_) => count.refused += 1,
            Outcome::Faulted(_) => count.faulted += 1,
        }
        if record.log.len() >= MOST_KEPT {
            record.log.pop_front();
        }
        record.log.push_back(Entry {
            time: Moment::now().to_rfc3339(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            outcome,
        });
    }

    pub(crate) fn reset(&self) {
        *self.lock() = Record::new();
    }

    pub(crate) fn show(&self) -> impl Serialize + use<> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
