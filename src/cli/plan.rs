//! `plan`: what `rollout` would do.

use clap::Args;

use super::release_image::ImageChoice;
use super::{Context, Exit, Failure};
use crate::plan::Plan;

/// Show what `rollout` would do; changes nothing.
///
/// Without --digest, --tag or --image, the image is the one that this checkout published.
#[derive(Debug, Args)]
#[command(
    after_help = "Values that may be secrets are never shown.\n\nExit codes: 0, or with --detailed-exitcode 3 where a rollout would change something; 4 no such image.\n\nExample:\n  quilt-mcp-deploy plan --env staging --detailed-exitcode"
)]
pub struct PlanArgs {
    #[command(flatten)]
    image: ImageChoice,
    /// End with 3 when a rollout would change something, with 0 when it would not
    #[arg(long)]
    detailed_exitcode: bool,
}

impl PlanArgs {
    /// Shows it.
    ///
    /// # Errors
    /// [`Failure`] when the image is not there, or the service cannot be rolled out.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        let image = self.image.find(context, &environment, &clients).await?;
        let plan = Plan::make(&clients, &environment, &image).await?;
        context.print(&plan)?;
        Ok(if self.detailed_exitcode && plan.has_changes {
            Exit::PlanChanges
        } else {
            Exit::Done
        })
    }
}
