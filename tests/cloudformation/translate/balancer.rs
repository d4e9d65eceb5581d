//! Target group, listener rule, web ACL.

use serde_json::{Value, json};

use super::Attributes;

pub fn target_group(mut group: Attributes) -> Value {
    let mut check = group.take_block("health_check");
    let mut stickiness = group.take_block("stickiness");
    let properties = json!({
        "Name": group.take("name"),
        "VpcId": group.take("vpc_id"),
        "TargetType": group.take("target_type"),
        "Protocol": group.take("protocol"),
        "ProtocolVersion": group.take("protocol_version"),
        "Port": group.take("port"),
        "HealthCheckEnabled": check.take("enabled"),
        "HealthCheckProtocol": check.take("protocol"),
        "HealthCheckPort": check.take("port"),
        "HealthCheckPath": check.take("path"),
        "HealthCheckIntervalSeconds": check.take("interval"),
        "HealthCheckTimeoutSeconds": check.take("timeout"),
        "HealthyThresholdCount": check.take("healthy_threshold"),
        "UnhealthyThresholdCount": check.take("unhealthy_threshold"),
        "Matcher": {"HttpCode": check.take("matcher")},
        "TargetGroupAttributes": [
            {"Key": "deregistration_delay.timeout_seconds", "Value": group.take("deregistration_delay")},
            {"Key": "load_balancing.algorithm.type", "Value": group.take("load_balancing_algorithm_type")},
            {"Key": "stickiness.enabled", "Value": stickiness.take("enabled")},
            {"Key": "stickiness.type", "Value": stickiness.take("type")},
        ],
        "Tags": group.take_tags(),
    });
    check.finish();
    stickiness.finish();
    group.drop(&["arn", "arn_suffix"]);
    properties
}

pub fn listener_rule(mut rule: Attributes) -> Value {
    let mut action = rule.take_block("action");
    let actions = json!([{
        "Type": action.take("type"),
        "TargetGroupArn": action.take("target_group_arn"),
    }]);
    action.finish();
    let conditions: Vec<Value> = rule
        .take_blocks("condition")
        .into_iter()
        .map(condition)
        .collect();
    let properties = json!({
        "ListenerArn": rule.take("listener_arn"),
        "Priority": rule.take("priority"),
        "Actions": actions,
        "Conditions": conditions,
        "Tags": rule.take_tags(),
    });
    rule.drop(&["arn"]);
    properties
}

fn condition(mut condition: Attributes) -> Value {
    const FIELDS: [(&str, &str, &str); 3] = [
        ("host_header", "host-header", "HostHeaderConfig"),
        ("path_pattern", "path-pattern", "PathPatternConfig"),
        ("source_ip", "source-ip", "SourceIpConfig"),
    ];
    let mut said = Vec::new();
    for (block, field, config) in FIELDS {
        for mut block in condition.take_blocks(block) {
            said.push(json!({"Field": field, config: {"Values": block.take("values")}}));
            block.finish();
        }
    }
    condition.finish();
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

pub fn web_acl(mut association: Attributes) -> Value {
    let properties = json!({
        "WebACLArn": association.take("web_acl_arn"),
        "ResourceArn": association.take("resource_arn"),
    });
    association.finish();
    properties
}
