//! `promote`: the very bytes that one environment runs, for another one.

use std::fmt;

use clap::Args;
use serde::Serialize;

use super::publish::{progress_channel, refused, repository, show_while, warn_of_moving_tags};
use super::words::count;
use super::{Context, Exit, Failure};
use crate::aws::Clients;
use crate::config::Environment;
use crate::image::{Digest, ImageReference, RepositoryName, Tag};
use crate::registry::deployed::{Census, Unknown, census};
use crate::registry::{Copied, Copy, Ecr, Moved, Part, PartKind, PublishedImage};
use crate::report::Stage;

/// Ends the tag of an image that was promoted with --force before it ever succeeded.
const UNPROVEN: &str = "-unproven";

/// Copy an image, byte for byte, from one environment's repository to another's.
///
/// Without --digest or --tag, the image is the one that the source environment runs. An image
/// whose rollout never succeeded there is refused.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 copied, or nothing to do, 4 no rollout of it succeeded, 6 not copied.\n\nExample:\n  quilt-mcp-deploy promote --from staging --to prod --tag 1.4.0-3f2a9c1 &&\n    quilt-mcp-deploy rollout --env prod --tag 1.4.0-3f2a9c1"
)]
pub struct Promote {
    /// The environment to copy from
    #[arg(long, value_name = "NAME")]
    from: String,
    /// The environment to copy to
    #[arg(long, value_name = "NAME")]
    to: String,
    /// The digest of an image that --from published
    #[arg(long, value_name = "SHA256", conflicts_with = "tag")]
    digest: Option<Digest>,
    /// The tag of an image that --from published
    #[arg(long, value_name = "TAG")]
    tag: Option<Tag>,
    /// Copy although no rollout of it succeeded in --from; the tag then ends with -unproven
    #[arg(long)]
    force: bool,
    /// List what would move and how, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Create the target repository if it is missing: immutable tags, scan on push
    #[arg(long)]
    create_repository: bool,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PromoteResult {
    version: u32,
    from: String,
    to: String,
    digest: Digest,
    tag: Tag,
    /// How a task definition names it.
    image: ImageReference,
    /// Whether a rollout of it succeeded in the source environment.
    proven: bool,
    /// Whether nothing was changed.
    dry_run: bool,
    /// Whether the target repository was made for it, or would be.
    creates_repository: bool,
    copied: Copied,
}

impl Promote {
    /// Promotes.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2, 4 (not proven, no such image), 6 (publish) or 13.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        if self.from == self.to {
            return Err(Failure::new(
                Exit::Usage,
                "--from and --to name the same environment",
            ));
        }
        let _lock = match self.dry_run {
            true => None,
            false => Some(context.state.lock(&self.to)?),
        };
        let (from, from_clients) = context.connect_to(&self.from).await?;
        let (to, to_clients) = context.connect_to(&self.to).await?;
        let source = Ecr::new(&from_clients.ecr);
        let (image, proven) = self.choose(&from, &from_clients, &source).await?;
        let tag = target_tag(self.tag.as_ref(), &image, proven)?;

        let stage = context.stage(Stage::Publish);
        let target = Ecr::new(&to_clients.ecr);
        let (to_uri, creates_repository) = self.target(context, &to, &target).await?;
        let from_repository = repository(context, &from, &source, false).await?;
        let from_access = source.access(from_repository.uri).await.map_err(refused)?;
        let to_access = target.access(to_uri.clone()).await.map_err(refused)?;
        let (progress, shown) = progress_channel();
        let work = async {
            let copy = Copy::new(&from_access, &to_access, &image.digest, progress).await?;
            if self.dry_run {
                copy.plan(&tag, !creates_repository).await
            } else {
                copy.run(&tag).await
            }
        };
        let copied = show_while(context, work, shown).await?;
        let result = PromoteResult {
            version: 1,
            from: from.name,
            to: to.name,
            image: to_uri.with_digest(&image.digest),
            digest: image.digest,
            tag,
            proven,
            dry_run: self.dry_run,
            creates_repository,
            copied,
        };
        stage.finish(result.outcome());
        context.print(&result)?;
        Ok(Exit::Done)
    }

    /// The target repository's name, and whether it is made for this promotion.
    async fn target(
        &self,
        context: &Context,
        to: &Environment,
        ecr: &Ecr,
    ) -> Result<(RepositoryName, bool), Failure> {
        let name = &to.repository;
        if self.create_repository && ecr.repository(name).await.map_err(refused)?.is_none() {
            let uri = match self.dry_run {
                true => ecr.future_uri(name).await.map_err(refused)?,
                false => repository(context, to, ecr, true).await?.uri,
            };
            return Ok((uri, true));
        }
        let repository = repository(context, to, ecr, false).await?;
        warn_of_moving_tags(context, &repository);
        Ok((repository.uri, false))
    }

    /// The image, and whether a rollout of it succeeded.
    async fn choose(
        &self,
        from: &Environment,
        clients: &Clients,
        ecr: &Ecr,
    ) -> Result<(PublishedImage, bool), Failure> {
        let aws = |error| Failure::aws(Exit::Preflight, &error);
        let name = &from.repository;
        let census = census(clients, from).await;
        let (wanted, found) = match (&self.digest, &self.tag) {
            (Some(digest), _) => (digest.to_string(), ecr.image_by_digest(name, digest).await),
            (None, Some(tag)) => (tag.to_string(), ecr.image_by_tag(name, tag).await),
            (None, None) => {
                let digest = running(&census, from)?;
                (digest.to_string(), ecr.image_by_digest(name, digest).await)
            }
        };
        let image = found.map_err(aws)?.ok_or_else(|| {
            Failure::new(
                Exit::Preflight,
                format!(
                    "the repository {name} of {} holds no image {wanted}",
                    from.name
                ),
            )
            .hint("`quilt-mcp-deploy images` lists what is there; nothing was changed")
        })?;
        let proven = census.ever_succeeded(&image.digest);
        if proven || self.force {
            return Ok((image, proven));
        }
        if let Some(unknown) = census.unknown.first() {
            let digest = &image.digest;
            let what = format!("whether a rollout of {digest} succeeded in {}", from.name);
            return Err(not_known(what, unknown));
        }
        Err(Failure::new(
            Exit::Preflight,
            format!("no rollout of {} succeeded in {}", image.digest, from.name),
        )
        .hint(format!(
            "roll it out there first (`quilt-mcp-deploy rollout --env {}`), or copy it on purpose with --force; nothing was changed",
            from.name
        )))
    }
}

/// The image that the environment runs and whose rollout succeeded.
fn running<'a>(census: &'a Census, from: &Environment) -> Result<&'a Digest, Failure> {
    let mut runs = census.deployed.iter();
    if let Some(image) = runs.find(|image| image.running && image.succeeded) {
        return Ok(&image.digest);
    }
    if let Some(unknown) = census.unknown.first() {
        return Err(not_known(
            format!("which image {} runs", from.name),
            unknown,
        ));
    }
    Err(Failure::new(
        Exit::Preflight,
        format!("{} runs no image whose rollout succeeded", from.name),
    )
    .hint("name the image with --tag or --digest; nothing was changed"))
}

/// What AWS does not tell of the source environment.
fn not_known(what: String, unknown: &Unknown) -> Failure {
    let exit = match unknown {
        Unknown::Aws(error) if error.is_credentials() => Exit::Credentials,
        _ => Exit::Preflight,
    };
    Failure::new(exit, format!("it is not known {what}: {unknown}"))
        .hint(format!("{}; nothing was changed", unknown.hint()))
}

/// The tag in the target: that of the source, marked where no rollout vouches for the image.
fn target_tag(asked: Option<&Tag>, image: &PublishedImage, proven: bool) -> Result<Tag, Failure> {
    let own = image.tags.iter().find_map(|tag| tag.parse().ok());
    let tag: Tag = asked.cloned().or(own).ok_or_else(|| {
        Failure::new(
            Exit::Preflight,
            format!("the image {} carries no tag", image.digest),
        )
        .hint("publish it under a tag first; nothing was changed")
    })?;
    if proven {
        return Ok(tag);
    }
    format!("{tag}{UNPROVEN}")
        .parse()
        .map_err(|error| Failure::new(Exit::Usage, format!("{error}")))
}

impl PromoteResult {
    fn outcome(&self) -> String {
        let copied = &self.copied;
        if self.dry_run {
            return "nothing was changed".to_owned();
        }
        if copied.is_nothing() {
            return format!("nothing to do: {} is there", self.tag);
        }
        format!(
            "{} ({} mounted, {} sent with {}, {})",
            self.tag,
            count(copied.blobs_mounted, "blob"),
            copied.blobs_sent,
            bytes(copied.bytes_sent),
            count(copied.referrers, "referrer"),
        )
    }
}

/// `1 byte`, `2 bytes`.
fn bytes(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "byte")
}

impl fmt::Display for PromoteResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copied = &self.copied;
        writeln!(f, "image    {}", self.image)?;
        writeln!(f, "tag      {}", self.tag)?;
        let proven = if self.proven {
            "succeeded"
        } else {
            "never succeeded (--force)"
        };
        writeln!(f, "rollout  {proven} in {}", self.from)?;
        if self.dry_run {
            if self.creates_repository {
                writeln!(f, "creates  the repository {}", self.image.repository())?;
            }
            return write!(f, "{}", plan(copied));
        }
        writeln!(
            f,
            "moved    {} mounted, {} sent ({}), {} there already; {}",
            count(copied.blobs_mounted, "blob"),
            copied.blobs_sent,
            bytes(copied.bytes_sent),
            copied.blobs_present,
            count(copied.referrers, "referrer")
        )?;
        write!(
            f,
            "next     quilt-mcp-deploy rollout --env {} --digest {}",
            self.to, self.digest
        )
    }
}

/// What `--dry-run` says would move.
fn plan(copied: &Copied) -> String {
    let mut lines: Vec<String> = copied.parts.iter().map(line).collect();
    lines.push(format!(
        "moves    {} of {}, {}; {} there already; nothing was changed",
        count(copied.blobs_sent, "blob"),
        bytes(copied.bytes_missing),
        count(copied.referrers, "referrer"),
        copied.blobs_present
    ));
    let mut parts = copied.parts.iter();
    if parts.any(|part| part.how == Moved::Mountable) {
        lines.push(format!(
            "sends    at most {}: the registry is asked to mount each blob, and gets it where it does not",
            bytes(copied.bytes_sent)
        ));
    }
    lines.join("\n")
}

/// A part as `--dry-run` lists it.
fn line(part: &Part) -> String {
    let how = match part.how {
        Moved::Mounted => "mounted",
        Moved::Mountable => "mount?",
        Moved::Copied => "copy",
        Moved::Present => "there",
        Moved::NotTaken => "stays",
    };
    let kind = match part.kind {
        PartKind::Blob => "blob",
        PartKind::Referrer => "referrer",
    };
    format!("{how:<8} {kind} {}, {}", part.digest, bytes(part.size))
}
