//! The last lines of stopped tasks, read while ECS still knows them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observation::Task;
use crate::aws::Clients;
use crate::release::Document;

/// How many lines of a task are kept.
const LINES: i32 = 12;

/// Reads the log streams of a release's tasks.
pub struct LogTail<'a> {
    clients: &'a Clients,
    group: String,
    /// `prefix/container`: the `awslogs` driver names a stream `prefix/container/task-id`.
    stream_prefix: String,
    lines: BTreeMap<String, Vec<String>>,
}

impl<'a> LogTail<'a> {
    /// For the container of this revision; `None` when it does not log to CloudWatch.
    pub fn new(clients: &'a Clients, document: &Document, container: &str) -> Option<Self> {
        let group = document.log_option(container, "awslogs-group")?.to_owned();
        let prefix = document.log_option(container, "awslogs-stream-prefix")?;
        Some(Self {
            clients,
            group,
            stream_prefix: format!("{prefix}/{container}"),
            lines: BTreeMap::new(),
        })
    }

    /// Reads the lines of tasks whose lines are not known yet.
    pub async fn read_stopped(&mut self, stopped: &[&Task]) {
        for task in stopped {
            if self.lines.get(&task.id).is_none_or(Vec::is_empty) {
                let lines = self.read(&task.id).await;
                self.lines.insert(task.id.clone(), lines);
            }
        }
    }

    /// The lines by task id; waits a moment for logs that arrive late.
    pub async fn finish(&mut self, stopped: &[&Task]) -> BTreeMap<String, Vec<String>> {
        self.read_stopped(stopped).await;
        if !stopped.is_empty() && self.lines.values().all(Vec::is_empty) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.read_stopped(stopped).await;
        }
        self.lines.clone()
    }

    /// A task that never started has no stream: no lines then, and no error worth telling.
    async fn read(&self, task_id: &str) -> Vec<String> {
        let answer = self
            .clients
            .logs
            .get_log_events()
            .log_group_name(&self.group)
            .log_stream_name(format!("{}/{task_id}", self.stream_prefix))
            .limit(LINES)
            .start_from_head(false)
            .send()
            .await;
        match answer {
            Ok(answer) => answer
                .events()
                .iter()
                .filter_map(|event| event.message().map(str::to_owned))
                .collect(),
            Err(_) => Vec::new(),
        }
    }
}
