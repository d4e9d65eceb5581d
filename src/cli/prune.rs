//! `prune`: old images that no environment needs any more.

use std::collections::BTreeSet;
use std::fmt;

use clap::Args;
use serde::Serialize;

use super::images::{Gap, everywhere};
use super::words::count;
use super::{Context, Exit, Failure};
use crate::image::Digest;
use crate::registry::{Deletion, Ecr, PublishedImage};

/// Delete old images from the environment's repository.
///
/// Never one that any environment of quilt-mcp.toml runs, or ran in the releases that ECS
/// remembers. When that cannot be found out for one of them, nothing is deleted.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 deleted, or nothing to delete, 4 not everything is known, 6 not all were deleted.\n\nExample:\n  quilt-mcp-deploy prune --env staging --keep 20 --dry-run"
)]
pub struct Prune {
    /// How many of the newest images stay in any case
    #[arg(long, value_name = "N")]
    keep: usize,
    /// List what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PruneResult {
    version: u32,
    environment: String,
    repository: String,
    /// Whether nothing was deleted.
    dry_run: bool,
    /// Images that stay because they are new.
    newest: usize,
    /// Older images that stay because an environment runs or ran them.
    needed: Vec<Digest>,
    /// What was deleted, or would be.
    deleted: Vec<PublishedImage>,
}

impl Prune {
    /// Prunes.
    ///
    /// # Errors
    /// [`Failure`] with exit code 4 when it cannot be found out what an environment runs or ran;
    /// nothing is deleted then.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _locks = match self.dry_run {
            true => Vec::new(),
            false => context.lock_repository()?,
        };
        let (environment, clients) = context.connect().await?;
        let aws = |error| Failure::aws(Exit::Preflight, &error);
        let ecr = Ecr::new(&clients.ecr);
        let images = ecr
            .newest_images(&environment.repository, usize::MAX)
            .await
            .map_err(aws)?;
        let surveyed = everywhere(context, &environment).await;
        if !surveyed.unknown.is_empty() {
            return Err(refusal(&surveyed.unknown));
        }
        let needed: BTreeSet<Digest> = surveyed
            .runs
            .into_values()
            .flatten()
            .map(|deployed| deployed.digest)
            .collect();
        let (newest, plan) = plan(images, self.keep, &needed);
        if !self.dry_run {
            let digests: Vec<Digest> = plan.old.iter().map(|image| image.digest.clone()).collect();
            let deletion = ecr.delete_images(&environment.repository, &digests).await;
            if !digests.iter().all(|digest| deletion.gone.contains(digest)) {
                return Err(incomplete(&deletion, digests.len()));
            }
        }
        context.print(&PruneResult {
            version: 1,
            environment: environment.name,
            repository: environment.repository,
            dry_run: self.dry_run,
            newest,
            needed: plan.needed,
            deleted: plan.old,
        })?;
        Ok(Exit::Done)
    }
}

/// Nothing may be deleted while it is not known what an environment needs.
fn refusal(unknown: &[Gap]) -> Failure {
    let reasons: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    let mut hints: Vec<&str> = Vec::new();
    for hint in unknown.iter().filter_map(|gap| gap.hint.as_deref()) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints.push("an image that an environment needs must not be deleted, so nothing was");
    Failure::new(
        Exit::Preflight,
        format!("not known: {}", reasons.join("\n  and: ")),
    )
    .hint(hints.join("; "))
}

/// Some images are still there.
fn incomplete(deletion: &Deletion, asked: usize) -> Failure {
    let gone = deletion.gone.len();
    let done = format!("{gone} of {asked} images were deleted");
    if let Some(error) = &deletion.ended_by {
        return Failure::aws(Exit::Publish, error).after(&done);
    }
    let kept = match &deletion.kept[..] {
        [] => "ECR says nothing of the others".to_owned(),
        kept => format!("ECR kept {}", kept.join(", ")),
    };
    Failure::new(Exit::Publish, format!("{done}; {kept}"))
        .hint("another image or an index may refer to it; run the same command again")
}

struct Plan {
    needed: Vec<Digest>,
    old: Vec<PublishedImage>,
}

/// How many stay because they are new, and what becomes of the others.
fn plan(mut images: Vec<PublishedImage>, keep: usize, needed: &BTreeSet<Digest>) -> (usize, Plan) {
    let older = images.split_off(keep.min(images.len()));
    let (kept, old): (Vec<_>, Vec<_>) = older
        .into_iter()
        .partition(|image| needed.contains(&image.digest));
    let needed = kept.into_iter().map(|image| image.digest).collect();
    (images.len(), Plan { needed, old })
}

impl fmt::Display for PruneResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for image in &self.deleted {
            writeln!(f, "{}  {}", image.digest, image.tags.join(" "))?;
        }
        write!(
            f,
            "{} {} of {}; {} newest and {} that an environment runs or ran stay",
            if self.dry_run {
                "would delete"
            } else {
                "deleted"
            },
            count(self.deleted.len(), "image"),
            self.repository,
            self.newest,
            self.needed.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image(number: u8) -> PublishedImage {
        PublishedImage {
            digest: Digest::of(&[number]),
            tags: vec![number.to_string()],
            pushed_at: None,
            size: None,
        }
    }

    proptest! {
        #[test]
        fn what_is_needed_or_new_stays(
            count in 0u8..40,
            keep in 0usize..50,
            needed in proptest::collection::btree_set(0u8..60, 0..20),
        ) {
            let needed: BTreeSet<Digest> = needed.iter().map(|number| Digest::of(&[*number])).collect();
            let images: Vec<_> = (0..count).map(image).collect();
            let (newest, plan) = plan(images.clone(), keep, &needed);
            prop_assert_eq!(newest, keep.min(images.len()));
            prop_assert_eq!(newest + plan.needed.len() + plan.old.len(), images.len());
            for old in &plan.old {
                prop_assert!(!needed.contains(&old.digest));
                prop_assert!(!images[..newest].contains(old));
            }
        }
    }
}
