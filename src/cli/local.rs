//! `local`: the local environment, started, stopped, looked at and disturbed.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use quilt_mcp_local::{Description, Fault, Options, Ports, RuntimeKind};
use serde::Serialize;
use serde_json::Value;

use super::{Context, Exit, Failure};
use crate::report::{Reporter, Stage};

/// How long the local environment may take to start or to stop: its tasks get their stop timeout.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// The first of the four ports, when none is asked for.
const FIRST_PORT: u16 = 4870;

/// The local environment: a rehearsal of the AWS side on this machine.
#[derive(Debug, Subcommand)]
pub enum Local {
    /// Start it, if it is not up
    Up(Up),
    /// Stop it and everything it started; images and releases stay unless --delete is given
    Down(Down),
    /// Show where it listens
    Status,
    /// Switch a fault on or off
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Be the local environment
    #[command(hide = true)]
    Serve(Serve),
    /// Become a task of the local environment
    #[command(hide = true)]
    ExecTask(ExecTask),
}

/// Start the local environment, if it is not up.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  quilt-mcp-deploy local up --port 0\n  \
    aws --endpoint-url $(quilt-mcp-deploy local status --output json | jq -r .endpoint_url) ecs list-services --cluster quilt-local")]
pub struct Up {
    #[command(flatten)]
    how: Serve,
}

/// Where it listens and what its tasks are.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// The first of four ports: AWS's APIs, the registry, the load balancer, the demo Quilt registry; 0 takes free ones
    #[arg(long, value_name = "PORT", env = "QUILT_MCP_LOCAL_PORT", default_value_t = FIRST_PORT,
          value_parser = clap::value_parser!(u16).range(..=65532))]
    port: u16,
    /// What a task is: a process of this machine, or a container of a Docker engine
    #[arg(long, value_enum, default_value_t = Runtime::Process)]
    runtime: Runtime,
}

/// What a task of the local environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Runtime {
    /// The image's own program, as a child process.
    Process,
    /// A container of a Docker engine.
    Docker,
}

/// Stop the local environment.
#[derive(Debug, Args)]
pub struct Down {
    /// Remove its images, releases and logs as well
    #[arg(long)]
    delete: bool,
}

/// Faults of the local environment.
#[derive(Debug, Subcommand)]
pub enum FaultCommand {
    /// Pulls of images fail
    RefusePulls {
        /// The image as the task definition has it, with * and ?
        #[arg(long, default_value = "*")]
        image: String,
    },
    /// Every AWS call is answered as if the credentials had expired
    ExpiredCredentials,
    /// AWS calls are throttled
    Throttle {
        /// service:Operation, with * and ?
        #[arg(long, default_value = "*")]
        operation: String,
        /// The share of the calls, 0 to 1
        #[arg(long, default_value_t = 1.0)]
        probability: f64,
    },
    /// AWS calls take longer
    Latency {
        /// service:Operation, with * and ?
        #[arg(long, default_value = "*")]
        operation: String,
        /// How much longer, in milliseconds
        #[arg(long)]
        milliseconds: u64,
    },
    /// Switch every fault off
    Clear,
}

/// Arguments of a task's process.
#[derive(Debug, Args)]
pub struct ExecTask {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

#[derive(Debug, Serialize)]
struct LocalStatus {
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
            Self::Up(up) => {
                start(context, &up.how).await?;
                print_status(context)
            }
            Self::Down(down) => down.run(context).await,
            Self::Status => print_status(context),
            Self::Fault(fault) => fault.run(context).await,
            Self::Serve(serve) => serve.run(context).await,
            Self::ExecTask(_) => Err(Failure::new(
                Exit::Internal,
                "exec-task is not a command of its own",
            )),
        }
    }
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
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
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
        quilt_mcp_local::serve(options)
            .await
            .map_err(Failure::from)?;
        Ok(Exit::Done)
    }

    /// What a `deploy` starts: the same as `local up` without options.
    fn default_from_environment() -> Result<Self, Failure> {
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

/// Starts the local environment if it is not up; answers how long that took.
pub async fn ensure_up(context: &Context) -> Result<Option<Duration>, Failure> {
    start(context, &Serve::default_from_environment()?).await
}

async fn start(context: &Context, how: &Serve) -> Result<Option<Duration>, Failure> {
    if running(context)?.is_some() {
        return Ok(None);
    }
    let stage = context.stage(Stage::Local);
    let mut child = spawn(context, how)?;
    let began = Instant::now();
    loop {
        if let Some(description) = running(context)? {
            return Ok(Some(
                stage.finish(format!("up: {}", description.load_balancer_url)),
            ));
        }
        let exited = child.try_wait().map_err(|error| {
            Failure::new(
                Exit::Internal,
                format!("the local environment cannot be watched: {error}"),
            )
        })?;
        if exited.is_some() {
            return Err(Failure::new(
                Exit::Preflight,
                format!(
                    "the local environment did not start: {}",
                    last_error(context)
                ),
            )
            .hint(format!("its log is {}", log_path(context).display())));
        }
        if began.elapsed() > PATIENCE {
            // Only the child that was just started here is ended.
            let _ = child.kill();
            return Err(Failure::new(
                Exit::Preflight,
                "the local environment did not start within a minute",
            )
            .hint(format!("its log is {}", log_path(context).display())));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn spawn(context: &Context, how: &Serve) -> Result<Child, Failure> {
    let folder = context.state.local();
    let cannot = |error: std::io::Error| {
        Failure::state_folder(format!("cannot write {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(&folder).map_err(cannot)?;
    let mut log = File::create(log_path(context)).map_err(cannot)?;
    // A full disk is found here, where it can still be told.
    writeln!(log, "local environment {}", env!("CARGO_PKG_VERSION")).map_err(cannot)?;
    let runtime = match how.runtime {
        Runtime::Process => "process",
        Runtime::Docker => "docker",
    };
    Command::new(current_program()?)
        .args([
            "local",
            "serve",
            "--port",
            &how.port.to_string(),
            "--runtime",
            runtime,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C in this terminal is for the command, not for the environment.
        .process_group(0)
        .spawn()
        .map_err(|error| {
            Failure::new(
                Exit::Internal,
                format!("the local environment cannot be started: {error}"),
            )
        })
}

fn current_program() -> Result<OsString, Failure> {
    std::env::current_exe().map(Into::into).map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("this program cannot find itself: {error}"),
        )
    })
}

fn log_path(context: &Context) -> std::path::PathBuf {
    context.state.local().join("environment.log")
}

/// What the environment said last before it ended.
fn last_error(context: &Context) -> String {
    let log = std::fs::read_to_string(log_path(context)).unwrap_or_default();
    let last = log
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("error: "));
    last.or(log.lines().last())
        .unwrap_or("it said nothing")
        .to_owned()
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

impl Down {
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _lock = context.state.lock(crate::config::LOCAL)?;
        if let Some(description) = running(context)? {
            let stage = context.stage(Stage::Local);
            control(&description, reqwest::Method::POST, "stop", None).await?;
            wait_until_gone(context).await?;
            stage.finish("stopped");
        }
        if self.delete {
            let folder = context.state.local();
            match std::fs::remove_dir_all(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Failure::new(
                        Exit::Internal,
                        format!("cannot remove {}: {error}", folder.display()),
                    ));
                }
            }
        }
        print_status(context)
    }
}

/// It is gone once its process no longer holds the lock of the state folder.
async fn wait_until_gone(context: &Context) -> Result<(), Failure> {
    let began = Instant::now();
    let locked = || {
        quilt_mcp_local::is_locked(&context.state.local())
            .map_err(|error| Failure::new(Exit::Internal, error.to_string()))
    };
    while locked()? {
        if began.elapsed() > PATIENCE {
            return Err(Failure::new(
                Exit::Internal,
                "the local environment did not stop within a minute",
            )
            .hint(format!("its log is {}", log_path(context).display())));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

impl FaultCommand {
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let description =
            running(context)?.ok_or(crate::config::LocalEnvironmentError::NotRunning)?;
        let fault = match self {
            Self::Clear => {
                control(&description, reqwest::Method::DELETE, "faults", None).await?;
                context.reporter.warn("every fault is off");
                return Ok(Exit::Done);
            }
            Self::RefusePulls { image } => Fault::RefusePulls { image },
            Self::ExpiredCredentials => Fault::ExpiredCredentials,
            Self::Throttle {
                operation,
                probability,
            } => Fault::Throttle {
                operation,
                probability,
            },
            Self::Latency {
                operation,
                milliseconds,
            } => Fault::Latency {
                operation,
                milliseconds,
            },
        };
        let body = serde_json::to_value(&fault).map_err(|error| {
            Failure::new(
                Exit::Internal,
                format!("the fault cannot be written: {error}"),
            )
        })?;
        control(&description, reqwest::Method::PUT, "faults", Some(&body)).await?;
        context.reporter.warn(format!(
            "the fault {} is on until `local fault clear` or `local down`",
            fault.name()
        ));
        Ok(Exit::Done)
    }
}

/// One request to the environment's control port.
async fn control(
    description: &Description,
    method: reqwest::Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(), Failure> {
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
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    Err(failed(format!(
        "{status} {}",
        answer.text().await.unwrap_or_default()
    )))
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
