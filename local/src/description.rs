use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lock::Lock;
use crate::{Error, RuntimeKind};

/// Where a local environment listens and what it calls things: `environment.json` in the state
/// folder, written only once everything listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Description {
    /// Version of the program that serves.
    #[serde(rename = "program_version")]
    pub version: String,
    /// Process id of the program that serves.
    pub pid: u32,
    /// Where AWS's APIs answer, for `--endpoint-url`.
    pub endpoint_url: String,
    /// `host:port` of the OCI registry.
    pub registry: String,
    /// Where the load balancer answers.
    pub load_balancer_url: String,
    /// Where the demo Quilt registry answers.
    pub quilt_registry_url: String,
    /// The AWS account that it plays.
    pub account_id: String,
    /// The AWS region that it plays.
    pub region: String,
    /// The ECS cluster.
    pub cluster: String,
    /// The ECS service, which is the family of its task definitions too.
    pub service: String,
    /// The container that the load balancer sends requests to.
    pub container: String,
    /// The ECR repository.
    pub repository: String,
    /// The log group of the tasks.
    pub log_group: String,
    /// What a task is made of.
    pub runtime: RuntimeKind,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Whether the process still runs: it holds the state folder's lock. False after a crash.
    #[serde(skip)]
    pub alive: bool,
}

/// Reads the description in `state_dir`: `None` where no environment was started, or where one is
/// still starting or was stopped in good order.
///
/// # Errors
/// When the folder cannot be read, or its content is not a description.
pub fn describe(state_dir: &Path) -> Result<Option<Description>, Error> {
    let path = path(state_dir);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::state("read", &path)(error)),
    };
    let mut description: Description =
        serde_json::from_str(&text).map_err(|error| Error::Unreadable {
            path,
            folder: state_dir.to_owned(),
            reason: error.to_string(),
        })?;
    description.alive = Lock::is_held(state_dir)?;
    Ok(Some(description))
}

/// Whether a process still holds the state folder: also while it starts or stops.
///
/// # Errors
/// When the lock cannot be read.
pub fn is_locked(state_dir: &Path) -> Result<bool, Error> {
    Lock::is_held(state_dir)
}

pub(crate) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("environment.json")
}
