//! `publish`: the image of this checkout in the environment's repository.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::build::{BuilderArgs, build, checkout};
use super::words::count;
use super::{Context, Exit, Failure};
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::image::Checkout;
use crate::image::{Image, Tag, layout};
use crate::registry::{
    Access, Ecr, PublishProgress, Published, Repository, Scan, Severity, publish_image,
    published_before,
};
use crate::report::{Reporter, Stage};

/// Push this checkout's image to the environment's repository and print its digest.
///
/// Builds the image first, unless one of this commit has the tag already: then there is nothing
/// to do. Tags are immutable: another image under a tag that is taken is refused.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 published, or nothing to do, 5 not built, 6 not published or refused by --scan-gate.\n\nExample:\n  quilt-mcp-deploy publish --env staging --output json |\n    jq -r .published.digest"
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
    /// Build although an image of this commit has the tag, and see whether it is the same
    #[arg(long, conflicts_with = "image_layout")]
    pub rebuild: bool,
    /// Publish although files differ from the commit (the local environment always allows it)
    #[arg(long)]
    pub allow_dirty: bool,
    /// Create the repository if it is missing: immutable tags, scan on push
    #[arg(long)]
    pub create_repository: bool,
    #[command(flatten)]
    builder: BuilderArgs,
    /// Wait for ECR's scan; fail on a finding of this severity or above, and where the scan cannot judge the image
    #[arg(long, value_enum, value_name = "SEVERITY")]
    scan_gate: Option<Severity>,
    /// How long to wait for the scan, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    scan_timeout: u64,
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
        // git and AWS are asked at the same time; what is wrong with the checkout is told at once.
        let (origin, connected) = tokio::try_join!(self.source.origin(context), async {
            Ok(context.connect().await)
        })?;
        let (environment, clients) = connected?;
        let done = publish(context, &environment, &clients, &self.source, &origin).await?;
        context.print(&PublishResult {
            version: 1,
            environment: environment.name,
            commit: done.commit,
            published: done.published,
        })?;
        Ok(Exit::Done)
    }
}

/// Where the image that is published comes from.
pub enum Origin {
    /// It is built from this checkout.
    Checkout(Checkout),
    /// It was built elsewhere: a folder in OCI image layout, and the tag for it.
    Layout(PathBuf, Tag),
}

impl Source {
    /// Where the image comes from; refuses a dirty checkout.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 or 5.
    pub async fn origin(&self, context: &Context) -> Result<Origin, Failure> {
        match (&self.image_layout, &self.tag) {
            (Some(folder), Some(tag)) => Ok(Origin::Layout(folder.clone(), tag.clone())),
            (Some(_), None) => Err(Failure::new(Exit::Usage, "--image-layout needs --tag")),
            (None, _) => Ok(Origin::Checkout(self.checkout(context).await?)),
        }
    }

    async fn checkout(&self, context: &Context) -> Result<Checkout, Failure> {
        let checkout = checkout().await?;
        if !checkout.is_dirty() || context.is_local() || self.allow_dirty {
            return Ok(checkout);
        }
        Err(Failure::new(
            Exit::Build,
            format!(
                "the checkout differs from commit {}: {}",
                checkout.short_commit(),
                checkout.shown_changes()
            ),
        )
        .hint("commit or stash the changes, or publish them on purpose with --allow-dirty; nothing was changed"))
    }

    /// The image that an earlier run built of this commit and published under the tag.
    async fn published_before(
        &self,
        context: &Context,
        target: &Access,
        origin: &Origin,
    ) -> Option<PublishedImage> {
        let checkout = match origin {
            Origin::Checkout(checkout) if !self.rebuild => checkout,
            _ => return None,
        };
        let tag = self.tag.clone().filter(|_| !checkout.is_dirty());
        let tag = tag.or_else(|| checkout.clean_tag())?;
        let began = Instant::now();
        let published = published_before(target, &tag, &checkout.commit).await?;
        let stage = context.stage(Stage::Publish);
        stage.finish(outcome(&published));
        Some(PublishedImage {
            published,
            commit: Some(checkout.commit.clone()),
            build_time: None,
            push_time: began.elapsed(),
        })
    }

    async fn build_and_push(
        &self,
        context: &Context,
        target: &Access,
        origin: &Origin,
    ) -> Result<PublishedImage, Failure> {
        let (image, tag, build_time) = self.image(context, origin).await?;
        let stage = context.stage(Stage::Publish);
        let (progress, shown) = progress_channel();
        let push = publish_image(target, &image, &tag, progress);
        let published = show_while(context, push, shown).await?;
        let push_time = stage.finish(outcome(&published));
        Ok(PublishedImage {
            published,
            commit: image.commit,
            build_time,
            push_time,
        })
    }

    /// The image and the tag for it, and how long the build took if there was one.
    async fn image(
        &self,
        context: &Context,
        origin: &Origin,
    ) -> Result<(Image, Tag, Option<Duration>), Failure> {
        match origin {
            Origin::Checkout(checkout) => {
                let (image, _, elapsed) = build(context, checkout, &self.builder).await?;
                let tag = self
                    .tag
                    .clone()
                    .unwrap_or_else(|| checkout.tag(&image.digest));
                Ok((image, tag, Some(elapsed)))
            }
            Origin::Layout(folder, tag) => Ok((layout::read(folder)?, tag.clone(), None)),
        }
    }
}

/// Builds if needed, and pushes.
pub async fn publish(
    context: &Context,
    environment: &Environment,
    clients: &Clients,
    source: &Source,
    origin: &Origin,
) -> Result<PublishedImage, Failure> {
    let ecr = Ecr::new(&clients.ecr);
    let (repository, credentials) = tokio::join!(
        repository(context, environment, &ecr, source.create_repository),
        ecr.authorisation(),
    );
    let repository = repository?;
    warn_of_moving_tags(context, &repository);
    let target = ecr.access_with(repository.uri.clone(), credentials.map_err(refused)?);
    let image = match source.published_before(context, &target, origin).await {
        Some(image) => image,
        None => source.build_and_push(context, &target, origin).await?,
    };
    if let Some(gate) = source.scan_gate {
        let patience = Duration::from_secs(source.scan_timeout);
        let scan = ecr.scan(&repository, &image.published.digest, patience);
        pass_gate(context, gate, scan.await?, &image.published)?;
    }
    Ok(image)
}

fn outcome(published: &Published) -> String {
    if published.pushed {
        format!(
            "{}:{} ({} bytes sent)",
            published.repository_uri, published.tag, published.bytes_uploaded
        )
    } else {
        format!("nothing to do: {} is there", published.tag)
    }
}

/// Fails on findings at or above `gate`; warns where the repository does not scan.
fn pass_gate(
    context: &Context,
    gate: Severity,
    scan: Scan,
    published: &Published,
) -> Result<(), Failure> {
    let findings = match scan {
        Scan::Findings(findings) => findings,
        Scan::NotScanned(why) => {
            context.reporter.warn(format!(
                "the repository {} does not scan, so --scan-gate judged nothing: {why}",
                published.repository
            ));
            return Ok(());
        }
    };
    let severe: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity >= gate)
        .map(|finding| format!("\n  {finding}"))
        .collect();
    if severe.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Publish,
        format!(
            "ECR's scan of {} has {} at or above --scan-gate:{}",
            published.digest,
            count(severe.len(), "finding"),
            severe.concat()
        ),
    )
    .hint("the image is published under its tag, but was not rolled out; mend the packages and publish the next commit"))
}

/// ECR refused a call that a publish needs.
pub fn refused(error: AwsError) -> Failure {
    Failure::aws(Exit::Publish, &error)
}

/// The environment's repository, made first if it is missing and may be.
pub async fn repository(
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
            context.reporter.note(format!("created the repository {name}: immutable tags, scan on push"));
            Ok(created)
        }
        None => Err(Failure::new(
            Exit::Publish,
            format!("there is no repository {name} in account {} ({})", environment.account_id, environment.region),
        )
        .hint("Terraform's ecr module creates it, or `publish --create-repository` does; nothing was changed")),
    }
}

/// Warns where ECR would let a tag move: then only our own look at the tag keeps it in its place.
pub fn warn_of_moving_tags(context: &Context, repository: &Repository) {
    if let Some(risk) = repository.tag_immutability.risk() {
        context.reporter.warn(format!(
            "in the repository {} {}; {}",
            repository.name, risk.what, risk.remedy
        ));
    }
}

/// What [`progress_channel`] is read from.
pub type Shown = tokio::sync::mpsc::UnboundedReceiver<PublishProgress>;

/// Where a push tells how it gets on, and where that is read.
pub fn progress_channel() -> (crate::registry::ProgressSink, Shown) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    // A progress that nobody reads any more is not worth a word.
    (
        Arc::new(move |progress| drop(sender.send(progress))),
        receiver,
    )
}

/// Shows what comes out of the channel until the work is done.
pub async fn show_while<T>(
    context: &Context,
    work: impl Future<Output = T>,
    mut shown: Shown,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => {
                // A warning is said also where the work is done before it was read.
                while let Ok(progress) = shown.try_recv() {
                    show(context, &progress);
                }
                return result;
            }
            Some(progress) = shown.recv() => show(context, &progress),
        }
    }
}

fn show(context: &Context, progress: &PublishProgress) {
    if let PublishProgress::NotAttached { reason } = progress {
        context.reporter.warn(format!(
            "the list of components is not attached to the image, which is published without it: {reason}"
        ));
    } else if let Some(message) = describe(progress) {
        context.reporter.progress(Stage::Publish, message);
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
