mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/sales-prod-mcp-server-release" }
  }
}

variables {
  name                   = "sales-prod-mcp-server-release"
  oidc_provider_arn      = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  subjects               = ["repo:acme/quilt-mcp:environment:prod"]
  repository_arn         = "arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server"
  service_arn            = "arn:aws:ecs:us-east-1:123456789012:service/sales-prod/sales-prod-mcp-server"
  task_definition_family = "sales-prod-mcp-server"
  task_role_arns         = ["arn:aws:iam::123456789012:role/sales-prod-mcp-server-execution", "arn:aws:iam::123456789012:role/sales-prod-mcp-server-task"]
  log_group_arn          = "arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server"
}

run "trust" {
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = ["repo:acme/quilt-mcp:environment:prod"]
          }
        }
      }]
    }
    error_message = "The trust policy is ${aws_iam_role.this.assume_role_policy}"
  }
  assert {
    condition     = aws_iam_role.this.name == "sales-prod-mcp-server-release" && aws_iam_role.this.max_session_duration == 3600
    error_message = "The role is ${aws_iam_role.this.name} for ${aws_iam_role.this.max_session_duration} s"
  }
  assert {
    condition     = aws_iam_role_policy.this.role == aws_iam_role.this.name && output.role_arn == aws_iam_role.this.arn
    error_message = "The policy or the output is of another role"
  }
}

run "resources_and_conditions" {
  variables {
    secret_arns = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/sentry-AbCdEf"]
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => jsonencode([statement.Resource, lookup(statement, "Condition", {})]) } == {
      Anything           = jsonencode([["*"], {}])
      Caller             = jsonencode([["arn:aws:iam::123456789012:role/sales-prod-mcp-server-release"], {}])
      Cluster            = jsonencode([["arn:aws:ecs:us-east-1:123456789012:cluster/sales-prod"], {}])
      InCluster          = jsonencode([["*"], { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:us-east-1:123456789012:cluster/sales-prod" } }])
      LogGroup           = jsonencode([["arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server", "arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server:*"], {}])
      NewTaskDefinition  = jsonencode([["arn:aws:ecs:us-east-1:123456789012:task-definition/sales-prod-mcp-server:*"], { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }])
      PassedRoles        = jsonencode([["arn:aws:iam::123456789012:role/sales-prod-mcp-server-execution", "arn:aws:iam::123456789012:role/sales-prod-mcp-server-task"], { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }])
      Repository         = jsonencode([["arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server"], {}])
      Roles              = jsonencode([["arn:aws:iam::123456789012:role/sales-prod-mcp-server-execution", "arn:aws:iam::123456789012:role/sales-prod-mcp-server-task"], {}])
      Secrets            = jsonencode([["arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/sentry-AbCdEf"], {}])
      Service            = jsonencode([["arn:aws:ecs:us-east-1:123456789012:service/sales-prod/sales-prod-mcp-server"], {}])
      ServiceDeployments = jsonencode([["arn:aws:ecs:us-east-1:123456789012:service/sales-prod/sales-prod-mcp-server", "arn:aws:ecs:us-east-1:123456789012:service-deployment/sales-prod/sales-prod-mcp-server/*"], {}])
      ServiceRevisions   = jsonencode([["arn:aws:ecs:us-east-1:123456789012:service/sales-prod/sales-prod-mcp-server", "arn:aws:ecs:us-east-1:123456789012:service-revision/sales-prod/sales-prod-mcp-server/*"], {}])
      TaskDefinition     = jsonencode([["arn:aws:ecs:us-east-1:123456789012:task-definition/sales-prod-mcp-server:*"], {}])
      Tasks              = jsonencode([["arn:aws:ecs:us-east-1:123456789012:task/sales-prod/*"], {}])
    }
    error_message = "The role may ${aws_iam_role_policy.this.policy}"
  }
  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Effect == "Allow" && !anytrue([for action in statement.Action : strcontains(action, "*")])])
    error_message = "The role may ${aws_iam_role_policy.this.policy}"
  }
}

# On everything, only what AWS cannot restrict, and it only looks.
run "what_is_allowed_on_everything" {
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      alltrue([for action in statement.Action : can(regex("^(ecr:GetAuthorizationToken|[a-z0-9]+:(Describe|List)[A-Za-z]+)$", action))])
      if contains(statement.Resource, "*")
    ])
    error_message = "The role may ${aws_iam_role_policy.this.policy}"
  }
}

run "publishing_only" {
  variables {
    commands = ["publish"]
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "Anything"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken", "inspector2:ListCoverage", "inspector2:ListFindings"]
          Resource = ["*"]
        },
        {
          Sid    = "Repository"
          Effect = "Allow"
          Action = [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImageScanFindings",
            "ecr:DescribeRepositories",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
          ]
          Resource = ["arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server"]
        },
      ]
    }
    error_message = "The role may ${aws_iam_role_policy.this.policy}"
  }
}

run "deleting_is_asked_for" {
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "ecr:BatchDeleteImage")
    error_message = "CI must not delete images unless asked for"
  }
}

run "with_a_boundary" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    commands                 = ["prune"]
    subjects                 = ["repo:acme/quilt-mcp:environment:prod", "repo:acme/quilt-mcp:ref:refs/heads/main"]
    tags                     = { CostCenter = "4711" }
  }
  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && aws_iam_role.this.tags["CostCenter"] == "4711"
    error_message = "The boundary or the tags are not taken"
  }
  assert {
    condition     = strcontains(aws_iam_role_policy.this.policy, "ecr:BatchDeleteImage")
    error_message = "The role may not prune"
  }
}

run "through_a_stack" {
  variables {
    commands  = ["rollout through CloudFormation"]
    stack_arn = "arn:aws:cloudformation:us-east-1:123456789012:stack/sales-prod-mcp-server/*"
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if statement.Sid == "Stack"] == [{
      Sid    = "Stack"
      Effect = "Allow"
      Action = [
        "cloudformation:CancelUpdateStack",
        "cloudformation:DescribeStackEvents",
        "cloudformation:DescribeStacks",
        "cloudformation:ListStackResources",
        "cloudformation:UpdateStack",
      ]
      Resource = ["arn:aws:cloudformation:us-east-1:123456789012:stack/sales-prod-mcp-server/*"]
    }]
    error_message = "The role may ${aws_iam_role_policy.this.policy}"
  }
}

run "through_a_stack_that_is_not_named" {
  command = plan
  variables {
    commands = ["rollout through CloudFormation"]
  }
  expect_failures = [aws_iam_role.this]
}

run "stack_arn_1" {
  command = plan
  variables {
    stack_arn = "arn:aws:cloudformation:us-east-1:123456789012:stack/*"
  }
  expect_failures = [var.stack_arn]
}

run "name_1" {
  command = plan
  variables {
    name = "a/path"
  }
  expect_failures = [var.name]
}

run "oidc_provider_arn_1" {
  command = plan
  variables {
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/gitlab.com"
  }
  expect_failures = [var.oidc_provider_arn]
}

run "subjects_0" {
  command = plan
  variables {
    subjects = ["repo:YOUR-ORGANISATION/quilt-mcp:environment:prod"]
  }
  expect_failures = [var.subjects]
}

run "subjects_1" {
  command = plan
  variables {
    subjects = []
  }
  expect_failures = [var.subjects]
}

run "subjects_2" {
  command = plan
  variables {
    subjects = ["repo:acme/*:environment:prod"]
  }
  expect_failures = [var.subjects]
}

run "subjects_3" {
  command = plan
  variables {
    subjects = ["repo:acme/quilt-mcp:*"]
  }
  expect_failures = [var.subjects]
}

run "subjects_4" {
  command = plan
  variables {
    subjects = ["repo:acme/quilt-mcp:pull_request"]
  }
  expect_failures = [var.subjects]
}

run "commands_1" {
  command = plan
  variables {
    commands = []
  }
  expect_failures = [var.commands]
}

run "an_unknown_command" {
  command = plan
  variables {
    commands = ["deploy"]
  }
  expect_failures = [aws_iam_role.this]
}

run "repository_arn_1" {
  command = plan
  variables {
    repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/*"
  }
  expect_failures = [var.repository_arn]
}

run "repository_arn_2" {
  command = plan
  variables {
    repository_arn = "*"
  }
  expect_failures = [var.repository_arn]
}

run "service_arn_1" {
  command = plan
  variables {
    service_arn = "arn:aws:ecs:us-east-1:123456789012:service/sales-prod/*"
  }
  expect_failures = [var.service_arn]
}

run "task_definition_family_1" {
  command = plan
  variables {
    task_definition_family = "*"
  }
  expect_failures = [var.task_definition_family]
}

run "task_role_arns_1" {
  command = plan
  variables {
    task_role_arns = []
  }
  expect_failures = [var.task_role_arns]
}

run "task_role_arns_2" {
  command = plan
  variables {
    task_role_arns = ["*"]
  }
  expect_failures = [var.task_role_arns]
}

run "task_role_arns_3" {
  command = plan
  variables {
    task_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }
  expect_failures = [var.task_role_arns]
}

run "log_group_arn_1" {
  command = plan
  variables {
    log_group_arn = "arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server:*"
  }
  expect_failures = [var.log_group_arn]
}

run "secret_arns_1" {
  command = plan
  variables {
    secret_arns = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:*"]
  }
  expect_failures = [var.secret_arns]
}

run "permissions_boundary_arn_1" {
  command = plan
  variables {
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
