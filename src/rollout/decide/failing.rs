//! Fail fast: evidence that a deployment cannot succeed, before ECS gives it up.

use super::{Evidence, Plan, Verdict, liveness, own_tasks};
use crate::rollout::observation::{History, Observation, TargetState, Task};

/// How many failures of our deployment are evidence that it cannot succeed, as long as none
/// of its tasks was ever healthy. One may be bad luck of a host.
const DECISIVE_FAILURES: usize = 2;

/// The verdict, where the deployment's tasks cannot start or stay, and none ever was healthy.
pub(super) fn cannot_succeed(plan: &Plan, history: &History) -> Option<Verdict> {
    let ours = history.service_deployments().next_back();
    // ECS goes back already: there is nothing to be quicker than.
    let returning = ours.is_some_and(|ours| ours.status.is_returning());
    if !plan.fail_fast || returning || ever_healthy(plan, history) {
        return None;
    }
    let stopped = history.stopped_tasks(&plan.deployment);
    let failed: Vec<&Task> = stopped.into_iter().filter(|task| task.failed()).collect();
    let last = failed.last()?;
    // ECS stops one task for its health checks: another that fails them now is the second.
    let failing_checks = if failed.iter().any(|task| task.failed_health_checks()) {
        history.last().map_or(0, |seen| failing_checks(plan, seen))
    } else {
        0
    };
    let count = failed.len() + failing_checks;
    (count >= DECISIVE_FAILURES).then(|| Verdict::Failed {
        evidence: Evidence::TasksFail {
            count,
            reason: last.why_stopped(),
            breaker: ours.and_then(|ours| ours.breaker),
        },
    })
}

fn ever_healthy(plan: &Plan, history: &History) -> bool {
    history.observations().iter().any(|seen| {
        own_tasks(plan, seen)
            .into_iter()
            .flatten()
            .any(|task| task.is_running() && liveness::target_lacks(seen, task).is_none())
    })
}

/// Own tasks that run but whose target the load balancer calls unhealthy.
fn failing_checks(plan: &Plan, seen: &Observation) -> usize {
    let unhealthy = |task: &&Task| {
        seen.target_groups.iter().flatten().any(|group| {
            group
                .target_of(task)
                .is_some_and(|target| target.state == TargetState::Unhealthy)
        })
    };
    own_tasks(plan, seen)
        .into_iter()
        .flatten()
        .filter(|task| task.is_running())
        .filter(unhealthy)
        .count()
}
