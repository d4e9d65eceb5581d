# Two roles: ECS takes the execution role to pull the image, to read the secrets and to write logs;
# the server's own role may do nothing, since the server acts with its callers' credentials.

locals {
  # A secret's reference may go on with a JSON key, a version stage and a version id.
  secret_arns = distinct([
    for reference in values(var.secrets) : join(":", slice(split(":", reference), 0, 7))
    if strcontains(reference, ":secretsmanager:")
  ])
  parameter_arns = distinct([for reference in values(var.secrets) : reference if strcontains(reference, ":ssm:")])

  execution_statements = concat(
    [
      {
        Sid      = "SignInToEcr"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid      = "PullTheImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [var.repository_arn]
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.log_group_arn}:*"]
      },
    ],
    length(local.secret_arns) == 0 ? [] : [{
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = local.secret_arns
    }],
    length(local.parameter_arns) == 0 ? [] : [{
      Sid      = "ReadParameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameters"]
      Resource = local.parameter_arns
    }],
    length(var.secrets_kms_key_arns) == 0 ? [] : [{
      Sid      = "DecryptSecrets"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = var.secrets_kms_key_arns
      Condition = {
        StringEquals = {
          "kms:ViaService" = [
            "secretsmanager.${local.region}.${local.dns_suffix}",
            "ssm.${local.region}.${local.dns_suffix}",
          ]
        }
      }
    }],
  )

  # Only for ECS, and only when it acts for this account: no confused deputy.
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account_id}:*" }
      }
    }]
  })
}

resource "aws_iam_role" "execution" {
  name                 = "${local.service_name}-execution"
  description          = "ECS starts tasks of ${local.service_name} with it"
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "execution" {
  name = "start-tasks"
  role = aws_iam_role.execution.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.execution_statements
  })
}

resource "aws_iam_role" "task" {
  name                 = "${local.service_name}-task"
  description          = "Of the running server, which uses its callers' credentials and has no permissions of its own"
  assume_role_policy   = local.trust
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}
