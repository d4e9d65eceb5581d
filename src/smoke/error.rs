//! What went wrong, at which step, and what to do about it.

use std::fmt;
use std::time::Duration;

/// A step of the smoke test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A request without a token.
    NoToken,
    /// A browser's preflight, from this origin.
    Preflight(String),
    /// MCP `initialize`: which of how many.
    Initialize(usize, usize),
    /// MCP `notifications/initialized`.
    Initialized,
    /// MCP `tools/list`.
    ListTools,
    /// MCP `ping`.
    Ping,
    /// MCP `tools/call` of this tool.
    CallTool(String),
    /// Comparing what answered with what was expected.
    Versions,
}

impl Step {
    /// Its name in the timings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Preflight(_) => "preflight",
            Self::Initialize(..) => "initialize",
            Self::Initialized => "initialized",
            Self::ListTools => "tools/list",
            Self::Ping => "ping",
            Self::CallTool(_) => "tools/call",
            Self::Versions => "versions",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("a request without a token"),
            Self::Preflight(origin) => write!(f, "the CORS preflight from {origin}"),
            Self::Initialize(which, of) => write!(f, "MCP initialize ({which} of {of})"),
            Self::Initialized => f.write_str("MCP notifications/initialized"),
            Self::ListTools => f.write_str("MCP tools/list"),
            Self::Ping => f.write_str("MCP ping"),
            Self::CallTool(tool) => write!(f, "MCP tools/call of {tool}"),
            Self::Versions => f.write_str("the comparison of versions"),
        }
    }
}

/// What went wrong at a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No connection, or it broke.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The certificate was not accepted.
    #[error("the certificate is not accepted: {0}")]
    Certificate(String),
    /// No complete answer in time.
    #[error("no complete answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The answer sends clients elsewhere.
    #[error("it was redirected ({status}) to {to}; MCP clients send no token along")]
    Redirected {
        /// The HTTP status.
        status: u16,
        /// The `Location`.
        to: String,
    },
    /// A request without a token was let in.
    #[error("{0} was answered; 401 was expected")]
    NotGuarded(u16),
    /// An HTTP status that the step does not allow.
    #[error("{status} was answered{}", quoted(.body))]
    Status {
        /// The HTTP status.
        status: u16,
        /// Whether the body is a page for people.
        html: bool,
        /// The body's beginning.
        body: String,
    },
    /// A task did not know the session that another task had opened.
    #[error(
        "{status} was answered to a session that was opened a moment before: the server keeps sessions in the memory of one task, and this request reached another"
    )]
    SessionLost {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is neither JSON nor an event stream.
    #[error("the answer is {content_type}, not JSON or an event stream{}", quoted(.body))]
    ContentType {
        /// The `Content-Type`.
        content_type: String,
        /// The body's beginning.
        body: String,
    },
    /// The answer is not what JSON-RPC or MCP prescribes.
    #[error("the answer is not MCP: {0}")]
    Malformed(String),
    /// A JSON-RPC error.
    #[error("the server answered error {code}: {message}")]
    Rpc {
        /// The JSON-RPC code.
        code: i64,
        /// The server's words.
        message: String,
    },
    /// The server has no tools.
    #[error("the server lists no tools")]
    NoTools,
    /// A browser on this origin could not use the endpoint.
    #[error("a browser would be refused: {0}")]
    Cors(String),
    /// Tasks of several versions answer.
    #[error("tasks of {} versions answer: {}", .0.len(), .0.join(", "))]
    Mixed(Vec<String>),
    /// Another version than the expected one answers.
    #[error("{seen} answered; {expected} was expected")]
    Unexpected {
        /// What was expected.
        expected: String,
        /// What answered.
        seen: String,
    },
    /// This machine's own HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

fn quoted(body: &str) -> String {
    if body.is_empty() {
        String::new()
    } else {
        format!(": {body}")
    }
}

impl Problem {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => {
                "check the url in quilt-mcp.toml, its DNS name, and that the load balancer's security group lets this machine in"
            }
            Self::Certificate(_) => {
                "renew or correct the listener's certificate; a private CA is trusted where SSL_CERT_FILE names its certificate"
            }
            Self::TimedOut(_) => {
                "look at the server's log (`quilt-mcp-deploy logs`) and at the targets (`quilt-mcp-deploy status`); a task that hangs is often waiting for the Quilt registry"
            }
            Self::Redirected { .. } => {
                "use the final address in quilt-mcp.toml, https and with the right trailing slash"
            }
            Self::NotGuarded(_) => {
                "another service answers there, or the server runs without authentication: look at the listener's rules before anybody finds it"
            }
            Self::Status { status: 401, .. } => {
                "the token is expired, or from another stack: sign in again and set QUILT_MCP_TOKEN"
            }
            Self::Status {
                status: 403,
                html: true,
                ..
            } => {
                "a page instead of a server's answer: a WAF rule or the load balancer refused it; AWS WAF's sampled requests name the rule"
            }
            Self::Status { status: 403, .. } => {
                "the server refused the Host or the Origin, or the token's rights: compare its allowed hosts and origins with the url"
            }
            Self::Status {
                status: 404 | 405, ..
            } => {
                "the request reached something else: the listener's rule must match /mcp and /mcp/*, before the catalog's catch-all (`quilt-mcp-deploy verify` looks)"
            }
            Self::Status {
                status: 502..=504, ..
            } => {
                "the load balancer got no answer from a task: `quilt-mcp-deploy status` shows the targets, `logs` what the tasks said"
            }
            Self::SessionLost { .. } => {
                "run the server in stateless mode, or, where it must keep sessions, switch on stickiness in the target group"
            }
            Self::ContentType { .. } => {
                "another service answers there: the listener's rule must send /mcp and /mcp/* to the MCP server, before the catalog's catch-all"
            }
            Self::Cors(_) => {
                "put the catalog's origin on the server's list of allowed origins, and let the load balancer pass OPTIONS on"
            }
            Self::Mixed(_) => {
                "wait until the deployment ends (`quilt-mcp-deploy status`), or look for another service behind the same rule; --allow-mixed accepts it"
            }
            Self::Unexpected { .. } => {
                "`quilt-mcp-deploy status` shows what the service runs; the url may lead to another service or environment"
            }
            Self::Status { .. }
            | Self::Malformed(_)
            | Self::Rpc { .. }
            | Self::NoTools
            | Self::Client(_) => "look at the server's log: `quilt-mcp-deploy logs`",
        }
    }
}

/// Why the smoke test failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step} at {url} failed: {problem}")]
pub struct SmokeError {
    /// The endpoint.
    pub url: String,
    /// The step.
    pub step: Step,
    /// What went wrong there.
    pub problem: Problem,
}
