# Who may do what.

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

run "trust" {
  assert {
    condition = jsondecode(aws_iam_role.execution.assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:us-east-1:123456789012:*" }
        }
      }]
    }
    error_message = "The trust policy is ${aws_iam_role.execution.assume_role_policy}"
  }
  assert {
    condition     = aws_iam_role.task.assume_role_policy == aws_iam_role.execution.assume_role_policy
    error_message = "The task role trusts somebody else"
  }
  assert {
    condition     = aws_iam_role.execution.name == "sales-prod-mcp-server-execution" && aws_iam_role.task.name == "sales-prod-mcp-server-task"
    error_message = "The roles are ${aws_iam_role.execution.name} and ${aws_iam_role.task.name}"
  }
  assert {
    condition     = aws_iam_role.execution.permissions_boundary == null && aws_iam_role.task.permissions_boundary == null
    error_message = "There is no boundary unless asked for"
  }
}

run "execution_role" {
  assert {
    condition = jsondecode(aws_iam_role_policy.execution.policy) == {
      Version = "2012-10-17"
      Statement = [
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
          Resource = ["arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server"]
        },
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server:*"]
        },
      ]
    }
    error_message = "The execution role may ${aws_iam_role_policy.execution.policy}"
  }
  assert {
    condition     = aws_iam_role_policy.execution.role == "sales-prod-mcp-server-execution"
    error_message = "The policy is on ${aws_iam_role_policy.execution.role}"
  }
}

run "execution_role_with_secrets" {
  variables {
    secrets = {
      SENTRY_DSN  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/sentry-AbCdEf:dsn::"
      SENTRY_ENV  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/sentry-AbCdEf:environment::"
      LICENCE     = "arn:aws:ssm:us-east-1:123456789012:parameter/quilt/licence"
      WHOLE_THING = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/whole-GhIjKl"
    }
    secrets_kms_key_arns     = ["arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"]
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }
  assert {
    condition = slice(jsondecode(aws_iam_role_policy.execution.policy).Statement, 3, 6) == [
      {
        Sid    = "ReadSecrets"
        Effect = "Allow"
        Action = ["secretsmanager:GetSecretValue"]
        Resource = [
          "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/sentry-AbCdEf",
          "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/whole-GhIjKl",
        ]
      },
      {
        Sid      = "ReadParameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"]
        Resource = ["arn:aws:ssm:us-east-1:123456789012:parameter/quilt/licence"]
      },
      {
        Sid      = "DecryptSecrets"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"]
        Condition = {
          StringEquals = {
            "kms:ViaService" = ["secretsmanager.us-east-1.amazonaws.com", "ssm.us-east-1.amazonaws.com"]
          }
        }
      },
    ]
    error_message = "The execution role may ${aws_iam_role_policy.execution.policy}"
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.execution.policy).Statement) == 6
    error_message = "The execution role may ${aws_iam_role_policy.execution.policy}"
  }
  assert {
    condition     = aws_iam_role.execution.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && aws_iam_role.task.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "Both roles need the boundary"
  }
}
