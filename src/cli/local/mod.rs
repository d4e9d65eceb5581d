//! `local`: the local environment, started, stopped, looked at and disturbed.

mod calls;
mod down;
mod fault;
mod serve;
mod up;

use std::fmt;
use std::time::Duration;

use clap::Subcommand;
use quilt_mcp_local::Description;
use serde::Serialize;
use serde_json::Value;

pub(super) use calls::Record as CallsResult;
pub(super) use fault::Faults as FaultsResult;

use super::{Context, Exit, Failure};
use calls::Calls;
use down::Down;
use fault::FaultCommand;
pub use serve::ExecTask;
use serve::Serve;
use up::Up;
pub use up::ensure_up;

/// How long the local environment may take to start or to stop: its tasks get their stop timeout.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// The local environment: a rehearsal of the AWS side on this machine.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  quilt-mcp-deploy local up\n  quilt-mcp-deploy local down --delete"
)]
pub enum Local {
    /// Start it, if it is not up
    Up(Up),
    /// Stop it and everything it started; images and releases stay unless --delete is given
    Down(Down),
    /// Show where it listens
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local status --output json | jq -r .load_balancer_url"
    )]
    Status,
    /// Switch a fault on or off
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Count the AWS calls that were made
    Calls(Calls),
    /// Be the local environment
    #[command(hide = true)]
    Serve(Serve),
    /// Become a task of the local environment
    #[command(hide = true)]
    ExecTask(ExecTask),
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct LocalStatus {
    version: u32,
    running: bool,
    #[serde(flatten)]
    description: Option<Description>,
}

impl Local {
    /// Runs it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Up(up) => up.run(context).await,
            Self::Down(down) => down.run(context).await,
            Self::Status => print_status(context),
            Self::Fault(fault) => fault.run(context).await,
            Self::Calls(calls) => calls.run(context).await,
            Self::Serve(serve) => serve.run(context).await,
            Self::ExecTask(_) => Err(Failure::new(
                Exit::Internal,
                "exec-task is not a command of its own",
            )),
        }
    }
}

fn log_path(context: &Context) -> std::path::PathBuf {
    context.state.local().join("environment.log")
}

/// The description of the environment, when it runs.
fn running(context: &Context) -> Result<Option<Description>, Failure> {
    let description = quilt_mcp_local::describe(&context.state.local())?;
    Ok(description.filter(|description| description.alive))
}

fn print_status(context: &Context) -> Result<Exit, Failure> {
    let description = running(context)?;
    context.print(&LocalStatus {
        version: 1,
        running: description.is_some(),
        description,
    })?;
    Ok(Exit::Done)
}

/// One request to the environment's control port.
async fn control(
    description: &Description,
    method: reqwest::Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let url = format!(
        "{}/_local/{path}",
        description.endpoint_url.trim_end_matches('/')
    );
    let request = reqwest::Client::new().request(method, url);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let failed = |reason: String| {
        Failure::new(
            Exit::Internal,
            format!("the local environment did not obey: {reason}"),
        )
    };
    let answer = request
        .send()
        .await
        .map_err(|error| failed(crate::aws::root_causes(&error)))?;
    let status = answer.status();
    let text = answer
        .text()
        .await
        .map_err(|error| failed(crate::aws::root_causes(&error)))?;
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    // The environment says what is wrong with the request.
    match value.get("error").and_then(Value::as_str) {
        Some(error) if status.is_client_error() => Err(Failure::new(Exit::Usage, error)),
        _ => Err(failed(format!("{status} {text}"))),
    }
}

impl fmt::Display for LocalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(description) = &self.description else {
            return write!(f, "the local environment is not running");
        };
        writeln!(
            f,
            "mcp endpoint  {}/mcp/",
            description.load_balancer_url.trim_end_matches('/')
        )?;
        writeln!(f, "aws endpoint  {}", description.endpoint_url)?;
        writeln!(f, "registry      {}", description.registry)?;
        writeln!(f, "demo catalog  {}", description.quilt_registry_url)?;
        write!(f, "process       {}", description.pid)
    }
}
