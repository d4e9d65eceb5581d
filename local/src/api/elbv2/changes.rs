//! What can be changed of the load balancer: target groups, their attributes, rules, the idle timeout.

use std::time::Duration;

use serde_json::{Value, json};

use super::{no_listener, no_load_balancer, no_target_group, rule_shown, target_group};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::aws::names;
use crate::state::State;
use crate::state::elb::{Action, HealthCheck, Rule, TargetGroup};

/// The longest deregistration delay, in seconds.
const LONGEST_DELAY: u64 = 3600;

pub(super) fn operation(name: &str) -> Option<fn(&mut State, &Input) -> Answer> {
    Some(match name {
        "CreateTargetGroup" => create_target_group,
        "ModifyTargetGroup" => modify_target_group,
        "ModifyTargetGroupAttributes" => modify_target_group_attributes,
        "DeleteTargetGroup" => delete_target_group,
        "ModifyLoadBalancerAttributes" => modify_load_balancer_attributes,
        "CreateRule" => create_rule,
        "DeleteRule" => delete_rule,
        _ => return None,
    })
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message.into())
}

fn create_target_group(state: &mut State, input: &Input) -> Answer {
    let name = input
        .text("Name")
        .ok_or_else(|| invalid("A target group name must be specified"))?;
    if input.text("TargetType").unwrap_or("instance") != "ip" {
        return Err(invalid(
            "The local environment rehearses target groups of the target type 'ip' only",
        ));
    }
    let port = number(input, "Port", 1..=65535)?
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| invalid("A port must be specified"))?;
    let mut check = HealthCheck {
        path: "/".to_owned(),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        matcher: "200".to_owned(),
    };
    change_check(&mut check, input)?;
    let groups = &state.load_balancing.target_groups;
    let position = match groups.iter().position(|group| group.name == name) {
        // The same again is the same.
        Some(there) if groups[there].port == port && groups[there].health_check == check => there,
        Some(_) => {
            return Err(ApiError::new(
                "DuplicateTargetGroupName",
                format!(
                    "A target group with the same name '{name}' exists, but with different settings"
                ),
            ));
        }
        None => groups.len(),
    };
    if position == groups.len() {
        let group = TargetGroup {
            name: name.to_owned(),
            arn: names::arn(
                "elasticloadbalancing",
                &format!("targetgroup/{name}/{}", names::hex16()),
            ),
            port,
            health_check: check,
            deregistration_delay: Duration::from_secs(300),
            targets: Vec::new(),
            tags: input.tags("Tags")?,
        };
        state.load_balancing.target_groups.push(group);
    }
    let balancing = &state.load_balancing;
    let group = &balancing.target_groups[position];
    Ok(json!({ "TargetGroups": [target_group(balancing, group)] }))
}

fn number(
    input: &Input,
    member: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, ApiError> {
    match input.get(member) {
        None => Ok(None),
        Some(_) => input
            .number(member)
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or_else(|| {
                invalid(format!(
                    "{member} must be between {} and {}",
                    range.start(),
                    range.end()
                ))
            }),
    }
}

fn change_check(check: &mut HealthCheck, input: &Input) -> Result<(), ApiError> {
    if let Some(path) = input.text("HealthCheckPath") {
        path.clone_into(&mut check.path);
    }
    if let Some(seconds) = number(input, "HealthCheckIntervalSeconds", 1..=300)? {
        check.interval = Duration::from_secs(seconds);
    }
    if let Some(seconds) = number(input, "HealthCheckTimeoutSeconds", 1..=120)? {
        check.timeout = Duration::from_secs(seconds);
    }
    let threshold = |member| -> Result<Option<u32>, ApiError> {
        Ok(number(input, member, 2..=10)?.and_then(|number| u32::try_from(number).ok()))
    };
    if let Some(count) = threshold("HealthyThresholdCount")? {
        check.healthy_threshold = count;
    }
    if let Some(count) = threshold("UnhealthyThresholdCount")? {
        check.unhealthy_threshold = count;
    }
    let matcher = input
        .get("Matcher")
        .and_then(|matcher| matcher.get("HttpCode"));
    if let Some(matcher) = matcher.and_then(Value::as_str) {
        matcher.clone_into(&mut check.matcher);
    }
    Ok(())
}

fn group_of<'a>(state: &'a mut State, input: &Input) -> Result<&'a mut TargetGroup, ApiError> {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    state
        .load_balancing
        .target_group_mut(arn)
        .ok_or_else(no_target_group)
}

fn modify_target_group(state: &mut State, input: &Input) -> Answer {
    let group = group_of(state, input)?;
    let mut check = group.health_check.clone();
    change_check(&mut check, input)?;
    group.health_check = check;
    let group = group.clone();
    Ok(json!({ "TargetGroups": [target_group(&state.load_balancing, &group)] }))
}

/// The attributes of a request: key and value.
fn attributes(input: &Input) -> Vec<(&str, &str)> {
    input
        .get("Attributes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|attribute| {
            let text = |member: &str| attribute.get(member)?.as_str();
            Some((text("Key")?, text("Value")?))
        })
        .collect()
}

fn unknown_attribute(key: &str) -> ApiError {
    ApiError::new(
        "InvalidConfigurationRequest",
        format!("The local environment cannot change the attribute '{key}'"),
    )
}

fn seconds(key: &str, value: &str, most: u64) -> Result<u64, ApiError> {
    value
        .parse()
        .ok()
        .filter(|seconds| *seconds <= most)
        .ok_or_else(|| {
            ApiError::new(
                "InvalidConfigurationRequest",
                format!("'{key}' must be between 0 and {most} seconds, not '{value}'"),
            )
        })
}

fn shown_attributes(input: &Input) -> Value {
    let list: Vec<Value> = attributes(input)
        .into_iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    json!({ "Attributes": list })
}

fn modify_target_group_attributes(state: &mut State, input: &Input) -> Answer {
    let group = group_of(state, input)?;
    for (key, value) in attributes(input) {
        match key {
            "deregistration_delay.timeout_seconds" => {
                group.deregistration_delay =
                    Duration::from_secs(seconds(key, value, LONGEST_DELAY)?);
            }
            _ => return Err(unknown_attribute(key)),
        }
    }
    Ok(shown_attributes(input))
}

fn modify_load_balancer_attributes(state: &mut State, input: &Input) -> Answer {
    let balancing = &mut state.load_balancing;
    let arn = input.text("LoadBalancerArn").unwrap_or_default();
    if arn != balancing.arn {
        return Err(no_load_balancer(arn));
    }
    for (key, value) in attributes(input) {
        match key {
            "idle_timeout.timeout_seconds" => {
                balancing.idle_timeout_seconds = seconds(key, value, 4000)?.max(1);
            }
            _ => return Err(unknown_attribute(key)),
        }
    }
    Ok(shown_attributes(input))
}

fn delete_target_group(state: &mut State, input: &Input) -> Answer {
    let arn = group_of(state, input)?.arn.clone();
    let by_rule = state.load_balancing.rules.iter().any(
        |rule| matches!(&rule.action, Action::Forward { target_group } if *target_group == arn),
    );
    if by_rule {
        return Err(ApiError::new(
            "ResourceInUse",
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    let groups = &mut state.load_balancing.target_groups;
    groups.retain(|group| group.arn != arn);
    Ok(json!({}))
}

/// A rule by path that forwards.
fn create_rule(state: &mut State, input: &Input) -> Answer {
    let balancing = &state.load_balancing;
    if input.text("ListenerArn") != Some(balancing.listener_arn.as_str()) {
        return Err(no_listener());
    }
    let priority = number(input, "Priority", 1..=50_000)?
        .and_then(|priority| u32::try_from(priority).ok())
        .ok_or_else(|| invalid("A priority must be specified"))?;
    if balancing.rules.iter().any(|rule| rule.priority == priority) {
        return Err(ApiError::new(
            "PriorityInUse",
            format!("Priority '{priority}' is currently in use"),
        ));
    }
    let path_patterns = path_patterns(input)?;
    let forward = input
        .list("Actions")
        .iter()
        .find_map(|action| action.get("TargetGroupArn")?.as_str())
        .ok_or_else(|| invalid("The local environment rehearses rules that forward only"))?
        .to_owned();
    if balancing.target_group(&forward).is_none() {
        return Err(no_target_group());
    }
    let listener = balancing
        .listener_arn
        .replace(":listener/", ":listener-rule/");
    let rule = Rule {
        arn: format!("{listener}/{}", names::hex16()),
        priority,
        path_patterns,
        action: Action::Forward {
            target_group: forward,
        },
    };
    let shown = rule_shown(&rule);
    let rules = &mut state.load_balancing.rules;
    rules.push(rule);
    rules.sort_by_key(|rule| rule.priority);
    Ok(json!({ "Rules": [shown] }))
}

fn path_patterns(input: &Input) -> Result<Vec<String>, ApiError> {
    let only_paths = || invalid("The local environment rehearses conditions by path only");
    let mut patterns = Vec::new();
    for condition in input.list("Conditions") {
        if condition.get("Field").and_then(Value::as_str) != Some("path-pattern") {
            return Err(only_paths());
        }
        let values = condition
            .get("PathPatternConfig")
            .unwrap_or(condition)
            .get("Values")
            .and_then(Value::as_array)
            .ok_or_else(only_paths)?;
        let texts = values.iter().filter_map(Value::as_str);
        patterns.extend(texts.map(ToOwned::to_owned));
    }
    if patterns.is_empty() {
        return Err(only_paths());
    }
    Ok(patterns)
}

fn delete_rule(state: &mut State, input: &Input) -> Answer {
    let arn = input.text("RuleArn").unwrap_or_default();
    let rules = &mut state.load_balancing.rules;
    let before = rules.len();
    rules.retain(|rule| rule.arn != arn);
    if rules.len() == before {
        return Err(ApiError::new("RuleNotFound", "One or more rules not found"));
    }
    Ok(json!({}))
}
