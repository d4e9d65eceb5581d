//! Everything seen since the rollout began; ECS forgets, we do not.

use super::{Observation, Service, ServiceDeployment, ServiceEvent, Stack, Task};

/// Everything seen since the rollout began, oldest first.
#[derive(Debug, Clone, Default)]
pub struct History {
    observations: Vec<Observation>,
    stopped: Vec<Task>,
    events: Vec<ServiceEvent>,
}

impl History {
    /// Adds what was seen last.
    pub fn push(&mut self, observation: Observation) {
        for task in observation.tasks.iter().flatten() {
            if task.is_stopped() || task.is_given_up() {
                self.note_stopped(task);
            }
        }
        if let Some(service) = &observation.service {
            for event in service.events.iter().rev() {
                if !self.events.iter().any(|known| known.id == event.id) {
                    self.events.push(event.clone());
                }
            }
        }
        self.observations.push(observation);
    }

    /// Notes the task as it is now; a look that is older than the last one does not wake it.
    fn note_stopped(&mut self, task: &Task) {
        match self.stopped.iter_mut().find(|known| known.id == task.id) {
            Some(known) if known.is_stopped() && !task.is_stopped() => {}
            Some(known) => known.clone_from(task),
            None => self.stopped.push(task.clone()),
        }
    }

    /// All observations, oldest first.
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// The last one.
    pub fn last(&self) -> Option<&Observation> {
        self.observations.last()
    }

    /// The service as it was seen, oldest first, without the looks that failed.
    pub fn services(&self) -> impl DoubleEndedIterator<Item = &Service> {
        self.observations
            .iter()
            .filter_map(|seen| seen.service.as_ref())
    }

    /// Our service deployment as it was seen, oldest first, without the looks that failed.
    pub fn service_deployments(&self) -> impl DoubleEndedIterator<Item = &ServiceDeployment> {
        self.observations
            .iter()
            .filter_map(|seen| seen.service_deployment.seen())
    }

    /// The stack as it was seen, oldest first, without the looks that failed.
    pub fn stacks(&self) -> impl DoubleEndedIterator<Item = &Stack> {
        self.observations
            .iter()
            .filter_map(|seen| seen.stack.as_ref())
    }

    /// Every task of a deployment that was ever seen stopped, or given up, in the order of their creation.
    pub fn stopped_tasks(&self, deployment: &str) -> Vec<&Task> {
        let mut stopped: Vec<&Task> = self
            .stopped
            .iter()
            .filter(|task| task.deployment == deployment)
            .collect();
        stopped.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        stopped
    }

    /// Every service event that was ever seen, oldest first.
    pub fn events(&self) -> &[ServiceEvent] {
        &self.events
    }
}
