//! What a rollout would do, found out without changing anything.

mod show;
mod through_stack;

use serde::Serialize;

use crate::aws::Clients;
use crate::config::Environment;
use crate::release::diff::{Change, diff};
use crate::release::{
    Described, Document, ReleaseError, ReleaseTags, Template, Wanted, describe, newest_template,
};
use crate::rollout::ReleaseImage;
use crate::rollout::observation::Deployment;
use crate::rollout::preflight::{PreflightError, Snapshot};
use crate::stack::{StackError, StackState};

/// The version of the JSON object.
const VERSION: u32 = 1;

/// What a rollout would do.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Plan {
    /// The version of this object.
    pub version: u32,
    /// The environment's name.
    pub environment: String,
    /// The ECS cluster.
    pub cluster: String,
    /// The ECS service.
    pub service: String,
    /// What the service runs now.
    pub running: Image,
    /// What it would run.
    pub release: Image,
    /// Who moves the service: `ecs` or `cloudformation`.
    pub deploy_through: &'static str,
    /// The stack that releases go through, where they go through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackState>,
    /// What the release is based on; absent where CloudFormation makes it of the stack's template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateState>,
    /// How the task definition would differ from the running one.
    pub changes: Vec<Change>,
    /// What would become of the service.
    pub deployment: DeploymentPlan,
    /// Whether a rollout would change anything.
    pub has_changes: bool,
}

/// A revision and its image.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Image {
    /// The revision's ARN; absent when it would be registered.
    pub revision: Option<String>,
    /// The image of the server's container.
    pub image: Option<String>,
    /// Its digest, where the image is named by it.
    pub digest: Option<String>,
    /// The commit and the tag that the image is known by, and who released it.
    #[serde(flatten)]
    pub tags: ReleaseTags,
}

/// What the release is based on.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct TemplateState {
    /// The newest template revision's ARN.
    pub arn: String,
    /// False when no revision is tagged `ManagedBy=terraform` and the running one stands in.
    pub tagged: bool,
    /// Whether what runs was made from an older template, so that the new one's changes come along.
    pub newer_than_running: bool,
}

/// What would become of the service.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct DeploymentPlan {
    /// What a rollout would do.
    pub action: Action,
    /// A deployment that is under way.
    pub in_flight: Option<Deployment>,
    /// How many tasks the service should run now.
    pub desired: i32,
    /// How many it would.
    pub desired_after: i32,
    /// Whether ECS's circuit breaker rolls a failed deployment back by itself.
    pub rolls_back: bool,
}

/// What a rollout would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: the service runs the release.
    Nothing,
    /// Watch the deployment of this very release, which is under way.
    Attach,
    /// Start a deployment of a revision that is registered.
    Start,
    /// Register a revision and start a deployment of it.
    RegisterAndStart,
    /// Give the image to the stack: CloudFormation registers a revision and deploys it.
    UpdateStack,
    /// Refuse, because another deployment is under way (exit code 11).
    Refuse,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The service cannot be described, or cannot be rolled out.
    #[error(transparent)]
    Service(#[from] PreflightError),
    /// A revision cannot be described, or none can be made.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The stack cannot be described, or takes no update.
    #[error(transparent)]
    Stack(#[from] StackError),
}

/// What a rollout would release, and how.
struct Found {
    /// The task definition as it would be.
    document: Document,
    /// Its revision, where it is registered.
    revision: Option<String>,
    template: Option<TemplateState>,
    stack: Option<StackState>,
    /// What the stack asks for, where there is one.
    action: Option<Action>,
}

impl Plan {
    /// Finds out what a rollout of `image` would do; only looks.
    ///
    /// # Errors
    /// [`PlanError`].
    pub async fn make(
        clients: &Clients,
        environment: &Environment,
        image: &ReleaseImage,
    ) -> Result<Self, PlanError> {
        let snapshot = Snapshot::take(clients, environment).await?;
        let running = describe(clients, &snapshot.task_definition).await?;
        let container = &environment.container;
        let found = match environment.deploy_through.stack() {
            None => Found::by_ecs(clients, environment, image, &running).await?,
            Some(name) => through_stack::find(clients, environment, image, &snapshot, name).await?,
        };
        let revision = found.revision.as_deref();
        let mut deployment = DeploymentPlan::of(&snapshot, revision, environment);
        if let Some(action) = found.action {
            deployment.action = action;
            // The count is the stack's, or autoscaling's.
            deployment.desired_after = deployment.desired;
        }
        Ok(Self {
            version: VERSION,
            environment: environment.name.clone(),
            cluster: environment.cluster.clone(),
            service: environment.service.clone(),
            deploy_through: environment.deploy_through.word(),
            changes: diff(&running.document, &found.document),
            template: found.template,
            stack: found.stack,
            has_changes: !matches!(deployment.action, Action::Nothing | Action::Attach),
            running: Image::of(
                Some(running.document.arn()),
                &running.document,
                container,
                ReleaseTags::read(&running.tags),
            ),
            release: Image::of(
                revision,
                &found.document,
                container,
                ReleaseTags {
                    released: None,
                    ..image.tags.clone()
                },
            ),
            deployment,
        })
    }
}

impl Found {
    async fn by_ecs(
        clients: &Clients,
        environment: &Environment,
        image: &ReleaseImage,
        running: &Described,
    ) -> Result<Self, ReleaseError> {
        let template = newest_template(clients, running.document.arn()).await?;
        let wanted = Wanted::new(
            &template,
            &environment.container,
            &image.reference,
            &image.tags,
            &environment.tags,
        )?;
        let existing = wanted.find(clients, &template).await?;
        Ok(Self {
            revision: existing.map(|found| found.document.arn().to_owned()),
            template: Some(TemplateState::of(&template, running)),
            document: wanted.document,
            stack: None,
            action: None,
        })
    }
}

impl Image {
    fn of(revision: Option<&str>, document: &Document, container: &str, tags: ReleaseTags) -> Self {
        let image = document.image(container);
        Self {
            revision: revision.map(str::to_owned),
            digest: image
                .and_then(|image| image.split_once('@'))
                .map(|(_, digest)| digest.to_owned()),
            image: image.map(str::to_owned),
            tags,
        }
    }
}

impl TemplateState {
    fn of(template: &Template, running: &Described) -> Self {
        Self {
            arn: template.described.document.arn().to_owned(),
            tagged: template.tagged,
            newer_than_running: template.waiting_for_release(running).is_some(),
        }
    }
}

impl DeploymentPlan {
    /// As the rollout decides: a deployment of the very revision is attached to, another one
    /// that is under way is not disturbed.
    fn of(snapshot: &Snapshot, revision: Option<&str>, environment: &Environment) -> Self {
        let service = &snapshot.service;
        let in_flight = snapshot.in_flight();
        let ours = revision.and_then(|revision| snapshot.deployment_of(revision));
        let refused = snapshot.refuse_in_flight(revision.unwrap_or_default());
        let action = match (ours, revision) {
            (Some(_), _) if in_flight.is_some() => Action::Attach,
            (Some(_), _) => Action::Nothing,
            _ if refused.is_err() => Action::Refuse,
            (None, Some(_)) => Action::Start,
            (None, None) => Action::RegisterAndStart,
        };
        Self {
            action,
            in_flight: in_flight.cloned(),
            desired: service.desired,
            desired_after: if service.desired == 0 {
                environment.desired_count
            } else {
                service.desired
            },
            rolls_back: snapshot.rolls_back,
        }
    }
}
