//! Every event to every view, numbered and dated.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::ProgressDrawTarget;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::github::JobSummary;
use super::html::Page;
use super::lines::{Detail, Log, LogStyle};
use super::results::Results;
use super::sink::Sink;
use super::terminal::{Terminal, TerminalStyle};
use super::{
    ErrorReport, Event, Output, Record, ReportError, Reporter, STREAM_VERSION, Surroundings, View,
};

/// What the command line says of the report.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// How results are written to stdout.
    pub output: Output,
    /// Whether only warnings and errors are shown on stderr.
    pub quiet: bool,
    /// Whether every step is shown on stderr.
    pub verbose: bool,
    /// Where the page goes, if one is asked for.
    pub page: Option<PathBuf>,
}

/// Numbers and dates events and gives them to every view.
pub struct Report {
    began: Instant,
    width: u16,
    state: Mutex<State>,
}

struct State {
    views: Vec<Box<dyn View>>,
    sequence: u64,
    result: Option<Value>,
    failed: Option<ReportError>,
}

impl Report {
    /// The report of this process.
    ///
    /// # Errors
    /// [`ReportError`] when the page cannot be written where it is asked for.
    pub fn of_process(
        options: &ReportOptions,
        surroundings: &Surroundings,
    ) -> Result<Self, ReportError> {
        let results = Results::new(
            std::io::stdout(),
            options.output,
            surroundings.stdout_style,
            surroundings.github,
        )
        .redrawing(surroundings.stdout_live);
        let mut views = vec![
            for_people(options, surroundings),
            Box::new(results) as Box<dyn View>,
        ];
        if let Some(file) = &surroundings.job_summary {
            views.push(Box::new(JobSummary::new(file.clone())));
        }
        if let Some(file) = &options.page {
            views.push(Box::new(Page::new(file.clone())?));
        }
        Ok(Self::new(views, surroundings.stdout_width))
    }

    /// A report with these views; results are `width` columns wide.
    pub fn new(views: Vec<Box<dyn View>>, width: u16) -> Self {
        Self {
            began: Instant::now(),
            width,
            state: Mutex::new(State {
                views,
                sequence: 0,
                result: None,
                failed: None,
            }),
        }
    }

    /// Shows a result: to people at once, to programs when the command ends, as one object.
    ///
    /// # Errors
    /// [`ReportError`] when it cannot be written.
    pub fn print<T: Serialize + Display>(&self, result: &T) -> Result<(), ReportError> {
        let (value, text) = self.two_faces(result)?;
        let mut state = self.state();
        state.result = Some(value);
        state
            .views
            .iter_mut()
            .try_for_each(|view| view.print(&text))
    }

    /// Shows a result that takes the place of the one before: to people in its place where they
    /// sit at a terminal, to programs as an event.
    ///
    /// # Errors
    /// [`ReportError`] when it cannot be written.
    pub fn redraw<T: Serialize + Display>(&self, result: &T) -> Result<(), ReportError> {
        let (value, text) = self.two_faces(result)?;
        self.event(Event::Snapshot { result: value });
        let mut state = self.state();
        if let Some(failed) = state.failed.take() {
            return Err(failed);
        }
        state
            .views
            .iter_mut()
            .try_for_each(|view| view.redraw(&text))
    }

    /// A result for programs, and for people.
    fn two_faces<T: Serialize + Display>(
        &self,
        result: &T,
    ) -> Result<(Value, String), ReportError> {
        let value = serde_json::to_value(result)
            .map_err(|error| ReportError::Stdout(std::io::Error::other(error)))?;
        let text = format!("{result:width$}", width = usize::from(self.width));
        Ok((value, text))
    }

    /// The command ended: the last event.
    ///
    /// # Errors
    /// The first [`ReportError`] of the whole run.
    pub fn finish(&self, exit_code: u8, error: Option<ErrorReport>) -> Result<(), ReportError> {
        let result = self.state().result.take();
        self.event(Event::Result {
            exit_code,
            result,
            error,
        });
        self.state().failed.take().map_or(Ok(()), Err)
    }

    /// Lets the views know that time went by.
    pub fn tick(&self) {
        let elapsed = self.began.elapsed();
        for view in &mut self.state().views {
            view.tick(elapsed);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A view that panicked has its own state only; the others go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Report {
    fn event(&self, event: Event) {
        let mut state = self.state();
        state.sequence += 1;
        let record = Record {
            version: STREAM_VERSION,
            sequence: state.sequence,
            at: Timestamp::now(),
            elapsed: self.began.elapsed(),
            event,
        };
        let State { views, failed, .. } = &mut *state;
        for view in views {
            if let Err(error) = view.record(&record) {
                failed.get_or_insert(error);
            }
        }
    }
}

/// The view on stderr.
fn for_people(options: &ReportOptions, surroundings: &Surroundings) -> Box<dyn View> {
    let result_explains = options.output == Output::Text;
    let detail = match (options.output, options.quiet, options.verbose) {
        (Output::Ndjson, ..) => Detail::Errors,
        (_, true, _) => Detail::Quiet,
        (_, _, true) => Detail::Verbose,
        _ => Detail::Normal,
    };
    if surroundings.live && detail >= Detail::Normal {
        let how = TerminalStyle {
            width: surroundings.width,
            verbose: options.verbose,
            result_explains,
            style: surroundings.style,
        };
        return Box::new(Terminal::new(ProgressDrawTarget::stderr(), how));
    }
    let how = LogStyle {
        detail,
        github: surroundings.github,
        result_explains,
        style: surroundings.style,
    };
    Box::new(Log::new(Sink::new(std::io::stderr()), how))
}
