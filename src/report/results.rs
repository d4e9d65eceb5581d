//! Results, and nothing else, on stdout.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::style::Style;
use super::table::short_id;
use super::{Event, Output, Record, ReportError, View, github};
use crate::printable::{many_lines, one_line};

/// The version of the object that stands for an error.
const ERROR_VERSION: u32 = 1;

/// Puts the cursor into the upper left corner and empties the screen (ECMA-48: CUP, ED).
const CLEAR_SCREEN: &str = "\x1b[H\x1b[J";

/// Results as `--output` asks for them.
pub struct Results {
    stream: Box<dyn Write + Send>,
    output: Output,
    style: Style,
    github: bool,
    redraws: bool,
    drawn: String,
}

impl Results {
    /// Results to `stream`, which GitHub Actions may read as a log.
    pub fn new(
        stream: impl Write + Send + 'static,
        output: Output,
        style: Style,
        github: bool,
    ) -> Self {
        Self {
            stream: Box::new(stream),
            output,
            style,
            github,
            redraws: false,
            drawn: String::new(),
        }
    }

    /// The same; on a terminal that can be drawn on, a result may take the place of another.
    pub fn redrawing(self, redraws: bool) -> Self {
        Self { redraws, ..self }
    }

    fn write(&mut self, text: &str) -> Result<(), ReportError> {
        self.stream
            .write_all(format!("{text}\n").as_bytes())
            .and_then(|()| self.stream.flush())
            .map_err(ReportError::Stdout)
    }

    fn write_text(&mut self, text: &str) -> Result<(), ReportError> {
        let text = if self.github {
            github::defused(text)
        } else {
            text.to_owned()
        };
        let text = self.style.letters(&text).into_owned();
        self.write(&text)
    }
}

impl View for Results {
    fn record(&mut self, record: &Record) -> Result<(), ReportError> {
        match (self.output, &record.event) {
            (Output::Ndjson, _) => {
                let line = serde_json::to_string(record).map_err(cannot_write)?;
                self.write(&line)
            }
            (Output::Json, Event::Result { result, error, .. }) => {
                let object = match (result, error) {
                    (result, Some(error)) => error_object(error, result.as_ref()),
                    (Some(result), None) => result.clone(),
                    (None, None) => return Ok(()),
                };
                self.write(&format!("{object:#}"))
            }
            (Output::Text, Event::LogLine { task, at, message }) => {
                let at = at.map_or_else(String::new, |at| at.strftime("%FT%T%.3fZ  ").to_string());
                self.write_text(&format!("{at}{}  {}", short_id(task), one_line(message)))
            }
            _ => Ok(()),
        }
    }

    fn print(&mut self, text: &str) -> Result<(), ReportError> {
        match self.output {
            Output::Text => self.write_text(many_lines(text).trim_end()),
            Output::Json | Output::Ndjson => Ok(()),
        }
    }

    fn redraw(&mut self, text: &str) -> Result<(), ReportError> {
        if self.output != Output::Text || self.drawn == text {
            return Ok(());
        }
        if self.redraws {
            write!(self.stream, "{CLEAR_SCREEN}").map_err(ReportError::Stdout)?;
        } else if !self.drawn.is_empty() {
            self.write("")?;
        }
        text.clone_into(&mut self.drawn);
        self.print(text)
    }
}

/// What `--output json` prints for a command that failed; with the result of what it did
/// before it failed, where there is one.
fn error_object(error: &super::ErrorReport, result: Option<&Value>) -> Value {
    let mut object = Map::new();
    object.insert("version".into(), json!(ERROR_VERSION));
    object.insert("error".into(), json!(error));
    if let Some(result) = result {
        object.insert("result".into(), result.clone());
    }
    Value::Object(object)
}

fn cannot_write(error: serde_json::Error) -> ReportError {
    ReportError::Stdout(io::Error::other(error))
}
