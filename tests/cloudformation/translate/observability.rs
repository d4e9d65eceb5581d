//! Logs, alarms, dashboard.

use serde_json::{Value, json};

use super::Attributes;

pub fn log_group(mut group: Attributes) -> Value {
    let mut properties = json!({
        "LogGroupName": group.take("name"),
        "RetentionInDays": group.take("retention_in_days"),
        "Tags": group.take_tags(),
    });
    if let Some(key) = group.take_if_said("kms_key_id") {
        properties["KmsKeyId"] = key;
    }
    group.finish();
    properties
}

/// The logical id of a metric filter.
pub fn filter_id(address: &str) -> &'static str {
    match address
        .strip_prefix("aws_cloudwatch_log_metric_filter.")
        .unwrap()
    {
        "refused_authentication" => "RefusedAuthenticationFilter",
        "tool_calls" => "ToolCallsFilter",
        other => panic!("nobody compares the metric filter {other}"),
    }
}

pub fn metric_filter(mut filter: Attributes) -> Value {
    let mut metric = filter.take_block("metric_transformation");
    let mut transformation = json!({
        "MetricName": metric.take("name"),
        "MetricNamespace": metric.take("namespace"),
        "MetricValue": metric.take("value"),
        "Unit": metric.take("unit"),
    });
    if let Some(value) = metric.take_if_said("default_value") {
        transformation["DefaultValue"] = value;
    }
    metric.finish();
    let properties = json!({
        "FilterName": filter.take("name"),
        "LogGroupName": filter.take("log_group_name"),
        "FilterPattern": filter.take("pattern"),
        "MetricTransformations": [transformation],
    });
    filter.finish();
    properties
}

/// The logical id of an alarm.
pub fn alarm_id(address: &str) -> &'static str {
    match address
        .strip_prefix("aws_cloudwatch_metric_alarm.")
        .unwrap()
    {
        "no_healthy_target" => "NoHealthyTargetAlarm",
        "unhealthy_target" => "UnhealthyTargetAlarm",
        "server_errors" => "ServerErrorsAlarm",
        "latency" => "LatencyAlarm",
        "usage[\"cpu\"]" => "CpuAlarm",
        "usage[\"memory\"]" => "MemoryAlarm",
        "missing_tasks" => "MissingTasksAlarm",
        "refused_authentication" => "RefusedAuthenticationAlarm",
        other => panic!("nobody compares the alarm {other}"),
    }
}

pub fn alarm(mut alarm: Attributes) -> Value {
    let mut properties = json!({
        "AlarmName": alarm.take("alarm_name"),
        "AlarmDescription": alarm.take("alarm_description"),
        "EvaluationPeriods": alarm.take("evaluation_periods"),
        "ComparisonOperator": alarm.take("comparison_operator"),
        // Zero is a threshold too.
        "Threshold": alarm.take("threshold"),
        "TreatMissingData": alarm.take("treat_missing_data"),
        "AlarmActions": alarm.take_if_said("alarm_actions").unwrap_or(json!([])),
        "OKActions": alarm.take_if_said("ok_actions").unwrap_or(json!([])),
        "Tags": alarm.take_tags(),
    });
    for (name, property) in [
        ("namespace", "Namespace"),
        ("metric_name", "MetricName"),
        ("statistic", "Statistic"),
        ("extended_statistic", "ExtendedStatistic"),
        ("period", "Period"),
    ] {
        if let Some(value) = alarm.take_if_said(name) {
            properties[property] = value;
        }
    }
    if let Some(said) = alarm.take_if_said("dimensions") {
        properties["Dimensions"] = dimensions(&said);
    }
    let queries: Vec<Value> = alarm
        .take_blocks("metric_query")
        .into_iter()
        .map(query)
        .collect();
    if !queries.is_empty() {
        properties["Metrics"] = queries.into();
    }
    // Terraform's default, and CloudWatch's: an alarm's actions are taken.
    assert_ne!(alarm.take("actions_enabled"), json!(false));
    alarm.finish();
    properties
}

fn query(mut query: Attributes) -> Value {
    let mut said = json!({
        "Id": query.take("id"),
        // CloudWatch takes an absent one for true, Terraform for false.
        "ReturnData": query.take("return_data") == json!(true),
    });
    for (name, property) in [("expression", "Expression"), ("label", "Label")] {
        if let Some(value) = query.take_if_said(name) {
            said[property] = value;
        }
    }
    for mut metric in query.take_blocks("metric") {
        said["MetricStat"] = json!({
            "Metric": {
                "Namespace": metric.take("namespace"),
                "MetricName": metric.take("metric_name"),
            },
            "Period": metric.take("period"),
            "Stat": metric.take("stat"),
        });
        if let Some(names) = metric.take_if_said("dimensions") {
            said["MetricStat"]["Metric"]["Dimensions"] = dimensions(&names);
        }
        metric.finish();
    }
    query.finish();
    said
}

fn dimensions(said: &Value) -> Value {
    let said = said.as_object().unwrap().iter();
    said.map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect()
}

pub fn dashboard(mut dashboard: Attributes) -> Value {
    let properties = json!({
        "DashboardName": dashboard.take("dashboard_name"),
        "DashboardBody": dashboard.take_json("dashboard_body"),
    });
    dashboard.finish();
    properties
}
