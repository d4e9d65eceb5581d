//! The smoke test: using the endpoint as MCP clients do, through the load balancer.
//!
//! Every request goes out on a connection of its own, so that the load balancer chooses a
//! task anew each time; [`fleet`] says how many requests that takes and why.

mod cors;
mod error;
mod exchange;
mod fleet;
mod guard;
mod tls;

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use url::Url;

pub use cors::Cors;
pub use error::{Problem, SmokeError, Step};
pub use fleet::{FOLLOWED, HANDSHAKES, ServerVersion, Session, ToolCall};
pub use guard::Guard;
pub use tls::{Certificate, EXPIRY_WARNING_DAYS, Transport};

use exchange::Endpoint;

/// A bearer token for the smoke test; never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is to be tested, and what must be found.
#[derive(Debug, Clone)]
pub struct SmokeTest {
    /// The endpoint.
    pub url: Url,
    /// The caller's token; without one only what needs none is tested.
    pub token: Option<Token>,
    /// Web origins that must be let in, each as a browser writes it: `https://catalog.example.com`.
    pub origins: Vec<String>,
    /// The commit that every answer must be from, in full or shortened.
    pub expect_commit: Option<String>,
    /// The version that every answer must be from, without its commit.
    pub expect_version: Option<String>,
    /// Whether tasks of several versions are all right.
    pub allow_mixed: bool,
    /// Longest time for one answer.
    pub patience: Duration,
}

impl SmokeTest {
    /// Longest time for one answer, unless something else is wished.
    pub const PATIENCE: Duration = Duration::from_secs(15);

    /// The test of `url`, with nothing known of what answers there.
    pub fn of(url: Url, token: Option<Token>) -> Self {
        Self {
            url,
            token,
            origins: Vec::new(),
            expect_commit: None,
            expect_version: None,
            allow_mixed: false,
            patience: Self::PATIENCE,
        }
    }
}

/// What an MCP client saw.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Smoke {
    /// How far the handshake went.
    #[serde(flatten)]
    pub handshake: Handshake,
    /// How a request without a token was refused.
    pub guard: Guard,
    /// HTTP's version, as the load balancer speaks it to us.
    pub http: String,
    /// The connection's encryption.
    pub transport: Transport,
    /// What a browser may do, by origin.
    pub cors: Vec<Cors>,
    /// How long each step took.
    pub steps: Vec<Timing>,
    /// What works but should be looked at.
    pub warnings: Vec<String>,
}

/// How far the handshake went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "handshake", rename_all = "snake_case")]
pub enum Handshake {
    /// Every handshake and every call after it was answered.
    Complete(Session),
    /// Without a token the server asked for one, as it must; nothing more was tried.
    Unauthenticated,
}

/// How long the requests of one step took.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Timing {
    /// The step: `no_token`, `preflight`, `tls`, `initialize`, `initialized`, `tools/list`, `ping`, `tools/call`.
    pub step: &'static str,
    /// How many requests.
    pub requests: usize,
    /// Seconds until the typical (median) answer was read.
    pub median_seconds: f64,
    /// Seconds until the slowest answer was read.
    pub slowest_seconds: f64,
}

/// Uses the endpoint as MCP clients do; without a token, checks that one is asked for.
///
/// # Errors
/// [`SmokeError`] with the step and what went wrong there; none carries the token.
pub async fn smoke(test: &SmokeTest) -> Result<(Smoke, Duration), SmokeError> {
    let began = Instant::now();
    let mut endpoint = Endpoint::new(test)?;
    let guard = guard::check(&mut endpoint).await?;
    let mut warnings: Vec<String> = guard.warnings().into_iter().collect();
    let mut cors = Vec::new();
    for origin in &test.origins {
        let seen = cors::check(&mut endpoint, origin).await?;
        warnings.extend(seen.warnings());
        cors.push(seen);
    }
    let transport = tls::look(&mut endpoint).await;
    warnings.extend(transport.warnings());
    let handshake = match &test.token {
        None => Handshake::Unauthenticated,
        Some(_) => {
            let session = fleet::visit(&mut endpoint, test).await?;
            warnings.extend(session.warnings());
            Handshake::Complete(session)
        }
    };
    let smoke = Smoke {
        handshake,
        guard,
        http: endpoint.http_version(),
        transport,
        cors,
        steps: endpoint.timings(),
        warnings,
    };
    Ok((smoke, began.elapsed()))
}
