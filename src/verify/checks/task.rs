//! The task definition, its log group and its secrets.

use crate::verify::{Check, Container, Facts, Task, Verdict};

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    let name = "task definition";
    let task = match &facts.task {
        Err(missing) => return vec![Check::unknown(name, missing)],
        Ok(task) => task,
    };
    let Some(container) = facts.container() else {
        let names: Vec<&str> = task
            .containers
            .iter()
            .map(|container| container.name.as_str())
            .collect();
        return vec![Check::failed(
            name,
            format!(
                "{} has no container {}; it has {}",
                task.arn,
                facts.environment.container,
                names.join(", ")
            ),
            "set container in quilt-mcp.toml to the container that runs the server",
        )];
    };
    let mut checks = vec![
        architecture(task),
        ports(facts, container),
        log_group(facts, container),
    ];
    checks.extend(secrets(facts));
    checks
}

fn architecture(task: &Task) -> Check {
    match task.architecture.as_deref() {
        None | Some("X86_64") => Check::ok("task definition", format!("{}, X86_64", task.arn)),
        Some(other) => Check::failed(
            "task definition",
            format!("{} asks for {other}", task.arn),
            "set runtimePlatform.cpuArchitecture to X86_64: our images are linux/amd64",
        ),
    }
}

fn ports(facts: &Facts, container: &Container) -> Check {
    let name = "container port";
    let targets = match &facts.service {
        Ok(Some(service)) => &service.targets,
        Ok(None) => return Check::skipped(name, "there is no service"),
        Err(missing) => return Check::unknown(name, missing),
    };
    let wrong = targets.iter().find(|target| {
        target.container != container.name || !container.ports.contains(&target.port)
    });
    match (targets.is_empty(), wrong) {
        (true, _) => Check::failed(
            name,
            "the service has no target group: nothing is sent to its tasks",
            "put the service behind a target group of the load balancer",
        ),
        (_, Some(target)) => Check::failed(
            name,
            format!(
                "the target group gets {} port {}, but {} listens on {}",
                target.container,
                target.port,
                container.name,
                shown(&container.ports)
            ),
            "make loadBalancers.containerPort of the service one of the container's portMappings",
        ),
        (_, None) => Check::ok(
            name,
            format!("{} listens on {}", container.name, shown(&container.ports)),
        ),
    }
}

fn shown(ports: &[i32]) -> String {
    match ports {
        [] => "no port".to_owned(),
        ports => ports
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn log_group(facts: &Facts, container: &Container) -> Check {
    let name = "log group";
    if container.log_driver.as_deref() != Some("awslogs") {
        return Check::warning(
            name,
            match &container.log_driver {
                None => "the container logs nowhere".to_owned(),
                Some(driver) => format!("the container logs with {driver}, where we cannot look"),
            },
            "use awslogs: the reasons for a failed release are in the container's last lines",
        );
    }
    match &facts.log_group {
        Err(missing) => Check::unknown(name, missing),
        Ok(group) if group.exists => match group.retention_days {
            Some(days) => Check::ok(
                name,
                format!("{}, lines are kept for {days} days", group.name),
            ),
            None => Check::warning(
                name,
                format!("{} keeps its lines for ever", group.name),
                "set a retention, for example 90 days",
            ),
        },
        Ok(group) if container.creates_log_group => Check::warning(
            name,
            format!("{} is not there; the first task makes it", group.name),
            "make it with Terraform or CloudFormation: the execution role needs logs:CreateLogGroup otherwise",
        ),
        Ok(group) => Check::failed(
            name,
            format!("{} is not there", group.name),
            "create it: tasks end with ResourceInitializationError without it",
        ),
    }
}

fn secrets(facts: &Facts) -> Vec<Check> {
    let name = "secrets";
    let secrets = match &facts.secrets {
        Err(missing) => return vec![Check::unknown(name, missing)],
        Ok(secrets) if secrets.is_empty() => {
            return vec![Check::ok(name, "the task definition refers to none")];
        }
        Ok(secrets) => secrets,
    };
    secrets
        .iter()
        .map(|secret| {
            let name = format!("secret {}", secret.variable);
            let reference = &secret.reference;
            match &secret.state {
                Err(missing) => Check::unknown(name, missing),
                Ok(Verdict::Usable) => Check::ok(name, reference),
                Ok(Verdict::Absent) => Check::failed(
                    name,
                    format!("{reference} does not exist"),
                    "create it or correct valueFrom: tasks end with ResourceInitializationError without it",
                ),
                Ok(Verdict::Unusable(why)) => Check::failed(
                    name,
                    format!("{reference} {why}"),
                    "restore it or correct valueFrom: tasks end with ResourceInitializationError without it",
                ),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::checks::example::expect;
    use crate::verify::{CheckOutcome, Missing, Secret};

    fn with(change: impl Fn(&mut Container)) -> impl Fn(&mut Facts) {
        move |facts| change(&mut facts.task.as_mut().unwrap().containers[0])
    }

    #[test]
    fn container_port_and_platform() {
        expect(checks, |_| {}, "task definition", CheckOutcome::Ok);
        expect(checks, |_| {}, "container port", CheckOutcome::Ok);
        expect(
            checks,
            with(|c| c.name = "other".into()),
            "task definition",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            with(|c| c.ports = vec![9000]),
            "container port",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            |facts| {
                facts
                    .service
                    .as_mut()
                    .unwrap()
                    .as_mut()
                    .unwrap()
                    .targets
                    .clear()
            },
            "container port",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            |facts| facts.task.as_mut().unwrap().architecture = Some("ARM64".into()),
            "task definition",
            CheckOutcome::Failed,
        );
    }

    #[test]
    fn the_log_group() {
        let group = |exists, retention_days, creates| {
            move |facts: &mut Facts| {
                let group = facts.log_group.as_mut().unwrap();
                (group.exists, group.retention_days) = (exists, retention_days);
                facts.task.as_mut().unwrap().containers[0].creates_log_group = creates;
            }
        };
        for (exists, days, creates, outcome) in [
            (true, Some(90), false, CheckOutcome::Ok),
            (true, None, false, CheckOutcome::Warning),
            (false, None, true, CheckOutcome::Warning),
            (false, None, false, CheckOutcome::Failed),
        ] {
            expect(checks, group(exists, days, creates), "log group", outcome);
        }
        expect(
            checks,
            with(|c| c.log_driver = None),
            "log group",
            CheckOutcome::Warning,
        );
    }

    #[test]
    fn secrets_are_there_or_not() {
        expect(checks, |_| {}, "secrets", CheckOutcome::Ok);
        for (state, outcome) in [
            (Ok(Verdict::Usable), CheckOutcome::Ok),
            (Ok(Verdict::Absent), CheckOutcome::Failed),
            (
                Ok(Verdict::Unusable("is to be deleted".into())),
                CheckOutcome::Failed,
            ),
            (Err(Missing::Other("no".into())), CheckOutcome::Unknown),
        ] {
            let change = |facts: &mut Facts| {
                facts.secrets = Ok(vec![Secret {
                    variable: "KEY".into(),
                    reference: "arn:aws:ssm:us-east-1:123456789012:parameter/key".into(),
                    state: state.clone(),
                }]);
            };
            expect(checks, change, "secret KEY", outcome);
        }
    }
}
