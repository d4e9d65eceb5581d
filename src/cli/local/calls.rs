//! `local calls`: which AWS calls were made, and how many of them a fault hit.

use std::fmt;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Context, Exit, Failure, control, running};

/// Count the AWS calls that were made since the start, or since the last reset.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  quilt-mcp-deploy local calls --output json")]
pub struct Calls {
    /// Count from zero from now on
    #[arg(long)]
    reset: bool,
}

impl Calls {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let description =
            running(context)?.ok_or(crate::config::LocalEnvironmentError::NotRunning)?;
        let record = control(&description, reqwest::Method::GET, "calls", None).await?;
        if self.reset {
            control(&description, reqwest::Method::DELETE, "calls", None).await?;
        }
        context.print(&Record { version: 1, record })?;
        Ok(Exit::Done)
    }
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Record {
    version: u32,
    #[serde(flatten)]
    record: Value,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = Map::new();
        let operations = self.record["operations"].as_object().unwrap_or(&none);
        let width = operations.keys().map(String::len).max().unwrap_or_default();
        for (name, count) in operations {
            let [calls, faulted, refused] =
                ["calls", "faulted", "refused"].map(|member| count[member].as_u64().unwrap_or(0));
            write!(f, "{name:width$}  {calls:>6}")?;
            for (count, what) in [(faulted, "by faults"), (refused, "refused")] {
                if count > 0 {
                    write!(f, "  {count} {what}")?;
                }
            }
            writeln!(f)?;
        }
        write!(
            f,
            "{} calls since {}",
            self.record["total"].as_u64().unwrap_or(0),
            self.record["since"].as_str().unwrap_or_default()
        )
    }
}
