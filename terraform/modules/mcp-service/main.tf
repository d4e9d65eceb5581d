# The MCP server of one Quilt stack: an ECS Fargate service behind the stack's own load balancer.
#
# Who owns what: Terraform writes the *template* of the task definition and everything around the
# service; quilt-mcp-deploy makes releases from the newest template and moves the service to them;
# Application Auto Scaling sets the number of tasks. None of the three undoes what another did.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

data "aws_lb_listener" "this" {
  arn = var.listener_arn
}

data "aws_lb" "this" {
  arn = data.aws_lb_listener.this.load_balancer_arn
}

locals {
  service_name   = "${var.name}-mcp-server"
  container_name = "mcp-server"
  container_port = 8000
  health_path    = "/healthz"

  # Everything is where the cluster is: arn:PARTITION:ecs:REGION:ACCOUNT:cluster/NAME.
  cluster      = split(":", var.cluster_arn)
  partition    = local.cluster[1]
  region       = local.cluster[3]
  account_id   = local.cluster[4]
  cluster_name = trimprefix(local.cluster[5], "cluster/")
  dns_suffix   = local.partition == "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"

  # arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME; the account may be another one.
  repository      = split(":", var.repository_arn)
  repository_name = trimprefix(local.repository[5], "repository/")
  repository_url  = "${local.repository[4]}.dkr.ecr.${local.repository[3]}.${local.dns_suffix}/${local.repository_name}"

  log_group_name = "/quilt/${var.name}/mcp-server"
  log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group_name}"

  listener_port = data.aws_lb_listener.this.port
  origin        = local.listener_port == 443 ? "https://${var.hosts[0]}" : "https://${var.hosts[0]}:${local.listener_port}"
  public_url    = "${local.origin}/mcp"
  cors_origins  = var.cors_origins == null ? [var.catalog_url] : var.cors_origins

  tags = merge(
    { Stack = var.name, Environment = var.environment, Service = local.service_name },
    var.tags,
    # quilt-mcp-deploy knows a template revision by this tag.
    { ManagedBy = "terraform" },
  )
}
