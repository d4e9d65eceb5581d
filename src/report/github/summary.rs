//! The job's summary: Markdown that people see on the page of a workflow run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use crate::arn::last_part;
use crate::printable::{many_lines, one_line};
use crate::report::StoppedGroup;
use crate::report::table::short_id;
use crate::report::timeline::Timeline;
use crate::report::{CheckOutcome, Event, Record, ReportError, View};

/// GitHub takes 1 MiB a step; this leaves room for others.
const LIMIT: usize = 512 * 1024;

/// The summary of a run, or nothing where there is nothing to tell.
pub fn summary(timeline: &Timeline) -> Option<String> {
    let ended = timeline.ended.as_ref()?;
    let told =
        timeline.verdict.is_some() || !timeline.checks.is_empty() || !timeline.stages.is_empty();
    if !told && ended.error.is_none() {
        return None;
    }
    let mut text = String::new();
    head(&mut text, timeline);
    if let Some(error) = &ended.error {
        let _ = writeln!(text, "**{}**\n", inline(&error.message));
        if let Some(hint) = &error.hint {
            let _ = writeln!(text, "{}\n", inline(hint));
        }
    }
    stages(&mut text, timeline);
    for stopped in &timeline.stopped {
        group(&mut text, stopped);
    }
    states(&mut text, timeline);
    checks(&mut text, timeline);
    notes(&mut text, timeline);
    if text.len() > LIMIT {
        let end = (0..=LIMIT)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
        text.push_str("\n\n(cut off)\n");
    }
    Some(text)
}

fn head(text: &mut String, timeline: &Timeline) {
    let ended = timeline.ended.as_ref().map_or(0, |ended| ended.exit_code);
    let mark = if ended == 0 { "✅" } else { "❌" };
    let what = match (&timeline.verdict, ended) {
        (Some(verdict), _) => inline(&verdict.explanation),
        (None, 0) => "done".into(),
        (None, code) => format!("ended with exit code {code}"),
    };
    let _ = writeln!(text, "### {mark} quilt-mcp-deploy: {what}\n");
    if let Some(release) = &timeline.release {
        let rows = [
            ("environment", Some(release.environment.as_str())),
            ("service", Some(release.service.as_str())),
            ("revision", Some(last_part(&release.revision))),
            ("commit", release.commit.as_deref()),
            ("image", release.image.as_deref()),
        ];
        let _ = writeln!(text, "| | |\n|---|---|");
        for (name, value) in rows {
            if let Some(value) = value {
                let _ = writeln!(text, "| {name} | {} |", inline(value));
            }
        }
        text.push('\n');
    }
}

fn stages(text: &mut String, timeline: &Timeline) {
    if timeline.stages.is_empty() {
        return;
    }
    let _ = writeln!(text, "| stage | seconds | |\n|---|---:|---|");
    for span in &timeline.stages {
        let end = span.ended.unwrap_or(timeline.length);
        let outcome = span.outcome.as_deref().unwrap_or("did not end well");
        let seconds = end.saturating_sub(span.began).as_secs_f64();
        let _ = writeln!(
            text,
            "| {} | {seconds:.1} | {} |",
            span.stage.as_str(),
            inline(outcome)
        );
    }
    text.push('\n');
}

fn group(text: &mut String, stopped: &StoppedGroup) {
    let _ = writeln!(
        text,
        "**{}**\n\n{}\n",
        inline(&stopped.headline()),
        inline(&stopped.reason)
    );
    for fact in [&stopped.container_reason, &stopped.hint]
        .into_iter()
        .flatten()
    {
        let _ = writeln!(text, "{}\n", inline(fact));
    }
    if !stopped.log.is_empty() {
        let log: Vec<String> = stopped.log.iter().map(|line| many_lines(line)).collect();
        let log = log.join("\n");
        let fence = "`".repeat(longest_run_of_backticks(&log).max(2) + 1);
        let _ = writeln!(text, "{fence}text\n{log}\n{fence}\n");
    }
}

fn states(text: &mut String, timeline: &Timeline) {
    if timeline.tasks.is_empty() && timeline.targets.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "| | | state | since | reason |\n|---|---|---|---:|---|"
    );
    for (kind, tracks) in [("task", &timeline.tasks), ("target", &timeline.targets)] {
        for track in tracks {
            let Some(last) = track.last() else { continue };
            let name = if kind == "task" {
                short_id(&track.name)
            } else {
                &track.name
            };
            let _ = writeln!(
                text,
                "| {kind} | {} | {} | {:.1} s | {} |",
                inline(name),
                inline(&last.state),
                last.since.as_secs_f64(),
                inline(last.reason.as_deref().unwrap_or_default())
            );
        }
    }
    text.push('\n');
}

fn checks(text: &mut String, timeline: &Timeline) {
    if timeline.checks.is_empty() {
        return;
    }
    let _ = writeln!(text, "| | check | | remedy |\n|---|---|---|---|");
    for check in &timeline.checks {
        let mark = match check.outcome {
            CheckOutcome::Ok => "✅",
            CheckOutcome::Warning => "⚠️",
            CheckOutcome::Failed => "❌",
            CheckOutcome::Unknown => "❔",
            CheckOutcome::Skipped => "➖",
        };
        let remedy = check.remedy.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "| {mark} | {} | {} | {} |",
            inline(&check.name),
            inline(&check.detail),
            inline(remedy)
        );
    }
    text.push('\n');
}

fn notes(text: &mut String, timeline: &Timeline) {
    if timeline.notes.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "<details><summary>Events</summary>\n\n| after | | |\n|---:|---|---|"
    );
    for note in &timeline.notes {
        let _ = writeln!(
            text,
            "| {:.1} s | {} | {} |",
            note.at.as_secs_f64(),
            note.speaker.as_str(),
            inline(&note.message)
        );
    }
    let _ = writeln!(text, "\n</details>\n");
}

/// Text that Markdown and HTML leave as it is, on one line, in a table too.
fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // GitHub turns these into mentions and issue links.
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// The job's summary of GitHub Actions, written when the command ends.
pub struct JobSummary {
    file: PathBuf,
    timeline: Timeline,
}

impl JobSummary {
    /// A summary that is appended to `file`.
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            timeline: Timeline::default(),
        }
    }
}

impl View for JobSummary {
    fn record(&mut self, record: &Record) -> Result<(), ReportError> {
        self.timeline.push(record);
        if !matches!(record.event, Event::Result { .. }) {
            return Ok(());
        }
        let Some(summary) = summary(&self.timeline) else {
            return Ok(());
        };
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .and_then(|mut file| file.write_all(summary.as_bytes()))
            .map_err(|source| ReportError::File {
                path: self.file.clone(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            inline("<b>|`x`*\n@me #1"),
            "&lt;b&gt;\\|\\`x\\`\\* &#64;me &#35;1"
        );
    }

    #[test]
    fn a_log_does_not_end_its_own_fence() {
        assert_eq!(longest_run_of_backticks("a ``` b `````"), 5);
        let mut text = String::new();
        let log = vec!["```".into(), "<script>".into()];
        let stopped = StoppedGroup {
            count: 1,
            stop_code: "x".into(),
            reason: "y".into(),
            exit_code: None,
            container_reason: None,
            hint: None,
            log,
        };
        group(&mut text, &stopped);
        assert!(text.contains("````text\n```\n<script>\n````\n"), "{text}");
    }
}
