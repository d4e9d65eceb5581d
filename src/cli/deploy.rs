//! `deploy`: publish and rollout, the whole release.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::publish::{PublishedImage, Source, publish};
use super::release_image::released_by;
use super::rollout::{How, RolloutResult, rollout};
use super::smoke::smoke_stage;
use super::{Context, Exit, Failure, local};
use crate::release::{Provenance, ReleaseTags};
use crate::report::table::width_of;
use crate::rollout::ReleaseImage;
use crate::smoke::Smoke;

/// Publish this checkout and roll it out: the whole release.
///
/// In the local environment, which needs no Docker engine and no AWS account, it is
/// started first if it is not up.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 live, or nothing to do, 5 not built, 6 not published, 7 failed, 8 rolled back, 9 superseded, \
10 not known, 11 another deployment in flight, 12 smoke test failed.\n\nExamples:\n  quilt-mcp-deploy deploy\n  quilt-mcp-deploy deploy --env staging --output json"
)]
pub struct Deploy {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct DeployResult {
    url: String,
    digest: String,
    tag: String,
    #[serde(flatten)]
    rollout: RolloutResult,
    smoke: Option<Smoke>,
    seconds: Seconds,
}

/// How long each stage took; a stage that did not run is absent.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub(super) struct Seconds {
    local: Option<f64>,
    build: Option<f64>,
    publish: Option<f64>,
    rollout: Option<f64>,
    smoke: Option<f64>,
}

impl Deploy {
    /// Publishes and rolls out.
    ///
    /// # Errors
    /// [`Failure`] of the stage that failed.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _lock = context.state.lock(&context.environment_name())?;
        let origin = self.source.origin(context).await?;
        let mut seconds = Seconds::default();
        if context.is_local() {
            seconds.local = local::ensure_up(context)
                .await?
                .map(|elapsed| elapsed.as_secs_f64());
        }
        let (environment, clients) = context.connect().await?;
        let image = publish(context, &environment, &clients, &self.source, &origin).await?;
        seconds.build = image.build_time.map(|elapsed| elapsed.as_secs_f64());
        seconds.publish = Some(image.push_time.as_secs_f64());
        let release = release_image(&image, released_by(&clients));
        let (rollout, elapsed) =
            rollout(context, &environment, &clients, &release, &self.how).await?;
        seconds.rollout = Some(elapsed.as_secs_f64());
        let exit = rollout.exit();
        let smoked = if exit == Exit::Done && !self.how.no_wait {
            let (smoke, elapsed) = smoke_stage(context, &environment, rollout.commit()).await?;
            seconds.smoke = Some(elapsed.as_secs_f64());
            Some(smoke)
        } else {
            None
        };
        context.print(&DeployResult {
            url: environment.url.to_string(),
            digest: release.digest,
            tag: image.published.tag.to_string(),
            rollout,
            smoke: smoked,
            seconds,
        })?;
        Ok(exit)
    }
}

fn release_image(image: &PublishedImage, released: Provenance) -> ReleaseImage {
    let published = &image.published;
    ReleaseImage {
        reference: published.reference().to_string(),
        digest: published.digest.to_string(),
        tags: ReleaseTags {
            commit: image.commit.clone(),
            image_tag: Some(published.tag.to_string()),
            released: Some(released),
        },
    }
}

impl fmt::Display for DeployResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:width$}",
            self.rollout,
            width = usize::from(width_of(f))
        )?;
        writeln!(f, "url     {}", self.url)?;
        writeln!(f, "digest  {}", self.digest)?;
        writeln!(f, "tag     {}", self.tag)?;
        writeln!(f, "commit  {}", self.rollout.commit().unwrap_or("unknown"))?;
        if let Some(smoke) = &self.smoke {
            writeln!(f, "mcp     {smoke}")?;
        }
        write!(f, "time    {}", self.seconds)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = [
            ("local", self.local),
            ("build", self.build),
            ("publish", self.publish),
            ("rollout", self.rollout),
            ("smoke", self.smoke),
        ];
        let known: Vec<String> = stages
            .into_iter()
            .filter_map(|(stage, seconds)| {
                Some(format!(
                    "{stage} {:.1} s",
                    Duration::from_secs_f64(seconds?).as_secs_f64()
                ))
            })
            .collect();
        f.write_str(&known.join(", "))
    }
}
