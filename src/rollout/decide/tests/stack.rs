//! What the stack adds: a table of its states beside what ECS shows, and the property that no
//! state but one is a success.

use proptest::prelude::*;

use super::*;
use crate::rollout::StackUpdate;
use crate::rollout::observation::Stack;
use crate::stack::{StackFailure, StackStatus};

fn through_stack() -> Plan {
    Plan {
        stack: Some(StackUpdate {
            name: "acme".into(),
            stale: None,
        }),
        bake: Duration::ZERO,
        ..plan()
    }
}

fn stack(status: &str) -> Stack {
    let failure = |resource: &str, reason: &str| StackFailure {
        resource: resource.into(),
        kind: "T".into(),
        status: "UPDATE_FAILED".into(),
        reason: reason.into(),
    };
    Stack {
        status: StackStatus::new(status),
        reason: None,
        failures: vec![failure("Service", "breaker"), failure("Alarm", "cancelled")],
        failure_to_return: None,
    }
}

fn decided(plan: &Plan, seen: Vec<Observation>) -> Decision {
    let mut history = History::default();
    for observation in seen {
        history.push(observation);
    }
    decide(plan, &history)
}

/// What ECS shows, by name.
fn ecs(shows: &str, at: u64) -> Observation {
    with(at, |seen| match shows {
        "live" => {}
        "starting" => deployments(seen, vec![deployment(OURS, "PRIMARY", "IN_PROGRESS")]),
        "given up" => deployments(seen, vec![deployment(OURS, "PRIMARY", "FAILED")]),
        "going back" => deployments(
            seen,
            vec![
                deployment(OLD, "PRIMARY", "IN_PROGRESS"),
                deployment(OURS, "ACTIVE", "FAILED"),
            ],
        ),
        "back" => {
            deployments(seen, vec![deployment(OLD, "PRIMARY", "COMPLETED")]);
            seen.service_deployment = Sight::Seen(record("ROLLBACK_SUCCESSFUL"));
        }
        "another's" => {
            deployments(seen, vec![deployment("ecs-svc/9", "PRIMARY", "COMPLETED")]);
            seen.service_deployment = Sight::Unavailable;
        }
        "crashing" => {
            deployments(seen, vec![deployment(OURS, "PRIMARY", "IN_PROGRESS")]);
            seen.tasks = Some(vec![failed_task("1"), failed_task("2")]);
            seen.service_deployment = Sight::Seen(record("IN_PROGRESS"));
        }
        "gone" => {
            let mut gone = service(Vec::new());
            gone.status = "INACTIVE".into();
            seen.service = Some(gone);
        }
        other => panic!("{other}"),
    })
}

const SHOWN: [&str; 8] = [
    "live",
    "starting",
    "given up",
    "going back",
    "back",
    "another's",
    "crashing",
    "gone",
];

#[test]
fn the_stack_has_the_last_word() {
    for (shows, status, expected) in [
        ("live", "UPDATE_COMPLETE", "succeeded"),
        (
            "live",
            "UPDATE_IN_PROGRESS",
            "stack acme to be UPDATE_COMPLETE",
        ),
        (
            "live",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "stack acme to be UPDATE_COMPLETE",
        ),
        (
            "live",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "stack acme to return",
        ),
        // The service's part of the look is older than the stack's.
        ("live", "UPDATE_ROLLBACK_COMPLETE", "what it ran before"),
        (
            "live",
            "CREATE_COMPLETE",
            "stack acme to be UPDATE_COMPLETE",
        ),
        (
            "live",
            "UPDATE_PONDERED",
            "stack acme to be UPDATE_COMPLETE",
        ),
        ("starting", "UPDATE_IN_PROGRESS", "ECS to complete"),
        ("starting", "UPDATE_COMPLETE", "ECS to complete"),
        // CloudFormation has not noticed yet.
        (
            "given up",
            "UPDATE_IN_PROGRESS",
            "ECS to complete the deployment",
        ),
        (
            "going back",
            "UPDATE_IN_PROGRESS",
            "to be healthy|took its place|stack acme",
        ),
        ("back", "UPDATE_IN_PROGRESS", "stack acme to be"),
        (
            "back",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "stack acme to return",
        ),
        (
            "back",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "stack acme to return",
        ),
        (
            "back",
            "UPDATE_ROLLBACK_COMPLETE",
            "rolled back to mcp:1: Service UPDATE_FAILED: breaker",
        ),
        (
            "going back",
            "UPDATE_ROLLBACK_COMPLETE",
            "what it ran before",
        ),
        ("back", "UPDATE_COMPLETE", "rolled back to mcp:1"),
        (
            "back",
            "UPDATE_ROLLBACK_FAILED",
            "failed: stack acme is UPDATE_ROLLBACK_FAILED: Service UPDATE_FAILED: breaker",
        ),
        (
            "live",
            "UPDATE_FAILED",
            "failed: stack acme is UPDATE_FAILED",
        ),
        ("another's", "UPDATE_IN_PROGRESS", "stack acme to be"),
        (
            "another's",
            "UPDATE_COMPLETE",
            "superseded by deployment ecs-svc/9",
        ),
        // CloudFormation's own return is a deployment that nobody explains.
        (
            "another's",
            "UPDATE_ROLLBACK_COMPLETE",
            "rolled back to mcp:1",
        ),
        ("crashing", "UPDATE_IN_PROGRESS", "failed: 2 tasks failed"),
        (
            "crashing",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "stack acme to return",
        ),
        (
            "gone",
            "UPDATE_IN_PROGRESS",
            "failed: the service is INACTIVE",
        ),
    ] {
        let mut seen = ecs(shows, 5);
        seen.stack = Some(stack(status));
        let said = match decided(&through_stack(), vec![seen]) {
            Decision::Done(verdict) => verdict.to_string(),
            Decision::Wait { waiting_for } => waiting_for,
        };
        let fits = expected.split('|').any(|expected| said.contains(expected));
        assert!(fits, "{shows}, {status}: {said}");
    }
}

#[test]
fn what_kept_a_stack_from_going_back_is_the_reason_that_counts() {
    let mut seen = ecs("back", 5);
    let mut failed = stack("UPDATE_ROLLBACK_FAILED");
    failed.failure_to_return = failed.failures.last().cloned();
    seen.stack = Some(failed);
    let Decision::Done(verdict) = decided(&through_stack(), vec![seen]) else {
        panic!("it is over");
    };
    assert_eq!(
        verdict.to_string(),
        "failed: stack acme is UPDATE_ROLLBACK_FAILED: Alarm UPDATE_FAILED: cancelled"
    );
}

#[test]
fn a_stack_that_was_not_seen_is_waited_for_but_never_with_failing_tasks() {
    for (shows, waits) in [("live", true), ("back", true), ("crashing", false)] {
        let decision = decided(&through_stack(), vec![ecs(shows, 5)]);
        let is_waiting = matches!(decision, Decision::Wait { .. });
        assert_eq!(is_waiting, waits, "{shows}: {decision:?}");
    }
}

#[test]
fn when_time_runs_out_what_ecs_shows_counts_but_is_no_success() {
    for (shows, status, verdict) in [
        ("live", "UPDATE_IN_PROGRESS", "unknown"),
        ("live", "UPDATE_ROLLBACK_IN_PROGRESS", "unknown"),
        ("back", "UPDATE_IN_PROGRESS", "rolled_back"),
        ("given up", "UPDATE_IN_PROGRESS", "failed"),
        ("another's", "UPDATE_IN_PROGRESS", "superseded"),
    ] {
        let plan = Plan {
            timeout: Duration::from_secs(5),
            ecs_rolls_back: false,
            ..through_stack()
        };
        let mut seen = ecs(shows, 5);
        seen.stack = Some(stack(status));
        match decided(&plan, vec![seen]) {
            Decision::Done(decided) => assert_eq!(decided.word(), verdict, "{shows}, {status}"),
            Decision::Wait { waiting_for } => panic!("{shows}, {status}: {waiting_for}"),
        }
    }
}

const STATUSES: [&str; 9] = [
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "CREATE_COMPLETE",
];

proptest! {
    /// Whatever was seen before and in whatever order: success is only where the last look saw
    /// the stack updated and ECS's side live, and a return only where the service is seen back.
    #[test]
    fn success_is_one_state_of_the_stack(
        seen in proptest::collection::vec((0..SHOWN.len(), proptest::option::of(0..STATUSES.len())), 1..8),
        bake in 0_u64..20,
        timeout in prop_oneof![Just(600_u64), 1_u64..40],
        fail_fast: bool,
    ) {
        let plan = Plan {
            bake: Duration::from_secs(bake),
            timeout: Duration::from_secs(timeout),
            fail_fast,
            ..through_stack()
        };
        let looks = seen.iter().enumerate().map(|(index, (shows, status))| {
            let mut look = ecs(SHOWN[*shows], 5 * index as u64);
            look.stack = status.map(|status| stack(STATUSES[status]));
            look
        });
        let decision = decided(&plan, looks.collect());
        let (shows, status) = *seen.last().unwrap();
        let (shows, status) = (SHOWN[shows], status.map(|status| STATUSES[status]));
        match &decision {
            Decision::Done(Verdict::Succeeded) => {
                prop_assert_eq!((shows, status), ("live", Some("UPDATE_COMPLETE")));
            }
            Decision::Done(Verdict::RolledBack { to, .. }) => {
                prop_assert_eq!(to, PREVIOUS);
                prop_assert!(shows != "live" && shows != "starting", "{}", shows);
            }
            _ => {}
        }
        if status == Some("UPDATE_ROLLBACK_FAILED") {
            let failed = matches!(&decision, Decision::Done(Verdict::Failed { evidence }) if !evidence.can_be_undone());
            prop_assert!(failed, "{:?}", decision);
        }
    }
}
