//! `publish`: the image of this checkout in the environment's repository.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::build::{build, checkout};
use super::{Context, Exit, Failure};
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::image::Checkout;
use crate::image::{Image, Tag, check, layout};
use crate::registry::{Ecr, PublishProgress, Published, PushTarget, Repository, publish_image};
use crate::report::{Reporter, Stage};

/// Push this checkout's image to the environment's repository and print its digest.
///
/// Builds the image first. Tags are immutable: the same image again is nothing to do,
/// another image under a tag that is taken is refused.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  quilt-mcp-deploy publish --env staging --output json | jq -r .published.digest"
)]
pub struct Publish {
    #[command(flatten)]
    source: Source,
}

/// Which image to publish, and what may be done for it.
#[derive(Debug, Clone, Args)]
pub struct Source {
    /// An image built elsewhere, as a folder in OCI image layout, instead of this checkout's
    #[arg(long, value_name = "FOLDER", requires = "tag")]
    pub image_layout: Option<PathBuf>,
    /// The tag, instead of VERSION-COMMIT
    #[arg(long, value_name = "TAG")]
    pub tag: Option<Tag>,
    /// Publish although files differ from the commit (the local environment always allows it)
    #[arg(long)]
    pub allow_dirty: bool,
    /// Create the repository if it is missing: immutable tags, scan on push
    #[arg(long)]
    pub create_repository: bool,
}

/// A published image.
pub struct PublishedImage {
    /// What the registry holds.
    pub published: Published,
    /// The commit that the image says it was built from.
    pub commit: Option<String>,
    /// How long the build took; absent when the image came from elsewhere.
    pub build_time: Option<Duration>,
    /// How long the push took.
    pub push_time: Duration,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PublishResult {
    version: u32,
    environment: String,
    commit: Option<String>,
    published: Published,
}

impl Publish {
    /// Builds and pushes.
    ///
    /// # Errors
    /// [`Failure`] with exit code 5 (build), 6 (publish) or 13 (credentials).
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _lock = context.state.lock(&context.environment_name())?;
        let checkout = self.source.checkout(context)?;
        let (environment, clients) = context.connect().await?;
        let done = publish(
            context,
            &environment,
            &clients,
            &self.source,
            checkout.as_ref(),
        )
        .await?;
        context.print(&PublishResult {
            version: 1,
            environment: environment.name,
            commit: done.commit,
            published: done.published,
        })?;
        Ok(Exit::Done)
    }
}

impl Source {
    /// The checkout to build, unless the image comes from elsewhere; refuses a dirty one.
    ///
    /// # Errors
    /// [`Failure`] with exit code 5.
    pub fn checkout(&self, context: &Context) -> Result<Option<Checkout>, Failure> {
        if self.image_layout.is_some() {
            return Ok(None);
        }
        let checkout = checkout()?;
        if checkout.is_dirty() && !context.is_local() && !self.allow_dirty {
            const SHOWN: usize = 5;
            let mut changed = checkout
                .changes
                .iter()
                .take(SHOWN)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            if checkout.changes.len() > SHOWN {
                changed.push_str(", …");
            }
            return Err(Failure::new(
                Exit::Build,
                format!("the checkout differs from commit {}: {changed}", checkout.short_commit()),
            )
            .hint("commit or stash the changes, or publish them on purpose with --allow-dirty; nothing was changed"));
        }
        Ok(Some(checkout))
    }
}

/// Builds if needed, and pushes.
pub async fn publish(
    context: &Context,
    environment: &Environment,
    clients: &Clients,
    source: &Source,
    checkout: Option<&Checkout>,
) -> Result<PublishedImage, Failure> {
    let ecr = Ecr::new(&clients.ecr);
    let repository = repository(context, environment, &ecr, source.create_repository).await?;
    let (image, build_time) = match (checkout, &source.image_layout) {
        (Some(checkout), _) => {
            let (image, elapsed) = build(context, checkout).await?;
            (image, Some(elapsed))
        }
        (None, Some(folder)) => (read_layout(folder)?, None),
        (None, None) => return Err(Failure::new(Exit::Usage, "there is nothing to publish")),
    };
    let tag = match (&source.tag, checkout) {
        (Some(tag), _) => tag.clone(),
        (None, Some(checkout)) => checkout.tag(&image.digest),
        (None, None) => return Err(Failure::new(Exit::Usage, "--image-layout needs --tag")),
    };
    check::check(&image)?;

    let stage = context.stage(Stage::Publish);
    let target = PushTarget::new(
        repository.uri,
        Some(ecr.authorisation().await.map_err(refused)?),
    );
    let (progress, shown) = progress_channel();
    let push = publish_image(&target, &image, &tag, progress);
    let published = show_while(context, push, shown).await?;
    let outcome = if published.pushed {
        format!(
            "{}:{} ({} bytes sent)",
            published.repository_uri, published.tag, published.bytes_uploaded
        )
    } else {
        format!("nothing to do: {} is there", published.tag)
    };
    Ok(PublishedImage {
        push_time: stage.finish(outcome),
        commit: image.commit,
        published,
        build_time,
    })
}

/// ECR refused a call that a publish needs.
fn refused(error: AwsError) -> Failure {
    Failure::aws(Exit::Publish, &error)
}

fn read_layout(folder: &Path) -> Result<Image, Failure> {
    Ok(layout::read(folder)?)
}

async fn repository(
    context: &Context,
    environment: &Environment,
    ecr: &Ecr,
    create: bool,
) -> Result<Repository, Failure> {
    let name = &environment.repository;
    match ecr.repository(name).await.map_err(refused)? {
        Some(repository) => Ok(repository),
        None if create => {
            let tags: Vec<(String, String)> = environment.tags.clone().into_iter().collect();
            let created = ecr.create_repository(name, &tags).await.map_err(refused)?;
            context.reporter.warn(format!("created the repository {name}: immutable tags, scan on push"));
            Ok(created)
        }
        None => Err(Failure::new(
            Exit::Publish,
            format!("there is no repository {name} in account {} ({})", environment.account_id, environment.region),
        )
        .hint("Terraform's ecr module creates it, or `publish --create-repository` does; nothing was changed")),
    }
}

type Shown = tokio::sync::mpsc::UnboundedReceiver<PublishProgress>;

fn progress_channel() -> (crate::registry::push::ProgressSink, Shown) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    // A progress that nobody reads any more is not worth a word.
    (
        Arc::new(move |progress| drop(sender.send(progress))),
        receiver,
    )
}

async fn show_while<T>(context: &Context, work: impl Future<Output = T>, mut shown: Shown) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            Some(progress) = shown.recv() => {
                if let Some(message) = describe(&progress) {
                    context.reporter.progress(Stage::Publish, message);
                }
            }
        }
    }
}

fn describe(progress: &PublishProgress) -> Option<String> {
    match progress {
        PublishProgress::BlobSending { sent, size, .. } => Some(format!("{sent} of {size} bytes")),
        PublishProgress::Retrying {
            operation, reason, ..
        } => Some(format!("{operation} again: {reason}")),
        _ => None,
    }
}

impl fmt::Display for PublishResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let published = &self.published;
        writeln!(f, "image   {}:{}", published.repository_uri, published.tag)?;
        writeln!(f, "digest  {}", published.digest)?;
        writeln!(f, "commit  {}", self.commit.as_deref().unwrap_or("unknown"))?;
        write!(
            f,
            "pushed  {}",
            if published.pushed {
                "yes"
            } else {
                "nothing to do"
            }
        )
    }
}
