//! The release that a stack's last update is, or was: found when nobody here began it.
//!
//! PRIMARY does not show it: once CloudFormation or ECS goes back, PRIMARY is the return. And not
//! every update is a release: one that does not replace the task definition moves no service.

use std::time::Duration;

use super::begin::StackUpdate;
use super::engine::{Engine, RolloutError, Watched};
use super::observation::Deployment;
use super::observe::Followed;
use super::preflight::Snapshot;
use super::{Plan, Verdict};
use crate::release::number_of;
use crate::stack::{LastUpdate, Stack, StackError};

/// A release through a stack, by the events of its last update.
pub(super) struct StackRelease {
    /// The stack as it is now.
    pub(super) stack: Stack,
    last: LastUpdate,
}

impl StackRelease {
    /// The release that the last update of the stack is or was; none where that was no release.
    pub(super) async fn find(engine: &Engine<'_>, name: &str) -> Result<Option<Self>, StackError> {
        let region = &engine.environment.region;
        let stack = Stack::describe(engine.clients, name, region).await?;
        let last = Stack::last_update(engine.clients, name).await?;
        Ok(last.is_release.then_some(Self { stack, last }))
    }

    /// The revision that it moves the service to, or went back from; none where none is
    /// registered: CloudFormation names the old revision first, and then the new one beside it.
    pub(super) fn revision(&self) -> Option<&str> {
        let touched = self.last.revisions.iter().map(String::as_str);
        let newest = touched.max_by_key(|arn| number_of(arn));
        newest.filter(|_| self.last.revisions.len() > 1)
    }

    /// The service's deployment of it, while ECS shows it.
    pub(super) fn deployment<'a>(&self, before: &'a Snapshot) -> Option<&'a Deployment> {
        let revision = self.revision()?;
        let deployments = before.service.deployments.iter();
        deployments
            .filter(|known| known.task_definition == revision)
            .max_by_key(|known| known.created_at)
    }

    /// The update, to look at.
    pub(super) fn update(&self) -> StackUpdate {
        StackUpdate {
            name: self.stack.name.clone(),
            stale: None,
        }
    }

    /// That it was taken back to the end, where it was and the service runs something else.
    pub(super) fn taken_back(&self, before: &Snapshot) -> Option<Verdict> {
        self.stack
            .status
            .has_returned()
            .then(|| Verdict::RolledBack {
                to: before.task_definition.clone(),
                reason: self.last.cause().unwrap_or_else(|| {
                    format!("stack {} is {}", self.stack.name, self.stack.status)
                }),
            })
    }

    /// Watches it being taken back to the end.
    pub(super) async fn follow_back(
        &self,
        engine: &Engine<'_>,
        before: &Snapshot,
        timeout: Duration,
    ) -> Result<Watched, RolloutError> {
        let ours = self.deployment(before);
        let followed =
            ours.or(before.service.primary())
                .ok_or_else(|| RolloutError::NoDeployment {
                    service: before.service.name.clone(),
                    what: "PRIMARY deployment".into(),
                })?;
        let plan = Plan {
            deployment: ours.map(|ours| ours.id.clone()).unwrap_or_default(),
            revision: self.revision().unwrap_or_default().to_owned(),
            previous_revision: before.last_good_revision().map(str::to_owned),
            container: engine.environment.container.clone(),
            digest: None,
            bake: Duration::ZERO,
            timeout,
            fail_fast: false,
            ecs_rolls_back: true,
            stack: Some(self.update()),
        };
        let followed = Followed::Deployment(followed);
        Ok(engine.watch(&plan, followed, before, None).await)
    }
}

#[cfg(test)]
mod tests;
