output "quilt_mcp_environment" {
  description = "An environment of quilt-mcp.toml, key by key: pass it on as an output of the same name for `quilt-mcp-deploy init --from-terraform`."
  value = {
    account_id    = local.account_id
    region        = local.region
    repository    = local.repository_name
    cluster       = local.cluster_name
    service       = aws_ecs_service.this.name
    container     = local.container_name
    url           = "${local.public_url}/"
    cors_origins  = local.cors_origins
    desired_count = var.min_tasks
  }
}

output "url" {
  description = "The MCP endpoint."
  value       = "${local.public_url}/"
}

output "service_arn" {
  description = "The ECS service's ARN."
  value       = "arn:${local.partition}:ecs:${local.region}:${local.account_id}:service/${local.cluster_name}/${local.service_name}"
}

output "task_definition_family" {
  description = "The family of the template and the releases."
  value       = aws_ecs_task_definition.this.family
}

output "template_arn" {
  description = "The newest template: what the next release is made from."
  value       = aws_ecs_task_definition.this.arn
}

output "execution_role_arn" {
  description = "The role that ECS starts tasks with."
  value       = aws_iam_role.execution.arn
}

output "task_role_arn" {
  description = "The server's own role, without permissions."
  value       = aws_iam_role.task.arn
}

output "log_group_name" {
  description = "Where the tasks write."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_group_arn" {
  description = "The log group's ARN, without `:*`."
  value       = local.log_group_arn
}

output "target_group_arn" {
  description = "The target group."
  value       = aws_lb_target_group.this.arn
}

output "listener_rule_arn" {
  description = "The rule on the load balancer's listener."
  value       = aws_lb_listener_rule.this.arn
}

output "security_group_id" {
  description = "The tasks' security group: let it into what the server must reach."
  value       = aws_security_group.this.id
}

output "alarm_names" {
  description = "The alarms' names."
  value       = local.alarms
}

output "dashboard_name" {
  description = "The CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
