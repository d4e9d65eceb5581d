//! What is read of a stack and told to it.

use serde_json::{Value, json};

use super::*;

fn stack(status: &str) -> Stack {
    let described = json!({
        "StackName": "acme-mcp", "StackStatus": status, "StackStatusReason": "since",
        "LastUpdatedTime": "2026-11-23T16:00:00.123Z",
        "Parameters": [
            {"ParameterKey": "VpcId", "ParameterValue": "vpc-1"},
            {"ParameterKey": "ImageUri", "ParameterValue": null},
            {"ParameterKey": "ReleaseCommit", "ParameterValue": "3f2a9c1"},
            {"ParameterKey": "Secret", "ParameterValue": "****"},
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    });
    Stack::read("acme-mcp", &described).unwrap()
}

#[test]
fn a_stack_is_read() {
    let stack = stack("UPDATE_COMPLETE");
    assert_eq!(stack.image().unwrap(), "");
    assert_eq!(stack.reason.as_deref(), Some("since"));
    assert_eq!(
        stack.last_updated.as_deref(),
        Some("2026-11-23T16:00:00.123Z")
    );
    assert_eq!(stack.capabilities, ["CAPABILITY_NAMED_IAM"]);
    assert!(Stack::read("acme-mcp", &json!(null)).is_none());
    let foreign = Stack::read("acme-mcp", &json!({"StackStatus": "CREATE_COMPLETE"})).unwrap();
    let error = foreign.image().unwrap_err().to_string();
    assert!(error.contains("no parameter ImageUri"), "{error}");
}

#[test]
fn states_that_take_no_update_say_what_to_do() {
    for (status, says) in [
        ("CREATE_COMPLETE", None),
        ("UPDATE_COMPLETE", None),
        ("UPDATE_ROLLBACK_COMPLETE", None),
        ("UPDATE_IN_PROGRESS", Some("wait until it ends")),
        (
            "ROLLBACK_COMPLETE",
            Some("delete-stack --stack-name acme-mcp"),
        ),
        ("UPDATE_ROLLBACK_FAILED", Some("continue-update-rollback")),
        ("UPDATE_FAILED", Some("rollback-stack --stack-name")),
        ("DELETE_FAILED", Some("describe-stack-events")),
        ("UPDATE_PONDERED", Some("describe-stack-events")),
    ] {
        let refused = stack(status).can_be_updated().err();
        let hint = refused.as_ref().and_then(StackError::hint);
        assert_eq!(hint.is_some(), says.is_some(), "{status}: {refused:?}");
        let hint = hint.unwrap_or_default();
        assert!(hint.contains(says.unwrap_or_default()), "{hint}");
        assert!(refused.is_none_or(|error| error.to_string().contains(status)));
    }
}

#[test]
fn failures_are_those_of_the_last_update_oldest_first() {
    const REPLACED: &str =
        "Requested update requires the creation of a new physical resource; hence creating one.";
    let event = |resource: &str, status: &str, reason: &str| {
        let id = match resource {
            "acme-mcp" => "arn:stack",
            "Revision" => "new",
            _ => "other",
        };
        let kind = match resource {
            "Revision" => "AWS::ECS::TaskDefinition",
            _ => "T",
        };
        json!({
            "StackId": "arn:stack", "LogicalResourceId": resource, "PhysicalResourceId": id,
            "ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": reason,
        })
    };
    let newest_first = [
        event(
            "acme-mcp",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "[Service] failed",
        ),
        event("Alarm", "UPDATE_FAILED", "Resource update cancelled"),
        event("Service", "UPDATE_FAILED", "circuit breaker"),
        event("Revision", "UPDATE_COMPLETE", ""),
        event("Revision", "UPDATE_IN_PROGRESS", REPLACED),
        event("acme-mcp", "UPDATE_IN_PROGRESS", "User Initiated"),
        event("Service", "UPDATE_FAILED", "of the update before"),
        event("Older", "UPDATE_COMPLETE", "of the update before"),
    ];
    let told = |failures: &[StackFailure]| -> Vec<String> {
        failures.iter().map(ToString::to_string).collect()
    };
    let expected = [
        "Service UPDATE_FAILED: circuit breaker",
        "Alarm UPDATE_FAILED: Resource update cancelled",
    ];
    for cut in 0..newest_first.len() {
        let mut last = LastUpdate::default();
        let began = last.read(&newest_first[..cut]);
        assert_eq!(began, cut > 5);
        let again = !began && last.read(&newest_first[cut..]);
        assert_eq!(again, !began);
        assert_eq!(told(&last.failures), expected, "{cut}");
        assert_eq!(last.revisions, ["new"]);
        assert!(last.is_release);
    }
    // Tags of the stack are written on the revision that is there.
    let of_tags: Vec<Value> = newest_first
        .iter()
        .filter(|event| event["ResourceStatusReason"] != REPLACED)
        .cloned()
        .collect();
    let mut last = LastUpdate::default();
    assert!(last.read(&of_tags));
    assert!(!last.is_release);
    // What failed on the way back is told apart from what it went back from.
    assert_eq!(last.failure_to_return, None);
    let mut stuck = vec![
        event("acme-mcp", "UPDATE_ROLLBACK_FAILED", "[Service] failed"),
        event("Other", "UPDATE_FAILED", "cancelled"),
        event("Service", "UPDATE_FAILED", "deleted by hand"),
    ];
    stuck.extend(newest_first);
    let mut stays = LastUpdate::default();
    assert!(stays.read(&stuck));
    let kept = stays.failure_to_return.as_ref().map(ToString::to_string);
    assert_eq!(
        kept.as_deref(),
        Some("Service UPDATE_FAILED: deleted by hand")
    );
    assert_eq!(stays.cause().as_deref(), Some(expected[0]));
    // Two revisions say it too.
    let another = json!({
        "ResourceType": "AWS::ECS::TaskDefinition", "PhysicalResourceId": "old",
        "ResourceStatus": "UPDATE_IN_PROGRESS",
    });
    assert!(!last.read(&[another]));
    assert!(last.is_release);
}

/// A release owns the count; what a foreign template means by the same name is not known.
#[test]
fn the_count_is_said_where_it_is_ours_to_say() {
    let told = |now: &str, desired: i32| {
        let described = json!({
            "StackStatus": "CREATE_COMPLETE",
            "Parameters": [{"ParameterKey": "TaskCount", "ParameterValue": now}],
        });
        let change = Change {
            image: "i@sha256:1",
            commit: None,
            released_by: None,
            count: TaskCount::after(desired),
        };
        let stack = Stack::read("acme-mcp", &described).unwrap();
        stack.changed(&change).remove(0)
    };
    for (now, desired, then) in [
        ("MinTasks", 0, "MinTasks"),
        ("Unchanged", 0, "MinTasks"),
        ("MinTasks", 5, "Unchanged"),
        ("Unchanged", 2, "Unchanged"),
    ] {
        assert_eq!(
            told(now, desired)["ParameterValue"],
            then,
            "{now} {desired}"
        );
    }
    assert_eq!(told("3", 0)["UsePreviousValue"], true);
}
