//! `smoke`: an MCP handshake with the environment's endpoint.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::context::TOKEN_VARIABLE;
use super::{Context, Exit, Failure};
use crate::config::Environment;
use crate::report::{Reporter, Stage};
use crate::smoke::{Smoke, smoke};

/// Do an MCP handshake with the environment's endpoint.
///
/// The bearer token comes from QUILT_MCP_TOKEN; the local environment has its own. Without
/// a token only the refusal is checked: the endpoint must answer 401.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  QUILT_MCP_TOKEN=$(cat token) quilt-mcp-deploy smoke --env staging"
)]
pub struct SmokeArgs {}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct SmokeResult {
    version: u32,
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
        let (smoke, _) = smoke_stage(context, &environment).await?;
        context.print(&SmokeResult {
            version: 1,
            url: environment.url.to_string(),
            smoke,
        })?;
        Ok(Exit::Done)
    }
}

/// The handshake as a stage of a release.
pub async fn smoke_stage(
    context: &Context,
    environment: &Environment,
) -> Result<(Smoke, Duration), Failure> {
    let stage = context.stage(Stage::Smoke);
    let (smoke, elapsed) = smoke(&environment.url, context.token().as_ref()).await?;
    if smoke == Smoke::Unauthenticated {
        context.reporter.warn(format!(
            "{TOKEN_VARIABLE} is not set: only the endpoint's 401 was checked"
        ));
    }
    stage.finish(smoke.to_string());
    Ok((smoke, elapsed))
}

impl fmt::Display for Smoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete {
                server,
                version,
                protocol,
                tools,
            } => {
                write!(
                    f,
                    "{server} {version}, MCP {protocol}, {} tools: {}",
                    tools.len(),
                    tools.join(", ")
                )
            }
            Self::Unauthenticated => {
                f.write_str("the endpoint asks for a token; no handshake without one")
            }
        }
    }
}

impl fmt::Display for SmokeResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.url, self.smoke)
    }
}
