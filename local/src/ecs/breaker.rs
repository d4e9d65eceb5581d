//! The deployment circuit breaker.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>

use std::time::Duration;

use super::deployments;
use crate::aws::Moment;
use crate::state::ecs::{
    CircuitBreaker, DeploymentStatus, Ending, RolloutState, Service, ThresholdKind,
};

/// The bounds of a threshold that is a share of the desired count.
const LOWEST: u32 = 3;
const HIGHEST: u32 = 200;
/// After this many failures in a row ECS says so, and starts tasks more slowly.
const PATIENCE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How many failures in a row trip the breaker.
pub(crate) fn threshold(breaker: &CircuitBreaker, desired: u32) -> u32 {
    let share = |percent: u32| desired.saturating_mul(percent).div_ceil(100);
    match breaker.threshold_configuration {
        None => share(50).clamp(LOWEST, HIGHEST),
        Some(threshold) => match threshold.kind {
            ThresholdKind::Count => threshold.value.max(1),
            ThresholdKind::BoundedPercent => share(threshold.value).clamp(LOWEST, HIGHEST),
            ThresholdKind::UnboundedPercent => share(threshold.value).max(1),
        },
    }
}

/// A task of the deployment failed to start, or failed its health checks.
pub(super) fn setback(service: &mut Service, deployment: &str, now: Moment) {
    let breaker = service.configuration.deployment_circuit_breaker.clone();
    let threshold = threshold(&breaker, service.desired);
    let Some(deployment) = service.deployment_mut(deployment) else {
        return;
    };
    deployment.setbacks += 1;
    deployment.next_start_at = now.plus(pause(deployment.setbacks));
    deployment.updated_at = now;
    let complains = deployment.setbacks >= PATIENCE && !deployment.complained;
    deployment.complained |= complains;
    let counts = deployment.status == DeploymentStatus::Primary
        && deployment.rollout == RolloutState::InProgress;
    let mut trips = false;
    if counts {
        deployment.failed_tasks += 1;
        trips = breaker.enable && deployment.failed_tasks >= threshold;
    }
    if complains {
        service.event(
            now,
            "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
        );
    }
    if trips {
        deployments::fail(service, Ending::CircuitBreaker, breaker.rollback, now);
    }
}

/// A task of the deployment became healthy.
pub(super) fn relief(service: &mut Service, deployment: &str) {
    let resets = service
        .configuration
        .deployment_circuit_breaker
        .reset_on_healthy_task
        .unwrap_or(true);
    if let Some(deployment) = service.deployment_mut(deployment) {
        deployment.setbacks = 0;
        deployment.complained = false;
        if resets {
            deployment.failed_tasks = 0;
        }
    }
}

fn pause(setbacks: u32) -> Duration {
    match setbacks.checked_sub(PATIENCE + 1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ecs::deployment::Threshold;

    #[test]
    fn thresholds() {
        let with = |kind: Option<(ThresholdKind, u32)>| CircuitBreaker {
            enable: true,
            rollback: true,
            reset_on_healthy_task: None,
            threshold_configuration: kind.map(|(kind, value)| Threshold { kind, value }),
        };
        let cases = [
            (None, 1, 3),
            (None, 6, 3),
            (None, 7, 4),
            (None, 50, 25),
            (None, 1000, 200),
            (Some((ThresholdKind::Count, 5)), 100, 5),
            (Some((ThresholdKind::BoundedPercent, 10)), 2, 3),
            (Some((ThresholdKind::BoundedPercent, 10)), 100, 10),
            (Some((ThresholdKind::UnboundedPercent, 10)), 2, 1),
            (Some((ThresholdKind::UnboundedPercent, 50)), 1000, 500),
        ];
        for (kind, desired, expected) in cases {
            assert_eq!(
                threshold(&with(kind), desired),
                expected,
                "{kind:?} {desired}"
            );
        }
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        assert_eq!(pause(3), Duration::ZERO);
        assert_eq!(pause(4), FIRST_PAUSE);
        assert_eq!(pause(5), FIRST_PAUSE * 2);
        assert_eq!(pause(100), LONGEST_PAUSE);
    }
}
