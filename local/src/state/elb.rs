//! ELBv2: one load balancer with one listener, its rules, the target groups and their targets.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Tag;
use crate::aws::Moment;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoadBalancing {
    pub name: String,
    pub arn: String,
    pub created_at: Moment,
    pub idle_timeout_seconds: u64,
    pub listener_arn: String,
    /// By priority; a request that no rule takes gets the default action.
    pub rules: Vec<Rule>,
    pub default_rule_arn: String,
    pub default_action: Action,
    pub target_groups: Vec<TargetGroup>,
    pub tags: Vec<Tag>,
}

impl LoadBalancing {
    pub(crate) fn target_group(&self, arn: &str) -> Option<&TargetGroup> {
        self.target_groups.iter().find(|group| group.arn == arn)
    }

    pub(crate) fn target_group_mut(&mut self, arn: &str) -> Option<&mut TargetGroup> {
        self.target_groups.iter_mut().find(|group| group.arn == arn)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub arn: String,
    pub priority: u32,
    /// With `*` and `?`, compared with the path as it came, case-sensitively.
    pub path_patterns: Vec<String>,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Forward {
        target_group: String,
    },
    FixedResponse {
        status: u16,
        content_type: String,
        body: String,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TargetGroup {
    pub name: String,
    pub arn: String,
    pub port: u16,
    pub health_check: HealthCheck,
    pub deregistration_delay: Duration,
    /// A new life registers its own.
    #[serde(skip)]
    pub targets: Vec<Target>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HealthCheck {
    pub path: String,
    pub interval: Duration,
    pub timeout: Duration,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
    /// Status codes: `200`, `200,204` or `200-299`.
    pub matcher: String,
}

impl HealthCheck {
    /// Whether `status` satisfies the matcher.
    pub(crate) fn matches(&self, status: u16) -> bool {
        self.matcher.split(',').any(|part| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            match (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
                (Ok(low), Ok(high)) => (low..=high).contains(&status),
                _ => false,
            }
        })
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub address: Ipv4Addr,
    pub port: u16,
    pub health: Health,
    /// Consecutive checks that passed, or failed: only one of the two is not zero.
    pub passed: u32,
    pub failed: u32,
    pub next_check_at: Moment,
    /// Whether a check is under way.
    pub checking: bool,
    /// Requests that the load balancer has sent and not yet finished.
    pub in_flight: Arc<AtomicUsize>,
    /// Requests ever sent, to break ties between equally busy targets.
    pub sent: u64,
}

/// A target's state; the reasons are those of DescribeTargetHealth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// Registered, not yet checked.
    Registering,
    /// Checked, and neither healthy nor unhealthy yet.
    Checking,
    Healthy,
    Unhealthy(Failure),
    /// Gets no new requests; gone at the given time.
    Draining {
        until: Moment,
    },
}

/// Why a health check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    Status(u16),
    Timeout,
    Connection,
}

impl Target {
    /// A target that is first checked at `first_check`.
    pub(crate) fn new(address: Ipv4Addr, port: u16, first_check: Moment) -> Self {
        Self {
            address,
            port,
            health: Health::Registering,
            passed: 0,
            failed: 0,
            next_check_at: first_check,
            checking: false,
            in_flight: Arc::default(),
            sent: 0,
        }
    }

    pub(crate) fn socket(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, self.port)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn is_draining(&self) -> bool {
        matches!(self.health, Health::Draining { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers() {
        let cases = [
            ("200", 200, true),
            ("200", 201, false),
            ("200,204", 204, true),
            ("200-299", 250, true),
            ("200-299", 300, false),
            ("", 200, false),
        ];
        for (matcher, status, expected) in cases {
            let check = HealthCheck {
                path: "/".to_owned(),
                interval: Duration::ZERO,
                timeout: Duration::ZERO,
                healthy_threshold: 2,
                unhealthy_threshold: 2,
                matcher: matcher.to_owned(),
            };
            assert_eq!(check.matches(status), expected, "{matcher} {status}");
        }
    }
}
