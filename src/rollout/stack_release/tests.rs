//! Which revision a stack's last update released, and what it went back from.

use serde_json::json;

use super::*;
use crate::rollout::observation::{RolloutState, Service};

fn release(status: &str, touched: &[&str]) -> StackRelease {
    let described = json!({"StackStatus": status});
    StackRelease {
        stack: Stack::read("acme", &described).unwrap(),
        last: LastUpdate {
            failures: Vec::new(),
            failure_to_return: None,
            revisions: touched.iter().map(|arn| (*arn).to_owned()).collect(),
            is_release: true,
        },
    }
}

/// A service that names the first of these deployments' revisions.
fn before(deployments: &[(&str, &str)]) -> Snapshot {
    let deployment = |(position, (revision, rollout)): (usize, &(&str, &str))| Deployment {
        id: format!("ecs-svc/{revision}"),
        status: if position == 0 { "PRIMARY" } else { "ACTIVE" }.into(),
        task_definition: (*revision).to_owned(),
        desired: 2,
        pending: 0,
        running: 2,
        failed: 0,
        rollout: RolloutState::read(rollout),
        reason: String::new(),
        created_at: None,
    };
    Snapshot {
        service: Service {
            name: "mcp".into(),
            status: "ACTIVE".into(),
            desired: 2,
            deployments: deployments.iter().enumerate().map(deployment).collect(),
            events: Vec::new(),
        },
        task_definition: deployments[0].0.to_owned(),
        target_groups: Vec::new(),
        rolls_back: true,
    }
}

#[test]
fn what_is_released_is_never_what_ran_before() {
    for (status, deployments, expected) in [
        (
            "UPDATE_IN_PROGRESS",
            &[("mcp:2", "IN_PROGRESS"), ("mcp:1", "COMPLETED")][..],
            Some("mcp:2"),
        ),
        // Moved back, and not complete yet: PRIMARY is the return.
        (
            "UPDATE_ROLLBACK_IN_PROGRESS",
            &[
                ("mcp:1", "IN_PROGRESS"),
                ("mcp:2", "FAILED"),
                ("mcp:1", "COMPLETED"),
            ],
            Some("mcp:2"),
        ),
        (
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            &[("mcp:1", "COMPLETED")],
            Some("mcp:2"),
        ),
        (
            "UPDATE_ROLLBACK_COMPLETE",
            &[("mcp:1", "COMPLETED")],
            Some("mcp:2"),
        ),
        (
            "UPDATE_ROLLBACK_COMPLETE",
            &[("mcp:1", "FAILED")],
            Some("mcp:2"),
        ),
    ] {
        let before = before(deployments);
        // CloudFormation names them in any order.
        for touched in [["mcp:2", "mcp:1"], ["mcp:1", "mcp:2"]] {
            assert_eq!(release(status, &touched).revision(), expected, "{status}");
        }
        let found = release(status, &["mcp:2", "mcp:1"]);
        let shown = deployments.iter().any(|(revision, _)| *revision == "mcp:2");
        assert_eq!(found.deployment(&before).is_some(), shown, "{status}");
    }
    // None was registered.
    let found = release("UPDATE_ROLLBACK_COMPLETE", &["mcp:1"]);
    assert_eq!(found.revision(), None);
}
