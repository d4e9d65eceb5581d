use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::TokenHash;

/// What becomes known about a request while it is served, for its line in the log.
///
/// Travels with the request as an extension; clones are the same record.
#[derive(Clone, Debug, Default)]
pub struct RequestRecord {
    facts: Arc<Mutex<Facts>>,
}

/// The facts so far.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Who calls.
    pub caller: Option<TokenHash>,
    /// The tool that is called, if it exists.
    pub tool: Option<&'static str>,
    /// The code of the tool's error.
    pub tool_error: Option<&'static str>,
}

impl RequestRecord {
    /// Notes who calls.
    pub fn set_caller(&self, caller: TokenHash) {
        self.facts().caller = Some(caller);
    }

    /// Notes the tool that is called.
    pub fn set_tool(&self, tool: &'static str) {
        self.facts().tool = Some(tool);
    }

    /// Notes how the tool failed.
    pub fn set_tool_error(&self, code: &'static str) {
        self.facts().tool_error = Some(code);
    }

    /// What is known now.
    pub fn snapshot(&self) -> Facts {
        self.facts().clone()
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
