# Logs, alarms and the dashboard.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_iam_role.execution
  values = { arn = "arn:aws:iam::123456789012:role/sales-prod-mcp-server-execution" }
}

override_resource {
  target = aws_iam_role.task
  values = { arn = "arn:aws:iam::123456789012:role/sales-prod-mcp-server-task" }
}

variables {
  name                            = "sales-prod"
  environment                     = "prod"
  cluster_arn                     = "arn:aws:ecs:us-east-1:123456789012:cluster/sales-prod"
  repository_arn                  = "arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server"
  catalog_url                     = "https://catalog.example.com"
  registry_url                    = "https://registry.example.com"
  listener_arn                    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/sales-prod/0123456789abcdef/0123456789abcdef"
  hosts                           = ["catalog.example.com"]
  vpc_id                          = "vpc-0123456789abcdef0"
  subnet_ids                      = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  load_balancer_security_group_id = "sg-0123456789abcdef0"
  alarm_topic_arns                = ["arn:aws:sns:us-east-1:123456789012:alarms"]
}

run "logs" {
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/quilt/sales-prod/mcp-server" && aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "Logs go to ${aws_cloudwatch_log_group.this.name} for ${aws_cloudwatch_log_group.this.retention_in_days} days"
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == null
    error_message = "The log group has a key that nobody asked for"
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.refused_authentication.log_group_name == "/quilt/sales-prod/mcp-server" && aws_cloudwatch_log_metric_filter.refused_authentication.pattern == "{ $.status = 401 }"
    error_message = "The filter is ${aws_cloudwatch_log_metric_filter.refused_authentication.pattern}"
  }
  assert {
    condition = alltrue([
      for metric in aws_cloudwatch_log_metric_filter.refused_authentication.metric_transformation :
      metric.name == "RefusedAuthentication" && metric.namespace == "Quilt/sales-prod/mcp-server" && metric.value == "1" && metric.default_value == "0"
    ])
    error_message = "The filter does not count refusals"
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.tool_calls.log_group_name == "/quilt/sales-prod/mcp-server" && aws_cloudwatch_log_metric_filter.tool_calls.pattern == "{ $.tool = * }"
    error_message = "The filter is ${aws_cloudwatch_log_metric_filter.tool_calls.pattern}"
  }
  assert {
    condition = alltrue([
      for metric in aws_cloudwatch_log_metric_filter.tool_calls.metric_transformation :
      metric.name == "ToolCallDuration" && metric.namespace == "Quilt/sales-prod/mcp-server" && metric.value == "$.duration_ms" && metric.unit == "Milliseconds" && metric.default_value == null
    ])
    error_message = "The filter does not measure tool calls"
  }
}

run "logs_with_a_key" {
  variables {
    log_retention_days = 365
    log_kms_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef" && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "The log group does not take the key"
  }
}

# name, namespace, metric, statistic, period, periods, comparison, threshold, without data
run "alarms" {
  assert {
    condition = [
      for alarm in [
        aws_cloudwatch_metric_alarm.no_healthy_target,
        aws_cloudwatch_metric_alarm.unhealthy_target,
        aws_cloudwatch_metric_alarm.usage["cpu"],
        aws_cloudwatch_metric_alarm.usage["memory"],
        aws_cloudwatch_metric_alarm.refused_authentication,
        ] : jsonencode([
          alarm.alarm_name, alarm.namespace, alarm.metric_name, try(coalesce(alarm.statistic), alarm.extended_statistic), alarm.period,
          alarm.evaluation_periods, alarm.comparison_operator, alarm.threshold, alarm.treat_missing_data,
      ])
      ] == [
      jsonencode(["sales-prod-mcp-server-no-healthy-target", "AWS/ApplicationELB", "HealthyHostCount", "Minimum", 60, 2, "LessThanThreshold", 1, "breaching"]),
      jsonencode(["sales-prod-mcp-server-unhealthy-target", "AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", 60, 3, "GreaterThanThreshold", 0, "notBreaching"]),
      jsonencode(["sales-prod-mcp-server-cpu", "AWS/ECS", "CPUUtilization", "Average", 60, 5, "GreaterThanThreshold", 85, "missing"]),
      jsonencode(["sales-prod-mcp-server-memory", "AWS/ECS", "MemoryUtilization", "Average", 60, 5, "GreaterThanThreshold", 85, "missing"]),
      jsonencode(["sales-prod-mcp-server-refused-authentication", "Quilt/sales-prod/mcp-server", "RefusedAuthentication", "Sum", 300, 1, "GreaterThanOrEqualToThreshold", 100, "notBreaching"]),
    ]
    error_message = "An alarm looks at something else"
  }
  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.no_healthy_target, aws_cloudwatch_metric_alarm.unhealthy_target] :
      alarm.dimensions == tomap({ LoadBalancer = "app/sales-prod/0123456789abcdef", TargetGroup = "targetgroup/sales-prod-mcp-server/0123456789abcdef" })
    ])
    error_message = "An alarm is about another target group"
  }
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.usage :
      alarm.dimensions == tomap({ ClusterName = "sales-prod", ServiceName = "sales-prod-mcp-server" })
    ])
    error_message = "An alarm is about another service"
  }
  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.usage), [
        aws_cloudwatch_metric_alarm.no_healthy_target,
        aws_cloudwatch_metric_alarm.unhealthy_target,
        aws_cloudwatch_metric_alarm.server_errors,
        aws_cloudwatch_metric_alarm.latency,
        aws_cloudwatch_metric_alarm.missing_tasks,
        aws_cloudwatch_metric_alarm.refused_authentication,
      ]) : alarm.alarm_actions == toset(var.alarm_topic_arns) && alarm.ok_actions == toset(var.alarm_topic_arns) && alarm.actions_enabled != false
    ])
    error_message = "An alarm tells nobody"
  }
}

# name, periods, comparison, threshold, without data, what is computed, of which metrics
run "alarms_of_several_metrics" {
  assert {
    condition = [
      for alarm in [
        aws_cloudwatch_metric_alarm.server_errors,
        aws_cloudwatch_metric_alarm.latency,
        aws_cloudwatch_metric_alarm.missing_tasks,
        ] : jsonencode([
          alarm.alarm_name, alarm.evaluation_periods, alarm.comparison_operator, alarm.threshold, alarm.treat_missing_data,
          [for query in alarm.metric_query : query.expression if query.return_data == true],
      ])
      ] == [
      jsonencode(["sales-prod-mcp-server-server-errors", 3, "GreaterThanOrEqualToThreshold", 10, "notBreaching", ["answered + unconnected"]]),
      jsonencode(["sales-prod-mcp-server-latency", 5, "GreaterThanThreshold", 30, "notBreaching", ["duration / 1000"]]),
      jsonencode(["sales-prod-mcp-server-missing-tasks", 10, "GreaterThanThreshold", 0, "notBreaching", ["desired - running"]]),
    ]
    error_message = "An alarm computes something else"
  }
  assert {
    condition = {
      for query in setunion(
        aws_cloudwatch_metric_alarm.server_errors.metric_query,
        aws_cloudwatch_metric_alarm.latency.metric_query,
        aws_cloudwatch_metric_alarm.missing_tasks.metric_query,
      ) :
      query.id => jsonencode([query.metric[0].namespace, query.metric[0].metric_name, query.metric[0].stat, query.metric[0].period, query.metric[0].dimensions]) if length(query.metric) > 0
      } == {
      answered    = jsonencode(["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", 60, { LoadBalancer = "app/sales-prod/0123456789abcdef", TargetGroup = "targetgroup/sales-prod-mcp-server/0123456789abcdef" }])
      unconnected = jsonencode(["AWS/ApplicationELB", "TargetConnectionErrorCount", "Sum", 60, { LoadBalancer = "app/sales-prod/0123456789abcdef", TargetGroup = "targetgroup/sales-prod-mcp-server/0123456789abcdef" }])
      duration    = jsonencode(["Quilt/sales-prod/mcp-server", "ToolCallDuration", "p95", 60, null])
      desired     = jsonencode(["ECS/ContainerInsights", "DesiredTaskCount", "Average", 60, { ClusterName = "sales-prod", ServiceName = "sales-prod-mcp-server" }])
      running     = jsonencode(["ECS/ContainerInsights", "RunningTaskCount", "Average", 60, { ClusterName = "sales-prod", ServiceName = "sales-prod-mcp-server" }])
    }
    error_message = "An alarm looks at something else"
  }
}

run "thresholds" {
  variables {
    server_errors_per_minute              = 3
    latency_p95_seconds                   = 1.5
    refused_authentications_per_5_minutes = 20
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.server_errors.threshold == 3 && aws_cloudwatch_metric_alarm.latency.threshold == 1.5 && aws_cloudwatch_metric_alarm.refused_authentication.threshold == 20
    error_message = "A threshold is not taken"
  }
}

run "alarm_names" {
  assert {
    condition = toset(values(output.alarm_names)) == toset([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.usage), [
        aws_cloudwatch_metric_alarm.no_healthy_target,
        aws_cloudwatch_metric_alarm.unhealthy_target,
        aws_cloudwatch_metric_alarm.server_errors,
        aws_cloudwatch_metric_alarm.latency,
        aws_cloudwatch_metric_alarm.missing_tasks,
        aws_cloudwatch_metric_alarm.refused_authentication,
      ]) : alarm.alarm_name
    ])
    error_message = "The output names other alarms than there are"
  }
}

run "dashboard" {
  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "sales-prod-mcp-server" && output.dashboard_name == "sales-prod-mcp-server"
    error_message = "The dashboard is ${aws_cloudwatch_dashboard.this.dashboard_name}"
  }
  assert {
    condition = toset(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [for metric in lookup(widget.properties, "metrics", []) : "${metric[0]} ${metric[1]}"]])) == toset([
      "AWS/ApplicationELB RequestCount",
      "AWS/ApplicationELB HTTPCode_Target_2XX_Count",
      "AWS/ApplicationELB HTTPCode_Target_4XX_Count",
      "AWS/ApplicationELB HTTPCode_Target_5XX_Count",
      "AWS/ApplicationELB TargetConnectionErrorCount",
      "AWS/ApplicationELB TargetResponseTime",
      "AWS/ApplicationELB HealthyHostCount",
      "AWS/ApplicationELB UnHealthyHostCount",
      "AWS/ECS CPUUtilization",
      "AWS/ECS MemoryUtilization",
      "ECS/ContainerInsights DesiredTaskCount",
      "ECS/ContainerInsights RunningTaskCount",
      "ECS/ContainerInsights PendingTaskCount",
      "Quilt/sales-prod/mcp-server ToolCallDuration",
      "Quilt/sales-prod/mcp-server RefusedAuthentication",
    ])
    error_message = "The dashboard shows something else"
  }
  assert {
    condition = alltrue(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [
        for metric in lookup(widget.properties, "metrics", []) :
        slice(metric, 2, length(metric)) == {
          "AWS/ApplicationELB"          = ["TargetGroup", "targetgroup/sales-prod-mcp-server/0123456789abcdef", "LoadBalancer", "app/sales-prod/0123456789abcdef"]
          "AWS/ECS"                     = ["ClusterName", "sales-prod", "ServiceName", "sales-prod-mcp-server"]
          "ECS/ContainerInsights"       = ["ClusterName", "sales-prod", "ServiceName", "sales-prod-mcp-server"]
          "Quilt/sales-prod/mcp-server" = []
        }[metric[0]]
      ]
    ]))
    error_message = "A graph is about another service"
  }
  assert {
    condition     = length(distinct([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${widget.x} ${widget.y}"])) == 8 && alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.x + widget.width <= 24 && widget.properties.region == "us-east-1"])
    error_message = "Graphs lie over one another"
  }
  assert {
    condition     = anytrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.type == "log" && startswith(lookup(widget.properties, "query", ""), "SOURCE '/quilt/sales-prod/mcp-server' | ")])
    error_message = "The dashboard reads no log"
  }
}

run "everything_is_tagged" {
  variables {
    tags                   = { CostCenter = "4711" }
    direct_ingress_cidrs   = ["10.1.0.0/16"]
    egress_prefix_list_ids = ["pl-0123456789abcdef0"]
    dns_resolver_cidrs     = ["10.0.0.2/32"]
  }
  assert {
    condition = alltrue([
      for tags in concat(
        [
          aws_ecs_task_definition.this.tags,
          aws_ecs_service.this.tags,
          aws_appautoscaling_target.this.tags,
          aws_lb_target_group.this.tags,
          aws_lb_listener_rule.this.tags,
          aws_security_group.this.tags,
          aws_vpc_security_group_ingress_rule.load_balancer.tags,
          aws_iam_role.execution.tags,
          aws_iam_role.task.tags,
          aws_cloudwatch_log_group.this.tags,
          aws_cloudwatch_metric_alarm.no_healthy_target.tags,
          aws_cloudwatch_metric_alarm.unhealthy_target.tags,
          aws_cloudwatch_metric_alarm.server_errors.tags,
          aws_cloudwatch_metric_alarm.latency.tags,
          aws_cloudwatch_metric_alarm.missing_tasks.tags,
          aws_cloudwatch_metric_alarm.refused_authentication.tags,
        ],
        [for alarm in aws_cloudwatch_metric_alarm.usage : alarm.tags],
        [for rule in aws_vpc_security_group_ingress_rule.direct : rule.tags],
        [for rule in aws_vpc_security_group_egress_rule.https : rule.tags],
        [for rule in aws_vpc_security_group_egress_rule.https_prefix_list : rule.tags],
        [for rule in aws_vpc_security_group_egress_rule.dns : rule.tags],
      ) :
      tags["Stack"] == "sales-prod" && tags["Environment"] == "prod" && tags["Service"] == "sales-prod-mcp-server" && tags["ManagedBy"] == "terraform" && tags["CostCenter"] == "4711"
    ])
    error_message = "Something has not all the tags"
  }
}
