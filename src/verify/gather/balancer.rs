//! The target groups and what stands before them.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, Listener as ElbListener, LoadBalancer, Rule as ElbRule, RuleCondition,
    TargetGroup as ElbTargetGroup,
};
use futures::future::join_all;
use futures::join;

use crate::aws::{AwsError, Clients};
use crate::verify::gather::unseen;
use crate::verify::{Balancer, Fetched, Listener, MatchedOn, Missing, Rule, Service, TargetGroup};

pub(crate) async fn target_groups(
    clients: &Clients,
    service: Fetched<&Service>,
) -> Fetched<Vec<TargetGroup>> {
    let arns: Vec<String> = service?
        .targets
        .iter()
        .map(|target| target.target_group.clone())
        .collect();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let answer = clients
        .elb
        .describe_target_groups()
        .set_target_group_arns(Some(arns.clone()))
        .send()
        .await
        .map_err(|error| {
            let action = "elasticloadbalancing:DescribeTargetGroups";
            AwsError::new(action, arns.join(", "), &error)
        })?;
    Ok(join_all(
        answer
            .target_groups()
            .iter()
            .map(|group| target_group(clients, group)),
    )
    .await)
}

async fn target_group(clients: &Clients, group: &ElbTargetGroup) -> TargetGroup {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let arn = text(group.target_group_arn());
    let attributes = clients
        .elb
        .describe_target_group_attributes()
        .target_group_arn(&arn)
        .send()
        .await;
    let action = "elasticloadbalancing:DescribeTargetGroupAttributes";
    let attributes = attributes
        .map(|answer| {
            answer
                .attributes()
                .iter()
                .map(|attribute| (text(attribute.key()), text(attribute.value())))
                .collect()
        })
        .map_err(|error| Missing::from(AwsError::new(action, &arn, &error)));
    TargetGroup {
        name: text(group.target_group_name()),
        target_type: text(group.target_type().map(|kind| kind.as_str())),
        protocol: text(group.protocol().map(|protocol| protocol.as_str())),
        // Only some APIs name it where it is the default.
        protocol_version: group.protocol_version().unwrap_or("HTTP1").to_owned(),
        health_path: text(group.health_check_path()),
        health_port: group
            .health_check_port()
            .unwrap_or("traffic-port")
            .to_owned(),
        health_protocol: text(
            group
                .health_check_protocol()
                .map(|protocol| protocol.as_str()),
        ),
        matcher: text(group.matcher().and_then(|matcher| matcher.http_code())),
        balancers: group.load_balancer_arns().to_vec(),
        attributes,
        arn,
    }
}

pub(crate) async fn balancers(
    clients: &Clients,
    groups: &Fetched<Vec<TargetGroup>>,
) -> Fetched<Vec<Balancer>> {
    let groups = groups.as_ref().map_err(|_| unseen("target group"))?;
    let mut arns: Vec<String> = groups
        .iter()
        .flat_map(|group| group.balancers.iter().cloned())
        .collect();
    arns.sort();
    arns.dedup();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let answer = clients
        .elb
        .describe_load_balancers()
        .set_load_balancer_arns(Some(arns.clone()))
        .send()
        .await
        .map_err(|error| {
            let action = "elasticloadbalancing:DescribeLoadBalancers";
            AwsError::new(action, arns.join(", "), &error)
        })?;
    let found = answer.load_balancers().iter();
    Ok(join_all(found.map(|balancer| read(clients, balancer))).await)
}

async fn read(clients: &Clients, balancer: &LoadBalancer) -> Balancer {
    let arn = balancer.load_balancer_arn().unwrap_or_default().to_owned();
    let (idle_timeout, listeners) = join!(idle_timeout(clients, &arn), listeners(clients, &arn));
    Balancer {
        name: balancer.load_balancer_name().unwrap_or_default().to_owned(),
        security_groups: balancer.security_groups().to_vec(),
        idle_timeout,
        listeners,
        arn,
    }
}

async fn idle_timeout(clients: &Clients, arn: &str) -> Fetched<i64> {
    const ACTION: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
    let answer = clients
        .elb
        .describe_load_balancer_attributes()
        .load_balancer_arn(arn)
        .send()
        .await
        .map_err(|error| AwsError::new(ACTION, arn, &error))?;
    let value = answer
        .attributes()
        .iter()
        .find(|attribute| attribute.key() == Some("idle_timeout.timeout_seconds"))
        .and_then(|attribute| attribute.value())
        .and_then(|value| value.parse().ok());
    Ok(value.ok_or_else(|| AwsError::incomplete(ACTION, arn, "names no idle timeout"))?)
}

async fn listeners(clients: &Clients, arn: &str) -> Fetched<Vec<Listener>> {
    let mut pages = clients
        .elb
        .describe_listeners()
        .load_balancer_arn(arn)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            AwsError::new("elasticloadbalancing:DescribeListeners", arn, &error)
        })?;
        found.extend(page.listeners.unwrap_or_default());
    }
    Ok(join_all(found.iter().map(|one| listener(clients, one))).await)
}

async fn listener(clients: &Clients, listener: &ElbListener) -> Listener {
    let arn = listener.listener_arn().unwrap_or_default();
    Listener {
        port: listener.port().unwrap_or_default(),
        protocol: listener
            .protocol()
            .map_or("", |protocol| protocol.as_str())
            .to_owned(),
        ssl_policy: listener.ssl_policy().map(str::to_owned),
        rules: rules(clients, arn).await,
    }
}

async fn rules(clients: &Clients, arn: &str) -> Fetched<Vec<Rule>> {
    let mut pages = clients
        .elb
        .describe_rules()
        .listener_arn(arn)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| AwsError::new("elasticloadbalancing:DescribeRules", arn, &error))?;
        found.extend(page.rules().iter().map(rule));
    }
    Ok(found)
}

fn rule(rule: &ElbRule) -> Rule {
    let forwards_to = rule.actions().iter().flat_map(targets).collect();
    // The last action is the one that answers; others authenticate before.
    let action = rule.actions().last().map_or_else(
        || "no action".to_owned(),
        |action| match action.r#type().map(|kind| kind.as_str()) {
            Some("forward") => format!("forward to {}", targets(action).join(", ")),
            Some(kind) => kind.to_owned(),
            None => "no action".to_owned(),
        },
    );
    Rule {
        priority: rule.priority().and_then(|priority| priority.parse().ok()),
        conditions: rule.conditions().iter().map(condition).collect(),
        forwards_to,
        action,
    }
}

fn targets(action: &Action) -> Vec<String> {
    let weighted: Vec<String> = action
        .forward_config()
        .map(|forward| forward.target_groups())
        .unwrap_or_default()
        .iter()
        .filter(|group| group.weight() != Some(0))
        .filter_map(|group| group.target_group_arn())
        .map(str::to_owned)
        .collect();
    if weighted.is_empty() {
        action
            .target_group_arn()
            .map(str::to_owned)
            .into_iter()
            .collect()
    } else {
        weighted
    }
}

/// Older callers set `Values`, newer ones the field's own configuration; AWS answers with both.
fn condition(condition: &RuleCondition) -> MatchedOn {
    let field = condition.field().unwrap_or_default();
    let either = |own: &[String]| {
        if own.is_empty() {
            condition.values().to_vec()
        } else {
            own.to_vec()
        }
    };
    let values = match field {
        "host-header" => either(
            condition
                .host_header_config()
                .map_or(&[], |own| own.values()),
        ),
        "path-pattern" => either(
            condition
                .path_pattern_config()
                .map_or(&[], |own| own.values()),
        ),
        "http-request-method" => either(
            condition
                .http_request_method_config()
                .map_or(&[], |own| own.values()),
        ),
        other => return MatchedOn::Other(other.to_owned()),
    };
    match field {
        // A regular expression, which the load balancer's own engine reads.
        _ if values.is_empty() => MatchedOn::Other(format!("{field} by a regular expression")),
        "host-header" => MatchedOn::Host(values),
        "path-pattern" => MatchedOn::Path(values),
        _ => MatchedOn::Method(values),
    }
}
