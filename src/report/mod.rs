//! What happens, as events; and who shows them.
//!
//! The stages know [`Event`] and [`Reporter`] only: nothing but a [`View`] of the [`Report`]
//! writes to the terminal. The views are chosen once, from the command line and the
//! surroundings: a live terminal or a log on stderr, the results on stdout, the job's
//! summary in GitHub Actions, and a page where one is asked for.

mod event;
pub mod fan_out;
pub mod github;
pub mod html;
pub mod line;
pub mod lines;
pub mod results;
pub mod sink;
pub mod style;
mod surroundings;
pub mod table;
pub mod terminal;
pub mod timeline;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use event::{
    Check, CheckOutcome, ErrorReport, Event, Record, Release, STREAM_VERSION, Stage, StoppedGroup,
};
pub use fan_out::{Report, ReportOptions};
pub use surroundings::{Color, Output, Surroundings};

/// Takes events.
pub trait Reporter: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);

    /// A stage got on.
    fn progress(&self, stage: Stage, message: String) {
        self.event(Event::Progress { stage, message });
    }

    /// Something an operator should know.
    fn warn(&self, message: impl Into<String>)
    where
        Self: Sized,
    {
        self.event(Event::Warning {
            message: message.into(),
        });
    }

    /// What explains a result, or is left for an operator to do.
    fn note(&self, message: impl Into<String>)
    where
        Self: Sized,
    {
        self.event(Event::Note {
            message: message.into(),
        });
    }
}

impl<R: Reporter + ?Sized> Reporter for Arc<R> {
    fn event(&self, event: Event) {
        self.as_ref().event(event);
    }
}

/// Shows events, somewhere and somehow.
pub trait View: Send {
    /// Shows one event. The last is [`Event::Result`].
    ///
    /// # Errors
    /// [`ReportError`] when what the operator asked for could not be written.
    fn record(&mut self, record: &Record) -> Result<(), ReportError>;

    /// Time went by: `elapsed` since the start.
    fn tick(&mut self, _elapsed: Duration) {}

    /// Shows a result, as people read it.
    ///
    /// # Errors
    /// [`ReportError`] when it could not be written.
    fn print(&mut self, _text: &str) -> Result<(), ReportError> {
        Ok(())
    }

    /// Shows what takes the place of what was shown before, as people read it.
    ///
    /// # Errors
    /// [`ReportError`] when it could not be written.
    fn redraw(&mut self, text: &str) -> Result<(), ReportError> {
        self.print(text)
    }
}

/// What could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The result.
    #[error("the result cannot be written to stdout: {0}")]
    Stdout(#[source] io::Error),
    /// The report or the job's summary.
    #[error("the report {} cannot be written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
