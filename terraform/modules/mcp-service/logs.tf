resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group_name
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = local.tags
}

# The server writes one JSON object a request, when its answer has ended.
resource "aws_cloudwatch_log_metric_filter" "refused_authentication" {
  name           = "${local.service_name}-refused-authentication"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.status = 401 }"

  metric_transformation {
    name          = "RefusedAuthentication"
    namespace     = local.metric_namespace
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

# To the end of the answer. No default value: a minute without calls has no duration.
resource "aws_cloudwatch_log_metric_filter" "tool_calls" {
  name           = "${local.service_name}-tool-calls"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.tool = * }"

  metric_transformation {
    name      = "ToolCallDuration"
    namespace = local.metric_namespace
    value     = "$.duration_ms"
    unit      = "Milliseconds"
  }
}
