//! Measurements on the local environment that take longer than a test may.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::{cargo, on_path, stream};

/// Release through trouble: throttled, failing, cut-off and slow calls, by seed
///
/// Good, broken and superseded releases in turn; prints how each ended and how many calls it
/// made, and fails at the first verdict that is not true.
#[derive(clap::Args)]
pub struct Trouble {
    /// How many releases
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u32,
    /// The first seed: `--first 42 --seeds 1` plays release 42 again
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first: u32,
}

/// Measure the time from the first evidence of a broken release to the verdict
///
/// Beside `aws ecs wait services-stable`, and its exit code, on the same releases in the same run.
#[derive(clap::Args)]
pub struct VerdictSpeed {
    /// The AWS CLI; else QUILT_MCP_AWS_CLI, else `aws` on the PATH
    #[arg(long, value_name = "FILE", env = "QUILT_MCP_AWS_CLI")]
    aws: Option<PathBuf>,
}

impl Trouble {
    /// Runs them.
    ///
    /// # Errors
    /// When one ends in an untrue verdict.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let mut test = cargo();
        test.args(["test", "--package", "quilt-mcp-deploy", "--test", "trouble"])
            .args(["--", "--nocapture"])
            .env("QUILT_MCP_TROUBLE_SEEDS", self.seeds.to_string())
            .env("QUILT_MCP_TROUBLE_FIRST_SEED", self.first.to_string());
        stream(&mut test)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl VerdictSpeed {
    /// Measures and prints.
    ///
    /// # Errors
    /// When the AWS CLI is missing, or a release does not end as it must.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let aws = self
            .aws
            .clone()
            .or_else(|| on_path("aws"))
            .ok_or_else(|| anyhow::anyhow!("there is no AWS CLI: name one with --aws"))?;
        let mut test = cargo();
        test.args(["test", "--package", "quilt-mcp-deploy"])
            .args(["--test", "verdict_speed", "--", "--ignored", "--nocapture"])
            .env("QUILT_MCP_AWS_CLI", aws);
        stream(&mut test)?;
        Ok(ExitCode::SUCCESS)
    }
}
