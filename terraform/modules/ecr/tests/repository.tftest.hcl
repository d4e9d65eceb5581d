mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = {
      arn            = "arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server"
      repository_url = "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/sales-prod/mcp-server"
    }
  }
}

variables {
  name = "quilt/sales-prod/mcp-server"
}

run "repository" {
  assert {
    condition     = aws_ecr_repository.this.name == "quilt/sales-prod/mcp-server"
    error_message = "The repository is ${aws_ecr_repository.this.name}"
  }
  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "A tag must never come to mean another image"
  }
  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "Images must be scanned"
  }
  assert {
    condition     = one(aws_ecr_repository.this.encryption_configuration).encryption_type == "KMS"
    error_message = "Images must be encrypted with KMS"
  }
  assert {
    condition     = aws_ecr_repository.this.force_delete == false
    error_message = "A repository with images must not be deleted"
  }
  assert {
    condition     = length(aws_ecr_repository_policy.pull) == 0
    error_message = "No other account may pull unless asked for"
  }
  assert {
    condition     = output.repository_arn == "arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server" && output.repository_name == "quilt/sales-prod/mcp-server" && output.repository_url == "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/sales-prod/mcp-server"
    error_message = "An output is of another resource"
  }
}

run "life_cycle" {
  assert {
    condition = jsondecode(aws_ecr_lifecycle_policy.this.policy) == {
      rules = [
        {
          rulePriority = 1
          description  = "Untagged images go after 14 days"
          selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
          action       = { type = "expire" }
        },
        {
          rulePriority = 2
          description  = "The newest 30 releases stay"
          selection    = { tagStatus = "tagged", tagPatternList = ["*.*.*"], countType = "imageCountMoreThan", countNumber = 30 }
          action       = { type = "expire" }
        },
      ]
    }
    error_message = "The life cycle is ${aws_ecr_lifecycle_policy.this.policy}"
  }
  assert {
    condition     = aws_ecr_lifecycle_policy.this.repository == "quilt/sales-prod/mcp-server"
    error_message = "The life cycle is of ${aws_ecr_lifecycle_policy.this.repository}"
  }
}

run "with_everything" {
  variables {
    keep_releases    = 50
    untagged_days    = 3
    kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    pull_account_ids = ["210987654321"]
    tags             = { CostCenter = "4711" }
  }
  assert {
    condition     = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.countNumber] == [3, 50]
    error_message = "The life cycle is ${aws_ecr_lifecycle_policy.this.policy}"
  }
  assert {
    condition     = one(aws_ecr_repository.this.encryption_configuration).kms_key == var.kms_key_arn
    error_message = "The key is not taken"
  }
  assert {
    condition = jsondecode(aws_ecr_repository_policy.pull[0].policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "PullFromOtherAccounts"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::210987654321:root"] }
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:DescribeImages",
          "ecr:DescribeRepositories",
          "ecr:GetDownloadUrlForLayer",
        ]
      }]
    }
    error_message = "Other accounts may ${aws_ecr_repository_policy.pull[0].policy}"
  }
  assert {
    condition     = aws_ecr_repository_policy.pull[0].repository == "quilt/sales-prod/mcp-server"
    error_message = "The policy is of another repository"
  }
  assert {
    condition     = aws_ecr_repository.this.tags["CostCenter"] == "4711"
    error_message = "The tags are not taken"
  }
}

run "a_name_in_capitals" {
  command = plan
  variables {
    name = "Quilt"
  }
  expect_failures = [var.name]
}

run "few_releases" {
  command = plan
  variables {
    keep_releases = 9
  }
  expect_failures = [var.keep_releases]
}

run "half_a_release" {
  command = plan
  variables {
    keep_releases = 10.5
  }
  expect_failures = [var.keep_releases]
}

run "no_days" {
  command = plan
  variables {
    untagged_days = 0
  }
  expect_failures = [var.untagged_days]
}

run "an_alias" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:alias/ecr"
  }
  expect_failures = [var.kms_key_arn]
}

run "everybody" {
  command = plan
  variables {
    pull_account_ids = ["*"]
  }
  expect_failures = [var.pull_account_ids]
}
