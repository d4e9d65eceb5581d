//! `images`: what an environment's repository holds, and where each image runs.

use std::collections::BTreeMap;
use std::fmt;

use clap::Args;
use futures::future::join_all;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::config::Environment;
use crate::image::Digest;
use crate::registry::deployed::{Deployed, census};
use crate::registry::{Ecr, Inspector, PublishedImage};
use crate::report::table::{short_digest, table, width_of};

/// Images that are asked for their commit at the same time.
const PARALLEL: usize = 8;

/// List the environment's published images: tag, digest, commit, age, size, where each runs.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  quilt-mcp-deploy images --env staging --output json |\n    jq -r '.images[0].digest'"
)]
pub struct Images {
    /// How many, newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ImagesResult {
    version: u32,
    environment: String,
    repository: String,
    images: Vec<ListedImage>,
    /// What could not be found out.
    unknown: Vec<String>,
    #[serde(skip)]
    now: Timestamp,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ListedImage {
    #[serde(flatten)]
    image: PublishedImage,
    commit: Option<String>,
    /// Environments that run it now.
    deployed: Vec<String>,
}

impl Images {
    /// Lists.
    ///
    /// # Errors
    /// [`Failure`] when the repository cannot be read.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        let aws = |error| Failure::aws(Exit::Preflight, &error);
        let ecr = Ecr::new(&clients.ecr);
        let name = &environment.repository;
        let images = ecr.newest_images(name, self.limit).await.map_err(aws)?;
        let Surveyed { runs, unknown } = everywhere(context, &environment).await;
        let mut unknown: Vec<String> = unknown.iter().map(ToString::to_string).collect();
        let commits = commits(&ecr, name, &images, &mut unknown).await?;
        let listed = images
            .into_iter()
            .zip(commits)
            .map(|(image, commit)| ListedImage {
                deployed: runs
                    .iter()
                    .filter(|(_, deployed)| {
                        let runs_it = |one: &Deployed| one.running && one.digest == image.digest;
                        deployed.iter().any(runs_it)
                    })
                    .map(|(environment, _)| environment.clone())
                    .collect(),
                image,
                commit,
            });
        context.print(&ImagesResult {
            version: 1,
            images: listed.collect(),
            repository: environment.repository.clone(),
            environment: environment.name,
            unknown,
            now: Timestamp::now(),
        })?;
        Ok(Exit::Done)
    }
}

/// What the environments run or ran, and what of it could not be found out.
pub struct Surveyed {
    pub runs: BTreeMap<String, Vec<Deployed>>,
    pub unknown: Vec<Gap>,
}

/// Something that could not be found out about an environment.
pub struct Gap {
    environment: String,
    reason: String,
    /// What the operator can do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what {} runs or ran: {}", self.environment, self.reason)
    }
}

/// Asks the chosen environment and every one of the configuration.
pub async fn everywhere(context: &Context, chosen: &Environment) -> Surveyed {
    let mut names = context.environment_names();
    if !names.contains(&chosen.name) {
        names.push(chosen.name.clone());
    }
    let surveys = names.iter().map(|name| survey(context, name));
    let (mut runs, mut unknown) = (BTreeMap::new(), Vec::new());
    for (name, (deployed, gaps)) in names.iter().zip(join_all(surveys).await) {
        runs.insert(name.clone(), deployed);
        unknown.extend(gaps);
    }
    Surveyed { runs, unknown }
}

/// What one environment runs or ran, and what of it could not be found out.
async fn survey(context: &Context, name: &str) -> (Vec<Deployed>, Vec<Gap>) {
    let gap = |reason, hint| Gap {
        environment: name.to_owned(),
        reason,
        hint,
    };
    match context.connect_to(name).await {
        Ok((environment, clients)) => {
            let census = census(&clients, &environment).await;
            let gaps = census.unknown.iter();
            let gaps = gaps.map(|unknown| gap(unknown.to_string(), Some(unknown.hint())));
            (census.deployed, gaps.collect())
        }
        Err(failure) => {
            let report = failure.into_report();
            (Vec::new(), vec![gap(report.message, report.hint)])
        }
    }
}

async fn commits(
    ecr: &Ecr,
    repository: &str,
    images: &[PublishedImage],
    unknown: &mut Vec<String>,
) -> Result<Vec<Option<String>>, Failure> {
    let aws = |error| Failure::aws(Exit::Preflight, &error);
    let Some(found) = ecr.repository(repository).await.map_err(aws)? else {
        return Ok(Vec::new());
    };
    let access = ecr.access(found.uri).await.map_err(aws)?;
    let inspector = match Inspector::connect(&access).await {
        Ok(inspector) => inspector,
        Err(reason) => {
            unknown.push(format!("the images' commits: {reason}"));
            return Ok(vec![None; images.len()]);
        }
    };
    let answers: Vec<(Digest, Result<Option<String>, String>)> = stream::iter(images)
        .map(|image| async {
            (
                image.digest.clone(),
                inspector
                    .about(&image.digest)
                    .await
                    .map(|about| about.commit),
            )
        })
        .buffered(PARALLEL)
        .collect()
        .await;
    let mut commits = Vec::new();
    for (digest, answer) in answers {
        commits.push(answer.unwrap_or_else(|reason| {
            unknown.push(format!("the commit of {digest}: {reason}"));
            None
        }));
    }
    Ok(commits)
}

impl fmt::Display for ImagesResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings = ["tag", "digest", "commit", "age", "size", "runs in"];
        let rows = self.images.iter().map(|listed| {
            let commit = listed.commit.as_deref().unwrap_or("unknown");
            [
                listed.image.tags.join(" "),
                short_digest(listed.image.digest.as_str()),
                commit.get(..7).unwrap_or(commit).to_owned(),
                age(listed.image.pushed_at, self.now),
                size(listed.image.size),
                listed.deployed.join(" "),
            ]
        });
        if self.images.is_empty() {
            write!(f, "the repository {} holds no image", self.repository)?;
        } else {
            f.write_str(&table(headings, rows, width_of(f)))?;
        }
        for unknown in &self.unknown {
            write!(f, "\nunknown: {unknown}")?;
        }
        Ok(())
    }
}

fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    let Some(since) = since else {
        return "unknown".to_owned();
    };
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn size(bytes: Option<i64>) -> String {
    match bytes {
        Some(bytes) => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_short() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (second, expected) in [
            (999_990, "10 s"),
            (999_000, "16 min"),
            (990_000, "2 h"),
            (0, "11 d"),
            (1_000_009, "0 s"),
        ] {
            assert_eq!(age(Timestamp::from_second(second).ok(), now), expected);
        }
        assert_eq!(age(None, now), "unknown");
        assert_eq!(size(Some(4_970_146)), "4.9 MB");
    }
}
