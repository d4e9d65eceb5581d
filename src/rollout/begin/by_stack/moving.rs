//! From the update of the stack to the deployment that it makes.

use std::time::Instant;

use super::{StackUpdate, WantedImage, held};
use crate::arn::last_part;
use crate::release::{Described, describe};
use crate::report::{Event, Stage};
use crate::rollout::engine::{Engine, Pace, RolloutError};
use crate::rollout::observation::Deployment;
use crate::rollout::preflight::Snapshot;
use crate::rollout::release::OnInterrupt;
use crate::stack::{Stack, StackError};

/// An update of a stack that is to move the service.
pub(super) struct Moving<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) update: StackUpdate,
    pub(super) before: &'a Snapshot,
    pub(super) wanted: &'a WantedImage<'a>,
}

/// How often a service is looked at whose stack is updated and that has no deployment of it: the
/// calls of one look are not of one moment.
const LOOKS_AFTER_THE_END: u32 = 5;

/// One look at the stack and the service; what failed is left out, and told.
struct Look {
    stack: Option<Stack>,
    revision: Option<String>,
    service: Option<Snapshot>,
}

impl Moving<'_> {
    /// The revision that the stack registers for the image, and the service's deployment of it,
    /// once both are there. A deployment that was there before is none of an update that we
    /// `started`.
    pub(super) async fn deployment(
        &self,
        started: bool,
    ) -> Result<(Described, Deployment), RolloutError> {
        let began = Instant::now();
        let mut pace = Pace::of(self.engine.environment);
        let mut found: Option<Described> = None;
        let mut said = String::new();
        let mut in_vain = 0;
        loop {
            let look = self.look().await;
            if found.is_none() {
                found = self.registered(look.revision.as_deref()).await;
            }
            if let Some(described) = &found
                && let Some(service) = &look.service
                && let Some(ours) = self.ours(service, described.document.arn(), started)
            {
                return Ok((described.clone(), ours));
            }
            if let Some(stack) = &look.stack {
                let registered = found.is_some() || look.revision.is_none();
                self.refuse_ended(stack, registered).await?;
                in_vain += u32::from(stack.status.is_updated() && look.service.is_some());
            }
            if let Some(described) = &found
                && in_vain > LOOKS_AFTER_THE_END
            {
                return Err(self.not_moved(described).into());
            }
            let waiting_for = self.waiting_for(look.stack.as_ref(), found.is_some());
            if began.elapsed() >= self.wanted.timeout {
                return Err(StackError::Unknown { waiting_for }.into());
            }
            if waiting_for != said {
                self.engine.reporter.event(Event::Progress {
                    stage: Stage::Rollout,
                    message: format!("waiting for {waiting_for}"),
                });
                said = waiting_for;
            }
            tokio::select! {
                () = tokio::time::sleep(pace.next()) => {}
                () = self.engine.interrupt.requested() => return Err(self.leave().await.into()),
            }
        }
    }

    async fn look(&self) -> Look {
        let Engine {
            clients,
            environment,
            ..
        } = self.engine;
        let name = &self.update.name;
        let (stack, resources, service) = tokio::join!(
            Stack::describe(clients, name, &environment.region),
            Stack::resources(clients, name),
            Snapshot::take(clients, environment),
        );
        let resources = self.kept(resources);
        Look {
            stack: self.kept(stack).filter(|stack| self.update.is_of(stack)),
            revision: resources
                .and_then(|resources| held::revision(&resources, &self.before.task_definition)),
            service: self.kept(service),
        }
    }

    fn kept<T, E: std::fmt::Display>(&self, result: Result<T, E>) -> Option<T> {
        result
            .inspect_err(|error| self.engine.warn(format!("{error}; looking again")))
            .ok()
    }

    /// The stack's revision, once it has the image.
    async fn registered(&self, revision: Option<&str>) -> Option<Described> {
        let described = self.kept(describe(self.engine.clients, revision?).await)?;
        let container = &self.engine.environment.container;
        (described.document.image(container) == Some(self.wanted.image)).then_some(described)
    }

    fn ours(&self, service: &Snapshot, revision: &str, started: bool) -> Option<Deployment> {
        let deployments = service.service.deployments.iter();
        deployments
            .filter(|known| known.task_definition == revision)
            .filter(|known| !started || self.before.service.deployment(&known.id).is_none())
            .max_by_key(|known| known.created_at)
            .cloned()
    }

    /// An update that is over without a deployment of ours.
    async fn refuse_ended(&self, stack: &Stack, registered: bool) -> Result<(), StackError> {
        let (name, status) = (stack.name.clone(), stack.status.clone());
        if status.has_failed() || status.has_returned() {
            let last = Stack::last_update(self.engine.clients, &name).await;
            return Err(StackError::UpdateFailed {
                stack: name,
                status,
                failures: self.kept(last).unwrap_or_default().failures,
            });
        }
        if status.is_updated() && !registered {
            return Err(StackError::NoRevision {
                stack: name,
                status,
            });
        }
        Ok(())
    }

    fn not_moved(&self, described: &Described) -> StackError {
        StackError::NotMoved {
            stack: self.update.name.clone(),
            revision: last_part(described.document.arn()).to_owned(),
            service: self.engine.environment.service.clone(),
        }
    }

    fn waiting_for(&self, stack: Option<&Stack>, registered: bool) -> String {
        let name = &self.update.name;
        let what = match registered {
            false => "register the revision",
            true => "move the service",
        };
        match stack {
            Some(stack) if stack.status.is_returning() => {
                format!("stack {name} to return (it is {})", stack.status)
            }
            Some(stack) => format!("stack {name} to {what} (it is {})", stack.status),
            None => format!("stack {name} to {what}"),
        }
    }

    /// The operator goes before there is a deployment to watch.
    async fn leave(&self) -> StackError {
        let cancelled = match self.wanted.on_interrupt {
            OnInterrupt::Detach => false,
            OnInterrupt::Rollback => {
                let cancel = Stack::cancel_update(self.engine.clients, &self.update.name).await;
                if let Err(error) = &cancel {
                    self.engine.warn(error.to_string());
                }
                cancel.is_ok()
            }
        };
        StackError::Left {
            stack: self.update.name.clone(),
            cancelled,
            signal: self.engine.interrupt.signal(),
        }
    }
}
