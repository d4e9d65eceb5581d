# What the module refuses, and what it accepts only just.

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


run "name_1" {
  command = plan
  variables {
    name = "a-name-of-more-than-20"
  }
  expect_failures = [var.name]
}

run "name_2" {
  command = plan
  variables {
    name = "Sales"
  }
  expect_failures = [var.name]
}

run "name_3" {
  command = plan
  variables {
    name = "-sales"
  }
  expect_failures = [var.name]
}

run "environment" {
  command = plan
  variables {
    environment = "production"
  }
  expect_failures = [var.environment]
}

run "cluster_arn" {
  command = plan
  variables {
    cluster_arn = "sales-prod"
  }
  expect_failures = [var.cluster_arn]
}

run "repository_arn_1" {
  command = plan
  variables {
    repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/quilt:latest"
  }
  expect_failures = [var.repository_arn]
}

run "repository_arn_2" {
  command = plan
  variables {
    repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/*"
  }
  expect_failures = [var.repository_arn]
}

run "catalog_url_1" {
  command = plan
  variables {
    catalog_url = "http://catalog.example.com"
  }
  expect_failures = [var.catalog_url]
}

run "catalog_url_2" {
  command = plan
  variables {
    catalog_url = "https://catalog.example.com/"
  }
  expect_failures = [var.catalog_url]
}

run "registry_url_1" {
  command = plan
  variables {
    registry_url = "http://registry.example.com"
  }
  expect_failures = [var.registry_url]
}

run "registry_url_2" {
  command = plan
  variables {
    registry_url = "https://registry.example.com/api"
  }
  expect_failures = [var.registry_url]
}

run "listener_arn" {
  command = plan
  variables {
    listener_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/sales/0123456789abcdef"
  }
  expect_failures = [var.listener_arn]
}

run "listener_priority_1" {
  command = plan
  variables {
    listener_priority = 0
  }
  expect_failures = [var.listener_priority]
}

run "listener_priority_2" {
  command = plan
  variables {
    listener_priority = 50001
  }
  expect_failures = [var.listener_priority]
}

run "listener_priority_3" {
  command = plan
  variables {
    listener_priority = 1.5
  }
  expect_failures = [var.listener_priority]
}

run "listener_priority_4" {
  command = plan
  variables {
    listener_priority = 25
  }
  expect_failures = [var.listener_priority]
}

run "listener_priority_5" {
  command = plan
  variables {
    listener_priority = 26
  }
  expect_failures = [var.listener_priority]
}

run "listener_priority_6" {
  command = plan
  variables {
    listener_priority = 30
  }
  expect_failures = [var.listener_priority]
}

run "listener_priority_7" {
  command = plan
  variables {
    listener_priority = 40
  }
  expect_failures = [var.listener_priority]
}

run "hosts_1" {
  command = plan
  variables {
    hosts = []
  }
  expect_failures = [var.hosts]
}

run "hosts_2" {
  command = plan
  variables {
    hosts = ["*.example.com"]
  }
  expect_failures = [var.hosts]
}

run "hosts_3" {
  command = plan
  variables {
    hosts = ["catalog.example.com:443"]
  }
  expect_failures = [var.hosts]
}

run "hosts_4" {
  command = plan
  variables {
    hosts = ["a.example.com", "a.example.com"]
  }
  expect_failures = [var.hosts]
}

run "client_cidrs" {
  command = plan
  variables {
    client_cidrs = ["10.0.0.0"]
  }
  expect_failures = [var.client_cidrs]
}

run "deregistration_delay_seconds_1" {
  command = plan
  variables {
    deregistration_delay_seconds = 4
  }
  expect_failures = [var.deregistration_delay_seconds]
}

run "deregistration_delay_seconds_2" {
  command = plan
  variables {
    deregistration_delay_seconds = 3601
  }
  expect_failures = [var.deregistration_delay_seconds]
}

run "web_acl_arn" {
  command = plan
  variables {
    web_acl_arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/quilt/0123"
  }
  expect_failures = [var.web_acl_arn]
}

run "vpc_id" {
  command = plan
  variables {
    vpc_id = "YOUR-VPC-ID"
  }
  expect_failures = [var.vpc_id]
}

run "subnet_ids_1" {
  command = plan
  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }
  expect_failures = [var.subnet_ids]
}

run "subnet_ids_2" {
  command = plan
  variables {
    subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef0"]
  }
  expect_failures = [var.subnet_ids]
}

run "subnet_ids_3" {
  command = plan
  variables {
    subnet_ids = ["subnet-0123456789abcdef0", "vpc-0123456789abcdef0"]
  }
  expect_failures = [var.subnet_ids]
}

run "load_balancer_security_group_id" {
  command = plan
  variables {
    load_balancer_security_group_id = ""
  }
  expect_failures = [var.load_balancer_security_group_id]
}

run "direct_ingress_cidrs_1" {
  command = plan
  variables {
    direct_ingress_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.direct_ingress_cidrs]
}

run "direct_ingress_cidrs_2" {
  command = plan
  variables {
    direct_ingress_cidrs = ["10.0.0.0/15"]
  }
  expect_failures = [var.direct_ingress_cidrs]
}

run "direct_ingress_cidrs_3" {
  command = plan
  variables {
    direct_ingress_cidrs = ["10.0.0.1"]
  }
  expect_failures = [var.direct_ingress_cidrs]
}

run "egress_cidrs" {
  command = plan
  variables {
    egress_cidrs = ["everywhere"]
  }
  expect_failures = [var.egress_cidrs]
}

run "egress_prefix_list_ids" {
  command = plan
  variables {
    egress_prefix_list_ids = ["com.amazonaws.us-east-1.s3"]
  }
  expect_failures = [var.egress_prefix_list_ids]
}

run "dns_resolver_cidrs_1" {
  command = plan
  variables {
    dns_resolver_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.dns_resolver_cidrs]
}

run "dns_resolver_cidrs_2" {
  command = plan
  variables {
    dns_resolver_cidrs = ["dns.example.com"]
  }
  expect_failures = [var.dns_resolver_cidrs]
}

run "cpu" {
  command = plan
  variables {
    cpu = 300
  }
  expect_failures = [var.cpu]
}

run "min_tasks_1" {
  command = plan
  variables {
    min_tasks = 0
  }
  expect_failures = [var.min_tasks]
}

run "min_tasks_2" {
  command = plan
  variables {
    min_tasks = 1.5
  }
  expect_failures = [var.min_tasks]
}

run "max_tasks" {
  command = plan
  variables {
    max_tasks = 101
  }
  expect_failures = [var.max_tasks]
}

run "autoscaling_cpu_percent_1" {
  command = plan
  variables {
    autoscaling_cpu_percent = 19
  }
  expect_failures = [var.autoscaling_cpu_percent]
}

run "autoscaling_cpu_percent_2" {
  command = plan
  variables {
    autoscaling_cpu_percent = 81
  }
  expect_failures = [var.autoscaling_cpu_percent]
}

run "health_check_grace_period_seconds_1" {
  command = plan
  variables {
    health_check_grace_period_seconds = 29
  }
  expect_failures = [var.health_check_grace_period_seconds]
}

run "health_check_grace_period_seconds_2" {
  command = plan
  variables {
    health_check_grace_period_seconds = 601
  }
  expect_failures = [var.health_check_grace_period_seconds]
}

run "cors_origins_1" {
  command = plan
  variables {
    cors_origins = ["*"]
  }
  expect_failures = [var.cors_origins]
}

run "cors_origins_2" {
  command = plan
  variables {
    cors_origins = ["http://catalog.example.com"]
  }
  expect_failures = [var.cors_origins]
}

run "cors_origins_3" {
  command = plan
  variables {
    cors_origins = ["https://*.example.com"]
  }
  expect_failures = [var.cors_origins]
}

run "cors_origins_4" {
  command = plan
  variables {
    cors_origins = ["https://catalog.example.com/"]
  }
  expect_failures = [var.cors_origins]
}

run "authorization_servers_1" {
  command = plan
  variables {
    authorization_servers = ["http://issuer.example.com"]
  }
  expect_failures = [var.authorization_servers]
}

run "authorization_servers_2" {
  command = plan
  variables {
    authorization_servers = ["https://a.example.com,https://b.example.com"]
  }
  expect_failures = [var.authorization_servers]
}

run "scopes" {
  command = plan
  variables {
    scopes = ["read write"]
  }
  expect_failures = [var.scopes]
}

run "environment_variables_1" {
  command = plan
  variables {
    environment_variables = { "mcp-log" = "debug" }
  }
  expect_failures = [var.environment_variables]
}

run "environment_variables_2" {
  command = plan
  variables {
    environment_variables = { JWT_SECRET = "x" }
  }
  expect_failures = [var.environment_variables]
}

run "environment_variables_3" {
  command = plan
  variables {
    environment_variables = { API_TOKEN = "x" }
  }
  expect_failures = [var.environment_variables]
}

run "environment_variables_4" {
  command = plan
  variables {
    environment_variables = { DB_PASSWORD = "x" }
  }
  expect_failures = [var.environment_variables]
}

run "environment_variables_5" {
  command = plan
  variables {
    environment_variables = { API_KEY = "x" }
  }
  expect_failures = [var.environment_variables]
}

run "environment_variables_6" {
  command = plan
  variables {
    environment_variables = { MCP_LISTEN = "0.0.0.0:9000" }
  }
  expect_failures = [var.environment_variables]
}

run "environment_variables_7" {
  command = plan
  variables {
    environment_variables = { MCP_ALLOWED_ORIGINS = "*" }
  }
  expect_failures = [var.environment_variables]
}

run "secrets_1" {
  command = plan
  variables {
    secrets = { SENTRY_DSN = "https://key@sentry.example.com" }
  }
  expect_failures = [var.secrets]
}

run "secrets_2" {
  command = plan
  variables {
    secrets = { SENTRY_DSN = "quilt/sentry" }
  }
  expect_failures = [var.secrets]
}

run "secrets_kms_key_arns_1" {
  command = plan
  variables {
    secrets_kms_key_arns = ["*"]
  }
  expect_failures = [var.secrets_kms_key_arns]
}

run "secrets_kms_key_arns_2" {
  command = plan
  variables {
    secrets_kms_key_arns = ["arn:aws:kms:us-east-1:123456789012:alias/quilt"]
  }
  expect_failures = [var.secrets_kms_key_arns]
}

run "log_kms_key_arn" {
  command = plan
  variables {
    log_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:alias/quilt"
  }
  expect_failures = [var.log_kms_key_arn]
}

run "log_retention_days_1" {
  command = plan
  variables {
    log_retention_days = 0
  }
  expect_failures = [var.log_retention_days]
}

run "log_retention_days_2" {
  command = plan
  variables {
    log_retention_days = 91
  }
  expect_failures = [var.log_retention_days]
}

run "permissions_boundary_arn" {
  command = plan
  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}

run "alarm_topic_arns" {
  command = plan
  variables {
    alarm_topic_arns = ["oncall@example.com"]
  }
  expect_failures = [var.alarm_topic_arns]
}

run "server_errors_per_minute" {
  command = plan
  variables {
    server_errors_per_minute = 0
  }
  expect_failures = [var.server_errors_per_minute]
}

run "latency_p95_seconds" {
  command = plan
  variables {
    latency_p95_seconds = 0
  }
  expect_failures = [var.latency_p95_seconds]
}

run "refused_authentications_per_5_minutes" {
  command = plan
  variables {
    refused_authentications_per_5_minutes = 0
  }
  expect_failures = [var.refused_authentications_per_5_minutes]
}

run "memory_that_fargate_does_not_offer" {
  command = plan
  variables {
    memory = 512
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "scopes_that_nobody_reads" {
  command = plan
  variables {
    scopes = ["quilt.read"]
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "fewer_at_most_than_at_least" {
  command = plan
  variables {
    min_tasks = 5
    max_tasks = 4
  }
  expect_failures = [aws_ecs_service.this]
}

run "production_with_one_task" {
  command = plan
  variables {
    min_tasks = 1
  }
  expect_failures = [aws_ecs_service.this]
}

run "another_account" {
  command = plan
  variables {
    cluster_arn = "arn:aws:ecs:us-east-1:210987654321:cluster/sales-prod"
  }
  expect_failures = [aws_ecs_service.this]
}

run "another_region" {
  command = plan
  variables {
    cluster_arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/sales-prod"
  }
  expect_failures = [aws_ecs_service.this]
}

run "behind_the_catalog" {
  command = plan
  variables {
    listener_priority = 27
  }
  expect_failures = [aws_lb_listener_rule.this]
}

run "more_values_than_a_rule_takes" {
  command = plan
  variables {
    client_cidrs = ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"]
  }
  expect_failures = [aws_lb_listener_rule.this]
}

run "metadata_counts_too" {
  command = plan
  variables {
    authorization_servers = ["https://issuer.example.com"]
    client_cidrs          = ["10.0.0.0/16", "10.1.0.0/16"]
  }
  expect_failures = [aws_lb_listener_rule.this]
}

run "a_listener_without_tls" {
  command = plan
  override_data {
    target = data.aws_lb_listener.this
    values = {
      protocol          = "HTTP"
      port              = 80
      load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/sales-prod/0123456789abcdef"
    }
  }
  expect_failures = [aws_lb_listener_rule.this]
}

run "a_short_idle_timeout_is_warned_of" {
  command = plan
  override_data {
    target = data.aws_lb.this
    values = {
      arn             = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/sales-prod/0123456789abcdef"
      arn_suffix      = "app/sales-prod/0123456789abcdef"
      idle_timeout    = 299
      security_groups = ["sg-0123456789abcdef0"]
    }
  }
  expect_failures = [check.idle_timeout]
}

run "another_security_group_is_warned_of" {
  command = plan
  variables {
    load_balancer_security_group_id = "sg-00000000000000000"
  }
  expect_failures = [check.load_balancer_security_group]
}

run "what_is_just_allowed" {
  command = plan
  variables {
    name                              = "a-name-of-20-letters"
    environment                       = "dev"
    cluster_arn                       = "arn:aws:ecs:us-east-1:123456789012:cluster/A_cluster-1"
    listener_priority                 = 24
    client_cidrs                      = ["10.0.0.0/16", "10.1.0.0/16"]
    direct_ingress_cidrs              = ["10.0.0.0/16"]
    deregistration_delay_seconds      = 5
    cpu                               = 4096
    memory                            = 30720
    min_tasks                         = 1
    max_tasks                         = 1
    autoscaling_cpu_percent           = 20
    health_check_grace_period_seconds = 30
    log_retention_days                = 3653
    cors_origins                      = ["https://localhost:8443"]
  }
  assert {
    condition     = aws_lb_target_group.this.name == "a-name-of-20-letters-mcp-server" && length(aws_lb_target_group.this.name) <= 32
    error_message = "A target group's name has 32 characters at most"
  }
  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 1 && aws_appautoscaling_target.this.max_capacity == 1
    error_message = "One task is allowed outside production"
  }
  assert {
    condition     = aws_lb_target_group.this.deregistration_delay == "5" && aws_ecs_service.this.health_check_grace_period_seconds == 30 && aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].target_value == 20
    error_message = "An input is not taken"
  }
}
