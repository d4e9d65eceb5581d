//! `logs`: what the service's tasks wrote.

use std::io::{self, Write};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use jiff::{Span, SpanRelativeTo, Timestamp, Unit};
use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::arn::last_part;
use crate::aws::{AwsError, AwsErrorKind, Clients};
use crate::config::{Environment, is_loopback};
use crate::logs::{LATENESS, LogLine, LogReader, LogSource, Wanted, Window};
use crate::release::describe;
use crate::report::{Event, Output, Reporter};
use crate::rollout::preflight::Snapshot;

/// How many lines are shown when neither --lines nor --since says.
const LINES: usize = 100;
/// How far back is looked when --since does not say.
const LOOK_BACK: &str = "1h";

/// Show what the service's tasks wrote, merged by time; tasks that have stopped too.
///
/// The log group is that of the running task definition. Ctrl-C ends --follow.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  quilt-mcp-deploy logs --follow\n  quilt-mcp-deploy logs --since 2h --filter '\"level\":\"error\"'"
)]
pub struct LogsArgs {
    /// Go on with what the tasks write from now on
    #[arg(short, long)]
    follow: bool,
    /// From when on: a time ago (10m, 2h, 3d) or an instant (2026-11-23T07:20:01Z); else 1h
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Of one task only: its id, the beginning of it, or its ARN
    #[arg(long, value_name = "ID", value_parser = task_id)]
    task: Option<String>,
    /// Lines that match this CloudWatch Logs filter pattern
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,
    /// At most so many of the newest lines; else 100, or all with --since
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
}

/// A point in time, as a person says it.
#[derive(Debug, Clone, Copy)]
struct Since(Timestamp);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self(instant));
        }
        let wrong = || {
            format!("`{text}` is neither a time ago as 10m nor an instant as 2026-11-23T07:20:01Z")
        };
        let ago = text.parse::<Span>().map_err(|_| wrong())?;
        let milliseconds = ago
            .abs()
            .total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours()))
            .map_err(|_| wrong())?;
        let now = Timestamp::now().as_millisecond();
        let since = Timestamp::from_millisecond(now.saturating_sub(milliseconds as i64));
        since.map(Self).map_err(|_| wrong())
    }
}

fn task_id(text: &str) -> Result<String, String> {
    let id = last_part(text);
    match !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        true => Ok(id.to_owned()),
        false => Err("a task's id has letters and digits only".into()),
    }
}

#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct LogsResult<'a> {
    version: u32,
    environment: &'a str,
    log_group: &'a str,
    lines: Vec<LogLine>,
}

impl LogsArgs {
    /// Shows them.
    ///
    /// # Errors
    /// [`Failure`] when the tasks do not log to CloudWatch, or its answers are refused.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let show = async {
            let (environment, clients) = context.connect().await?;
            self.show(context, &environment, &clients).await
        };
        // A signal is how following is ended: nothing to explain.
        let _shield = context.interrupt.shield();
        tokio::select! {
            result = show => result,
            () = context.interrupt.requested() => {
                Ok(context.interrupt.signal().map_or(Exit::Interrupted, Exit::from))
            }
        }
    }

    async fn show(
        &self,
        context: &Context,
        environment: &Environment,
        clients: &Clients,
    ) -> Result<Exit, Failure> {
        let snapshot = Snapshot::take(clients, environment).await?;
        let running = describe(clients, &snapshot.task_definition).await?;
        let source = LogSource::of(&running.document, &environment.container)?;
        let group = source.group.clone();
        let wanted = Wanted {
            task: self.task.clone(),
            filter: self.filter.clone(),
        };
        let reader = LogReader::new(clients, source, wanted);
        let since = match self.since {
            Some(since) => since,
            None => LOOK_BACK
                .parse()
                .map_err(|error: String| Failure::new(Exit::Internal, error))?,
        };
        let mut window = Window::new(since.0, LATENESS);
        let lines = self
            .first(&reader, &mut window)
            .await
            .map_err(|error| refused(&error))?;
        let output = context.output();
        if output == Output::Json && !self.follow {
            let result = LogsResult {
                version: 1,
                environment: &environment.name,
                log_group: &group,
                lines,
            };
            return written(write_object(&result)).map(|_| Exit::Done);
        }
        if lines.is_empty() && !self.follow {
            context.reporter.note(format!(
                "no line in {group} since {:.0}; --since looks further back",
                since.0
            ));
        }
        let mut open = show_lines(context, lines)?;
        let mut troubled = false;
        while self.follow && open {
            tokio::time::sleep(poll_interval(environment)).await;
            match next(&reader, &mut window).await {
                Ok(lines) => {
                    troubled = false;
                    open = show_lines(context, lines)?;
                }
                Err(error) if passes(&error) => {
                    if !troubled {
                        context.reporter.warn(format!("{error}; looking again"));
                    }
                    troubled = true;
                }
                Err(error) => return Err(refused(&error)),
            }
        }
        Ok(Exit::Done)
    }

    /// The newest lines that there are already; no more of them are kept than are shown.
    async fn first(
        &self,
        reader: &LogReader<'_>,
        window: &mut Window,
    ) -> Result<Vec<LogLine>, AwsError> {
        let all = if self.since.is_some() {
            usize::MAX
        } else {
            LINES
        };
        let most = self.lines.unwrap_or(all);
        let mut newest = Newest {
            window,
            most,
            arrived: Vec::new(),
            kept: Vec::new(),
        };
        let since = newest.window.since();
        reader.read(since, &mut |line| newest.push(line)).await?;
        newest.settle();
        Ok(newest.kept)
    }
}

/// The newest lines of many, no more of them in memory than are needed.
struct Newest<'a> {
    window: &'a mut Window,
    most: usize,
    arrived: Vec<LogLine>,
    kept: Vec<LogLine>,
}

impl Newest<'_> {
    fn push(&mut self, line: LogLine) {
        const AT_ONCE: usize = 10_000;
        self.arrived.push(line);
        if self.arrived.len() == AT_ONCE {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let new = self.window.new_ones(std::mem::take(&mut self.arrived));
        self.kept.extend(new);
        self.kept
            .sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        self.kept.drain(..self.kept.len().saturating_sub(self.most));
    }
}

async fn next(reader: &LogReader<'_>, window: &mut Window) -> Result<Vec<LogLine>, AwsError> {
    let mut lines = Vec::new();
    reader
        .read(window.since(), &mut |line| lines.push(line))
        .await?;
    Ok(window.new_ones(lines))
}

fn refused(error: &AwsError) -> Failure {
    let failure = Failure::aws(Exit::Preflight, error);
    match error.code.as_deref() {
        Some("ResourceNotFoundException") => failure
            .hint("the log group is gone, or no task has written to it yet; the running task definition names it"),
        _ => failure,
    }
}

/// Whether the next look may succeed.
fn passes(error: &AwsError) -> bool {
    error.is_ambiguous() || error.kind == AwsErrorKind::Throttled
}

/// How long to wait between two looks: AWS throttles, an endpoint on this machine does not.
fn poll_interval(environment: &Environment) -> Duration {
    match environment.endpoint_url.as_ref().is_some_and(is_loopback) {
        true => Duration::from_millis(250),
        false => Duration::from_secs(2),
    }
}

fn write_object<T: Serialize>(object: &T) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, object)?;
    writeln!(stdout)?;
    stdout.flush()
}

/// Shows the lines; answers whether somebody still reads.
fn show_lines(context: &Context, lines: Vec<LogLine>) -> Result<bool, Failure> {
    if context.output() != Output::Ndjson {
        return written(write_lines(&lines, context.output()));
    }
    for line in lines {
        context.reporter.event(Event::LogLine {
            task: line.task,
            at: Some(line.at),
            message: line.message,
        });
    }
    Ok(true)
}

fn write_lines(lines: &[LogLine], output: Output) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for line in lines {
        match output {
            Output::Text => writeln!(stdout, "{line}")?,
            _ => writeln!(stdout, "{}", serde_json::to_string(line)?)?,
        }
    }
    stdout.flush()
}

/// Whether somebody still reads: `logs | head` ends when head has enough.
fn written(result: io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(
            Exit::Internal,
            format!("the lines cannot be written to stdout: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_said_in_many_ways() {
        let now = Timestamp::now().as_second();
        for (text, ago) in [
            ("10m", 600),
            ("2h", 7200),
            ("3d", 259_200),
            ("90s", 90),
            ("1h30m", 5400),
            ("PT10M", 600),
        ] {
            let Since(since) = text.parse().unwrap();
            // The clock goes on between two looks at it.
            assert!(
                (now - ago..=now - ago + 5).contains(&since.as_second()),
                "{text}: {since}"
            );
        }
        let Since(instant) = "2026-11-23T07:20:01Z".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-11-23T07:20:01Z");
        for text in ["", "soon", "10", "-", "1 month", "999999999d"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_task_is_named_by_id_or_arn() {
        let arn = "arn:aws:ecs:eu-west-1:1:task/acme/3f2a9c1b0d4e";
        assert_eq!(task_id(arn).unwrap(), "3f2a9c1b0d4e");
        assert_eq!(task_id("3f2a").unwrap(), "3f2a");
        for wrong in ["", "a b", "x/", "*"] {
            assert!(task_id(wrong).is_err(), "{wrong}");
        }
    }
}
