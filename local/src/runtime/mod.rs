//! What a task is made of: it starts from an image and ends with an exit code.

pub(crate) mod docker;
pub(crate) mod image;
pub(crate) mod launcher;
mod lines;
pub(crate) mod process;
mod program;
mod unpack;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::ecs::outcome::Started;
use crate::world::World;

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub task: String,
    /// The image reference of the task definition.
    pub image: String,
    /// The container definition.
    pub container: Map<String, Value>,
    /// The address that the task has to itself.
    pub address: Ipv4Addr,
    pub port: u16,
    pub log: Option<LogTarget>,
}

/// Where the container's output goes.
#[derive(Debug, Clone)]
pub(crate) struct LogTarget {
    pub group: String,
    pub stream: String,
}

/// A started container, and the news of its end.
#[derive(Debug)]
pub(crate) struct Running {
    pub started: Started,
    pub exit: oneshot::Receiver<Exit>,
}

/// How a container ended. No exit code: nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    pub code: Option<i32>,
    pub reason: Option<String>,
}

/// Why a container did not start, in ECS's sentences.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("CannotPullContainerError: {0}")]
    CannotPull(String),
    #[error("CannotStartContainerError: {0}")]
    CannotStart(String),
    #[error("ResourceInitializationError: {0}")]
    Initialization(String),
}

/// The runtimes.
pub(crate) enum Runtime {
    Process(process::Processes),
    Docker(docker::Engine),
}

impl Runtime {
    /// Pulls the image and starts the container.
    pub(crate) async fn launch(
        &self,
        world: &Arc<World>,
        launch: Launch,
    ) -> Result<Running, LaunchError> {
        refuse_secrets(&launch)?;
        if let Some(log) = &launch.log {
            open_log(world, log)?;
        }
        match self {
            Self::Process(processes) => processes.launch(world, launch).await,
            Self::Docker(engine) => engine.launch(world, launch).await,
        }
    }

    /// Runs a command within the container; tells whether it ended with 0 in time.
    pub(crate) async fn check(&self, task: &str, command: &[String], timeout: Duration) -> bool {
        match self {
            Self::Process(processes) => processes.check(task, command, timeout).await,
            Self::Docker(engine) => engine.check(task, command, timeout).await,
        }
    }

    /// Has the container end: SIGTERM, and SIGKILL after `timeout`. Its end is told by
    /// [`Running::exit`]. Nothing happens if it does not run.
    pub(crate) async fn stop(&self, task: &str, timeout: Duration) {
        match self {
            Self::Process(processes) => processes.stop(task, timeout),
            Self::Docker(engine) => engine.stop(task, timeout).await,
        }
    }
}

/// There is no Secrets Manager here, and a container without its secrets would be another one.
fn refuse_secrets(launch: &Launch) -> Result<(), LaunchError> {
    let secrets = launch.container.get("secrets").and_then(Value::as_array);
    match secrets.and_then(|secrets| secrets.first()) {
        None => Ok(()),
        Some(secret) => Err(LaunchError::Initialization(format!(
            "unable to pull secrets or registry auth: the local environment has no secret {}",
            secret
                .get("valueFrom")
                .and_then(Value::as_str)
                .unwrap_or_default()
        ))),
    }
}

fn open_log(world: &World, log: &LogTarget) -> Result<(), LaunchError> {
    world
        .logs
        .create_stream(&log.group, &log.stream, crate::aws::Moment::now())
        .map_err(|error| {
            LaunchError::Initialization(format!(
                "failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: {error} (log group {})",
                log.group
            ))
        })
}

/// The environment of a container: the image's, and the definition's over it.
fn environment(image: &[String], container: &Map<String, Value>) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = image
        .iter()
        .filter_map(|entry| entry.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let defined = container.get("environment").and_then(Value::as_array);
    for entry in defined.into_iter().flatten() {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        if let Some(name) = text("name") {
            set(&mut variables, name, text("value").unwrap_or_default());
        }
    }
    variables
}

fn set(variables: &mut Vec<(String, String)>, name: &str, value: &str) {
    variables.retain(|(other, _)| other != name);
    variables.push((name.to_owned(), value.to_owned()));
}

/// A list of strings in a container definition; `None` where it is absent or empty.
fn strings(container: &Map<String, Value>, key: &str) -> Option<Vec<String>> {
    let list: Vec<String> = container
        .get(key)?
        .as_array()?
        .iter()
        .filter_map(|value| value.as_str().map(ToOwned::to_owned))
        .collect();
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_definition_overrides_the_image() {
        let container = json!({ "environment": [
            { "name": "A", "value": "2" }, { "name": "C", "value": "3" }
        ] });
        let image = ["A=1".to_owned(), "B=x=y".to_owned()];
        let variables = environment(&image, container.as_object().unwrap());
        let expected = [("B", "x=y"), ("A", "2"), ("C", "3")];
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(variables, expected);
    }
}
