# A role for one environment that a GitHub workflow may take, and that can do what the commands of
# quilt-mcp-deploy do there, and nothing else. The actions are those of actions.json, which
# quilt-mcp-deploy itself reads for `verify`.

locals {
  listed = { for entry in jsondecode(file("${path.module}/actions.json")) : entry.command => entry.needs }
  needs  = [for command in var.commands : local.listed[command] if contains(keys(local.listed), command)]

  # arn:PARTITION:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE
  service      = split(":", var.service_arn)
  ecs          = join(":", slice(local.service, 0, 5))
  service_path = trimprefix(local.service[5], "service/")
  cluster_name = split("/", local.service_path)[0]
  cluster_arn  = "${local.ecs}:cluster/${local.cluster_name}"
  role_arn     = "arn:${local.service[1]}:iam::${local.service[4]}:role/${var.name}"

  task_definitions = "${local.ecs}:task-definition/${var.task_definition_family}:*"

  # What an action is granted on, by the words of actions.json, and under which condition.
  grants = {
    anything            = { resources = ["*"], condition = {} }
    repository          = { resources = [var.repository_arn], condition = {} }
    cluster             = { resources = [local.cluster_arn], condition = {} }
    service             = { resources = [var.service_arn], condition = {} }
    service_deployments = { resources = [var.service_arn, "${local.ecs}:service-deployment/${local.service_path}/*"], condition = {} }
    service_revisions   = { resources = [var.service_arn, "${local.ecs}:service-revision/${local.service_path}/*"], condition = {} }
    in_cluster          = { resources = ["*"], condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } } }
    tasks               = { resources = ["${local.ecs}:task/${local.cluster_name}/*"], condition = {} }
    task_definition     = { resources = [local.task_definitions], condition = {} }
    new_task_definition = { resources = [local.task_definitions], condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } } }
    roles               = { resources = var.task_role_arns, condition = {} }
    passed_roles        = { resources = var.task_role_arns, condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } } }
    caller              = { resources = [local.role_arn], condition = {} }
    secrets             = { resources = var.secret_arns, condition = {} }
    stack               = { resources = var.stack_arn == null ? [] : [var.stack_arn], condition = {} }
    log_group           = { resources = [var.log_group_arn, "${var.log_group_arn}:*"], condition = {} }
  }

  actions = { for on in keys(local.grants) : on => sort(distinct(flatten([for needs in local.needs : lookup(needs, on, [])]))) }

  statements = [
    for on, grant in local.grants : merge(
      {
        Sid      = replace(title(replace(on, "_", " ")), " ", "")
        Effect   = "Allow"
        Action   = local.actions[on]
        Resource = grant.resources
      },
      length(grant.condition) == 0 ? {} : { Condition = grant.condition },
    )
    if length(local.actions[on]) > 0 && length(grant.resources) > 0
  ]
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "GitHub Actions take it to release ${local.service_path}"
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.oidc_provider_arn }
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = var.subjects
        }
      }
    }]
  })

  lifecycle {
    precondition {
      condition     = var.stack_arn != null || length(local.actions["stack"]) == 0
      error_message = "commands has one that goes through a CloudFormation stack: set stack_arn."
    }
    precondition {
      condition     = length(setsubtract(var.commands, keys(local.listed))) == 0
      error_message = "commands has what actions.json does not list; there are ${join(", ", keys(local.listed))}."
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name = "release"
  role = aws_iam_role.this.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.statements
  })
}
