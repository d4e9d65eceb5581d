//! The command line of the server.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use quilt_mcp_server::config::{self, Config, EX_CONFIG};
use quilt_mcp_server::serve::Ended;
use quilt_mcp_server::{healthcheck, logging, serve};

/// Quilt's MCP server. It is configured by environment variables; docs/server.md describes them.
#[derive(Parser)]
#[command(name = "quilt-mcp-server")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves MCP until SIGTERM.
    Serve,
    /// Asks the server on this machine whether it serves; exit code 0 says yes.
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    let version = config::build_from_vars(vars()).to_string();
    let matches = Cli::command().version(version).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.command {
        Command::Serve => run_serve().await,
        Command::Healthcheck => run_healthcheck().await,
    }
}

async fn run_serve() -> ExitCode {
    let loaded = match Config::from_vars(vars()) {
        Ok(loaded) => loaded,
        Err(error) => return fail(&error, EX_CONFIG),
    };
    logging::init(&loaded.config.log);
    match serve::serve(loaded).await {
        Ok(ended) => {
            tracing::info!(?ended, "stopped");
            exit_code(ended)
        }
        Err(error) => {
            tracing::error!(%error, "failed");
            fail(&error, 1)
        }
    }
}

async fn run_healthcheck() -> ExitCode {
    let listen = match config::listen_from_vars(vars()) {
        Ok(listen) => listen,
        Err(error) => return fail(&error, EX_CONFIG),
    };
    match healthcheck::check(listen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// An interrupted process ends as a shell reports it: 128 and the signal's number.
fn exit_code(ended: Ended) -> ExitCode {
    match ended {
        Ended::Drained | Ended::DrainTimedOut => ExitCode::SUCCESS,
        Ended::Interrupted(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("quilt-mcp-server: {error}");
    ExitCode::from(code)
}

/// The environment; a variable that is not UTF-8 is none of ours.
fn vars() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
