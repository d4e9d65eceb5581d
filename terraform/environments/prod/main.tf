# The MCP server of the production Quilt stack. Replace every placeholder in capitals; the stack's own values
# stand in the outputs of its CloudFormation stack, or in the console.

locals {
  name = "YOUR-STACK-prod"
}

# Images of this environment; `quilt-mcp-deploy promote --to prod` copies them here.
module "ecr" {
  source = "../../modules/ecr"

  name = "quilt/${local.name}/mcp-server"
}

module "mcp_server" {
  source = "../../modules/mcp-service"

  name           = local.name
  environment    = "prod"
  cluster_arn    = "arn:aws:ecs:YOUR-REGION:YOUR-ACCOUNT-ID:cluster/YOUR-STACK-prod"
  repository_arn = module.ecr.repository_arn
  catalog_url    = "https://YOUR-CATALOG-HOST"
  registry_url   = "https://YOUR-REGISTRY-HOST"

  # Routing by path, on the catalog's host: the rule must come before the catalog's (25).
  listener_arn                    = "YOUR-HTTPS-LISTENER-ARN"
  listener_priority               = 10
  hosts                           = ["YOUR-CATALOG-HOST"]
  load_balancer_security_group_id = "YOUR-LOAD-BALANCER-SECURITY-GROUP-ID"

  # Routing by host, with a name of its own that DNS and the listener's certificate know:
  # hosts             = ["mcp.example.com"]
  # dedicated_host    = true
  # listener_priority = 50

  vpc_id     = "YOUR-VPC-ID"
  subnet_ids = ["YOUR-PRIVATE-SUBNET-ID-1", "YOUR-PRIVATE-SUBNET-ID-2"]

  min_tasks          = 2
  max_tasks          = 6
  log_retention_days = 90

  # Somebody must hear of alarms.
  alarm_topic_arns = ["YOUR-ALARM-TOPIC-ARN"]

  # What security engineers ask for:
  # permissions_boundary_arn = "arn:aws:iam::YOUR-ACCOUNT-ID:policy/YOUR-BOUNDARY"
  # log_kms_key_arn          = "arn:aws:kms:YOUR-REGION:YOUR-ACCOUNT-ID:key/YOUR-KEY"
  # client_cidrs             = ["10.0.0.0/8"]
  # egress_cidrs             = ["10.0.0.0/16"]
  # egress_prefix_list_ids   = ["YOUR-S3-PREFIX-LIST-ID"]

  # Where clients sign in with OAuth:
  # authorization_servers = ["https://YOUR-ISSUER"]
}

# One in an account, for all that GitHub does there, so it belongs to none of its environments. Where
# there is none yet, make it once: aws iam create-open-id-connect-provider \
#   --url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com
# Without GitHub Actions, delete this, the module `release_role` and its output.
data "aws_iam_openid_connect_provider" "github" {
  url = "https://token.actions.githubusercontent.com"
}

# What CI releases with. GitHub's environment `prod` must ask for a reviewer.
module "release_role" {
  source = "../../modules/github-oidc"

  name                   = "${local.name}-mcp-server-release"
  oidc_provider_arn      = data.aws_iam_openid_connect_provider.github.arn
  subjects               = ["repo:YOUR-ORGANISATION/YOUR-REPOSITORY:environment:prod"]
  repository_arn         = module.ecr.repository_arn
  service_arn            = module.mcp_server.service_arn
  task_definition_family = module.mcp_server.task_definition_family
  task_role_arns         = [module.mcp_server.execution_role_arn, module.mcp_server.task_role_arn]
  log_group_arn          = module.mcp_server.log_group_arn
}

# `quilt-mcp-deploy init --from-terraform` makes this environment's table in quilt-mcp.toml from it.
output "quilt_mcp_environment" {
  value = module.mcp_server.quilt_mcp_environment
}

output "release_role_arn" {
  value = module.release_role.role_arn
}
