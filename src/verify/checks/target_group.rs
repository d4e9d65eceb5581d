//! The target groups, against the container that they send to.

use crate::verify::{Check, Facts, Missing, TargetGroup};

/// The server's own health endpoint, which needs no token.
const HEALTH_PATH: &str = "/healthz";

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    match &facts.target_groups {
        Err(missing) => vec![Check::unknown("target group", missing)],
        Ok(groups) => groups
            .iter()
            .flat_map(|group| [protocol(group), health(facts, group), attributes(group)])
            .collect(),
    }
}

fn protocol(group: &TargetGroup) -> Check {
    let name = format!("target group {}", group.name);
    if group.target_type != "ip" {
        return Check::failed(
            name,
            format!("its targets are of the type {}", group.target_type),
            "make one of the type ip: Fargate tasks have addresses of their own",
        );
    }
    match (group.protocol.as_str(), group.protocol_version.as_str()) {
        ("HTTP", "HTTP1") => Check::ok(name, "ip, HTTP, HTTP1"),
        ("HTTP", version) => Check::failed(
            name,
            format!("it speaks {version} to the tasks"),
            "set protocolVersion to HTTP1: the server speaks HTTP/1.1 without TLS",
        ),
        (protocol, _) => Check::failed(
            name,
            format!("it speaks {protocol} to the tasks"),
            "set the protocol to HTTP: TLS ends at the load balancer",
        ),
    }
}

fn health(facts: &Facts, group: &TargetGroup) -> Check {
    let name = format!("health check of {}", group.name);
    let port = group.health_port.as_str();
    let is_served = port == "traffic-port"
        || facts.container().is_some_and(|container| {
            container
                .ports
                .iter()
                .any(|served| served.to_string() == port)
        });
    if group.health_protocol != "HTTP" || !is_served {
        return Check::failed(
            name,
            format!("it asks by {} on port {port}", group.health_protocol),
            "ask by HTTP on traffic-port, where the server listens",
        );
    }
    if group.health_path != HEALTH_PATH {
        return Check::failed(
            name,
            format!("it asks for {}", group.health_path),
            format!("ask for {HEALTH_PATH}: every other path needs a token or does not exist"),
        );
    }
    if group.matcher != "200" {
        return Check::warning(
            name,
            format!("{HEALTH_PATH}, and {} counts as healthy", group.matcher),
            "count 200 only: the server answers 503 while it drains, and a redirect is no health",
        );
    }
    Check::ok(name, format!("{HEALTH_PATH} on {port}, 200"))
}

fn attributes(group: &TargetGroup) -> Check {
    let name = format!("stickiness of {}", group.name);
    let attributes = match &group.attributes {
        Err(missing) => return Check::unknown(name, missing),
        Ok(attributes) => attributes,
    };
    let value = |key: &str| {
        attributes
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    };
    match value("stickiness.enabled") {
        Some("true") => Check::warning(
            name,
            "on",
            "switch it off: the server keeps nothing between requests, and a sticky client stays on a task that drains",
        ),
        Some(_) => Check::ok(name, "off"),
        None => Check::unknown(
            name,
            &Missing::Other("AWS's answer does not name it".into()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::CheckOutcome;
    use crate::verify::checks::example::expect;

    fn with(change: impl Fn(&mut TargetGroup)) -> impl Fn(&mut Facts) {
        move |facts| change(&mut facts.target_groups.as_mut().unwrap()[0])
    }

    #[test]
    fn target_groups_send_what_the_server_understands() {
        let name = "target group mcp";
        expect(checks, |_| {}, name, CheckOutcome::Ok);
        expect(
            checks,
            with(|g| g.target_type = "instance".into()),
            name,
            CheckOutcome::Failed,
        );
        expect(
            checks,
            with(|g| g.protocol = "HTTPS".into()),
            name,
            CheckOutcome::Failed,
        );
        expect(
            checks,
            with(|g| g.protocol_version = "GRPC".into()),
            name,
            CheckOutcome::Failed,
        );
    }

    #[test]
    fn health_checks_ask_what_the_server_answers() {
        let name = "health check of mcp";
        for (path, port, matcher, outcome) in [
            ("/healthz", "traffic-port", "200", CheckOutcome::Ok),
            ("/healthz", "8000", "200", CheckOutcome::Ok),
            ("/healthz", "9000", "200", CheckOutcome::Failed),
            ("/mcp/", "traffic-port", "200", CheckOutcome::Failed),
            ("/healthz", "traffic-port", "200-399", CheckOutcome::Warning),
        ] {
            let change = with(|g| {
                g.health_path = path.into();
                g.health_port = port.into();
                g.matcher = matcher.into();
            });
            expect(checks, change, name, outcome);
        }
        expect(
            checks,
            with(|g| g.health_protocol = "HTTPS".into()),
            name,
            CheckOutcome::Failed,
        );
    }

    #[test]
    fn stickiness_is_off() {
        let name = "stickiness of mcp";
        for (attributes, outcome) in [
            (
                Ok(vec![("stickiness.enabled".into(), "false".into())]),
                CheckOutcome::Ok,
            ),
            (
                Ok(vec![("stickiness.enabled".into(), "true".into())]),
                CheckOutcome::Warning,
            ),
            (Ok(Vec::new()), CheckOutcome::Unknown),
            (Err(Missing::Other("no".into())), CheckOutcome::Unknown),
        ] {
            expect(
                checks,
                with(|g| g.attributes = attributes.clone()),
                name,
                outcome,
            );
        }
    }
}
