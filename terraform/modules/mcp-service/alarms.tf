locals {
  metric_namespace = "Quilt/${var.name}/mcp-server"

  alarms = {
    no_healthy_target      = "${local.service_name}-no-healthy-target"
    unhealthy_target       = "${local.service_name}-unhealthy-target"
    server_errors          = "${local.service_name}-server-errors"
    latency                = "${local.service_name}-latency"
    cpu                    = "${local.service_name}-cpu"
    memory                 = "${local.service_name}-memory"
    missing_tasks          = "${local.service_name}-missing-tasks"
    refused_authentication = "${local.service_name}-refused-authentication"
  }

  target_dimensions = {
    LoadBalancer = data.aws_lb.this.arn_suffix
    TargetGroup  = aws_lb_target_group.this.arn_suffix
  }
  service_dimensions = {
    ClusterName = local.cluster_name
    ServiceName = local.service_name
  }
}

# No data is no target: it alarms from the first apply until the first release.
resource "aws_cloudwatch_metric_alarm" "no_healthy_target" {
  alarm_name          = local.alarms.no_healthy_target
  alarm_description   = "No task of ${local.service_name} can answer: clients get 503 from the load balancer."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HealthyHostCount"
  dimensions          = local.target_dimensions
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "unhealthy_target" {
  alarm_name          = local.alarms.unhealthy_target
  alarm_description   = "A task of ${local.service_name} has failed its health checks for minutes."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = local.target_dimensions
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags
}

# Also rolls a deployment back: ECS asks DescribeAlarms, which tells of metric alarms, those of an expression
# too. A sum takes what is missing for 0 (CloudWatch User Guide, "Using metric math"). FILL would take the
# newest minute for it, whose value comes late, and three minutes in a row would never be there.
resource "aws_cloudwatch_metric_alarm" "server_errors" {
  alarm_name          = local.alarms.server_errors
  alarm_description   = "${local.service_name} answers with 5xx, or takes no connections from the load balancer."
  evaluation_periods  = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.server_errors_per_minute
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags

  metric_query {
    id          = "errors"
    expression  = "answered + unconnected"
    label       = "Server errors"
    return_data = true
  }

  # What the load balancer answers by itself is counted for all its services, so it is not ours.
  dynamic "metric_query" {
    for_each = { answered = "HTTPCode_Target_5XX_Count", unconnected = "TargetConnectionErrorCount" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = local.target_dimensions
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

# The load balancer's TargetResponseTime ends where an answer begins, and ours begins at once.
resource "aws_cloudwatch_metric_alarm" "latency" {
  alarm_name          = local.alarms.latency
  alarm_description   = "One tool call in twenty to ${local.service_name} takes too long."
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.latency_p95_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags

  metric_query {
    id          = "seconds"
    expression  = "duration / 1000"
    label       = "Seconds of a tool call"
    return_data = true
  }

  metric_query {
    id = "duration"
    metric {
      namespace   = local.metric_namespace
      metric_name = "ToolCallDuration"
      period      = 60
      stat        = "p95"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "usage" {
  for_each = { cpu = "CPUUtilization", memory = "MemoryUtilization" }

  alarm_name          = local.alarms[each.key]
  alarm_description   = "The tasks of ${local.service_name} are short of ${each.key}."
  namespace           = "AWS/ECS"
  metric_name         = each.value
  dimensions          = local.service_dimensions
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = 85
  treat_missing_data  = "missing"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags
}

# Its metrics come from Container Insights; without it on the cluster the alarm stays quiet.
resource "aws_cloudwatch_metric_alarm" "missing_tasks" {
  alarm_name          = local.alarms.missing_tasks
  alarm_description   = "${local.service_name} has run fewer tasks than it wants for ten minutes."
  evaluation_periods  = 10
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags

  metric_query {
    id          = "missing"
    expression  = "desired - running"
    label       = "Missing tasks"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { desired = "DesiredTaskCount", running = "RunningTaskCount" }
    content {
      id = metric_query.key
      metric {
        namespace   = "ECS/ContainerInsights"
        metric_name = metric_query.value
        dimensions  = local.service_dimensions
        period      = 60
        stat        = "Average"
      }
    }
  }
}

# Some refusals are everyday: expired tokens, and clients that ask first without one.
resource "aws_cloudwatch_metric_alarm" "refused_authentication" {
  alarm_name          = local.alarms.refused_authentication
  alarm_description   = "${local.service_name} refuses many tokens: somebody is guessing, or a client or the registry is broken."
  namespace           = local.metric_namespace
  metric_name         = "RefusedAuthentication"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.refused_authentications_per_5_minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags
}
