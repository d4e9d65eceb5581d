//! The log lines of a service's tasks, in CloudWatch Logs.

mod line;
mod source;
mod window;

use std::time::Duration;

use jiff::Timestamp;

use crate::aws::{AwsError, Clients};
pub use line::LogLine;
pub use source::{LogSource, SourceError};
pub use window::Window;

/// How long after it was written a line may still arrive: the log drivers send in batches, and
/// CloudWatch takes a moment before it shows what it has. Lines of this age are read again while following.
pub const LATENESS: Duration = Duration::from_secs(60);

/// Which lines are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The beginning of a task's id; of every task when absent.
    pub task: Option<String>,
    /// A CloudWatch Logs filter pattern.
    pub filter: Option<String>,
}

/// Reads a log source's lines.
pub struct LogReader<'a> {
    clients: &'a Clients,
    source: LogSource,
    wanted: Wanted,
}

impl<'a> LogReader<'a> {
    /// A reader of what is wanted of this source.
    pub fn new(clients: &'a Clients, source: LogSource, wanted: Wanted) -> Self {
        Self {
            clients,
            source,
            wanted,
        }
    }

    /// The lines written at `since` or later, in CloudWatch's order, handed to `each` as they come.
    ///
    /// # Errors
    /// [`AwsError`]; the lines before it were handed over.
    pub async fn read(
        &self,
        since: Timestamp,
        each: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<(), AwsError> {
        let mut next = None;
        loop {
            let page = self
                .clients
                .logs
                .filter_log_events()
                .log_group_name(&self.source.group)
                .log_stream_name_prefix(self.stream_prefix())
                .start_time(since.as_millisecond())
                .set_filter_pattern(self.wanted.filter.clone())
                .set_next_token(next)
                .customize()
                .config_override(self.source.region_override())
                .send()
                .await
                .map_err(|error| {
                    AwsError::new("logs:FilterLogEvents", &self.source.group, &error)
                })?;
            let events = page.events.unwrap_or_default();
            events
                .into_iter()
                .filter_map(LogLine::read)
                .for_each(&mut *each);
            // A page may be empty and still not be the last one.
            next = page.next_token;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// The `awslogs` driver names a stream `prefix/container/task-id`.
    fn stream_prefix(&self) -> String {
        let task = self.wanted.task.as_deref().unwrap_or_default();
        format!("{}/{task}", self.source.stream_prefix)
    }
}
