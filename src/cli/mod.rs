//! The command line: one file per command, each with its arguments and a `run`.

mod build;
mod completions;
mod connect;
mod context;
mod deploy;
mod diagnosis;
mod exit;
mod failure;
mod history;
mod images;
mod init;
mod local;
mod logs;
mod man;
mod plan;
mod policy;
mod promote;
mod prune;
mod publish;
mod release_image;
mod rollback;
mod rollout;
mod schema;
mod smoke;
mod status;
mod stop;
mod usage;
mod verdict;
mod verify;
mod watch;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use context::Context;
pub use exit::Exit;
pub use failure::Failure;
pub use schema::schemas;

use crate::interrupt::{Interrupt, Signal};
use crate::report::{Color, Output, Report, ReportOptions, Surroundings};

/// How often a report may look whether it has something to say.
const TICK: Duration = Duration::from_millis(500);

/// Builds, publishes and rolls out Quilt's MCP server on ECS Fargate, and says
/// truthfully whether the release is live.
#[derive(Debug, Parser)]
#[command(
    name = "quilt-mcp-deploy",
    version = env!("QUILT_MCP_DEPLOY_VERSION"),
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:\n  quilt-mcp-deploy deploy\n  quilt-mcp-deploy verify --env staging\n  \
quilt-mcp-deploy promote --from staging --to prod --tag 1.4.0-3f2a9c1 &&\n    quilt-mcp-deploy rollout --env prod --tag 1.4.0-3f2a9c1"
)]
pub struct Cli {
    /// The options that every command takes.
    #[command(flatten, next_help_heading = "Options of every command")]
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
    /// When colours are used
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    /// Writes what happened, over time, as a page for people to FILE.html, however the command ends
    #[arg(long, global = true, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Says only warnings and errors on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Says more on stderr; twice shows the programs' own log
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do. What help says of a command stands where its arguments are.
#[allow(missing_docs)]
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::InitArgs),
    Deploy(deploy::Deploy),
    Build(build::Build),
    Publish(publish::Publish),
    Plan(plan::PlanArgs),
    Promote(promote::Promote),
    Images(images::Images),
    Prune(prune::Prune),
    Rollout(rollout::RolloutArgs),
    Watch(watch::WatchArgs),
    Stop(stop::StopArgs),
    Rollback(rollback::RollbackArgs),
    Smoke(smoke::SmokeArgs),
    Verify(verify::VerifyArgs),
    Policy(policy::PolicyArgs),
    Status(status::StatusArgs),
    History(history::HistoryArgs),
    Logs(logs::LogsArgs),
    #[command(subcommand)]
    Local(local::Local),
    Connect(connect::ConnectArgs),
    Completions(completions::Completions),
    Man(man::ManArgs),
}

/// Parses the command line, runs the command and gives its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error),
    };
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
    let report = match report(&cli.common) {
        Ok(report) => Arc::new(report),
        Err(failure) => return failure.show_plain(),
    };
    let serving = matches!(cli.command, Command::Local(local::Local::Serve(_)));
    let releasing = matches!(
        cli.command,
        Command::Deploy(_)
            | Command::Rollout(_)
            | Command::Watch(_)
            | Command::Stop(_)
            | Command::Rollback(_)
    );
    let interrupt = Interrupt::default();
    let command = Box::pin(execute(cli, report.clone(), interrupt.clone()));
    let result = if serving {
        // The local environment ends by itself on a signal, with its tasks.
        command.await
    } else {
        tokio::select! {
            result = command => result,
            stopped = stopped_by_signals(&interrupt, releasing) => Err(stopped),
            never = ticks(&report) => never,
        }
    };
    let (exit, error) = match result {
        Ok(exit) => (exit, None),
        Err(failure) => (failure.exit, Some(failure.into_report())),
    };
    match report.finish(exit as u8, error) {
        Ok(()) => exit,
        Err(unwritten) => {
            let failure = Failure::from(unwritten).show_plain();
            if exit == Exit::Done { failure } else { exit }
        }
    }
}

fn report(common: &Common) -> Result<Report, Failure> {
    let options = ReportOptions {
        output: common.output,
        quiet: common.quiet,
        verbose: common.verbose > 0,
        page: common.report.clone(),
    };
    Report::of_process(&options, &Surroundings::find(common.color)).map_err(|error| {
        Failure::new(Exit::Usage, error.to_string())
            .hint("nothing was done; give --report a file in a folder that is there")
    })
}

/// Tells the report that time goes by, for ever.
async fn ticks<T>(report: &Report) -> T {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        report.tick();
    }
}

async fn execute(cli: Cli, report: Arc<Report>, interrupt: Interrupt) -> Result<Exit, Failure> {
    // Not before it is asked for: what needs no configuration must not fail for a wrong one.
    let common = cli.common.clone();
    let context = || Context::new(cli.common, report.clone(), interrupt);
    match cli.command {
        Command::Init(args) => args.run(&common, &report).await,
        Command::Completions(args) => args.run(&report),
        Command::Man(args) => args.run(&report),
        Command::Deploy(args) => args.run(&context()?).await,
        Command::Build(args) => args.run(&context()?).await,
        Command::Publish(args) => args.run(&context()?).await,
        Command::Plan(args) => args.run(&context()?).await,
        Command::Promote(args) => args.run(&context()?).await,
        Command::Images(args) => args.run(&context()?).await,
        Command::Prune(args) => args.run(&context()?).await,
        Command::Rollout(args) => args.run(&context()?).await,
        Command::Watch(args) => args.run(&context()?).await,
        Command::Stop(args) => args.run(&context()?).await,
        Command::Rollback(args) => args.run(&context()?).await,
        Command::Smoke(args) => args.run(&context()?).await,
        Command::Verify(args) => args.run(&context()?).await,
        Command::Policy(args) => args.run(&context()?).await,
        Command::Status(args) => args.run(&context()?).await,
        Command::History(args) => args.run(&context()?).await,
        Command::Logs(args) => args.run(&context()?).await,
        Command::Local(args) => args.run(&context()?).await,
        Command::Connect(args) => args.run(&context()?),
    }
}

/// Waits for a signal that ends the program at once: the first one, unless a stage answers
/// that by itself, else the second. Nothing is undone: ECS goes on with what it was told, which
/// only a command that is `releasing` can have done.
async fn stopped_by_signals(interrupt: &Interrupt, releasing: bool) -> Failure {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            return Failure::new(
                Exit::Internal,
                format!("signals cannot be received: {error}"),
            );
        }
    };
    loop {
        let signal = tokio::select! {
            _ = tokio::signal::ctrl_c() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        };
        if interrupt.is_shielded() && !interrupt.is_requested() {
            interrupt.request(signal);
            continue;
        }
        let failure = Failure::new(signal.into(), "stopped by a signal");
        return match (releasing, interrupt.was_shielded()) {
            (true, true) => failure.hint(
                "a deployment that ECS was told of goes on: `quilt-mcp-deploy watch` attaches to it, `quilt-mcp-deploy rollback` undoes it",
            ),
            (true, false) => failure.hint("the service was not changed; the same command again is safe"),
            (false, _) => failure,
        };
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
