locals {
  target_metric  = ["TargetGroup", aws_lb_target_group.this.arn_suffix, "LoadBalancer", data.aws_lb.this.arn_suffix]
  service_metric = ["ClusterName", local.cluster_name, "ServiceName", local.service_name]

  # Two graphs a row.
  graphs = [
    {
      title = "Requests and answers"
      stat  = "Sum"
      metrics = [
        for name in ["RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount"] :
        concat(["AWS/ApplicationELB", name], local.target_metric)
      ]
    },
    {
      title   = "Milliseconds of a tool call, p95"
      stat    = "p95"
      metrics = [[local.metric_namespace, "ToolCallDuration"]]
    },
    {
      title   = "Seconds until the answer begins, p95"
      stat    = "p95"
      metrics = [concat(["AWS/ApplicationELB", "TargetResponseTime"], local.target_metric)]
    },
    {
      title = "Targets"
      stat  = "Average"
      metrics = [
        for name in ["HealthyHostCount", "UnHealthyHostCount"] :
        concat(["AWS/ApplicationELB", name], local.target_metric)
      ]
    },
    {
      title = "CPU and memory, percent"
      stat  = "Average"
      metrics = [
        for name in ["CPUUtilization", "MemoryUtilization"] :
        concat(["AWS/ECS", name], local.service_metric)
      ]
    },
    {
      title = "Tasks (Container Insights)"
      stat  = "Average"
      metrics = [
        for name in ["DesiredTaskCount", "RunningTaskCount", "PendingTaskCount"] :
        concat(["ECS/ContainerInsights", name], local.service_metric)
      ]
    },
    {
      title   = "Refused authentication"
      stat    = "Sum"
      metrics = [[local.metric_namespace, "RefusedAuthentication"]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.service_name
  dashboard_body = jsonencode({
    widgets = concat(
      [
        for index, graph in local.graphs : {
          type   = "metric"
          x      = index % 2 * 12
          y      = floor(index / 2) * 6
          width  = 12
          height = 6
          properties = {
            region  = local.region
            title   = graph.title
            stat    = graph.stat
            period  = 60
            view    = "timeSeries"
            metrics = graph.metrics
          }
        }
      ],
      [{
        type   = "log"
        x      = 0
        y      = ceil(length(local.graphs) / 2) * 6
        width  = 24
        height = 6
        properties = {
          region = local.region
          title  = "Answers with errors"
          view   = "table"
          query  = "SOURCE '${local.log_group_name}' | fields @timestamp, status, method, path, tool, tool_error, duration_ms, request_id | filter status >= 400 or ispresent(tool_error) | sort @timestamp desc | limit 50"
        }
      }],
    )
  })
}
