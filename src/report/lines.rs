//! A log: one line a change on stderr, a sign of life when nothing changes, and the
//! workflow commands of GitHub Actions where it reads the log.

use std::time::Duration;

use super::line::{line, passing, stopped, under_way};
use super::sink::Sink;
use super::style::{Style, Tone};
use super::timeline::Timeline;
use super::{ErrorReport, Event, Record, ReportError, StoppedGroup, View, github};
use crate::printable::many_lines;

/// After how long without a line a log gives a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How much a log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Errors only.
    Errors,
    /// Warnings too.
    Quiet,
    /// Every change.
    Normal,
    /// Every step.
    Verbose,
}

/// How a log is written.
#[derive(Debug, Clone, Copy)]
pub struct LogStyle {
    /// How much it says.
    pub detail: Detail,
    /// Whether GitHub Actions reads it.
    pub github: bool,
    /// Whether the diagnosis is left to the result on stdout.
    pub result_explains: bool,
    /// Colours and characters.
    pub style: Style,
}

/// A log on stderr.
pub struct Log {
    sink: Sink,
    how: LogStyle,
    timeline: Timeline,
    last_line: Duration,
    group_open: bool,
}

impl Log {
    /// A log that goes to `sink`.
    pub fn new(sink: Sink, how: LogStyle) -> Self {
        Self {
            sink,
            how,
            timeline: Timeline::default(),
            last_line: Duration::ZERO,
            group_open: false,
        }
    }

    fn write(&mut self, text: &str) {
        let text = match self.how.github {
            true => github::defused(text),
            false => text.to_owned(),
        };
        self.sink.line(&self.how.style.letters(&text));
    }

    /// A workflow command; what it carries is escaped already.
    fn command(&mut self, command: &str) {
        self.sink.line(command);
    }

    fn group(&mut self, title: Option<&str>) {
        if self.how.github && self.how.detail >= Detail::Normal {
            if self.group_open {
                self.command("::endgroup::");
            }
            if let Some(title) = title {
                self.command(&format!("::group::{}", github::data(title)));
            }
            self.group_open = title.is_some();
        }
    }

    fn change(&mut self, event: &Event) {
        match event {
            Event::StageStarted { stage } => self.group(Some(stage.as_str())),
            Event::Stopped(group) => self.explain(group),
            _ => {}
        }
        let hidden = self.how.result_explains && matches!(event, Event::Verdict { .. });
        if let Some(text) = line(event, self.how.style).filter(|_| !hidden) {
            self.write(&text);
        } else if self.how.detail == Detail::Verbose
            && let Some(text) = passing(event)
        {
            self.write(&format!("  {text}"));
        }
        if matches!(event, Event::StageFinished { .. }) {
            self.group(None);
        }
    }

    fn explain(&mut self, group: &StoppedGroup) {
        if !self.how.result_explains {
            let lines = stopped(group, self.how.style);
            lines.iter().for_each(|line| self.write(line));
        }
    }

    /// An annotation where GitHub takes one for `event`, else a line.
    fn annotate_or_change(&mut self, event: &Event) {
        let annotation = github::annotation(event);
        let least = match event {
            Event::Warning { .. } | Event::Check(_) => Detail::Quiet,
            _ => Detail::Normal,
        };
        match annotation.filter(|_| self.how.github) {
            Some(annotation) if self.how.detail >= Detail::Quiet => self.command(&annotation),
            None if self.how.detail >= least => self.change(event),
            _ => {}
        }
    }

    fn error(&mut self, error: &ErrorReport) {
        self.group(None);
        if self.how.github {
            self.command(&github::error(error));
        } else {
            self.write(&told(error, self.how.style));
        }
    }
}

/// An error as people are told it.
pub fn told(error: &ErrorReport, style: Style) -> String {
    let mut text = format!(
        "{} {}",
        style.paint(Tone::Bad, "error:"),
        many_lines(&error.message)
    );
    if let Some(excerpt) = &error.excerpt {
        text.push_str(&format!("\n{}", many_lines(excerpt)));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("\n  hint: {}", many_lines(hint)));
    }
    text
}

impl View for Log {
    fn record(&mut self, record: &Record) -> Result<(), ReportError> {
        self.timeline.push(record);
        let written = self.sink.lines();
        match &record.event {
            Event::Result {
                error: Some(error), ..
            } => self.error(error),
            Event::Result { error: None, .. } => self.group(None),
            event => self.annotate_or_change(event),
        }
        if self.sink.lines() > written {
            self.last_line = record.elapsed;
        }
        Ok(())
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.how.detail < Detail::Normal || elapsed.saturating_sub(self.last_line) < HEARTBEAT {
            return;
        }
        if self.timeline.stage().is_some() {
            let text = format!(
                "  {:<11} {} s, {}",
                "still",
                elapsed.as_secs(),
                under_way(&self.timeline)
            );
            self.write(&text);
        }
        self.last_line = elapsed;
    }
}
