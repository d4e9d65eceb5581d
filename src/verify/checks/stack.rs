//! The stack that releases go through: whether it would take one.

use crate::rollout::Held;
use crate::stack::{IMAGE, StackError};
use crate::verify::{Check, Facts, Missing};

const NAME: &str = "stack";

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    facts.stack.iter().map(stack).collect()
}

/// What a release would refuse is a failure here, with what to do.
fn stack(found: &Result<Held, StackError>) -> Check {
    match found.clone().and_then(|held| takes_a_release(&held)) {
        Ok(detail) => Check::ok(NAME, detail),
        Err(StackError::Aws(error)) => Check::unknown(NAME, &Missing::Aws(error)),
        Err(error @ StackError::InProgress { .. }) => Check::warning(
            NAME,
            error.to_string(),
            "wait until it ends: CloudFormation takes one update at a time",
        ),
        Err(error) => {
            let remedy = error.remedy().unwrap_or_default();
            Check::failed(NAME, error.to_string(), remedy)
        }
    }
}

fn takes_a_release(held: &Held) -> Result<String, StackError> {
    let image = match held.stack.image()? {
        "" => "empty until the first release",
        image => image,
    };
    held.stack.can_be_updated()?;
    Ok(format!(
        "{} is {} and holds the service; its {IMAGE} is {image}",
        held.stack.name, held.stack.status
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::AwsError;
    use crate::stack::Stack;
    use crate::verify::CheckOutcome;
    use crate::verify::checks::example::{expect, facts};

    fn held(status: &str, parameters: &Value) -> Result<Held, StackError> {
        let described = json!({"StackStatus": status, "Parameters": parameters});
        Ok(Held {
            stack: Stack::read("acme", &described).unwrap(),
            revision: "arn:aws:ecs:us-east-1:123456789012:task-definition/mcp:7".into(),
        })
    }

    #[test]
    fn a_stack_that_takes_no_release_is_named_with_what_to_do() {
        let ours = json!([{"ParameterKey": "ImageUri", "ParameterValue": ""}]);
        let absent = StackError::NotFound {
            stack: "acme".into(),
            region: "us-east-1".into(),
        };
        let denied = AwsError::incomplete("cloudformation:DescribeStacks", "acme", "is cut off");
        for (found, outcome, says) in [
            (held("CREATE_COMPLETE", &ours), CheckOutcome::Ok, "empty"),
            (
                held("UPDATE_ROLLBACK_COMPLETE", &ours),
                CheckOutcome::Ok,
                "holds the service",
            ),
            (
                held("UPDATE_IN_PROGRESS", &ours),
                CheckOutcome::Warning,
                "under way",
            ),
            (
                held("UPDATE_ROLLBACK_FAILED", &ours),
                CheckOutcome::Failed,
                "takes no update",
            ),
            (
                held("UPDATE_COMPLETE", &json!([])),
                CheckOutcome::Failed,
                "no parameter ImageUri",
            ),
            (Err(absent), CheckOutcome::Failed, "there is no stack acme"),
            (Err(denied.into()), CheckOutcome::Unknown, "DescribeStacks"),
        ] {
            let spoil = |facts: &mut Facts| facts.stack = Some(found.clone());
            let check = expect(checks, spoil, "stack", outcome);
            assert!(check.detail.contains(says), "{check:?}");
            let remedy = check.remedy.unwrap_or_default();
            assert!(!remedy.contains("nothing was changed"), "{remedy}");
        }
    }

    #[test]
    fn releases_through_ecs_have_no_stack_to_look_at() {
        assert!(checks(&facts()).is_empty());
    }
}
