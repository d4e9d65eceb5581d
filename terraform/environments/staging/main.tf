# The MCP server of the staging Quilt stack. Replace every placeholder in capitals; the stack's own values
# stand in the outputs of its CloudFormation stack, or in the console.

locals {
  name = "YOUR-STACK-staging"
}

# Images of this environment; `quilt-mcp-deploy publish` pushes them here.
module "ecr" {
  source = "../../modules/ecr"

  name = "quilt/${local.name}/mcp-server"
}

module "mcp_server" {
  source = "../../modules/mcp-service"

  name           = local.name
  environment    = "staging"
  cluster_arn    = "arn:aws:ecs:YOUR-REGION:YOUR-ACCOUNT-ID:cluster/YOUR-STACK-staging"
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

  # As prod, but for the number of tasks and how long logs stay.
  min_tasks          = 2
  max_tasks          = 4
  log_retention_days = 30
}

# One in an account, for all that GitHub does there, so it belongs to none of its environments. Where
# there is none yet, make it once: aws iam create-open-id-connect-provider \
#   --url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com
# Without GitHub Actions, delete this, the modules `release_role` and `promotion_role`, and their outputs.
data "aws_iam_openid_connect_provider" "github" {
  url = "https://token.actions.githubusercontent.com"
}

# What CI releases with. GitHub's environment `staging` names the branch that may release.
module "release_role" {
  source = "../../modules/github-oidc"

  name                   = "${local.name}-mcp-server-release"
  oidc_provider_arn      = data.aws_iam_openid_connect_provider.github.arn
  subjects               = ["repo:YOUR-ORGANISATION/YOUR-REPOSITORY:environment:staging"]
  repository_arn         = module.ecr.repository_arn
  service_arn            = module.mcp_server.service_arn
  task_definition_family = module.mcp_server.task_definition_family
  task_role_arns         = [module.mcp_server.execution_role_arn, module.mcp_server.task_role_arn]
  log_group_arn          = module.mcp_server.log_group_arn
}

# What production's job reads with when it promotes what staging runs: it may change nothing here.
module "promotion_role" {
  source = "../../modules/github-oidc"

  name                   = "${local.name}-mcp-server-promotion"
  commands               = ["promote from"]
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

output "promotion_role_arn" {
  value = module.promotion_role.role_arn
}
