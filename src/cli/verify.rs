//! `verify`: whether the environment is ready for a release.

use std::fmt;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::build::checkout;
use super::{Context, Exit, Failure};
use crate::report::{Event, Reporter};
use crate::verify::{Check, CheckOutcome, check, gather};

/// Check, without changing anything, whether the environment is ready for a release.
///
/// Everything is asked at once; each check says what was seen and, where something is to be done,
/// what. What cannot be found out is unknown, not a pass, and says why.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing failed, 4 a check failed, 13 no, expired or foreign credentials.\n\n\
Example:\n  quilt-mcp-deploy verify --env staging --output json |\n    jq '.checks[] | select(.outcome != \"ok\")'"
)]
pub struct VerifyArgs {
    /// End with exit code 4 also for what could not be found out
    #[arg(long)]
    strict: bool,
}

/// What `verify` found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifyResult {
    /// The version of this object.
    version: u32,
    /// The environment.
    environment: String,
    /// Every check, in the order in which a release meets what it is about.
    checks: Vec<Check>,
    /// How many checks came out how.
    summary: Summary,
    /// The exit code.
    exit_code: u8,
}

/// How many checks came out how.
#[derive(Debug, Default, Clone, Copy, Serialize, JsonSchema)]
struct Summary {
    ok: usize,
    warning: usize,
    failed: usize,
    unknown: usize,
    skipped: usize,
}

impl VerifyArgs {
    /// Verifies.
    ///
    /// # Errors
    /// [`Failure`] when the credentials are not for the environment's account.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        // Outside a checkout there is no image of it, which is fine.
        let tag = checkout()
            .await
            .ok()
            .and_then(|checkout| checkout.clean_tag());
        let facts = gather(&clients, &environment, tag).await;
        let checks = check(&facts);
        for check in &checks {
            context.reporter.event(Event::Check(check.clone()));
        }
        let summary = Summary::of(&checks);
        let failed = summary.failed > 0 || (self.strict && summary.unknown > 0);
        let exit = if failed { Exit::Preflight } else { Exit::Done };
        context.print(&VerifyResult {
            version: 1,
            environment: environment.name,
            checks,
            summary,
            exit_code: exit as u8,
        })?;
        Ok(exit)
    }
}

impl Summary {
    fn of(checks: &[Check]) -> Self {
        let mut summary = Self::default();
        for check in checks {
            let count = match check.outcome {
                CheckOutcome::Ok => &mut summary.ok,
                CheckOutcome::Warning => &mut summary.warning,
                CheckOutcome::Failed => &mut summary.failed,
                CheckOutcome::Unknown => &mut summary.unknown,
                CheckOutcome::Skipped => &mut summary.skipped,
            };
            *count += 1;
        }
        summary
    }
}

/// The checks themselves are events: they are told as such.
impl fmt::Display for VerifyResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            ok,
            warning,
            failed,
            unknown,
            skipped,
        } = self.summary;
        let ready = if self.exit_code == 0 {
            "ready"
        } else {
            "not ready"
        };
        write!(
            f,
            "{} is {ready} for a release: {ok} ok, {warning} warned of, {failed} failed, {unknown} unknown, {skipped} skipped",
            self.environment
        )?;
        let failed = self
            .checks
            .iter()
            .filter(|check| check.outcome == CheckOutcome::Failed);
        for check in failed {
            write!(f, "\n{}: {}", check.name, check.detail)?;
        }
        Ok(())
    }
}
