//! The tasks' network: a way out to ECR, the logs and the Quilt registry, and the load balancer's way in.

use crate::verify::facts::Ingress;
use crate::verify::{Check, Facts, Missing, Network, Service, Subnet};

/// The endpoints that a task without any other way out needs to start.
const NEEDED_ENDPOINTS: [&str; 4] = ["ecr.api", "ecr.dkr", "s3", "logs"];

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    let service = match &facts.service {
        Ok(Some(service)) => service,
        Ok(None) => return vec![Check::skipped("network", "there is no service")],
        Err(missing) => return vec![Check::unknown("network", missing)],
    };
    let network = match &facts.network {
        Err(missing) => return vec![Check::unknown("network", missing)],
        Ok(network) => network,
    };
    let mut checks: Vec<Check> = network
        .subnets
        .iter()
        .map(|subnet| way_out(subnet, service, network))
        .collect();
    checks.push(way_in(facts, service, network));
    checks
}

fn way_out(subnet: &Subnet, service: &Service, network: &Network) -> Check {
    let name = format!("way out of {}", subnet.id);
    let routes = match &subnet.routes {
        Err(missing) => return Check::unknown(name, missing),
        Ok(routes) => routes,
    };
    match &routes.default_route {
        Some(target) if routes.blackhole => Check::failed(
            name,
            format!("the default route leads to {target}, which is gone"),
            "give the route table a default route to a NAT gateway that exists",
        ),
        Some(target) if target.starts_with("igw-") && !service.public_ip => Check::failed(
            name,
            format!(
                "the default route is the internet gateway {target}, but tasks get no public address"
            ),
            "use private subnets with a NAT gateway, or set assignPublicIp to ENABLED",
        ),
        Some(target) if target.starts_with("igw-") => {
            Check::ok(name, format!("{target}, with a public address"))
        }
        Some(target) if target.starts_with("nat-") => Check::ok(name, target),
        Some(target) => Check::unknown(
            name,
            &Missing::Other(format!(
                "{target} is the default route; what is behind it cannot be seen"
            )),
        ),
        None => endpoints(name, network),
    }
}

/// Without a default route only what has an endpoint in the VPC is reached.
fn endpoints(name: String, network: &Network) -> Check {
    let present = match &network.endpoints {
        Err(missing) => return Check::unknown(name, missing),
        Ok(present) => present,
    };
    let missing: Vec<&str> = NEEDED_ENDPOINTS
        .into_iter()
        .filter(|needed| {
            !present
                .iter()
                .any(|service| service.ends_with(&format!(".{needed}")))
        })
        .collect();
    if missing.is_empty() {
        Check::warning(
            name,
            "no default route; VPC endpoints for ECR, S3 and the logs are there",
            "make sure that tasks reach the Quilt registry: without it every call is refused",
        )
    } else {
        Check::failed(
            name,
            format!(
                "no default route, and no VPC endpoint for {}",
                missing.join(", ")
            ),
            "add a NAT gateway, or the endpoints: tasks end with CannotPullContainerError otherwise",
        )
    }
}

fn way_in(facts: &Facts, service: &Service, network: &Network) -> Check {
    let name = "way in from the load balancer";
    let (groups, balancers) = match (&network.security_groups, &facts.balancers) {
        (Err(missing), _) | (_, Err(missing)) => return Check::unknown(name, missing),
        (Ok(groups), Ok(balancers)) => (groups, balancers),
    };
    let Some(port) = service.targets.first().map(|target| i64::from(target.port)) else {
        return Check::skipped(name, "the service has no target group");
    };
    let balancer_groups: Vec<&String> = balancers
        .iter()
        .flat_map(|balancer| &balancer.security_groups)
        .collect();
    let open: Vec<&Ingress> = groups
        .iter()
        .flat_map(|group| &group.ingress)
        .filter(|ingress| ingress.lets_in(port))
        .collect();
    let from_balancer = open.iter().any(|ingress| {
        ingress
            .groups
            .iter()
            .any(|group| balancer_groups.contains(&group))
    });
    let from_everywhere = open.iter().any(|ingress| {
        ingress
            .addresses
            .iter()
            .any(|address| address == "0.0.0.0/0" || address == "::/0")
    });
    let from_some: Vec<&str> = open
        .iter()
        .flat_map(|ingress| ingress.addresses.iter().chain(&ingress.prefix_lists))
        .map(String::as_str)
        .collect();
    if from_everywhere {
        return Check::warning(
            name,
            format!("everybody is let in on port {port}"),
            "let only the load balancer's security group in",
        );
    }
    if from_balancer {
        return Check::ok(
            name,
            format!("port {port} from the load balancer's security group"),
        );
    }
    if !from_some.is_empty() {
        return Check::unknown(
            name,
            &Missing::Other(format!(
                "port {port} is open to {}; whether the load balancer is among them cannot be seen",
                from_some.join(", ")
            )),
        );
    }
    Check::failed(
        name,
        format!("no security group of the service lets the load balancer in on port {port}"),
        "allow the container's port from the load balancer's security group: targets stay unhealthy (Target.Timeout) otherwise",
    )
}

impl Ingress {
    fn lets_in(&self, port: i64) -> bool {
        let protocol = self.protocol == "-1" || self.protocol == "tcp" || self.protocol == "6";
        protocol
            && self
                .ports
                .is_none_or(|(first, last)| self.protocol == "-1" || (first..=last).contains(&port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::checks::example::expect;
    use crate::verify::{CheckOutcome, RouteTable};

    #[test]
    fn tasks_get_out_or_not() {
        let name = "way out of subnet-1";
        let all = NEEDED_ENDPOINTS.map(|one| format!("com.amazonaws.us-east-1.{one}"));
        for (route, blackhole, public_ip, endpoints, outcome) in [
            (Some("nat-1"), false, false, &all[..0], CheckOutcome::Ok),
            (Some("nat-1"), true, false, &all[..0], CheckOutcome::Failed),
            (Some("igw-1"), false, true, &all[..0], CheckOutcome::Ok),
            (Some("igw-1"), false, false, &all[..0], CheckOutcome::Failed),
            (
                Some("tgw-1"),
                false,
                false,
                &all[..0],
                CheckOutcome::Unknown,
            ),
            (None, false, false, &all[..], CheckOutcome::Warning),
            (None, false, false, &all[..2], CheckOutcome::Failed),
        ] {
            let change = |facts: &mut Facts| {
                facts.service.as_mut().unwrap().as_mut().unwrap().public_ip = public_ip;
                let network = facts.network.as_mut().unwrap();
                network.endpoints = Ok(endpoints.to_vec());
                network.subnets[0].routes = Ok(RouteTable {
                    default_route: route.map(str::to_owned),
                    blackhole,
                });
            };
            expect(checks, change, name, outcome);
        }
    }

    #[test]
    fn the_load_balancer_gets_in_or_not() {
        let tcp = |ports| Ingress {
            protocol: "tcp".into(),
            ports: Some(ports),
            ..Ingress::default()
        };
        let from = |groups: &[&str], ports| Ingress {
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            ..tcp(ports)
        };
        let addresses = |address: &str| Ingress {
            addresses: vec![address.to_owned()],
            ..tcp((8000, 8000))
        };
        let everything = Ingress {
            protocol: "-1".into(),
            groups: vec!["sg-alb".into()],
            ..Ingress::default()
        };
        for (ingress, outcome) in [
            (vec![from(&["sg-alb"], (8000, 8000))], CheckOutcome::Ok),
            (vec![from(&["sg-alb"], (0, 65535))], CheckOutcome::Ok),
            (vec![everything], CheckOutcome::Ok),
            (vec![from(&["sg-alb"], (80, 80))], CheckOutcome::Failed),
            (
                vec![from(&["sg-other"], (8000, 8000))],
                CheckOutcome::Failed,
            ),
            (vec![], CheckOutcome::Failed),
            (vec![addresses("0.0.0.0/0")], CheckOutcome::Warning),
            (vec![addresses("10.0.0.0/8")], CheckOutcome::Unknown),
        ] {
            let change = |facts: &mut Facts| {
                let network = facts.network.as_mut().unwrap();
                network.security_groups.as_mut().unwrap()[0].ingress = ingress.clone();
            };
            expect(checks, change, "way in from the load balancer", outcome);
        }
    }
}
