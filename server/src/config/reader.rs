use std::collections::BTreeMap;

use super::problem::{ConfigError, Problem};
use super::variables::VARIABLES;

/// Reads variables and gathers what is wrong with them.
pub(super) struct Reader {
    vars: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            vars: vars.into_iter().collect(),
            problems: Vec::new(),
        }
    }

    /// A variable that must be set.
    pub(super) fn required<T>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.value(variable).is_none() {
            self.complain(variable, "is not set".to_owned());
        }
        self.optional(variable, parse)
    }

    /// A variable that may be absent or empty.
    pub(super) fn optional<T>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let parsed = parse(self.value(variable)?);
        self.keep(variable, parsed)
    }

    /// A comma separated list: `None` when the variable is absent, an empty list when it is empty.
    pub(super) fn list<T>(
        &mut self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let parsed: Vec<_> = self
            .vars
            .get(variable)?
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(parse)
            .collect();
        let items = parsed
            .into_iter()
            .filter_map(|item| self.keep(variable, item))
            .collect();
        Some(items)
    }

    /// One warning for each variable with the prefix that the server does not know.
    pub(super) fn unknown(&self, prefix: &str) -> Vec<String> {
        let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
        self.vars
            .keys()
            .filter(|name| name.starts_with(prefix) && !known(name))
            .map(|name| format!("{name} is not a variable of this server, and has no effect"))
            .collect()
    }

    /// The value, unless problems were found.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(self.into_error())
        }
    }

    pub(super) fn into_error(self) -> ConfigError {
        ConfigError {
            problems: self.problems,
        }
    }

    fn value(&self, variable: &str) -> Option<&str> {
        self.vars
            .get(variable)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn keep<T>(&mut self, variable: &'static str, parsed: Result<T, String>) -> Option<T> {
        parsed
            .map_err(|complaint| self.complain(variable, complaint))
            .ok()
    }

    /// Notes what is wrong with a variable.
    pub(super) fn complain(&mut self, variable: &'static str, complaint: String) {
        self.problems.push(Problem {
            variable,
            complaint,
        });
    }
}
