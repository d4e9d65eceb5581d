//! `smoke`: the environment's endpoint, used as MCP clients do.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::context::TOKEN_VARIABLE;
use super::{Context, Exit, Failure};
use crate::config::Environment;
use crate::report::{Reporter, Stage};
use crate::smoke::{Handshake, Smoke, SmokeTest, Transport, smoke};

/// As many of our own names as fit 80 columns.
const TOOLS_A_LINE: usize = 3;

/// Use the environment's endpoint as MCP clients do: many handshakes, each request on a connection of its own.
///
/// The bearer token comes from QUILT_MCP_TOKEN; the local environment has its own. Without
/// a token only the refusal, the encryption and CORS are checked: the endpoint must answer 401.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  QUILT_MCP_TOKEN=$(cat token) quilt-mcp-deploy smoke --env staging \\\n    --expect-commit $(git rev-parse HEAD)"
)]
pub struct SmokeArgs {
    /// The commit that every answer must be from, in full or shortened
    #[arg(long, value_name = "COMMIT")]
    expect_commit: Option<String>,
    /// The version that every answer must be from, without its commit
    #[arg(long, value_name = "VERSION")]
    expect_version: Option<String>,
    /// Accept tasks of several versions
    #[arg(long)]
    allow_mixed: bool,
    /// A web origin that must be let in, instead of the environment's cors_origins; can be repeated
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct SmokeResult {
    version: u32,
    environment: String,
    url: String,
    smoke: Smoke,
}

impl SmokeArgs {
    /// Shakes hands.
    ///
    /// # Errors
    /// [`Failure`] with exit code 12.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let environment = context.environment()?;
        let mut test = test_of(context, &environment);
        test.expect_commit = self.expect_commit;
        test.expect_version = self.expect_version;
        test.allow_mixed = self.allow_mixed;
        if !self.origins.is_empty() {
            test.origins = self.origins;
        }
        let (smoke, _) = stage(context, &test).await?;
        context.print(&SmokeResult {
            version: 1,
            environment: environment.name,
            url: environment.url.to_string(),
            smoke,
        })?;
        Ok(Exit::Done)
    }
}

/// The smoke test as a stage of a release of `commit`: an answer of any other is a failure.
pub async fn smoke_stage(
    context: &Context,
    environment: &Environment,
    commit: Option<&str>,
) -> Result<(Smoke, Duration), Failure> {
    let mut test = test_of(context, environment);
    test.expect_commit = commit.map(str::to_owned);
    stage(context, &test).await
}

fn test_of(context: &Context, environment: &Environment) -> SmokeTest {
    let mut test = SmokeTest::of(environment.url.clone(), context.token());
    test.origins.clone_from(&environment.cors_origins);
    test
}

async fn stage(context: &Context, test: &SmokeTest) -> Result<(Smoke, Duration), Failure> {
    let stage = context.stage(Stage::Smoke);
    let (smoke, elapsed) = smoke(test).await?;
    if smoke.handshake == Handshake::Unauthenticated {
        context.reporter.warn(format!(
            "{TOKEN_VARIABLE} is not set: no MCP handshake was done, and what answers is not known"
        ));
    }
    for warning in &smoke.warnings {
        // Nothing but loopback is plain in the local environment.
        if !(context.is_local()
            && smoke.transport == Transport::None
            && warning.contains("plain http"))
        {
            context.reporter.warn(warning.clone());
        }
    }
    stage.finish(smoke.to_string());
    Ok((smoke, elapsed))
}

impl fmt::Display for Smoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.handshake {
            Handshake::Complete(session) => write!(
                f,
                "{} {}, MCP {}, {} tools",
                session.server,
                session.version,
                session.protocol,
                session.tools.len()
            ),
            Handshake::Unauthenticated => {
                f.write_str("the endpoint asks for a token; no handshake without one")
            }
        }
    }
}

impl fmt::Display for SmokeResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let smoke = &self.smoke;
        writeln!(f, "{}\n{smoke}", self.url)?;
        if let Handshake::Complete(session) = &smoke.handshake {
            for version in &session.versions {
                writeln!(
                    f,
                    "answered    {} of {} handshakes by {}",
                    version.answers, session.handshakes, version.version
                )?;
            }
            for (line, tools) in session.tools.chunks(TOOLS_A_LINE).enumerate() {
                let title = if line == 0 { "tools" } else { "" };
                writeln!(f, "{title:<11} {}", tools.join(", "))?;
            }
            if let Some(call) = &session.tool_call {
                let outcome = if call.is_error {
                    "reported a failure"
                } else {
                    "answered"
                };
                writeln!(f, "tool        {} {outcome}", call.tool)?;
            }
        }
        writeln!(
            f,
            "no token    {}, WWW-Authenticate: {}",
            smoke.guard.status,
            smoke.guard.www_authenticate.as_deref().unwrap_or("none")
        )?;
        writeln!(f, "connection  {}, {}", smoke.http, smoke.transport)?;
        if smoke.cors.is_empty() {
            writeln!(f, "CORS        not tested: no cors_origins and no --origin")?;
        }
        for cors in &smoke.cors {
            writeln!(
                f,
                "CORS        {} is let in; it may read {}",
                cors.origin,
                match cors.expose_headers.as_slice() {
                    [] => "no header of ours".to_owned(),
                    headers => headers.join(", "),
                }
            )?;
        }
        for timing in &smoke.steps {
            writeln!(
                f,
                "time        {:<11} {:>3} x {:>5.0} ms, slowest {:.0} ms",
                timing.step,
                timing.requests,
                timing.median_seconds * 1000.0,
                timing.slowest_seconds * 1000.0
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("not encrypted"),
            Self::Unknown { reason } => write!(f, "encryption not known: {reason}"),
            Self::Tls {
                protocol,
                cipher,
                certificate,
            } => {
                write!(f, "{protocol} {cipher}")?;
                match certificate {
                    None => Ok(()),
                    Some(certificate) => write!(
                        f,
                        "; certificate of {} by {}, {} days left",
                        certificate.subject, certificate.issuer, certificate.days_left
                    ),
                }
            }
        }
    }
}
