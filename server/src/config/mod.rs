//! Configuration from environment variables.
//!
//! Everything is read and checked before anything listens, and all problems are
//! reported together: a task that cannot start should say everything that is
//! wrong with it the first time.

mod oauth;
mod origin;
mod problem;
mod reader;
mod stack_url;
mod variables;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use http::uri::Authority;
use tracing_subscriber::EnvFilter;

pub use oauth::OAuth;
pub use origin::WebOrigin;
pub use problem::{ConfigError, Problem};
use reader::Reader;
pub use stack_url::StackUrl;
pub use variables::{VARIABLES, Variable};

use crate::aws::Region;
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

const DEFAULT_IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(256).unwrap();
const DEFAULT_PER_TOKEN: NonZeroUsize = NonZeroUsize::new(16).unwrap();
const LARGEST_LIMIT: usize = 65_536;

/// A complete, checked configuration.
#[derive(Debug)]
pub struct Config {
    /// The stack's catalog, for links.
    pub catalog: StackUrl,
    /// The stack's registry: who callers are, and all data.
    pub registry: StackUrl,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where metrics are served, if they are.
    pub metrics_listen: Option<SocketAddr>,
    /// Who issues the tokens of this server, where that is published.
    pub oauth: Option<OAuth>,
    /// The `aud` values that a token which has one may have.
    pub audiences: Vec<String>,
    /// How many requests are served at a time.
    pub max_in_flight: NonZeroUsize,
    /// How many of them may bring the same token.
    pub max_in_flight_per_token: NonZeroUsize,
    /// The Athena work group for queries that name none.
    pub athena_work_group: Option<String>,
    /// AWS, as callers reach it through this server.
    pub aws: Aws,
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

/// Where AWS is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// The stack's region.
    pub region: Region,
    /// Instead of AWS's own endpoints, for rehearsals and private networks.
    pub endpoint: Option<StackUrl>,
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
        let metrics_listen = reader.optional("MCP_METRICS_LISTEN", listen_address);
        let public_url = reader.optional("MCP_PUBLIC_URL", StackUrl::parse);
        let issuers = reader.list("MCP_AUTHORIZATION_SERVERS", StackUrl::parse);
        let scopes = reader.list("MCP_SCOPES", oauth::scope);
        let audiences = reader.list("MCP_AUDIENCES", |value| Ok(value.to_owned()));
        let max_in_flight = reader.optional("MCP_MAX_IN_FLIGHT", limit);
        let max_in_flight_per_token = reader.optional("MCP_MAX_IN_FLIGHT_PER_TOKEN", limit);
        let athena_work_group = reader.optional("MCP_ATHENA_WORKGROUP", work_group);
        let region = reader.optional("AWS_REGION", Region::parse);
        let endpoint = reader.optional("AWS_ENDPOINT_URL", StackUrl::parse);
        let origins = reader.list("MCP_ALLOWED_ORIGINS", WebOrigin::parse);
        let hosts = reader.list("MCP_ALLOWED_HOSTS", host);
        let log = reader.optional("MCP_LOG", log_filter);
        let grace = reader.optional("MCP_DRAIN_GRACE_SECONDS", seconds);
        let timeout = reader.optional("MCP_DRAIN_TIMEOUT_SECONDS", seconds);
        let commit = reader.optional("MCP_BUILD_COMMIT", commit);
        let warnings = reader.unknown("MCP_");
        let issuers = issuers.unwrap_or_default();
        if !issuers.is_empty() && public_url.is_none() {
            reader.complain("MCP_PUBLIC_URL", oauth::NEEDED.to_owned());
        }
        let (Some(catalog), Some(registry)) = (catalog, registry) else {
            return Err(reader.into_error());
        };
        let audiences =
            audiences.unwrap_or_else(|| oauth::default_audiences(&registry, public_url.as_ref()));
        let oauth = public_url
            .filter(|_| !issuers.is_empty())
            .map(|resource| OAuth {
                resource,
                issuers,
                scopes: scopes.unwrap_or_default(),
            });
        let config = Self {
            metrics_listen,
            oauth,
            audiences,
            max_in_flight: max_in_flight.unwrap_or(DEFAULT_IN_FLIGHT),
            max_in_flight_per_token: max_in_flight_per_token.unwrap_or(DEFAULT_PER_TOKEN),
            athena_work_group,
            aws: Aws {
                region: region.unwrap_or_default(),
                endpoint,
            },
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

fn limit(value: &str) -> Result<NonZeroUsize, String> {
    match value.parse::<NonZeroUsize>() {
        Ok(limit) if limit.get() <= LARGEST_LIMIT => Ok(limit),
        _ => Err(format!(
            "is `{value}`; give a number of requests from 1 to {LARGEST_LIMIT}"
        )),
    }
}

/// <https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroup.html>
fn work_group(value: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if value.len() <= 128 && value.chars().all(allowed) {
        Ok(value.to_owned())
    } else {
        Err("is not the name of an Athena work group".to_owned())
    }
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
