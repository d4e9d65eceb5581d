//! Task definition, service, autoscaling.

use serde_json::{Map, Value, json};

use super::Attributes;

pub fn task_definition(mut task: Attributes) -> Value {
    let mut platform = task.take_block("runtime_platform");
    let properties = json!({
        "Family": task.take("family"),
        "NetworkMode": task.take("network_mode"),
        "RequiresCompatibilities": task.take("requires_compatibilities"),
        "Cpu": task.take("cpu"),
        "Memory": task.take("memory"),
        "ExecutionRoleArn": task.take("execution_role_arn"),
        "TaskRoleArn": task.take("task_role_arn"),
        "RuntimePlatform": {
            "OperatingSystemFamily": platform.take("operating_system_family"),
            "CpuArchitecture": platform.take("cpu_architecture"),
        },
        "ContainerDefinitions": in_capitals(&task.take_json("container_definitions")),
        "Tags": task.take_tags(),
    });
    platform.finish();
    // In a template that is `UpdateReplacePolicy` and `DeletionPolicy`.
    assert_eq!(task.take("skip_destroy"), true);
    task.drop(&["arn"]);
    properties
}

/// `portMappings` is `PortMappings` in a template; the names of a log driver's options are its own.
fn in_capitals(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let (first, rest) = name.split_at(1);
                let value = match name.as_str() {
                    "options" => value.clone(),
                    _ => in_capitals(value),
                };
                (first.to_uppercase() + rest, value)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(in_capitals).collect(),
        plain => plain.clone(),
    }
}

pub fn service(mut service: Attributes) -> Value {
    let mut breaker = service.take_block("deployment_circuit_breaker");
    let mut alarms = service.take_block("alarms");
    let mut controller = service.take_block("deployment_controller");
    let mut balancer = service.take_block("load_balancer");
    let mut network = service.take_block("network_configuration");
    let public = network.take("assign_public_ip") == json!(true);
    let properties = json!({
        "ServiceName": service.take("name"),
        "Cluster": service.take("cluster"),
        "TaskDefinition": service.take("task_definition"),
        "DesiredCount": service.take("desired_count"),
        "LaunchType": service.take("launch_type"),
        "PlatformVersion": service.take("platform_version"),
        "HealthCheckGracePeriodSeconds": service.take("health_check_grace_period_seconds"),
        "EnableExecuteCommand": service.take("enable_execute_command"),
        "EnableECSManagedTags": service.take("enable_ecs_managed_tags"),
        "PropagateTags": service.take("propagate_tags"),
        "DeploymentController": {"Type": controller.take("type")},
        "DeploymentConfiguration": {
            "MinimumHealthyPercent": service.take("deployment_minimum_healthy_percent"),
            "MaximumPercent": service.take("deployment_maximum_percent"),
            "DeploymentCircuitBreaker": {"Enable": breaker.take("enable"), "Rollback": breaker.take("rollback")},
            "Alarms": {
                "Enable": alarms.take("enable"),
                "Rollback": alarms.take("rollback"),
                "AlarmNames": alarms.take("alarm_names"),
            },
        },
        "LoadBalancers": [{
            "TargetGroupArn": balancer.take("target_group_arn"),
            "ContainerName": balancer.take("container_name"),
            "ContainerPort": balancer.take("container_port"),
        }],
        "NetworkConfiguration": {"AwsvpcConfiguration": {
            "Subnets": network.take("subnets"),
            "SecurityGroups": network.take("security_groups"),
            "AssignPublicIp": if public { "ENABLED" } else { "DISABLED" },
        }},
        "Tags": service.take_tags(),
    });
    for block in [breaker, alarms, controller, balancer, network, service] {
        block.finish();
    }
    properties
}

pub fn scalable_target(mut target: Attributes) -> Value {
    let properties = json!({
        "ServiceNamespace": target.take("service_namespace"),
        "ScalableDimension": target.take("scalable_dimension"),
        "ResourceId": target.take("resource_id"),
        "MinCapacity": target.take("min_capacity"),
        "MaxCapacity": target.take("max_capacity"),
        "Tags": target.take_tags(),
    });
    target.finish();
    properties
}

pub fn scaling_policy(mut policy: Attributes) -> Value {
    let mut tracking = policy.take_block("target_tracking_scaling_policy_configuration");
    let mut metric = tracking.take_block("predefined_metric_specification");
    let mut of = |name: &str| policy.take(name).as_str().unwrap().to_owned();
    // The physical id of a scalable target in CloudFormation.
    let target = format!(
        "{}|{}|{}",
        of("resource_id"),
        of("scalable_dimension"),
        of("service_namespace")
    );
    let properties = json!({
        "PolicyName": policy.take("name"),
        "PolicyType": policy.take("policy_type"),
        "ScalingTargetId": target,
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": tracking.take("target_value"),
            "ScaleInCooldown": tracking.take("scale_in_cooldown"),
            "ScaleOutCooldown": tracking.take("scale_out_cooldown"),
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": metric.take("predefined_metric_type"),
            },
        },
    });
    for block in [metric, tracking, policy] {
        block.finish();
    }
    properties
}
