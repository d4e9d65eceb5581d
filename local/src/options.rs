use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How to run a local environment.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything is kept. Made if missing; one environment at a time can use it.
    pub state_dir: PathBuf,
    /// Where to listen, on 127.0.0.1.
    pub ports: Ports,
    /// What a task is.
    pub runtime: RuntimeKind,
    /// The command that ends in [`exec_task`](crate::exec_task) with the arguments appended to it.
    /// [`RuntimeKind::Docker`] has no use for it.
    pub launcher: Vec<OsString>,
}

/// The ports on 127.0.0.1. 0 takes the port of the state folder's former life where it is still
/// free, and any free one otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// AWS's APIs and the control requests under `/_local/`.
    pub endpoint: u16,
    /// The OCI registry under ECR.
    pub registry: u16,
    /// The load balancer: what an MCP client talks to.
    pub load_balancer: u16,
    /// The demo Quilt registry.
    pub quilt_registry: u16,
}

/// What a task is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    /// The image's own program, unpacked and started as a child of this process.
    Process,
    /// A container of a Docker engine.
    Docker,
}
