//! What the caller may do: IAM's own word where it may be asked, else what the calls were answered.

use crate::permissions::{Needs, needs_through};
use crate::verify::{Check, CheckOutcome, Decision, Facts, Missing};

/// Without these a release goes on, but with less evidence or explanation.
const DISPENSABLE: [&str; 9] = [
    "cloudformation:CancelUpdateStack",
    "cloudformation:DescribeStackEvents",
    "ecr:DescribeImageScanFindings",
    "ecs:StopServiceDeployment",
    "ecs:ListServiceDeployments",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "elasticloadbalancing:DescribeTargetGroups",
    "logs:GetLogEvents",
];
/// The commands that a release is made of.
const RELEASE: [&str; 3] = ["publish", "rollout", "rollout through CloudFormation"];

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    match &facts.decisions {
        Ok(decisions) => needs_through(&facts.environment.deploy_through)
            .map(|needs| simulated(needs, decisions))
            .collect(),
        Err(missing) => vec![probed(facts, missing)],
    }
}

/// IAM was asked.
fn simulated(needs: &Needs, decisions: &[Decision]) -> Check {
    let name = format!("permissions for {}", needs.command);
    let (mut denied, mut unclear) = (Vec::new(), Vec::new());
    for permission in &needs.permissions {
        let asked: Vec<&Decision> = decisions
            .iter()
            .filter(|decision| decision.action == permission.action && decision.on == permission.on)
            .collect();
        match asked
            .iter()
            .find(|decision| decision.allowed == Some(false))
        {
            Some(decision) => denied.push((permission.action, decision.resource.as_str())),
            None if asked.is_empty() || asked.iter().any(|decision| decision.allowed.is_none()) => {
                unclear.push(permission.action);
            }
            None => {}
        }
    }
    if !denied.is_empty() {
        let serious = RELEASE.contains(&needs.command)
            && denied
                .iter()
                .any(|(action, _)| !DISPENSABLE.contains(action));
        let lacking: Vec<String> = denied
            .iter()
            .map(|(action, resource)| format!("{action} on {resource}"))
            .collect();
        let detail = format!("not allowed: {}", lacking.join("; "));
        let actions: Vec<&str> = denied.iter().map(|(action, _)| *action).collect();
        let remedy = format!("allow the caller {}", actions.join(", "));
        return if serious {
            Check::failed(name, detail, remedy)
        } else {
            Check::warning(name, detail, remedy)
        };
    }
    if !unclear.is_empty() {
        return Check::unknown(
            name,
            &Missing::Other(format!(
                "IAM's simulation cannot tell for {}: it depends on conditions, or on something that is not known",
                unclear.join(", ")
            )),
        );
    }
    Check::ok(
        name,
        match needs.permissions.as_slice() {
            [one] => format!("{} is allowed", one.action),
            all => format!("all {} actions are allowed", all.len()),
        },
    )
}

/// IAM could not be asked: the calls that were made tell something, but never that all is right.
fn probed(facts: &Facts, missing: &Missing) -> Check {
    let name = "permissions";
    let denied: Vec<&str> = facts
        .denied()
        .into_iter()
        .filter(|denied| {
            needs_through(&facts.environment.deploy_through).any(|needs| {
                needs
                    .permissions
                    .iter()
                    .any(|needed| needed.action == *denied)
            })
        })
        .collect();
    if denied.is_empty() {
        let check = Check::unknown(name, missing);
        return Check {
            outcome: CheckOutcome::Unknown,
            detail: format!(
                "{}; none of the read calls made here was denied",
                check.detail
            ),
            ..check
        };
    }
    Check::failed(
        name,
        format!("AWS denied {}", denied.join(", ")),
        format!("allow the caller {}", denied.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{AwsError, AwsErrorKind};
    use crate::config::DeployThrough;
    use crate::verify::checks::example::{expect, facts};

    fn decide(action: &'static str, allowed: Option<bool>) -> impl Fn(&mut Facts) {
        move |facts| {
            for decision in facts.decisions.as_mut().unwrap() {
                if decision.action == action {
                    decision.allowed = allowed;
                }
            }
        }
    }

    #[test]
    fn the_missing_action_is_named() {
        for (action, command, outcome) in [
            ("ecr:PutImage", "publish", CheckOutcome::Failed),
            ("ecs:UpdateService", "rollout", CheckOutcome::Failed),
            ("iam:PassRole", "rollout", CheckOutcome::Failed),
            ("logs:GetLogEvents", "rollout", CheckOutcome::Warning),
            ("ecr:BatchDeleteImage", "prune", CheckOutcome::Warning),
        ] {
            let name = format!("permissions for {command}");
            let check = expect(checks, decide(action, Some(false)), &name, outcome);
            assert!(check.detail.contains(action), "{check:?}");
            assert!(check.remedy.unwrap().contains(action));
            let check = expect(checks, decide(action, None), &name, CheckOutcome::Unknown);
            assert!(check.detail.contains(action), "{check:?}");
            expect(checks, |_| {}, &name, CheckOutcome::Ok);
        }
    }

    #[test]
    fn what_was_not_asked_is_no_pass() {
        let nothing = |facts: &mut Facts| facts.decisions = Ok(Vec::new());
        for needs in needs_through(&DeployThrough::Ecs) {
            let name = format!("permissions for {}", needs.command);
            expect(checks, nothing, &name, CheckOutcome::Unknown);
        }
    }

    #[test]
    fn without_the_simulation_the_calls_answers_count() {
        let away = |facts: &mut Facts| facts.decisions = Err(Missing::Other("denied".into()));
        expect(checks, away, "permissions", CheckOutcome::Unknown);
        let mut facts = facts();
        away(&mut facts);
        facts.service = Err(Missing::Aws(AwsError {
            action: "ecs:DescribeServices",
            resource: "it".into(),
            kind: AwsErrorKind::AccessDenied,
            code: None,
            message: "no".into(),
            request_id: None,
        }));
        let check = &checks(&facts)[0];
        assert_eq!(check.outcome, CheckOutcome::Failed);
        assert!(check.detail.contains("ecs:DescribeServices"), "{check:?}");
    }
}
