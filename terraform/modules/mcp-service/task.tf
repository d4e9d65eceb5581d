# The template that releases are made from. A release replaces the image by one that is named by its
# digest and adds its own tags; every other field is as it stands here.

locals {
  fargate_memory = {
    256  = [512, 1024, 2048]
    512  = [for gib in range(1, 5) : gib * 1024]
    1024 = [for gib in range(2, 9) : gib * 1024]
    2048 = [for gib in range(4, 17) : gib * 1024]
    4096 = [for gib in range(8, 31) : gib * 1024]
  }

  # SIGTERM comes this long before SIGKILL, and the server's grace of 2 s is part of it.
  stop_timeout  = 120
  drain_timeout = local.stop_timeout - 5

  optional_environment = {
    MCP_AUTHORIZATION_SERVERS = join(",", var.authorization_servers)
    MCP_SCOPES                = join(",", var.scopes)
    MCP_ATHENA_WORKGROUP      = var.athena_workgroup == null ? "" : var.athena_workgroup
  }

  environment = merge(
    {
      AWS_REGION                = local.region
      QUILT_CATALOG_URL         = var.catalog_url
      QUILT_REGISTRY_URL        = var.registry_url
      MCP_LISTEN                = "0.0.0.0:${local.container_port}"
      MCP_PUBLIC_URL            = local.public_url
      MCP_ALLOWED_ORIGINS       = join(",", local.cors_origins)
      MCP_DRAIN_TIMEOUT_SECONDS = tostring(local.drain_timeout)
    },
    { for name, value in local.optional_environment : name => value if value != "" },
    var.environment_variables,
  )

  container = {
    name                   = local.container_name
    image                  = "${local.repository_url}:unreleased"
    essential              = true
    command                = ["serve"]
    user                   = "65532:65532"
    privileged             = false
    readonlyRootFilesystem = true
    stopTimeout            = local.stop_timeout

    linuxParameters = {
      initProcessEnabled = true
      capabilities       = { drop = ["ALL"] }
    }

    portMappings = [{
      name          = "http"
      containerPort = local.container_port
      hostPort      = local.container_port
      protocol      = "tcp"
    }]

    environment = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    secrets     = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]

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
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = local.container_name
        # A slow CloudWatch must not stop the server; what does not fit in the buffer is lost.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.service_name
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  # An older template stays: releases name it, and a rollback may need it.
  skip_destroy = true
  # The newest revision of the family is a release, not ours to replace.
  track_latest = false

  tags = local.tags

  lifecycle {
    precondition {
      condition     = contains(local.fargate_memory[var.cpu], var.memory)
      error_message = "Fargate has no task with ${var.cpu} CPU units and ${var.memory} MiB; with ${var.cpu} it offers ${join(", ", local.fargate_memory[var.cpu])} MiB."
    }
    precondition {
      condition     = length(var.scopes) == 0 || length(var.authorization_servers) > 0
      error_message = "scopes are published with authorization_servers only; name those, or leave scopes empty."
    }
  }
}
