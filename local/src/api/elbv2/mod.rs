//! ELBv2: the load balancer, its listener and rules, target groups and the health of their targets.

mod changes;

use serde_json::{Value, json};

use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::aws::{names, network};
use crate::state::State;
use crate::state::elb::{Action, Failure, Health, LoadBalancing, Rule, Target, TargetGroup};
use crate::world::World;

pub(super) fn call(world: &World, operation: &str, input: &Input) -> Option<Answer> {
    if let Some(change) = changes::operation(operation) {
        return Some(world.change(|state| change(state, input)));
    }
    let read: fn(&State, &Input) -> Answer = match operation {
        "DescribeLoadBalancers" => load_balancers,
        "DescribeLoadBalancerAttributes" => load_balancer_attributes,
        "DescribeListeners" => listeners,
        "DescribeRules" => rules,
        "DescribeTargetGroups" => target_groups,
        "DescribeTargetGroupAttributes" => target_group_attributes,
        "DescribeTargetHealth" => target_health,
        "DescribeTags" => tags,
        _ => return None,
    };
    Some(world.read(|state| read(state, input)))
}

fn no_load_balancer(what: &str) -> ApiError {
    ApiError::new(
        "LoadBalancerNotFound",
        format!("Load balancer '{what}' not found"),
    )
}

fn no_target_group() -> ApiError {
    ApiError::new("TargetGroupNotFound", "One or more target groups not found")
}

fn no_listener() -> ApiError {
    ApiError::new("ListenerNotFound", "One or more listeners not found")
}

fn load_balancers(state: &State, input: &Input) -> Answer {
    let balancing = &state.load_balancing;
    let arns = input.texts("LoadBalancerArns");
    let named = input.texts("Names");
    let known = |wanted: &&str| *wanted == balancing.arn || *wanted == balancing.name;
    if let Some(unknown) = arns.iter().chain(&named).find(|wanted| !known(wanted)) {
        return Err(no_load_balancer(unknown));
    }
    Ok(json!({ "LoadBalancers": [{
        "LoadBalancerArn": balancing.arn,
        // A name with a port is no DNS name, but it is where this load balancer answers.
        "DNSName": format!("127.0.0.1:{}", state.addresses.load_balancer),
        "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
        "CreatedTime": balancing.created_at.to_rfc3339(),
        "LoadBalancerName": balancing.name,
        "Scheme": "internal",
        "State": { "Code": "active" },
        "Type": "application",
        "IpAddressType": "ipv4",
        "VpcId": network::VPC,
        "AvailabilityZones": network::SUBNETS.iter().map(|subnet| json!({
            "ZoneName": subnet.zone, "SubnetId": subnet.id,
        })).collect::<Vec<Value>>(),
        "SecurityGroups": [network::BALANCER_GROUP],
    }] }))
}

fn zone() -> String {
    format!("{}a", names::REGION)
}

fn attributes(pairs: &[(&str, String)]) -> Value {
    let list: Vec<Value> = pairs
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    json!({ "Attributes": list })
}

fn load_balancer_attributes(state: &State, input: &Input) -> Answer {
    let balancing = &state.load_balancing;
    let arn = input.text("LoadBalancerArn").unwrap_or_default();
    if arn != balancing.arn {
        return Err(no_load_balancer(arn));
    }
    Ok(attributes(&[
        (
            "idle_timeout.timeout_seconds",
            balancing.idle_timeout_seconds.to_string(),
        ),
        ("deletion_protection.enabled", "false".to_owned()),
        ("access_logs.s3.enabled", "false".to_owned()),
        ("routing.http2.enabled", "false".to_owned()),
        (
            "routing.http.drop_invalid_header_fields.enabled",
            "false".to_owned(),
        ),
        (
            "routing.http.preserve_host_header.enabled",
            "true".to_owned(),
        ),
        (
            "routing.http.xff_header_processing.mode",
            "append".to_owned(),
        ),
    ]))
}

fn action(action: &Action) -> Value {
    match action {
        Action::Forward { target_group } => json!({
            "Type": "forward",
            "TargetGroupArn": target_group,
            "Order": 1,
            "ForwardConfig": {
                "TargetGroups": [{ "TargetGroupArn": target_group, "Weight": 1 }],
                "TargetGroupStickinessConfig": { "Enabled": false },
            },
        }),
        Action::FixedResponse {
            status,
            content_type,
            body,
        } => json!({
            "Type": "fixed-response",
            "Order": 1,
            "FixedResponseConfig": {
                "StatusCode": status.to_string(),
                "ContentType": content_type,
                "MessageBody": body,
            },
        }),
    }
}

fn listeners(state: &State, input: &Input) -> Answer {
    let balancing = &state.load_balancing;
    if let Some(arn) = input.text("LoadBalancerArn")
        && arn != balancing.arn
    {
        return Err(no_load_balancer(arn));
    }
    let wanted = input.texts("ListenerArns");
    if wanted.iter().any(|arn| *arn != balancing.listener_arn) {
        return Err(no_listener());
    }
    Ok(json!({ "Listeners": [{
        "ListenerArn": balancing.listener_arn,
        "LoadBalancerArn": balancing.arn,
        "Port": state.addresses.load_balancer,
        "Protocol": "HTTP",
        "DefaultActions": [action(&balancing.default_action)],
    }] }))
}

fn rules(state: &State, input: &Input) -> Answer {
    let balancing = &state.load_balancing;
    if let Some(arn) = input.text("ListenerArn")
        && arn != balancing.listener_arn
    {
        return Err(no_listener());
    }
    let wanted = input.texts("RuleArns");
    let mut shown: Vec<Value> = balancing
        .rules
        .iter()
        .filter(|rule| wanted.is_empty() || wanted.contains(&rule.arn.as_str()))
        .map(rule_shown)
        .collect();
    if wanted.is_empty() || wanted.contains(&balancing.default_rule_arn.as_str()) {
        shown.push(json!({
            "RuleArn": balancing.default_rule_arn,
            "Priority": "default",
            "Conditions": [],
            "Actions": [action(&balancing.default_action)],
            "IsDefault": true,
        }));
    }
    Ok(json!({ "Rules": shown }))
}

fn rule_shown(rule: &Rule) -> Value {
    json!({
        "RuleArn": rule.arn,
        "Priority": rule.priority.to_string(),
        "Conditions": [{
            "Field": "path-pattern",
            "Values": rule.path_patterns,
            "PathPatternConfig": { "Values": rule.path_patterns },
        }],
        "Actions": [action(&rule.action)],
        "IsDefault": false,
    })
}

fn target_groups(state: &State, input: &Input) -> Answer {
    let balancing = &state.load_balancing;
    if let Some(arn) = input.text("LoadBalancerArn")
        && arn != balancing.arn
    {
        return Err(no_load_balancer(arn));
    }
    let (arns, named) = (input.texts("TargetGroupArns"), input.texts("Names"));
    let is = |group: &TargetGroup, wanted: &str| group.arn == wanted || group.name == wanted;
    let wanted: Vec<&str> = arns.into_iter().chain(named).collect();
    let missing = wanted.iter().any(|wanted| {
        !balancing
            .target_groups
            .iter()
            .any(|group| is(group, wanted))
    });
    if missing {
        return Err(no_target_group());
    }
    let shown: Vec<Value> = balancing
        .target_groups
        .iter()
        .filter(|group| wanted.is_empty() || wanted.iter().any(|wanted| is(group, wanted)))
        .map(|group| target_group(balancing, group))
        .collect();
    Ok(json!({ "TargetGroups": shown }))
}

fn target_group(balancing: &LoadBalancing, group: &TargetGroup) -> Value {
    let check = &group.health_check;
    let is_used = balancing.rules.iter().any(|rule| {
        matches!(&rule.action, Action::Forward { target_group } if *target_group == group.arn)
    });
    json!({
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": "HTTP",
        "Port": group.port,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": check.interval.as_secs(),
        "HealthCheckTimeoutSeconds": check.timeout.as_secs(),
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "HealthCheckPath": check.path,
        "Matcher": { "HttpCode": check.matcher },
        "LoadBalancerArns": is_used.then_some(&balancing.arn).into_iter().collect::<Vec<_>>(),
        "VpcId": network::VPC,
        "TargetType": "ip",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    })
}

fn target_group_attributes(state: &State, input: &Input) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = state
        .load_balancing
        .target_group(arn)
        .ok_or_else(no_target_group)?;
    Ok(attributes(&[
        (
            "deregistration_delay.timeout_seconds",
            group.deregistration_delay.as_secs().to_string(),
        ),
        ("stickiness.enabled", "false".to_owned()),
        ("stickiness.type", "lb_cookie".to_owned()),
        ("slow_start.duration_seconds", "0".to_owned()),
        (
            "load_balancing.algorithm.type",
            "least_outstanding_requests".to_owned(),
        ),
    ]))
}

fn target_health(state: &State, input: &Input) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = state
        .load_balancing
        .target_group(arn)
        .ok_or_else(no_target_group)?;
    let wanted = input.list("Targets");
    if wanted.is_empty() {
        let all: Vec<Value> = group.targets.iter().map(description).collect();
        return Ok(json!({ "TargetHealthDescriptions": all }));
    }
    let shown: Vec<Value> = wanted
        .into_iter()
        .map(|target| {
            let id = target.get("Id").and_then(Value::as_str).unwrap_or_default();
            let port = target
                .get("Port")
                .and_then(Value::as_str)
                .and_then(|port| port.parse::<u16>().ok())
                .unwrap_or(group.port);
            group
                .targets
                .iter()
                .find(|target| target.address.to_string() == id && target.port == port)
                .map_or_else(|| unregistered(id, port), description)
        })
        .collect();
    Ok(json!({ "TargetHealthDescriptions": shown }))
}

fn unregistered(id: &str, port: u16) -> Value {
    json!({
        "Target": { "Id": id, "Port": port },
        "HealthCheckPort": port.to_string(),
        "TargetHealth": {
            "State": "unused",
            "Reason": "Target.NotRegistered",
            "Description": "Target is not registered to the target group",
        },
    })
}

fn description(target: &Target) -> Value {
    let (state, reason, description) = match &target.health {
        Health::Registering => (
            "initial",
            Some("Elb.RegistrationInProgress"),
            Some("Target registration is in progress".to_owned()),
        ),
        Health::Checking => (
            "initial",
            Some("Elb.InitialHealthChecking"),
            Some("Initial health checks in progress".to_owned()),
        ),
        Health::Healthy => ("healthy", None, None),
        Health::Unhealthy(failure) => (
            "unhealthy",
            Some(match failure {
                Failure::Status(_) => "Target.ResponseCodeMismatch",
                Failure::Timeout => "Target.Timeout",
                Failure::Connection => "Target.FailedHealthChecks",
            }),
            Some(failure.describe()),
        ),
        Health::Draining { .. } => (
            "draining",
            Some("Target.DeregistrationInProgress"),
            Some("Target deregistration is in progress".to_owned()),
        ),
    };
    json!({
        "Target": {
            "Id": target.address,
            "Port": target.port,
            "AvailabilityZone": zone(),
        },
        "HealthCheckPort": target.port.to_string(),
        "TargetHealth": { "State": state, "Reason": reason, "Description": description },
        "AdministrativeOverride": {
            "State": "no_override",
            "Reason": "AdministrativeOverride.NoOverride",
            "Description": "No override is currently active on target",
        },
    })
}

fn tags(state: &State, input: &Input) -> Answer {
    let balancing = &state.load_balancing;
    let descriptions = input
        .texts("ResourceArns")
        .into_iter()
        .map(|arn| {
            let tags = if arn == balancing.arn || arn == balancing.listener_arn {
                &balancing.tags
            } else {
                let group = balancing.target_group(arn).ok_or_else(no_target_group)?;
                &group.tags
            };
            let tags: Vec<Value> = tags
                .iter()
                .map(|tag| json!({ "Key": tag.key, "Value": tag.value }))
                .collect();
            Ok(json!({ "ResourceArn": arn, "Tags": tags }))
        })
        .collect::<Result<Vec<Value>, ApiError>>()?;
    Ok(json!({ "TagDescriptions": descriptions }))
}
