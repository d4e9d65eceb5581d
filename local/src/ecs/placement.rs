//! New tasks: what they are made of, and the address that each has to itself.

use std::net::Ipv4Addr;
use std::time::Duration;

use rand::Rng;
use serde_json::Value;

use super::container_health;
use crate::aws::{Moment, names};
use crate::state::State;
use crate::state::ecs::{Container, Deployment, Interface, Task, TaskStatus};

/// What Fargate gives a container that does not say: `stopTimeout`'s default, and its most.
const STOP_TIMEOUT_SECONDS: u64 = 30;
const LONGEST_STOP_TIMEOUT_SECONDS: u64 = 120;
/// A task of the deployment, about to start.
pub(super) fn new_task(
    state: &State,
    index: usize,
    deployment: &Deployment,
    now: Moment,
) -> Option<Task> {
    let service = &state.services[index];
    let definition = state.task_definition(&deployment.task_definition)?;
    let container = definition.main_container()?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let timeout = container
        .get("stopTimeout")
        .and_then(Value::as_u64)
        .unwrap_or(STOP_TIMEOUT_SECONDS)
        .min(LONGEST_STOP_TIMEOUT_SECONDS);
    Some(Task {
        id: names::hex32(),
        service: service.name.clone(),
        started_by: deployment.id.clone(),
        task_definition: deployment.task_definition.clone(),
        status: TaskStatus::Provisioning,
        since: now,
        stop: None,
        was_healthy: false,
        stop_timeout: Duration::from_secs(timeout),
        address: free_address(state),
        interface: Interface {
            attachment: uuid::Uuid::new_v4().to_string(),
            id: names::ec2("eni"),
            mac: mac(),
        },
        container: Container {
            id: uuid::Uuid::new_v4().to_string(),
            name: text(container.get("name")),
            image: text(container.get("image")),
            image_digest: None,
            runtime_id: None,
            exit_code: None,
            reason: None,
            running: false,
        },
        health: container_health::of(container),
        cpu: text(definition.document.get("cpu")),
        memory: text(definition.document.get("memory")),
        created_at: now,
        pull_started_at: None,
        pull_stopped_at: None,
        started_at: None,
        stopping_at: None,
        execution_stopped_at: None,
        stopped_at: None,
        version: 1,
        process: None,
        tags: service.tags.clone(),
    })
}

/// A loopback address that no live task and no target has. Four million of them make it unlikely
/// that another environment on this machine has it.
fn free_address(state: &State) -> Ipv4Addr {
    let mut random = rand::rng();
    loop {
        let address = Ipv4Addr::new(
            127,
            random.random_range(64..=127),
            random.random_range(0..=255),
            random.random_range(1..=254),
        );
        let taken = state
            .tasks
            .iter()
            .any(|task| task.address == address && task.status != TaskStatus::Stopped)
            || state
                .load_balancing
                .target_groups
                .iter()
                .flat_map(|group| &group.targets)
                .any(|target| target.address == address);
        if !taken {
            return address;
        }
    }
}

fn mac() -> String {
    let bytes: [u8; 5] = rand::rng().random();
    let rest: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0e:{}", rest.join(":"))
}
