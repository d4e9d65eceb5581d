//! What an environment runs now: one value with two faces, a table and JSON.

use std::fmt;

use serde::Serialize;

use crate::arn::last_part;
use crate::aws::Clients;
use crate::config::Environment;
use crate::release::{ReleaseError, ReleaseTags, describe, newest_template};
use crate::report::table::{labelled, short_digest, table, width_of};
use crate::rollout::observation::{Deployment, ServiceEvent, Target, Task};
use crate::rollout::observe::Observer;
use crate::rollout::preflight::{PreflightError, Snapshot};
use crate::stack::{Stack, StackState};

/// The version of the JSON object; it grows when a field changes its meaning or goes.
const VERSION: u32 = 1;
/// How many service events are shown.
const EVENTS: usize = 5;

/// What an environment runs.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Status {
    /// The version of this object.
    pub version: u32,
    /// The environment's name.
    pub environment: String,
    /// Its URL.
    pub url: String,
    /// The ECS cluster.
    pub cluster: String,
    /// The ECS service.
    pub service: String,
    /// How many tasks the service should run.
    pub desired: i32,
    /// Who moves the service: `ecs` or `cloudformation`.
    pub deploy_through: &'static str,
    /// The stack that releases go through, where they go through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackState>,
    /// What it runs.
    pub release: Running,
    /// Its deployments.
    pub deployments: Vec<Deployment>,
    /// Its tasks that have not stopped.
    pub tasks: Vec<Task>,
    /// The targets of its target groups.
    pub targets: Vec<Target>,
    /// The newest service events, newest first.
    pub events: Vec<ServiceEvent>,
    /// What could not be found out.
    pub unknown: Vec<String>,
}

/// The revision that the service names, and what its tags say.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Running {
    /// The revision's ARN.
    pub revision: String,
    /// The container's image, as the revision has it.
    pub image: Option<String>,
    /// The image's digest, where the revision names one.
    pub digest: Option<String>,
    /// The commit and the tag.
    #[serde(flatten)]
    pub tags: ReleaseTags,
    /// The template revision that the next rollout would use, when it is newer than what runs.
    pub template_waiting: Option<String>,
}

impl Running {
    /// The commit for people; where it is not recorded, why not.
    fn commit(&self) -> String {
        let tags = &self.tags;
        match (&tags.commit, &tags.image_tag, &tags.released) {
            (Some(commit), ..) => commit.clone(),
            (None, Some(tag), _) => format!("not recorded; released as {tag}"),
            (None, None, Some(_)) => "not recorded; released by digest".to_owned(),
            (None, None, None) => "not released by this tool".to_owned(),
        }
    }
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The service cannot be described.
    #[error(transparent)]
    Service(#[from] PreflightError),
    /// Its revision cannot be described.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

impl Status {
    /// Asks AWS.
    ///
    /// # Errors
    /// [`StatusError`] when the service or its revision cannot be described; what else could
    /// not be found out stands in [`Status::unknown`].
    pub async fn read(clients: &Clients, environment: &Environment) -> Result<Self, StatusError> {
        let snapshot = Snapshot::take(clients, environment).await?;
        let revision = describe(clients, &snapshot.task_definition).await?;
        let (template_waiting, stack) = match environment.deploy_through.stack() {
            None => {
                let template = newest_template(clients, &snapshot.task_definition).await?;
                (
                    template.waiting_for_release(&revision).map(str::to_owned),
                    None,
                )
            }
            Some(name) => {
                let stack = Stack::describe(clients, name, &environment.region).await;
                (None, Some(stack))
            }
        };
        let (stack, unseen) = match stack.transpose() {
            Ok(stack) => (stack.map(|stack| stack.state()), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let mut observer = Observer::new(clients, environment, snapshot.target_groups.clone());
        let seen = observer.observe().await;
        let image = revision
            .document
            .image(&environment.container)
            .map(str::to_owned);
        let service = seen.service.unwrap_or(snapshot.service);
        Ok(Self {
            version: VERSION,
            environment: environment.name.clone(),
            url: environment.url.to_string(),
            cluster: environment.cluster.clone(),
            service: environment.service.clone(),
            desired: service.desired,
            deploy_through: environment.deploy_through.word(),
            stack,
            release: Running {
                digest: image
                    .as_deref()
                    .and_then(|image| image.split_once('@'))
                    .map(|(_, digest)| digest.to_owned()),
                image,
                template_waiting,
                tags: ReleaseTags::read(&revision.tags),
                revision: snapshot.task_definition,
            },
            deployments: service.deployments,
            tasks: seen
                .tasks
                .unwrap_or_default()
                .into_iter()
                .filter(|task| !task.is_stopped())
                .collect(),
            targets: seen
                .target_groups
                .unwrap_or_default()
                .into_iter()
                .flat_map(|group| group.targets)
                .collect(),
            events: service.events.into_iter().take(EVENTS).collect(),
            unknown: unseen.into_iter().chain(seen.failures).collect(),
        })
    }

    fn release_lines(&self) -> Vec<(&'static str, String)> {
        let release = &self.release;
        let mut lines = vec![
            (
                "environment",
                format!("{} ({})", self.environment, self.url),
            ),
            ("service", format!("{} in {}", self.service, self.cluster)),
            ("revision", last_part(&release.revision).to_owned()),
            ("commit", release.commit()),
            (
                "digest",
                release
                    .digest
                    .clone()
                    .unwrap_or_else(|| "none: no image by digest".into()),
            ),
        ];
        if let Some(stack) = &self.stack {
            lines.insert(2, ("through", stack.to_string()));
        }
        if let Some(template) = &release.template_waiting {
            lines.push((
                "waiting",
                format!(
                    "template {} comes with the next rollout",
                    last_part(template)
                ),
            ));
        }
        lines
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = width_of(f);
        for (name, value) in self.release_lines() {
            writeln!(f, "{}", labelled(&format!("{name:<8} "), &value, width))?;
        }
        if !self.deployments.is_empty() {
            let deployments = self.deployments.iter().map(deployment_row);
            let headings = ["deployment", "status", "revision", "running", "state"];
            writeln!(f, "\n{}", table(headings, deployments, width))?;
        }
        if !self.tasks.is_empty() {
            let tasks = self.tasks.iter().map(|task| self.task_row(task));
            let headings = ["task", "status", "address", "target", "image"];
            writeln!(f, "\n{}", table(headings, tasks, width))?;
        }
        if !self.events.is_empty() {
            let events = self.events.iter().map(|event| {
                let at = event.at.map(|at| at.strftime("%H:%M:%S").to_string());
                [at.unwrap_or_default(), event.message.clone()]
            });
            writeln!(f, "\n{}", table(["event", ""], events, width))?;
        }
        for unknown in &self.unknown {
            writeln!(f, "\n{}", labelled("not known: ", unknown, width))?;
        }
        Ok(())
    }
}

impl Status {
    fn task_row(&self, task: &Task) -> [String; 5] {
        let address = task.private_ip.clone().unwrap_or_default();
        let target = self.targets.iter().find(|target| target.ip == address);
        let digest = task
            .containers
            .iter()
            .find_map(|container| container.image_digest.as_deref());
        [
            task.id.get(..12).unwrap_or(&task.id).to_owned(),
            task.last_status.clone(),
            address,
            target.map_or_else(|| "none".into(), |target| target.state.to_string()),
            digest.map(short_digest).unwrap_or_default(),
        ]
    }
}

fn deployment_row(deployment: &Deployment) -> [String; 5] {
    [
        last_part(&deployment.id).to_owned(),
        deployment.status.clone(),
        last_part(&deployment.task_definition).to_owned(),
        format!("{}/{}", deployment.running, deployment.desired),
        deployment.rollout.as_str().to_owned(),
    ]
}
