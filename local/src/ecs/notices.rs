//! What one step has to tell: ECS writes one event for all tasks of a kind, not one per task.

use std::collections::BTreeMap;

use crate::aws::Moment;
use crate::state::State;

#[derive(Debug, Default)]
pub(crate) struct Notices(BTreeMap<String, Notice>);

#[derive(Debug, Default)]
struct Notice {
    started: Vec<String>,
    draining: usize,
    stopped: Vec<String>,
    registered: BTreeMap<String, usize>,
    deregistered: BTreeMap<String, usize>,
}

impl Notices {
    pub(super) fn started(&mut self, service: &str, task: &str) {
        self.of(service).started.push(task.to_owned());
    }

    pub(super) fn draining(&mut self, service: &str) {
        self.of(service).draining += 1;
    }

    pub(super) fn stopped(&mut self, service: &str, task: &str) {
        self.of(service).stopped.push(task.to_owned());
    }

    pub(super) fn registered(&mut self, service: &str, target_group: &str) {
        *self
            .of(service)
            .registered
            .entry(target_group.to_owned())
            .or_default() += 1;
    }

    pub(super) fn deregistered(&mut self, service: &str, target_group: &str) {
        *self
            .of(service)
            .deregistered
            .entry(target_group.to_owned())
            .or_default() += 1;
    }

    fn of(&mut self, service: &str) -> &mut Notice {
        self.0.entry(service.to_owned()).or_default()
    }

    /// Writes the events, in the order in which such things happen.
    pub(super) fn publish(self, state: &mut State, now: Moment) {
        for (name, notice) in self.0 {
            let Some(service) = state.service_mut(&name) else {
                continue;
            };
            for message in notice.messages() {
                service.event(now, &message);
            }
        }
    }
}

impl Notice {
    fn messages(&self) -> Vec<String> {
        let mut messages = Vec::new();
        for (group, count) in &self.registered {
            messages.push(format!(
                "registered {count} targets in (target-group {group})"
            ));
        }
        if self.draining > 0 {
            messages.push(format!(
                "has begun draining connections on {} tasks.",
                self.draining
            ));
        }
        for (group, count) in &self.deregistered {
            messages.push(format!(
                "deregistered {count} targets in (target-group {group})"
            ));
        }
        if !self.stopped.is_empty() {
            messages.push(format!(
                "has stopped {} running tasks: {}.",
                self.stopped.len(),
                tasks(&self.stopped)
            ));
        }
        if !self.started.is_empty() {
            messages.push(format!(
                "has started {} tasks: {}.",
                self.started.len(),
                tasks(&self.started)
            ));
        }
        messages
    }
}

fn tasks(ids: &[String]) -> String {
    let listed: Vec<String> = ids.iter().map(|id| format!("(task {id})")).collect();
    listed.join(" ")
}
