# The task definition, the service around it, autoscaling, and what the module tells others.

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
}

run "task" {
  assert {
    condition = jsondecode(aws_ecs_task_definition.this.container_definitions) == [{
      name                   = "mcp-server"
      image                  = "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/sales-prod/mcp-server:unreleased"
      essential              = true
      command                = ["serve"]
      user                   = "65532:65532"
      privileged             = false
      readonlyRootFilesystem = true
      stopTimeout            = 120
      linuxParameters = {
        initProcessEnabled = true
        capabilities       = { drop = ["ALL"] }
      }
      portMappings = [{ name = "http", containerPort = 8000, hostPort = 8000, protocol = "tcp" }]
      environment = [
        { name = "AWS_REGION", value = "us-east-1" },
        { name = "MCP_ALLOWED_ORIGINS", value = "https://catalog.example.com" },
        { name = "MCP_DRAIN_TIMEOUT_SECONDS", value = "115" },
        { name = "MCP_LISTEN", value = "0.0.0.0:8000" },
        { name = "MCP_PUBLIC_URL", value = "https://catalog.example.com/mcp" },
        { name = "QUILT_CATALOG_URL", value = "https://catalog.example.com" },
        { name = "QUILT_REGISTRY_URL", value = "https://registry.example.com" },
      ]
      secrets = []
      healthCheck = {
        command     = ["CMD", "/quilt-mcp-server", "healthcheck"]
        interval    = 15
        timeout     = 5
        retries     = 3
        startPeriod = 15
      }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = "/quilt/sales-prod/mcp-server"
          awslogs-region        = "us-east-1"
          awslogs-stream-prefix = "mcp-server"
          mode                  = "non-blocking"
          max-buffer-size       = "4m"
        }
      }
    }]
    error_message = "The container is ${aws_ecs_task_definition.this.container_definitions}"
  }
  assert {
    condition     = aws_ecs_task_definition.this.family == "sales-prod-mcp-server"
    error_message = "The family is ${aws_ecs_task_definition.this.family}"
  }
  assert {
    condition     = aws_ecs_task_definition.this.network_mode == "awsvpc" && aws_ecs_task_definition.this.requires_compatibilities == toset(["FARGATE"])
    error_message = "The task is not for Fargate"
  }
  assert {
    condition     = aws_ecs_task_definition.this.cpu == "512" && aws_ecs_task_definition.this.memory == "1024"
    error_message = "The task has ${aws_ecs_task_definition.this.cpu} CPU units and ${aws_ecs_task_definition.this.memory} MiB"
  }
  assert {
    condition     = aws_ecs_task_definition.this.runtime_platform[0].operating_system_family == "LINUX" && aws_ecs_task_definition.this.runtime_platform[0].cpu_architecture == "X86_64"
    error_message = "The image is for linux/amd64"
  }
  assert {
    condition     = aws_ecs_task_definition.this.execution_role_arn == "arn:aws:iam::123456789012:role/sales-prod-mcp-server-execution"
    error_message = "The execution role is ${aws_ecs_task_definition.this.execution_role_arn}"
  }
  assert {
    condition     = aws_ecs_task_definition.this.task_role_arn == "arn:aws:iam::123456789012:role/sales-prod-mcp-server-task"
    error_message = "The task role is ${aws_ecs_task_definition.this.task_role_arn}"
  }
  assert {
    condition     = aws_ecs_task_definition.this.skip_destroy && !aws_ecs_task_definition.this.track_latest
    error_message = "Old templates must stay, and releases are none of Terraform's business"
  }
  assert {
    condition     = aws_ecs_task_definition.this.tags["ManagedBy"] == "terraform"
    error_message = "quilt-mcp-deploy would not know the template"
  }
}

run "task_with_everything" {
  variables {
    cpu                   = 1024
    memory                = 2048
    cors_origins          = ["https://a.example.com", "https://b.example.com:8443"]
    authorization_servers = ["https://issuer.example.com"]
    scopes                = ["quilt.read", "quilt.write"]
    athena_workgroup      = "quilt"
    environment_variables = { MCP_LOG = "debug", MCP_MAX_IN_FLIGHT_PER_TOKEN = "8" }
    secrets = {
      SENTRY_DSN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/sentry-AbCdEf:dsn::"
      LICENCE    = "arn:aws:ssm:us-east-1:123456789012:parameter/quilt/licence"
    }
    tags = { CostCenter = "4711", ManagedBy = "somebody" }
  }
  assert {
    condition = { for item in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : item.name => item.value } == {
      AWS_REGION                  = "us-east-1"
      MCP_ALLOWED_ORIGINS         = "https://a.example.com,https://b.example.com:8443"
      MCP_ATHENA_WORKGROUP        = "quilt"
      MCP_AUTHORIZATION_SERVERS   = "https://issuer.example.com"
      MCP_DRAIN_TIMEOUT_SECONDS   = "115"
      MCP_LISTEN                  = "0.0.0.0:8000"
      MCP_LOG                     = "debug"
      MCP_MAX_IN_FLIGHT_PER_TOKEN = "8"
      MCP_PUBLIC_URL              = "https://catalog.example.com/mcp"
      MCP_SCOPES                  = "quilt.read,quilt.write"
      QUILT_CATALOG_URL           = "https://catalog.example.com"
      QUILT_REGISTRY_URL          = "https://registry.example.com"
    }
    error_message = "The environment is ${jsonencode(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment)}"
  }
  assert {
    condition = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets == [
      { name = "LICENCE", valueFrom = "arn:aws:ssm:us-east-1:123456789012:parameter/quilt/licence" },
      { name = "SENTRY_DSN", valueFrom = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/sentry-AbCdEf:dsn::" },
    ]
    error_message = "The secrets are not passed by reference"
  }
  assert {
    condition     = aws_ecs_task_definition.this.cpu == "1024" && aws_ecs_task_definition.this.memory == "2048"
    error_message = "cpu and memory are not taken"
  }
  assert {
    condition     = aws_ecs_task_definition.this.tags == tomap({ Stack = "sales-prod", Environment = "prod", Service = "sales-prod-mcp-server", CostCenter = "4711", ManagedBy = "terraform" })
    error_message = "The tags are ${jsonencode(aws_ecs_task_definition.this.tags)}"
  }
}

run "an_empty_list_of_origins_is_none" {
  variables {
    cors_origins = []
  }
  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment, { name = "MCP_ALLOWED_ORIGINS", value = "" })
    error_message = "An empty list must say so: without the variable the server allows the catalog"
  }
}

run "service" {
  assert {
    condition     = aws_ecs_service.this.name == "sales-prod-mcp-server" && aws_ecs_service.this.cluster == "arn:aws:ecs:us-east-1:123456789012:cluster/sales-prod"
    error_message = "The service is ${aws_ecs_service.this.name} in ${aws_ecs_service.this.cluster}"
  }
  assert {
    condition     = aws_ecs_service.this.desired_count == 0
    error_message = "The first release starts the tasks: the template's image does not exist"
  }
  assert {
    condition     = aws_ecs_service.this.task_definition == aws_ecs_task_definition.this.arn
    error_message = "The service does not begin with the template"
  }
  assert {
    condition     = aws_ecs_service.this.launch_type == "FARGATE" && aws_ecs_service.this.platform_version == "LATEST"
    error_message = "Not the latest Fargate"
  }
  assert {
    condition     = aws_ecs_service.this.deployment_controller[0].type == "ECS"
    error_message = "quilt-mcp-deploy works with ECS's own controller"
  }
  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "A failed deployment must roll back"
  }
  assert {
    condition     = aws_ecs_service.this.alarms[0].enable && aws_ecs_service.this.alarms[0].rollback && aws_ecs_service.this.alarms[0].alarm_names == toset(["sales-prod-mcp-server-server-errors"])
    error_message = "Server errors must roll a deployment back"
  }
  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100 && aws_ecs_service.this.deployment_maximum_percent == 200
    error_message = "A release must never take healthy tasks away first"
  }
  assert {
    condition     = aws_ecs_service.this.health_check_grace_period_seconds == 60
    error_message = "The grace period is ${aws_ecs_service.this.health_check_grace_period_seconds} s"
  }
  assert {
    condition     = one(aws_ecs_service.this.load_balancer).container_name == "mcp-server" && one(aws_ecs_service.this.load_balancer).container_port == 8000
    error_message = "The target is not the container's port"
  }
  assert {
    condition     = one(aws_ecs_service.this.load_balancer).target_group_arn == aws_lb_target_group.this.arn
    error_message = "The target group is another one"
  }
  assert {
    condition     = aws_ecs_service.this.network_configuration[0].subnets == toset(var.subnet_ids) && aws_ecs_service.this.network_configuration[0].assign_public_ip == false
    error_message = "The tasks belong into private subnets"
  }
  assert {
    condition     = aws_ecs_service.this.network_configuration[0].security_groups == toset([aws_security_group.this.id])
    error_message = "The tasks have other security groups than their own"
  }
  assert {
    condition     = aws_ecs_service.this.enable_execute_command == false
    error_message = "Nobody needs a shell in the container, and it has none"
  }
  assert {
    condition     = aws_ecs_service.this.propagate_tags == "SERVICE" && aws_ecs_service.this.enable_ecs_managed_tags && aws_ecs_service.this.tags["Stack"] == "sales-prod"
    error_message = "Tasks must carry the service's tags"
  }
  assert {
    condition     = aws_ecs_service.this.wait_for_steady_state == false
    error_message = "A service without tasks never becomes steady"
  }
}

run "autoscaling" {
  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 2 && aws_appautoscaling_target.this.max_capacity == 6
    error_message = "Autoscaling goes from ${aws_appautoscaling_target.this.min_capacity} to ${aws_appautoscaling_target.this.max_capacity}"
  }
  assert {
    condition     = aws_appautoscaling_target.this.resource_id == "service/sales-prod/sales-prod-mcp-server" && aws_appautoscaling_target.this.scalable_dimension == "ecs:service:DesiredCount" && aws_appautoscaling_target.this.service_namespace == "ecs"
    error_message = "Autoscaling is of ${aws_appautoscaling_target.this.resource_id}"
  }
  assert {
    condition     = aws_appautoscaling_policy.cpu.policy_type == "TargetTrackingScaling" && aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ECSServiceAverageCPUUtilization"
    error_message = "Autoscaling does not follow the CPU"
  }
  assert {
    condition     = aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].target_value == 60
    error_message = "Autoscaling keeps another CPU usage"
  }
  assert {
    condition     = aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].scale_in_cooldown == 300 && aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].scale_out_cooldown == 60
    error_message = "Autoscaling goes out in minutes and comes in slowly"
  }
}

run "outputs" {
  assert {
    condition = jsonencode(output.quilt_mcp_environment) == jsonencode({
      account_id    = "123456789012"
      region        = "us-east-1"
      repository    = "quilt/sales-prod/mcp-server"
      cluster       = "sales-prod"
      service       = "sales-prod-mcp-server"
      container     = "mcp-server"
      url           = "https://catalog.example.com/mcp/"
      cors_origins  = ["https://catalog.example.com"]
      desired_count = 2
    })
    error_message = "The environment is ${jsonencode(output.quilt_mcp_environment)}"
  }
  assert {
    condition     = output.service_arn == "arn:aws:ecs:us-east-1:123456789012:service/sales-prod/sales-prod-mcp-server"
    error_message = "The service's ARN is ${output.service_arn}"
  }
  assert {
    condition     = output.log_group_arn == "arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server"
    error_message = "The log group's ARN is ${output.log_group_arn}"
  }
  assert {
    condition     = output.execution_role_arn == aws_iam_role.execution.arn && output.task_role_arn == aws_iam_role.task.arn && output.task_definition_family == "sales-prod-mcp-server" && output.template_arn == aws_ecs_task_definition.this.arn
    error_message = "An output is of another resource"
  }
  assert {
    condition     = output.security_group_id == aws_security_group.this.id && output.target_group_arn == aws_lb_target_group.this.arn && output.listener_rule_arn == aws_lb_listener_rule.this.arn && output.log_group_name == "/quilt/sales-prod/mcp-server" && output.url == "https://catalog.example.com/mcp/"
    error_message = "An output is of another resource"
  }
}

run "a_listener_on_another_port_is_in_the_url" {
  override_data {
    target = data.aws_lb_listener.this
    values = {
      protocol          = "HTTPS"
      port              = 8443
      load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/sales-prod/0123456789abcdef"
    }
  }
  variables {
    hosts = ["mcp.example.com", "mcp.example.org"]
  }
  assert {
    condition     = output.url == "https://mcp.example.com:8443/mcp/" && output.quilt_mcp_environment.url == output.url
    error_message = "The URL is ${output.url}"
  }
}
