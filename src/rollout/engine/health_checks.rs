//! How the load balancer checks a service's targets, for a diagnosis.

use super::Engine;
use crate::rollout::diagnosis::HealthCheck;
use crate::rollout::preflight::Snapshot;

impl Engine<'_> {
    /// The health checks of the service's target groups; those that cannot be read are left out.
    pub(super) async fn health_checks(&self, before: &Snapshot) -> Vec<HealthCheck> {
        let arns: Vec<String> = before
            .target_groups
            .iter()
            .map(|group| group.arn.clone())
            .collect();
        if arns.is_empty() {
            return Vec::new();
        }
        let answer = self
            .clients
            .elb
            .describe_target_groups()
            .set_target_group_arns(Some(arns))
            .send()
            .await;
        let Ok(answer) = answer else {
            return Vec::new();
        };
        answer
            .target_groups()
            .iter()
            .map(|group| HealthCheck {
                path: group.health_check_path().unwrap_or_default().to_owned(),
                port: group.health_check_port().unwrap_or_default().to_owned(),
                expects: group
                    .matcher()
                    .and_then(|matcher| matcher.http_code())
                    .unwrap_or_default()
                    .to_owned(),
            })
            .collect()
    }
}
