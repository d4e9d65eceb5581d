//! A log line.

use std::fmt;

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde::Serialize;

use crate::arn::last_part;
use crate::printable::one_line;

/// How much of a task's id is shown to people.
const SHORT_ID: usize = 8;

/// A log line of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct LogLine {
    /// When the task wrote it.
    pub at: Timestamp,
    /// The task's id.
    pub task: String,
    /// What it wrote, every character kept.
    pub message: String,
    /// CloudWatch's id of the line; no other line has it.
    #[serde(skip)]
    pub id: String,
}

impl LogLine {
    pub(super) fn read(event: FilteredLogEvent) -> Option<Self> {
        let stream = event.log_stream_name.unwrap_or_default();
        let at = Timestamp::from_millisecond(event.timestamp?).ok()?;
        let message = event.message.unwrap_or_default();
        Some(Self {
            task: last_part(&stream).to_owned(),
            id: event
                .event_id
                .unwrap_or_else(|| format!("{stream} {at} {message}")),
            at,
            message,
        })
    }
}

/// One line, harmless on a terminal.
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.task.get(..SHORT_ID).unwrap_or(&self.task);
        write!(
            f,
            "{} {} {}",
            self.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
            one_line(task),
            one_line(&self.message)
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_one_harmless_line(message in any::<String>(), task in any::<String>()) {
            let line = LogLine { at: Timestamp::UNIX_EPOCH, task, message, id: String::new() };
            prop_assert!(!line.to_string().chars().any(|character| character != '\t' && character.is_control()));
        }
    }
}
