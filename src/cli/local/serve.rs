//! `local serve` and `local exec-task`: what the other commands start.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use quilt_mcp_local::{Options, Ports, RuntimeKind};

use super::{Context, Exit, Failure};

/// The first of the four ports, when none is asked for.
const FIRST_PORT: u16 = 4870;

/// Where it listens and what its tasks are.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// The first of four ports: AWS's APIs, the registry, the load balancer, the demo Quilt registry; 0 takes free ones
    #[arg(long, value_name = "PORT", env = "QUILT_MCP_LOCAL_PORT", default_value_t = FIRST_PORT,
          value_parser = clap::value_parser!(u16).range(..=65532))]
    pub(super) port: u16,
    /// What a task is: a process of this machine, or a container of a Docker engine
    #[arg(long, value_enum, default_value_t = Runtime::Process)]
    pub(super) runtime: Runtime,
}

/// What a task of the local environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Runtime {
    /// The image's own program, as a child process.
    Process,
    /// A container of a Docker engine.
    Docker,
}

/// Arguments of a task's process.
#[derive(Debug, Args)]
pub struct ExecTask {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl ExecTask {
    /// Becomes the task; returns only if that fails.
    pub fn exec(&self) -> ExitCode {
        let error = quilt_mcp_local::exec_task(&self.arguments);
        eprintln!("error: the task's process cannot be started: {error}");
        // What a shell answers for a command that cannot be executed (POSIX, 2.8.2).
        ExitCode::from(126)
    }
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let program = current_program()?;
        let launcher = vec![program, "local".into(), "exec-task".into(), "--".into()];
        let port = |offset| {
            if self.port == 0 {
                0
            } else {
                self.port + offset
            }
        };
        let options = Options {
            state_dir: context.state.local(),
            ports: Ports {
                endpoint: port(0),
                registry: port(1),
                load_balancer: port(2),
                quilt_registry: port(3),
            },
            runtime: match self.runtime {
                Runtime::Process => RuntimeKind::Process,
                Runtime::Docker => RuntimeKind::Docker,
            },
            launcher,
        };
        quilt_mcp_local::serve(options).await?;
        Ok(Exit::Done)
    }

    /// What a `deploy` starts: the same as `local up` without options.
    pub(super) fn default_from_environment() -> Result<Self, Failure> {
        let port = match std::env::var("QUILT_MCP_LOCAL_PORT") {
            Err(_) => FIRST_PORT,
            Ok(text) => text
                .parse()
                .ok()
                .filter(|port| *port <= 65532)
                .ok_or_else(|| {
                    Failure::new(
                        Exit::Usage,
                        format!("QUILT_MCP_LOCAL_PORT is `{text}`, not a port up to 65532"),
                    )
                })?,
        };
        Ok(Self {
            port,
            runtime: Runtime::Process,
        })
    }
}

/// This very program.
pub(super) fn current_program() -> Result<OsString, Failure> {
    std::env::current_exe().map(Into::into).map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("this program cannot find itself: {error}"),
        )
    })
}
