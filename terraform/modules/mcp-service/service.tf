resource "aws_ecs_service" "this" {
  name            = local.service_name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this.arn
  # The template's image does not exist; the first release sends the number of tasks.
  desired_count    = 0
  launch_type      = "FARGATE"
  platform_version = "LATEST"

  health_check_grace_period_seconds  = var.health_check_grace_period_seconds
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = false

  deployment_controller {
    type = "ECS"
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  alarms {
    enable      = true
    rollback    = true
    alarm_names = [local.alarms.server_errors]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = local.container_name
    container_port   = local.container_port
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  tags = local.tags

  # ECS refuses a target group that no rule of a load balancer uses, and tasks cannot start before
  # their role may pull.
  depends_on = [aws_lb_listener_rule.this, aws_iam_role_policy.execution, aws_cloudwatch_metric_alarm.server_errors]

  lifecycle {
    # quilt-mcp-deploy moves the service to new revisions, and autoscaling sets the count.
    ignore_changes = [task_definition, desired_count]

    precondition {
      condition     = data.aws_caller_identity.current.account_id == local.account_id && data.aws_region.current.name == local.region
      error_message = "cluster_arn is in account ${local.account_id}, region ${local.region}, and these credentials are for account ${data.aws_caller_identity.current.account_id}, region ${data.aws_region.current.name}."
    }
    precondition {
      condition     = var.max_tasks >= var.min_tasks
      error_message = "max_tasks (${var.max_tasks}) is less than min_tasks (${var.min_tasks})."
    }
    precondition {
      condition     = var.environment != "prod" || var.min_tasks >= 2
      error_message = "Production needs min_tasks of 2 or more: with one task, every failure is an outage."
    }
  }
}

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${local.cluster_name}/${aws_ecs_service.this.name}"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
  tags               = local.tags
}

# By CPU: requests are counted when they end, so long streams hide in a request count.
resource "aws_appautoscaling_policy" "cpu" {
  name               = "${local.service_name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.autoscaling_cpu_percent
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
