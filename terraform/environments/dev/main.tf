# The MCP server of the development Quilt stack. Replace every placeholder in capitals; the stack's own values
# stand in the outputs of its CloudFormation stack, or in the console.

locals {
  name = "YOUR-STACK-dev"
}

# Images of this environment; `quilt-mcp-deploy publish` pushes them here.
module "ecr" {
  source = "../../modules/ecr"

  name = "quilt/${local.name}/mcp-server"
}

module "mcp_server" {
  source = "../../modules/mcp-service"

  name           = local.name
  environment    = "dev"
  cluster_arn    = "arn:aws:ecs:YOUR-REGION:YOUR-ACCOUNT-ID:cluster/YOUR-STACK-dev"
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

  # One small task: a failure is an outage, and nobody minds.
  cpu                          = 256
  memory                       = 512
  min_tasks                    = 1
  max_tasks                    = 2
  log_retention_days           = 14
  deregistration_delay_seconds = 15
}

# One in an account, for all that GitHub does there, so it belongs to none of its environments. Where
# there is none yet, make it once: aws iam create-open-id-connect-provider \
#   --url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com
# Without GitHub Actions, delete this, the module `release_role` and its output.
data "aws_iam_openid_connect_provider" "github" {
  url = "https://token.actions.githubusercontent.com"
}

# What CI releases with. GitHub's environment `dev` needs no reviewer.
module "release_role" {
  source = "../../modules/github-oidc"

  name                   = "${local.name}-mcp-server-release"
  oidc_provider_arn      = data.aws_iam_openid_connect_provider.github.arn
  subjects               = ["repo:YOUR-ORGANISATION/YOUR-REPOSITORY:environment:dev"]
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
