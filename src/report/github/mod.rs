//! GitHub Actions: workflow commands in the log, and the job's summary.
//!
//! Commands and their escaping: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
//! and the runner's `ActionCommand`, which reads both output streams.

mod summary;

use super::{CheckOutcome, ErrorReport, Event, StoppedGroup};
use crate::printable::many_lines;

pub use summary::{JobSummary, summary};

/// What stands above an annotation.
const TITLE: &str = "quilt-mcp-deploy";

/// The annotation that `event` deserves.
pub fn annotation(event: &Event) -> Option<String> {
    match event {
        Event::Warning { message } => Some(command("warning", TITLE, message)),
        Event::Stopped(group) => Some(command("error", &group.headline(), &explanation(group))),
        Event::OtherDeployment { id, revision } => {
            let revision = crate::arn::last_part(revision);
            Some(command(
                "warning",
                TITLE,
                &format!("another deployment came up: {id} of {revision}"),
            ))
        }
        Event::Verdict {
            verdict,
            exit_code,
            explanation,
        } if *exit_code != 0 => Some(command(
            "error",
            &format!("rollout {}", verdict.replace('_', " ")),
            explanation,
        )),
        Event::Check(check) => {
            let level = match check.outcome {
                CheckOutcome::Failed => "error",
                CheckOutcome::Warning | CheckOutcome::Unknown => "warning",
                CheckOutcome::Ok | CheckOutcome::Skipped => return None,
            };
            let remedy = check.remedy.as_ref().map(|remedy| format!("\n{remedy}"));
            Some(command(
                level,
                &check.name,
                &format!("{}{}", check.detail, remedy.unwrap_or_default()),
            ))
        }
        _ => None,
    }
}

/// The annotation of the error that a command ended with.
pub fn error(error: &ErrorReport) -> String {
    let hint = error.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
    command(
        "error",
        TITLE,
        &format!("error: {}{}", error.message, hint.unwrap_or_default()),
    )
}

fn explanation(stopped: &StoppedGroup) -> String {
    let container = stopped
        .container_reason
        .as_ref()
        .map(|reason| format!("container: {reason}"));
    let hint = stopped.hint.as_ref().map(|hint| format!("hint: {hint}"));
    [Some(stopped.reason.clone()), container, hint]
        .into_iter()
        .flatten()
        .chain(stopped.log.iter().cloned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn command(name: &str, title: &str, message: &str) -> String {
    format!("::{name} title={}::{}", property(title), data(message))
}

/// Escapes what follows the second `::` of a command.
pub fn data(text: &str) -> String {
    many_lines(text)
        .replace("##[", "## [")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `text` as the runner reads no command in it: neither `::name::` at the start of a line,
/// nor the older `##[name]` anywhere.
pub fn defused(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| match line.trim_start().starts_with("::") {
            true => format!("| {line}"),
            false => line.to_owned(),
        })
        .collect();
    lines.join("\n").replace("##[", "## [")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_carry_any_text() {
        let message = "100 %\n::error::x, y: z \u{1b}[1m ##[error]".to_owned();
        assert_eq!(
            annotation(&Event::Warning { message }).unwrap(),
            "::warning title=quilt-mcp-deploy::100 %25%0A::error::x, y: z \\u{1b}[1m ## [error]"
        );
        assert_eq!(
            command("error", "a: b, c %", "d"),
            "::error title=a%3A b%2C c %25::d"
        );
    }

    #[test]
    fn a_log_line_is_no_command() {
        assert_eq!(
            defused("  ::add-mask::x\nfine :: here"),
            "|   ::add-mask::x\nfine :: here"
        );
        assert_eq!(defused("a ##[error]b"), "a ## [error]b");
    }
}
