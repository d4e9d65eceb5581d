//! The command line: one file per command, each with its arguments and a `run`.

mod build;
mod context;
mod deploy;
mod failure;
mod images;
mod local;
mod promote;
mod prune;
mod publish;
mod rollout;
mod smoke;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use context::Context;
pub use failure::{Exit, Failure};

/// Builds, publishes and rolls out Quilt's MCP server on ECS Fargate, and says
/// truthfully whether the release is live.
#[derive(Debug, Parser)]
#[command(
    name = "quilt-mcp-deploy",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// The options that every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The environment; else default_environment of quilt-mcp.toml, else `local`
    #[arg(long, global = true, value_name = "NAME", env = "QUILT_MCP_ENV")]
    pub env: Option<String>,
    /// The configuration file; else quilt-mcp.toml in this folder or one above it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How results are written to stdout
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// The AWS region, instead of the environment's
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The AWS profile, instead of the environment's
    #[arg(long, global = true, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// The endpoint of every AWS API, instead of AWS's own
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<url::Url>,
    /// Says more on stderr; twice shows the programs' own log
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object, a contract: see docs/output.md.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish this checkout and roll it out: the whole release
    Deploy(deploy::Deploy),
    /// Build the linux/amd64 image of this checkout and print its digest
    Build(build::Build),
    /// Push this checkout's image to the environment's repository and print its digest
    Publish(publish::Publish),
    /// Copy an image, byte for byte, from one environment's repository to another's
    Promote(promote::Promote),
    /// List the environment's published images and where each runs
    Images(images::Images),
    /// Delete old images that no environment runs or ran
    Prune(prune::Prune),
    /// Move the service to a published image and watch it to a verdict
    Rollout(rollout::RolloutArgs),
    /// Do an MCP handshake with the environment's endpoint
    Smoke(smoke::SmokeArgs),
    /// Show the service, its deployments, tasks and targets, and what they run
    Status(status::StatusArgs),
    /// The local environment: a rehearsal of the AWS side on this machine
    #[command(subcommand)]
    Local(local::Local),
}

/// Parses the command line, runs the command and gives its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Local(local::Local::ExecTask(task)) = &cli.command {
        return task.exec();
    }
    start_log(cli.common.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return Exit::Internal.into();
        }
    };
    runtime.block_on(run(cli)).into()
}

async fn run(cli: Cli) -> Exit {
    let output = cli.common.output;
    let serving = matches!(cli.command, Command::Local(local::Local::Serve(_)));
    let command = Box::pin(execute(cli));
    let result = if serving {
        // The local environment ends by itself on a signal, with its tasks.
        command.await
    } else {
        tokio::select! {
            result = command => result,
            interrupted = interrupt() => Err(interrupted),
        }
    };
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            failure.show(output);
            failure.exit
        }
    }
}

async fn execute(cli: Cli) -> Result<Exit, Failure> {
    let context = Context::new(cli.common)?;
    match cli.command {
        Command::Deploy(args) => args.run(&context).await,
        Command::Build(args) => args.run(&context).await,
        Command::Publish(args) => args.run(&context).await,
        Command::Promote(args) => args.run(&context).await,
        Command::Images(args) => args.run(&context).await,
        Command::Prune(args) => args.run(&context).await,
        Command::Rollout(args) => args.run(&context).await,
        Command::Smoke(args) => args.run(&context).await,
        Command::Status(args) => args.run(&context).await,
        Command::Local(args) => args.run(&context).await,
    }
}

/// Waits for Ctrl-C or SIGTERM. Nothing is undone: ECS goes on with what it was told.
async fn interrupt() -> Failure {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = "stopped by a signal";
    let hint = "a deployment that ECS was told of goes on; `quilt-mcp-deploy status` shows it, and the same command attaches to it again";
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => Failure::new(Exit::Interrupted, stop).hint(hint),
            _ = terminate.recv() => Failure::new(Exit::Terminated, stop).hint(hint),
        },
        Err(error) => Failure::new(
            Exit::Internal,
            format!("signals cannot be received: {error}"),
        ),
    }
}

/// The programs' own log, on stderr: what the AWS SDK and the local environment write of themselves.
fn start_log(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let fallback = match verbose {
        0 | 1 => "error,quilt_mcp_local=info",
        2 => "info",
        _ => "debug",
    };
    let filter =
        EnvFilter::try_from_env("QUILT_MCP_LOG").unwrap_or_else(|_| EnvFilter::new(fallback));
    // Only a second start in one process could fail, and there is none.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
