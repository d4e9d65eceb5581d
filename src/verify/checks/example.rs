//! An environment where everything is right, for tests to spoil.

use std::collections::BTreeMap;

use serde_json::json;

use crate::config::Environment;
use crate::permissions;
use crate::registry::{Repository, TagImmutability};
use crate::verify::facts::Ingress;
use crate::verify::{
    Balancer, Caller, Check, CheckOutcome, Cluster, Container, Decision, Facts, Image, Listener,
    LogGroup, MatchedOn, Network, Role, RouteTable, Rule, SecurityGroup, Service, Subnet, Target,
    TargetGroup, Task,
};

/// Makes the checks of the example once it is spoiled, and sees that `name` came out as `outcome`.
pub fn expect(
    checks: impl Fn(&Facts) -> Vec<Check>,
    spoil: impl Fn(&mut Facts),
    name: &str,
    outcome: CheckOutcome,
) -> Check {
    let mut facts = facts();
    spoil(&mut facts);
    let made = checks(&facts);
    let check = made
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no check `{name}`: {made:#?}"));
    assert_eq!(check.outcome, outcome, "{check:#?}");
    let wants_remedy = matches!(outcome, CheckOutcome::Failed | CheckOutcome::Warning);
    assert!(check.remedy.is_some() || !wants_remedy, "{check:#?}");
    check.clone()
}

pub fn rule(priority: Option<i32>, conditions: Vec<MatchedOn>, forwards_to: &str) -> Rule {
    Rule {
        priority,
        conditions,
        forwards_to: vec![forwards_to.to_owned()],
        action: format!("forward to {forwards_to}"),
    }
}

pub fn facts() -> Facts {
    let caller = Caller {
        account_id: "123456789012".into(),
        arn: "arn:aws:sts::123456789012:assumed-role/ci/run".into(),
    };
    Facts {
        environment: environment(),
        caller,
        repository: Ok(Some(Repository {
            name: "mcp".into(),
            arn: "arn:aws:ecr:us-east-1:123456789012:repository/mcp".into(),
            uri: "123456789012.dkr.ecr.us-east-1.amazonaws.com/mcp"
                .parse()
                .unwrap(),
            tag_immutability: TagImmutability::Immutable,
            scan_on_push: true,
        })),
        checkout: None,
        running: Ok(Image {
            name: "mcp@sha256:1".into(),
            present: true,
            platform: Ok("linux/amd64".into()),
        }),
        cluster: Ok(Some(Cluster {
            status: "ACTIVE".into(),
        })),
        service: Ok(Some(service())),
        stack: None,
        task: Ok(task()),
        log_group: Ok(LogGroup {
            name: "/quilt/mcp".into(),
            exists: true,
            retention_days: Some(90),
        }),
        secrets: Ok(Vec::new()),
        roles: Ok(vec![Role {
            purpose: "execution",
            arn: "arn:aws:iam::123456789012:role/execution".into(),
            trust: Ok(Some(json!({"Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            }]}))),
        }]),
        decisions: Ok(permissions::all()
            .into_iter()
            .map(|(permission, _)| Decision {
                action: permission.action.to_owned(),
                on: permission.on,
                resource: "*".into(),
                allowed: Some(true),
            })
            .collect()),
        target_groups: Ok(vec![target_group()]),
        balancers: Ok(vec![balancer()]),
        network: Ok(network()),
    }
}

fn environment() -> Environment {
    Environment {
        name: "staging".into(),
        account_id: "123456789012".into(),
        region: "us-east-1".into(),
        profile: None,
        endpoint_url: None,
        repository: "mcp".into(),
        cluster: "quilt".into(),
        service: "mcp".into(),
        container: "mcp-server".into(),
        url: "https://mcp.example.com/mcp/".parse().unwrap(),
        cors_origins: Vec::new(),
        deploy_through: crate::config::DeployThrough::Ecs,
        desired_count: 2,
        bake_seconds: 30,
        timeout_seconds: 1800,
        tags: BTreeMap::new(),
    }
}

fn service() -> Service {
    Service {
        arn: "arn:aws:ecs:us-east-1:123456789012:service/quilt/mcp".into(),
        cluster_arn: "arn:aws:ecs:us-east-1:123456789012:cluster/quilt".into(),
        status: "ACTIVE".into(),
        controller: "ECS".into(),
        breaker: true,
        rolls_back: true,
        minimum_healthy_percent: 100,
        desired: 2,
        task_definition: "arn:aws:ecs:us-east-1:123456789012:task-definition/mcp:7".into(),
        targets: vec![Target {
            target_group: "arn:ours".into(),
            container: "mcp-server".into(),
            port: 8000,
        }],
        subnets: vec!["subnet-1".into()],
        security_groups: vec!["sg-task".into()],
        public_ip: false,
    }
}

fn task() -> Task {
    Task {
        arn: "arn:aws:ecs:us-east-1:123456789012:task-definition/mcp:7".into(),
        family: "mcp".into(),
        architecture: Some("X86_64".into()),
        containers: vec![Container {
            name: "mcp-server".into(),
            image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/mcp@sha256:1".into(),
            ports: vec![8000],
            log_driver: Some("awslogs".into()),
            log_group: Some("/quilt/mcp".into()),
            log_region: Some("us-east-1".into()),
            creates_log_group: false,
            secrets: Vec::new(),
        }],
        execution_role: Some("arn:aws:iam::123456789012:role/execution".into()),
        task_role: None,
    }
}

fn target_group() -> TargetGroup {
    TargetGroup {
        arn: "arn:ours".into(),
        name: "mcp".into(),
        target_type: "ip".into(),
        protocol: "HTTP".into(),
        protocol_version: "HTTP1".into(),
        health_path: "/healthz".into(),
        health_port: "traffic-port".into(),
        health_protocol: "HTTP".into(),
        matcher: "200".into(),
        balancers: vec!["arn:alb".into()],
        attributes: Ok(vec![("stickiness.enabled".into(), "false".into())]),
    }
}

fn balancer() -> Balancer {
    Balancer {
        arn: "arn:alb".into(),
        name: "alb".into(),
        security_groups: vec!["sg-alb".into()],
        idle_timeout: Ok(1000),
        listeners: Ok(vec![Listener {
            port: 443,
            protocol: "HTTPS".into(),
            ssl_policy: Some("ELBSecurityPolicy-TLS13-1-2-2021-06".into()),
            rules: Ok(vec![rule(
                Some(20),
                vec![MatchedOn::Path(vec!["/mcp".into(), "/mcp/*".into()])],
                "arn:ours",
            )]),
        }]),
    }
}

fn network() -> Network {
    Network {
        subnets: vec![Subnet {
            id: "subnet-1".into(),
            routes: Ok(RouteTable {
                default_route: Some("nat-1".into()),
                blackhole: false,
            }),
        }],
        security_groups: Ok(vec![SecurityGroup {
            id: "sg-task".into(),
            ingress: vec![Ingress {
                protocol: "tcp".into(),
                ports: Some((8000, 8000)),
                groups: vec!["sg-alb".into()],
                ..Ingress::default()
            }],
        }]),
        endpoints: Ok(Vec::new()),
    }
}
