//! The command line of the server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use quilt_mcp_server::config::{self, Config, EX_CONFIG, StackUrl};
use quilt_mcp_server::proxy::{self, Remote, TokenSource};
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
    /// Relays a client that speaks over standard input and output to a remote server.
    Proxy(ProxyArgs),
    /// Asks the server on this machine whether it serves; exit code 0 says yes.
    Healthcheck,
}

/// Tokens come from one source; without any, from the variable `QUILT_MCP_TOKEN` if it is set.
#[derive(Args)]
struct ProxyArgs {
    /// The MCP endpoint, such as https://mcp.example.com/mcp
    url: String,
    /// The environment variable that holds the token
    #[arg(long, value_name = "NAME", group = "source")]
    token_env: Option<String>,
    /// A file that holds the token, read again when the server refuses the token
    #[arg(long, value_name = "FILE", group = "source")]
    token_file: Option<PathBuf>,
    /// A shell command that prints the token, run again when the server refuses the token
    #[arg(long, value_name = "COMMAND", group = "source")]
    token_command: Option<String>,
}

/// The variable that holds the token where no other source is named.
const TOKEN_VAR: &str = "QUILT_MCP_TOKEN";
/// What the proxy's URL looks like.
const ENDPOINT_EXAMPLE: &str = "https://mcp.example.com/mcp";

#[tokio::main]
async fn main() -> ExitCode {
    let version = config::build_from_vars(vars()).to_string();
    let matches = Cli::command().version(version).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.command {
        Command::Serve => run_serve().await,
        Command::Proxy(args) => run_proxy(args).await,
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

/// Standard output belongs to the client: everything else is said on standard error.
async fn run_proxy(args: ProxyArgs) -> ExitCode {
    logging::init_stderr();
    let remote = match remote(args) {
        Ok(remote) => remote,
        Err(why) => {
            eprintln!("quilt-mcp-server: {why}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    let input = tokio::io::BufReader::new(tokio::io::stdin());
    match proxy::relay(remote, input, tokio::io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn remote(args: ProxyArgs) -> Result<Remote, String> {
    let url = StackUrl::parse_like(&args.url, ENDPOINT_EXAMPLE)
        .map_err(|why| format!("the MCP endpoint's URL {why}"))?;
    let source = match (args.token_env, args.token_file, args.token_command) {
        (Some(name), _, _) => named_variable(name)?,
        (_, Some(path), _) => TokenSource::File(path),
        (_, _, Some(command)) if command.trim().is_empty() => {
            return Err(
                "--token-command is empty; give a shell command that prints the token".into(),
            );
        }
        (_, _, Some(command)) => TokenSource::Command(command),
        _ => variable(TOKEN_VAR.to_owned()).unwrap_or(TokenSource::None),
    };
    let is_loopback = url.is_loopback();
    Remote::new(url.into_url(), source, is_loopback)
        .map_err(|error| format!("cannot set up TLS: {error}"))
}

/// The variable that `--token-env` names, which must be there; a name that may be a token
/// is not repeated.
fn named_variable(name: String) -> Result<TokenSource, String> {
    if ["qk_", "eyJ"].iter().any(|start| name.starts_with(start)) {
        return Err(
            "what --token-env names looks like a token; give the name of the variable that holds it, never the token: other processes can see arguments"
                .into(),
        );
    }
    let missing = format!(
        "the variable {name}, which --token-env names, is empty or not set here; set it where this process is started (programs started from a desktop often do not see a shell's variables), or use --token-command"
    );
    variable(name).ok_or(missing)
}

fn variable(name: String) -> Option<TokenSource> {
    let value = std::env::var(&name)
        .ok()
        .filter(|value| !value.is_empty())?;
    Some(TokenSource::Variable { name, value })
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
