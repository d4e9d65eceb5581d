//! The roles of the task definition, and whom they trust.

use serde_json::Value;

use crate::verify::{Check, Facts, Role, Task};

const TRUSTED: &str = "ecs-tasks.amazonaws.com";

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    let roles = match (&facts.task, &facts.roles) {
        (Err(missing), _) | (_, Err(missing)) => return vec![Check::unknown("roles", missing)],
        (Ok(task), Ok(roles)) => (task, roles),
    };
    let (task, roles) = roles;
    let mut checks: Vec<Check> = roles.iter().map(role).collect();
    if task.execution_role.is_none() {
        checks.push(no_execution_role(task));
    }
    if task.task_role.is_none() {
        checks.push(Check::ok(
            "task role",
            "none: the server uses its callers' credentials only",
        ));
    }
    checks
}

fn role(role: &Role) -> Check {
    let name = format!("{} role", role.purpose);
    match &role.trust {
        Err(missing) => Check::unknown(name, missing),
        Ok(None) => Check::failed(
            name,
            format!("there is no role {}", role.arn),
            "create it, or correct the task definition: no task can start without it",
        ),
        Ok(Some(trust)) if trusts_tasks(trust) => {
            Check::ok(name, format!("{}, trusts {TRUSTED}", role.arn))
        }
        Ok(Some(_)) => Check::failed(
            name,
            format!("{} does not trust {TRUSTED}", role.arn),
            format!("allow sts:AssumeRole to the service {TRUSTED} in its trust policy"),
        ),
    }
}

fn no_execution_role(task: &Task) -> Check {
    let needed = task.containers.iter().any(|container| {
        container.log_driver.as_deref() == Some("awslogs")
            || !container.secrets.is_empty()
            || container.image.contains(".dkr.ecr.")
    });
    if needed {
        Check::failed(
            "execution role",
            "the task definition names none",
            "set executionRoleArn: on Fargate, pulling from ECR, awslogs and secrets need it",
        )
    } else {
        Check::skipped("execution role", "nothing in the task definition needs one")
    }
}

/// Whether ECS tasks may take the role; conditions are the owner's own affair.
fn trusts_tasks(policy: &Value) -> bool {
    each(&policy["Statement"]).any(|statement| {
        statement["Effect"] == "Allow"
            && each(&statement["Action"]).any(|action| {
                ["sts:AssumeRole", "sts:*", "*"]
                    .iter()
                    .any(|allowed| action == *allowed)
            })
            && each(&statement["Principal"]["Service"]).any(|service| service == TRUSTED)
    })
}

/// The items of a list, or the one that stands for itself, as policies have it.
fn each(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        other => Box::new(std::iter::once(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::checks::example::expect;
    use crate::verify::{CheckOutcome, Missing};
    use serde_json::json;

    #[test]
    fn trust_policies() {
        let allow = |principal: Value, action: Value| json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": action}]});
        for (policy, trusts) in [
            (
                allow(json!({"Service": TRUSTED}), json!("sts:AssumeRole")),
                true,
            ),
            (
                allow(
                    json!({"Service": ["ec2.amazonaws.com", TRUSTED]}),
                    json!(["sts:AssumeRole"]),
                ),
                true,
            ),
            (
                json!({"Statement": {"Effect": "Allow", "Principal": {"Service": TRUSTED}, "Action": "sts:AssumeRole"}}),
                true,
            ),
            (
                allow(
                    json!({"Service": "ec2.amazonaws.com"}),
                    json!("sts:AssumeRole"),
                ),
                false,
            ),
            (
                allow(json!({"Service": TRUSTED}), json!("sts:TagSession")),
                false,
            ),
            (
                json!({"Statement": [{"Effect": "Deny", "Principal": {"Service": TRUSTED}, "Action": "sts:AssumeRole"}]}),
                false,
            ),
            (json!({}), false),
        ] {
            assert_eq!(trusts_tasks(&policy), trusts, "{policy}");
        }
    }

    #[test]
    fn roles_are_there_or_not() {
        for (trust, outcome) in [
            (Ok(None), CheckOutcome::Failed),
            (Ok(Some(json!({}))), CheckOutcome::Failed),
            (Err(Missing::Other("no".into())), CheckOutcome::Unknown),
        ] {
            let change = |facts: &mut Facts| facts.roles.as_mut().unwrap()[0].trust = trust.clone();
            expect(checks, change, "execution role", outcome);
        }
        expect(checks, |_| {}, "execution role", CheckOutcome::Ok);
        expect(checks, |_| {}, "task role", CheckOutcome::Ok);
        let none = |facts: &mut Facts| {
            facts.roles = Ok(Vec::new());
            facts.task.as_mut().unwrap().execution_role = None;
        };
        expect(checks, none, "execution role", CheckOutcome::Failed);
    }
}
