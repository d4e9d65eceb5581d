//! Configuration from environment variables.
//!
//! Everything is read and checked before anything listens, and all problems are
//! reported together: a task that cannot start should say everything that is
//! wrong with it the first time.

mod origin;
mod problem;
mod reader;
mod stack_url;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::uri::Authority;
use tracing_subscriber::EnvFilter;

pub use origin::WebOrigin;
pub use problem::{ConfigError, Problem};
use reader::Reader;
pub use stack_url::StackUrl;

use crate::build_info::BuildInfo;

/// Exit code for a wrong configuration: `EX_CONFIG` of `sysexits.h`.
pub const EX_CONFIG: u8 = 78;

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8000);
/// The transport tells of every message; the request log has it in one line.
const DEFAULT_LOG: &str = "info,rmcp=warn";
const DEFAULT_DRAIN_GRACE: u64 = 2;
/// With the grace, under the 30 s that ECS gives a task by default
/// (`stopTimeout`, AWS's "Task definition parameters for Fargate").
const DEFAULT_DRAIN_TIMEOUT: u64 = 25;
/// The longest `stopTimeout` that Fargate allows, in seconds.
const LONGEST_STOP_TIMEOUT: u64 = 120;

/// Every variable that the server knows, for the warning about others.
const KNOWN: [&str; 7] = [
    "MCP_LISTEN",
    "MCP_ALLOWED_ORIGINS",
    "MCP_ALLOWED_HOSTS",
    "MCP_LOG",
    "MCP_DRAIN_GRACE_SECONDS",
    "MCP_DRAIN_TIMEOUT_SECONDS",
    "MCP_BUILD_COMMIT",
];

/// A complete, checked configuration.
#[derive(Debug)]
pub struct Config {
    /// The stack's catalog, for links.
    pub catalog: StackUrl,
    /// The stack's registry: who callers are, and all data.
    pub registry: StackUrl,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Browser origins that may call.
    pub allowed_origins: Vec<WebOrigin>,
    /// `Host` values that are accepted; empty accepts any, as behind a load balancer.
    pub allowed_hosts: Vec<Authority>,
    /// What is logged, as given.
    pub log: String,
    /// How the server ends.
    pub drain: Drain,
    /// Which build this is.
    pub build: BuildInfo,
}

/// How long the phases after SIGTERM last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// `/healthz` says 503 while calls are still accepted.
    pub grace: Duration,
    /// Calls in flight may finish after the listener has closed.
    pub timeout: Duration,
}

/// A configuration and what is odd, but not wrong, about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// One sentence each.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the configuration from the variables of an environment.
    ///
    /// # Errors
    /// With all problems found, in the order of the documentation.
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigError> {
        let mut reader = Reader::new(vars);
        let catalog = reader.required("QUILT_CATALOG_URL", StackUrl::parse);
        let registry = reader.required("QUILT_REGISTRY_URL", StackUrl::parse);
        let listen = reader.optional("MCP_LISTEN", listen_address);
        let origins = reader.list("MCP_ALLOWED_ORIGINS", WebOrigin::parse);
        let hosts = reader.list("MCP_ALLOWED_HOSTS", host);
        let log = reader.optional("MCP_LOG", log_filter);
        let grace = reader.optional("MCP_DRAIN_GRACE_SECONDS", seconds);
        let timeout = reader.optional("MCP_DRAIN_TIMEOUT_SECONDS", seconds);
        let commit = reader.optional("MCP_BUILD_COMMIT", commit);
        let warnings = reader.unknown("MCP_", &KNOWN);
        let (Some(catalog), Some(registry)) = (catalog, registry) else {
            return Err(reader.into_error());
        };
        let config = Self {
            allowed_origins: origins.unwrap_or_else(|| vec![catalog.origin()]),
            allowed_hosts: hosts.unwrap_or_default(),
            catalog,
            registry,
            listen: listen.unwrap_or(DEFAULT_LISTEN),
            log: log.unwrap_or_else(|| DEFAULT_LOG.to_owned()),
            drain: Drain {
                grace: grace.unwrap_or(Duration::from_secs(DEFAULT_DRAIN_GRACE)),
                timeout: timeout.unwrap_or(Duration::from_secs(DEFAULT_DRAIN_TIMEOUT)),
            },
            build: BuildInfo::new(commit),
        };
        reader.finish(Loaded { config, warnings })
    }
}

/// Where the server listens, for the health check, which needs nothing else.
///
/// # Errors
/// When `MCP_LISTEN` is not an address and port.
pub fn listen_from_vars(
    vars: impl IntoIterator<Item = (String, String)>,
) -> Result<SocketAddr, ConfigError> {
    let mut reader = Reader::new(vars);
    let listen = reader.optional("MCP_LISTEN", listen_address);
    reader.finish(listen.unwrap_or(DEFAULT_LISTEN))
}

/// The commit that the environment names, if it names one well.
pub fn build_from_vars(vars: impl IntoIterator<Item = (String, String)>) -> BuildInfo {
    BuildInfo::new(Reader::new(vars).optional("MCP_BUILD_COMMIT", commit))
}

fn listen_address(value: &str) -> Result<SocketAddr, String> {
    value
        .parse()
        .map_err(|_| "is not an IP address and port such as 0.0.0.0:8000".to_owned())
}

fn host(value: &str) -> Result<Authority, String> {
    let authority: Authority = value
        .parse()
        .map_err(|_| format!("holds `{value}`, which is not a host or host:port"))?;
    if value.contains('@') {
        return Err("holds a host with a user name, which no Host header has".to_owned());
    }
    Ok(authority)
}

fn log_filter(value: &str) -> Result<String, String> {
    EnvFilter::try_new(value)
        .map(|_| value.to_owned())
        .map_err(|error| {
            format!(
                "is not a tracing filter such as `info` or `info,quilt_mcp_server=debug`: {error}"
            )
        })
}

fn seconds(value: &str) -> Result<Duration, String> {
    match value.parse::<u64>() {
        Ok(seconds) if seconds <= LONGEST_STOP_TIMEOUT => Ok(Duration::from_secs(seconds)),
        _ => Err(format!(
            "is `{value}`; give whole seconds from 0 to {LONGEST_STOP_TIMEOUT}, the longest that Fargate waits"
        )),
    }
}

/// Checks that a commit can stand as the build metadata of a semantic version.
fn commit(value: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if value.len() <= 64 && value.chars().all(plain) {
        Ok(value.to_owned())
    } else {
        Err("is not a commit: at most 64 letters, digits, dots and hyphens".to_owned())
    }
}
