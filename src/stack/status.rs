//! A stack's status, and what follows from it.

use std::fmt;

use serde::Serialize;

/// A stack's status (AWS CloudFormation User Guide, "Stack status codes"). One that we do not
/// know is neither under way nor good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct StackStatus(String);

impl StackStatus {
    /// In CloudFormation's word.
    pub fn new(word: &str) -> Self {
        Self(word.to_owned())
    }

    /// CloudFormation's word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether CloudFormation works on it.
    pub fn is_under_way(&self) -> bool {
        self.0.ends_with("_IN_PROGRESS")
    }

    /// Whether an update of it is under way that has not begun to return.
    pub fn is_updating(&self) -> bool {
        self.0 == "UPDATE_IN_PROGRESS" || self.0 == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    }

    /// Whether its update is being taken back.
    pub fn is_returning(&self) -> bool {
        self.0.starts_with("UPDATE_ROLLBACK_") && self.is_under_way()
    }

    /// Whether its update was taken back, to the end.
    pub fn has_returned(&self) -> bool {
        self.0 == "UPDATE_ROLLBACK_COMPLETE"
    }

    /// Whether its update was carried out, to the end.
    pub fn is_updated(&self) -> bool {
        self.0 == "UPDATE_COMPLETE"
    }

    /// Whether an operation on it failed and CloudFormation left it like that.
    pub fn has_failed(&self) -> bool {
        self.0.ends_with("_FAILED")
    }

    /// Whether it takes an update.
    pub fn can_be_updated(&self) -> bool {
        matches!(
            self.0.as_str(),
            "CREATE_COMPLETE"
                | "UPDATE_COMPLETE"
                | "UPDATE_ROLLBACK_COMPLETE"
                | "IMPORT_COMPLETE"
                | "IMPORT_ROLLBACK_COMPLETE"
        )
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every status that the API knows (`StackStatus`), and one of next year.
    #[test]
    fn each_status_is_one_thing() {
        for (word, is) in [
            ("CREATE_COMPLETE", "updatable"),
            ("CREATE_FAILED", "failed"),
            ("CREATE_IN_PROGRESS", "under way"),
            ("DELETE_COMPLETE", ""),
            ("DELETE_FAILED", "failed"),
            ("DELETE_IN_PROGRESS", "under way"),
            ("IMPORT_COMPLETE", "updatable"),
            ("IMPORT_IN_PROGRESS", "under way"),
            ("IMPORT_ROLLBACK_COMPLETE", "updatable"),
            ("IMPORT_ROLLBACK_FAILED", "failed"),
            ("IMPORT_ROLLBACK_IN_PROGRESS", "under way"),
            ("REVIEW_IN_PROGRESS", "under way"),
            ("ROLLBACK_COMPLETE", ""),
            ("ROLLBACK_FAILED", "failed"),
            ("ROLLBACK_IN_PROGRESS", "under way"),
            ("UPDATE_COMPLETE", "updatable, updated"),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "under way, updating"),
            ("UPDATE_FAILED", "failed"),
            ("UPDATE_IN_PROGRESS", "under way, updating"),
            ("UPDATE_ROLLBACK_COMPLETE", "updatable, returned"),
            (
                "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
                "under way, returning",
            ),
            ("UPDATE_ROLLBACK_FAILED", "failed"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "under way, returning"),
            ("UPDATE_PONDERED", ""),
        ] {
            let status = StackStatus::new(word);
            let said = [
                ("updatable", status.can_be_updated()),
                ("under way", status.is_under_way()),
                ("failed", status.has_failed()),
                ("updating", status.is_updating()),
                ("returning", status.is_returning()),
                ("updated", status.is_updated()),
                ("returned", status.has_returned()),
            ];
            let said = said.iter().filter(|(_, holds)| *holds);
            let said: Vec<&str> = said.map(|(name, _)| *name).collect();
            assert_eq!(said.join(", "), is, "{word}");
        }
    }
}
