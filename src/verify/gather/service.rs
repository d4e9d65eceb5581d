//! The cluster, the service and its task definition.

use aws_sdk_ecs::types::{
    AssignPublicIp, ContainerDefinition, LogConfiguration, Service as EcsService,
};

use crate::aws::{AwsError, Clients, describe_service};
use crate::config::Environment;
use crate::verify::{Cluster, Container, Fetched, Service, Target, Task};

pub(super) async fn cluster(
    clients: &Clients,
    environment: &Environment,
) -> Fetched<Option<Cluster>> {
    let answer = clients
        .ecs
        .describe_clusters()
        .clusters(&environment.cluster)
        .send()
        .await
        .map_err(|error| AwsError::new("ecs:DescribeClusters", &environment.cluster, &error))?;
    Ok(answer.clusters().first().map(|cluster| Cluster {
        status: cluster.status().unwrap_or("in no known state").to_owned(),
    }))
}

pub(super) async fn service(
    clients: &Clients,
    environment: &Environment,
) -> Fetched<Option<Service>> {
    let service = describe_service(clients, environment).await?;
    Ok(service.as_ref().map(read))
}

/// What the checks look at.
pub(crate) fn read(service: &EcsService) -> Service {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let configuration = service.deployment_configuration();
    let breaker = configuration.and_then(|found| found.deployment_circuit_breaker());
    let network = service
        .network_configuration()
        .and_then(|found| found.awsvpc_configuration());
    Service {
        arn: text(service.service_arn()),
        cluster_arn: text(service.cluster_arn()),
        status: text(service.status()),
        controller: service
            .deployment_controller()
            .map_or("ECS", |controller| controller.r#type().as_str())
            .to_owned(),
        breaker: breaker.is_some_and(|breaker| breaker.enable()),
        rolls_back: breaker.is_some_and(|breaker| breaker.enable() && breaker.rollback()),
        minimum_healthy_percent: configuration
            .and_then(|found| found.minimum_healthy_percent())
            // ECS's default for the deployment controller ECS.
            .unwrap_or(100),
        desired: service.desired_count(),
        task_definition: text(service.task_definition()),
        targets: service
            .load_balancers()
            .iter()
            .filter_map(|balancer| {
                Some(Target {
                    target_group: balancer.target_group_arn()?.to_owned(),
                    container: text(balancer.container_name()),
                    port: balancer.container_port().unwrap_or_default(),
                })
            })
            .collect(),
        subnets: network.map_or(Vec::new(), |network| network.subnets().to_vec()),
        security_groups: network.map_or(Vec::new(), |network| network.security_groups().to_vec()),
        public_ip: network
            .and_then(|network| network.assign_public_ip())
            .is_some_and(|assign| *assign == AssignPublicIp::Enabled),
    }
}

pub(crate) async fn task(clients: &Clients, arn: &str) -> Fetched<Task> {
    const ACTION: &str = "ecs:DescribeTaskDefinition";
    let answer = clients
        .ecs
        .describe_task_definition()
        .task_definition(arn)
        .send()
        .await
        .map_err(|error| AwsError::new(ACTION, arn, &error))?;
    let task = answer
        .task_definition()
        .ok_or_else(|| AwsError::incomplete(ACTION, arn, "holds no task definition"))?;
    Ok(Task {
        arn: arn.to_owned(),
        family: task.family().unwrap_or_default().to_owned(),
        architecture: task
            .runtime_platform()
            .and_then(|platform| platform.cpu_architecture())
            .map(|architecture| architecture.as_str().to_owned()),
        containers: task.container_definitions().iter().map(container).collect(),
        execution_role: task.execution_role_arn().map(str::to_owned),
        task_role: task.task_role_arn().map(str::to_owned),
    })
}

fn container(container: &ContainerDefinition) -> Container {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let logs = container.log_configuration();
    let option = |name: &str| {
        logs.and_then(LogConfiguration::options)
            .and_then(|options| options.get(name))
            .cloned()
    };
    Container {
        name: text(container.name()),
        image: text(container.image()),
        ports: container
            .port_mappings()
            .iter()
            .filter_map(|mapping| mapping.container_port())
            .collect(),
        log_driver: logs.map(|logs| logs.log_driver().as_str().to_owned()),
        log_group: option("awslogs-group"),
        log_region: option("awslogs-region"),
        creates_log_group: option("awslogs-create-group").as_deref() == Some("true"),
        secrets: container
            .secrets()
            .iter()
            .map(|secret| (secret.name().to_owned(), secret.value_from().to_owned()))
            .collect(),
    }
}
