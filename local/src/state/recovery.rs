//! What a new life makes of the state that the former one left.

use super::ecs::{Process, Stop, StopCode, TaskStatus};
use super::{Addresses, State};
use crate::aws::Moment;

impl State {
    /// Records the tasks of the former life as stopped and forgets their targets; the scheduler then
    /// starts tasks up to the desired counts. Returns the processes that the former life recorded:
    /// they should be gone.
    pub(crate) fn recover(&mut self, addresses: Addresses, now: Moment) -> Vec<Process> {
        self.move_to(addresses);
        for group in &mut self.load_balancing.target_groups {
            group.targets.clear();
        }
        for service in &mut self.services {
            for deployment in &mut service.deployments {
                deployment.setbacks = 0;
                deployment.next_start_at = now;
            }
        }
        let mut processes = Vec::new();
        for task in &mut self.tasks {
            processes.extend(task.process.take());
            if task.status == TaskStatus::Stopped {
                continue;
            }
            task.stop.get_or_insert_with(|| Stop {
                code: StopCode::TerminationNotice,
                reason: "The local environment ended without stopping its tasks".to_owned(),
            });
            task.container.running = false;
            task.stopping_at.get_or_insert(now);
            task.execution_stopped_at.get_or_insert(now);
            task.stopped_at = Some(now);
            task.enter(TaskStatus::Stopped, now);
        }
        processes
    }

    fn move_to(&mut self, mut addresses: Addresses) {
        let mut former = std::mem::take(&mut self.addresses.former_registries);
        former.push(self.addresses.registry);
        former.retain(|port| *port != addresses.registry && *port != 0);
        former.sort_unstable();
        former.dedup();
        addresses.former_registries = former;
        self.addresses = addresses;
    }
}
