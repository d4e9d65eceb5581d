//! Targets: when they are checked, what a check makes of them, when a draining one is gone.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Effect;
use crate::aws::Moment;
use crate::state::elb::{Failure, Health, HealthCheck, LoadBalancing, Target, TargetGroup};

/// A program that has just started is asked a moment later: the next chance is an interval away.
const FIRST_CHECK: Duration = Duration::from_millis(200);

/// Asks for the checks that are due and removes the targets whose deregistration is complete.
pub(super) fn advance(balancing: &mut LoadBalancing, now: Moment, effects: &mut Vec<Effect>) {
    for group in &mut balancing.target_groups {
        group.targets.retain(|target| match target.health {
            Health::Draining { until } => now < until,
            _ => true,
        });
        for target in &mut group.targets {
            if target.checking || target.is_draining() || now < target.next_check_at {
                continue;
            }
            target.checking = true;
            target.next_check_at = now.plus(group.health_check.interval);
            effects.push(Effect::Check {
                target_group: group.arn.clone(),
                target: target.socket(),
                path: group.health_check.path.clone(),
                timeout: group.health_check.timeout,
            });
        }
    }
}

/// Takes the result of one check.
pub(super) fn checked(target: &mut Target, rules: &HealthCheck, result: Result<u16, Failure>) {
    target.checking = false;
    if target.is_draining() {
        return;
    }
    let failure = match result {
        Ok(status) if rules.matches(status) => None,
        Ok(status) => Some(Failure::Status(status)),
        Err(failure) => Some(failure),
    };
    match failure {
        None => {
            target.failed = 0;
            target.passed += 1;
            // A new target needs one passed check, an unhealthy one as many as the threshold says.
            let enough = !matches!(target.health, Health::Unhealthy(_))
                || target.passed >= rules.healthy_threshold;
            if enough {
                target.health = Health::Healthy;
            }
        }
        Some(failure) => {
            target.passed = 0;
            target.failed += 1;
            if target.failed >= rules.unhealthy_threshold {
                target.health = Health::Unhealthy(failure);
            } else if target.health == Health::Registering {
                target.health = Health::Checking;
            }
        }
    }
}

/// Registers a target; one that is there already stays as it is.
pub(super) fn register(group: &mut TargetGroup, address: Ipv4Addr, port: u16, now: Moment) {
    let known = group
        .targets
        .iter()
        .any(|target| target.address == address && target.port == port && !target.is_draining());
    if !known {
        group
            .targets
            .push(Target::new(address, port, now.plus(FIRST_CHECK)));
    }
}

/// Starts the deregistration of a task's targets in the group; tells how many began.
pub(super) fn deregister(group: &mut TargetGroup, address: Ipv4Addr, now: Moment) -> usize {
    let until = now.plus(group.deregistration_delay);
    let mut begun = 0;
    for target in &mut group.targets {
        if target.address == address && !target.is_draining() {
            target.health = Health::Draining { until };
            begun += 1;
        }
    }
    begun
}

/// Whether no request can reach the task through the group any more. A deregistering target without
/// requests in flight is done at once; one with requests when they end, or after the delay.
pub(super) fn is_drained(group: &TargetGroup, address: Ipv4Addr) -> bool {
    group
        .targets
        .iter()
        .filter(|target| target.address == address)
        .all(|target| target.is_draining() && target.is_idle())
}
