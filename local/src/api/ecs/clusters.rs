use serde_json::{Value, json};

use super::{is_cluster, show_tags};
use crate::api::error::Answer;
use crate::api::input::Input;
use crate::aws::names;
use crate::state::State;
use crate::state::ecs::TaskStatus;

pub(super) fn list(_: &State, _: &Input) -> Answer {
    Ok(json!({ "clusterArns": [names::cluster()] }))
}

pub(super) fn describe(state: &State, input: &Input) -> Answer {
    let mut wanted = input.texts("clusters");
    if wanted.is_empty() {
        wanted.push("default");
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for cluster in wanted {
        if is_cluster(cluster) {
            clusters.push(show(state, input));
        } else {
            let name = names::last_part(cluster);
            failures.push(json!({
                "arn": names::arn("ecs", &format!("cluster/{name}")), "reason": "MISSING",
            }));
        }
    }
    Ok(json!({ "clusters": clusters, "failures": failures }))
}

fn show(state: &State, input: &Input) -> Value {
    let count = |from: TaskStatus, to: TaskStatus| {
        state
            .tasks
            .iter()
            .filter(|task| (from..=to).contains(&task.status))
            .count()
    };
    let active = state.services.iter().filter(|service| service.active);
    json!({
        "clusterArn": names::cluster(),
        "clusterName": names::CLUSTER,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": count(TaskStatus::Running, TaskStatus::Running),
        "pendingTasksCount": count(TaskStatus::Provisioning, TaskStatus::Activating),
        "activeServicesCount": active.count(),
        "statistics": [],
        "tags": if input.includes("include", "TAGS") {
            show_tags(&state.cluster_tags)
        } else {
            json!([])
        },
        "settings": [],
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [],
    })
}
