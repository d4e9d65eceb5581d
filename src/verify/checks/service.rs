//! The cluster and the service.

use crate::verify::{Check, Facts, Service};

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![cluster(facts)];
    let name = "service";
    match &facts.service {
        Err(missing) => checks.push(Check::unknown(name, missing)),
        Ok(None) => checks.push(Check::failed(
            name,
            format!(
                "there is no service {} in cluster {}",
                facts.environment.service, facts.environment.cluster
            ),
            "create it with Terraform or CloudFormation, or correct cluster and service in quilt-mcp.toml",
        )),
        Ok(Some(service)) if service.status != "ACTIVE" => checks.push(Check::failed(
            name,
            format!("{} is {}", facts.environment.service, service.status),
            "create the service again before a release",
        )),
        Ok(Some(service)) => {
            checks.push(Check::ok(
                name,
                format!("{} is ACTIVE, {} tasks desired", facts.environment.service, service.desired),
            ));
            checks.extend([controller(service), breaker(service), capacity(service)]);
        }
    }
    checks
}

fn cluster(facts: &Facts) -> Check {
    let name = "cluster";
    let wanted = &facts.environment.cluster;
    match &facts.cluster {
        Err(missing) => Check::unknown(name, missing),
        Ok(Some(cluster)) if cluster.status == "ACTIVE" => {
            Check::ok(name, format!("{wanted} is ACTIVE"))
        }
        Ok(Some(cluster)) => Check::failed(
            name,
            format!("{wanted} is {}", cluster.status),
            "create the cluster again, or correct cluster in quilt-mcp.toml",
        ),
        Ok(None) => Check::failed(
            name,
            format!("there is no cluster {wanted}"),
            "create it with Terraform or CloudFormation, or correct cluster in quilt-mcp.toml",
        ),
    }
}

fn controller(service: &Service) -> Check {
    match service.controller.as_str() {
        "ECS" => Check::ok("deployment controller", "ECS"),
        other => Check::failed(
            "deployment controller",
            format!("the service is deployed by {other}"),
            "make the service with the deployment controller ECS: only such a one can be rolled out by this tool",
        ),
    }
}

fn breaker(service: &Service) -> Check {
    let name = "circuit breaker";
    match (service.breaker, service.rolls_back) {
        (true, true) => Check::ok(name, "on, with rollback"),
        (true, false) => Check::warning(
            name,
            "on, without rollback",
            "set rollback: without it the service stays between two releases when nobody watches",
        ),
        (false, _) => Check::warning(
            name,
            "off",
            "switch deploymentCircuitBreaker on, with rollback: ECS starts a broken release again and again otherwise",
        ),
    }
}

fn capacity(service: &Service) -> Check {
    let name = "minimum healthy percent";
    let percent = service.minimum_healthy_percent;
    if service.desired > 0 && percent >= 100 {
        Check::ok(
            name,
            format!("{percent} %: no task is stopped before another is healthy"),
        )
    } else if service.desired == 0 {
        Check::skipped(name, "no tasks are desired")
    } else {
        Check::warning(
            name,
            format!("{percent} %: a release takes tasks away before new ones are healthy"),
            "set minimumHealthyPercent to 100 and maximumPercent to 200",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::checks::example::expect;
    use crate::verify::{CheckOutcome, Cluster};

    fn with(change: impl Fn(&mut Service)) -> impl Fn(&mut Facts) {
        move |facts| change(facts.service.as_mut().unwrap().as_mut().unwrap())
    }

    #[test]
    fn the_service_and_its_cluster() {
        expect(checks, |_| {}, "service", CheckOutcome::Ok);
        expect(
            checks,
            |facts| facts.service = Ok(None),
            "service",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            with(|s| s.status = "DRAINING".into()),
            "service",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            |facts| facts.cluster = Ok(None),
            "cluster",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            |facts| {
                facts.cluster = Ok(Some(Cluster {
                    status: "INACTIVE".into(),
                }))
            },
            "cluster",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            with(|s| s.controller = "CODE_DEPLOY".into()),
            "deployment controller",
            CheckOutcome::Failed,
        );
        for (breaker, rolls_back, outcome) in [
            (true, true, CheckOutcome::Ok),
            (true, false, CheckOutcome::Warning),
            (false, false, CheckOutcome::Warning),
        ] {
            let change = with(move |s| (s.breaker, s.rolls_back) = (breaker, rolls_back));
            expect(checks, change, "circuit breaker", outcome);
        }
        for (desired, percent, outcome) in [
            (2, 100, CheckOutcome::Ok),
            (2, 50, CheckOutcome::Warning),
            (0, 50, CheckOutcome::Skipped),
        ] {
            let change = with(move |s| (s.desired, s.minimum_healthy_percent) = (desired, percent));
            expect(checks, change, "minimum healthy percent", outcome);
        }
    }
}
