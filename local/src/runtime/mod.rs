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
use crate::secrets::{self, Secret};
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
    /// Filled in by [`Runtime::launch`].
    pub secrets: Variables,
}

/// Environment variables whose values no log shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables(Vec<(String, Secret)>);

impl Variables {
    fn set_in(&self, variables: &mut Vec<(String, String)>) {
        for (name, value) in &self.0 {
            set(variables, name, value.expose());
        }
    }
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
        mut launch: Launch,
    ) -> Result<Running, LaunchError> {
        launch.secrets = secrets(world, &launch.container)?;
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

/// The values of the container's secrets, as variables.
fn secrets(world: &World, container: &Map<String, Value>) -> Result<Variables, LaunchError> {
    let mut variables = Vec::new();
    let secrets = container.get("secrets").and_then(Value::as_array);
    for secret in secrets.into_iter().flatten() {
        let text = |member: &str| secret.get(member).and_then(Value::as_str);
        let value_from = text("valueFrom").unwrap_or_default();
        check_permission(world, value_from)?;
        let value =
            secrets::resolve(&world.secrets, value_from).map_err(LaunchError::Initialization)?;
        variables.push((text("name").unwrap_or_default().to_owned(), value));
    }
    Ok(Variables(variables))
}

/// The fault `deny` holds for the execution role as well.
fn check_permission(world: &World, value_from: &str) -> Result<(), LaunchError> {
    let action = if value_from.contains(":secretsmanager:") {
        "secretsmanager:GetSecretValue"
    } else {
        "ssm:GetParameters"
    };
    if !world.faults.denies(action) {
        return Ok(());
    }
    Err(LaunchError::Initialization(format!(
        "unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret {value_from}: AccessDeniedException: User: the task's execution role is not authorized to perform: {action} on resource: {value_from} because no identity-based policy allows the {action} action"
    )))
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
