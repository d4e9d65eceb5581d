//! What an operator finds in a new local environment: what Terraform would have made on AWS.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::ecr::Repository;
use super::ecs::{
    Alarms, CircuitBreaker, Deployment, DeploymentConfiguration, RolloutState, Service,
    ServiceLoadBalancer, TaskDefinition,
};
use super::elb::{Action, HealthCheck, LoadBalancing, Rule, TargetGroup};
use super::{Addresses, FORMAT, State, Tag};
use crate::aws::{Moment, names, network};
use crate::ecs::deployments;

/// A grace period that lets a slow start pass and does not make a broken release wait.
const GRACE_SECONDS: u32 = 2;

impl State {
    /// A new environment: everything is there, and no task runs yet.
    pub(crate) fn seed(addresses: Addresses, now: Moment) -> Self {
        let load_balancing = load_balancing(now);
        let definition = template(&addresses, now);
        let service = service(&definition.arn(), &load_balancing.target_groups[0].arn, now);
        let mut repository = Repository::new(names::SERVICE, true, true, now);
        repository.tags = tags();
        repository.lifecycle_policy = Some(lifecycle_policy());
        Self {
            format: FORMAT,
            addresses,
            task_definitions: vec![definition],
            services: vec![service],
            tasks: Vec::new(),
            load_balancing,
            repositories: vec![repository],
            cluster_tags: tags(),
            alarms: BTreeSet::new(),
        }
    }
}

fn tags() -> Vec<Tag> {
    vec![
        Tag::new("Project", "quilt"),
        Tag::new("Environment", "local"),
        Tag::new("Service", names::SERVICE),
        Tag::new("Stack", names::CLUSTER),
        Tag::new("ManagedBy", "terraform"),
    ]
}

/// Untagged images go after two weeks; releases stay.
fn lifecycle_policy() -> String {
    json!({ "rules": [{
        "rulePriority": 1,
        "description": "Untagged images",
        "selection": {
            "tagStatus": "untagged", "countType": "sinceImagePushed",
            "countUnit": "days", "countNumber": 14,
        },
        "action": { "type": "expire" },
    }] })
    .to_string()
}

fn load_balancing(now: Moment) -> LoadBalancing {
    let id = names::hex16();
    let listener = names::hex16();
    let listener_path = format!("app/{}/{id}/{listener}", names::CLUSTER);
    let target_group = TargetGroup {
        name: "quilt-local-mcp".to_owned(),
        arn: names::arn(
            "elasticloadbalancing",
            &format!("targetgroup/quilt-local-mcp/{}", names::hex16()),
        ),
        port: names::CONTAINER_PORT,
        health_check: HealthCheck {
            path: "/healthz".to_owned(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            matcher: "200".to_owned(),
        },
        deregistration_delay: Duration::from_secs(3),
        targets: Vec::new(),
        tags: tags(),
    };
    let rule = |name: &str| {
        names::arn(
            "elasticloadbalancing",
            &format!("listener-rule/{listener_path}/{name}"),
        )
    };
    LoadBalancing {
        name: names::CLUSTER.to_owned(),
        arn: names::arn(
            "elasticloadbalancing",
            &format!("loadbalancer/app/{}/{id}", names::CLUSTER),
        ),
        created_at: now,
        idle_timeout_seconds: 300,
        listener_arn: names::arn("elasticloadbalancing", &format!("listener/{listener_path}")),
        rules: vec![Rule {
            arn: rule(&names::hex16()),
            priority: 20,
            path_patterns: vec!["/mcp".to_owned(), "/mcp/*".to_owned()],
            action: Action::Forward {
                target_group: target_group.arn.clone(),
            },
        }],
        default_rule_arn: rule(&names::hex16()),
        default_action: Action::FixedResponse {
            status: 404,
            content_type: "text/plain".to_owned(),
            body: "Not found".to_owned(),
        },
        target_groups: vec![target_group],
        tags: tags(),
    }
}

fn template(addresses: &Addresses, now: Moment) -> TaskDefinition {
    let document = json!({
        "family": names::SERVICE,
        "taskRoleArn": names::role("quilt-local-mcp-server-task"),
        "executionRoleArn": names::role("quilt-local-mcp-server-execution"),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "runtimePlatform": { "cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX" },
        "volumes": [],
        "placementConstraints": [],
        "containerDefinitions": [container(addresses)],
    });
    TaskDefinition {
        family: names::SERVICE.to_owned(),
        revision: 1,
        active: true,
        registered_at: now,
        deregistered_at: None,
        document: into_map(document),
        tags: tags(),
    }
}

fn container(addresses: &Addresses) -> Value {
    let port = names::CONTAINER_PORT;
    json!({
        "name": names::CONTAINER,
        "image": format!("{}/{}:bootstrap", addresses.registry_host(), names::SERVICE),
        "cpu": 0,
        "essential": true,
        "user": "65532:65532",
        "privileged": false,
        "readonlyRootFilesystem": true,
        "linuxParameters": { "initProcessEnabled": true, "capabilities": { "add": [], "drop": ["ALL"] } },
        "stopTimeout": 30,
        "portMappings": [{ "name": "http", "containerPort": port, "hostPort": port, "protocol": "tcp" }],
        "environment": [
            { "name": "MCP_LISTEN", "value": format!("0.0.0.0:{port}") },
            { "name": "QUILT_CATALOG_URL", "value": addresses.quilt_registry_url() },
            { "name": "QUILT_REGISTRY_URL", "value": addresses.quilt_registry_url() },
        ],
        "secrets": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        "healthCheck": {
            "command": ["CMD", "/quilt-mcp-server", "healthcheck"],
            "interval": 15, "timeout": 5, "retries": 3, "startPeriod": 15,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": names::LOG_GROUP,
                "awslogs-region": names::REGION,
                "awslogs-stream-prefix": names::CONTAINER,
                "mode": "non-blocking",
                "max-buffer-size": "4m",
            },
        },
    })
}

fn service(task_definition: &str, target_group: &str, now: Moment) -> Service {
    let mut deployment = Deployment::new(task_definition.to_owned(), now);
    deployment.rollout = RolloutState::Completed;
    deployment.reason = format!("ECS deployment {} completed.", deployment.id);
    deployment.started_at = Some(now);
    deployment.finished_at = Some(now);
    let mut service = Service {
        name: names::SERVICE.to_owned(),
        active: true,
        created_at: now,
        desired: 0,
        configuration: DeploymentConfiguration {
            deployment_circuit_breaker: CircuitBreaker {
                enable: true,
                rollback: true,
                reset_on_healthy_task: None,
                threshold_configuration: None,
            },
            maximum_percent: 200,
            minimum_healthy_percent: 100,
            alarms: Some(Alarms {
                alarm_names: Vec::new(),
                enable: false,
                rollback: false,
            }),
            other: into_map(json!({ "strategy": "ROLLING", "bakeTimeInMinutes": 0 })),
        },
        grace_seconds: GRACE_SECONDS,
        load_balancers: vec![ServiceLoadBalancer {
            target_group_arn: target_group.to_owned(),
            container_name: names::CONTAINER.to_owned(),
            container_port: names::CONTAINER_PORT,
        }],
        attributes: into_map(json!({
            "networkConfiguration": { "awsvpcConfiguration": {
                "subnets": network::SUBNETS.map(|subnet| subnet.id),
                "securityGroups": [network::TASK_GROUP],
                "assignPublicIp": "DISABLED",
            } },
            "enableECSManagedTags": true,
            "propagateTags": "SERVICE",
            "enableExecuteCommand": false,
            "availabilityZoneRebalancing": "DISABLED",
            "platformVersion": "1.4.0",
        })),
        deployments: Vec::new(),
        revisions: Vec::new(),
        last_completed: None,
        events: Vec::new(),
        steady: true,
        tags: tags(),
    };
    deployments::begin(&mut service, deployment);
    service.steady = true;
    service.event(now, "has reached a steady state.");
    service
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
