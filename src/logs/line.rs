//! A log line.

use std::borrow::Cow;
use std::fmt::{self, Write};

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde::Serialize;

use crate::arn::last_part;

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
            harmless(task),
            harmless(self.message.trim_end_matches(['\n', '\r']))
        )
    }
}

/// The text with everything visible that could move a terminal's cursor, change its colours or
/// turn the direction of the line.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            // A String takes everything.
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Control characters but the tab, line separators and the marks of Unicode's bidirectional
/// algorithm (UAX #9, "Directional Formatting Characters").
fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{061C}' | '\u{200E}' | '\u{200F}'
                | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_what_would_move_the_terminal() {
        for (text, shown) in [
            ("plain grüße \t 日本", "plain grüße \t 日本"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("a\rb\nc\u{7}", "a\\rb\\nc\\u{7}"),
            ("\u{9b}31m\u{202e}x", "\\u{9b}31m\\u{202e}x"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    proptest! {
        #[test]
        fn is_one_harmless_line(message in any::<String>(), task in any::<String>()) {
            let line = LogLine { at: Timestamp::UNIX_EPOCH, task, message, id: String::new() };
            prop_assert!(!line.to_string().chars().any(is_harmful));
        }
    }
}
