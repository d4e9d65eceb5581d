variable "name" {
  description = "The role's name, such as sales-prod-mcp-server-release."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "1 to 64 letters, digits and any of +=,.@_- (no path)."
  }
}

variable "oidc_provider_arn" {
  description = "The account's identity provider for token.actions.githubusercontent.com; there is one an account."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "The ARN of an IAM identity provider for token.actions.githubusercontent.com."
  }
}

variable "subjects" {
  description = "Which workflows may take the role, word for word: repo:OWNER/NAME:environment:ENVIRONMENT, and in GitHub the environment is protected by its reviewers."
  type        = list(string)
  nullable    = false
  validation {
    condition     = length(var.subjects) > 0 && alltrue([for subject in var.subjects : can(regex("^repo:[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+:(environment:[A-Za-z0-9_.-]+|ref:refs/(heads|tags)/[A-Za-z0-9_./-]+)$", subject))])
    error_message = "At least one subject that names an environment or a ref, without wildcards."
  }
  validation {
    condition     = alltrue([for subject in var.subjects : !strcontains(subject, "YOUR-")])
    error_message = "A placeholder was left: name the GitHub organisation and repository that hold your workflow."
  }
}

variable "commands" {
  description = "Commands of quilt-mcp-deploy that the role is for, of those in actions.json. A rollout may have to roll back."
  type        = list(string)
  nullable    = false
  default     = ["publish", "rollout", "rollback and stop", "verify"]
  validation {
    condition     = length(var.commands) > 0
    error_message = "At least one command."
  }
}

variable "repository_arn" {
  description = "The environment's ECR repository."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9][a-z0-9._/-]*$", var.repository_arn))
    error_message = "One ECR repository's ARN, without wildcards."
  }
}

variable "service_arn" {
  description = "The ECS service (output service_arn of mcp-service)."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:service/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$", var.service_arn))
    error_message = "One ECS service's ARN with its cluster's name in it, without wildcards."
  }
}

variable "task_definition_family" {
  description = "The family that releases are registered in (output task_definition_family)."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.task_definition_family))
    error_message = "A task definition family's name."
  }
}

variable "task_role_arns" {
  description = "The roles that a release hands to ECS tasks (outputs execution_role_arn and task_role_arn)."
  type        = list(string)
  nullable    = false
  validation {
    condition     = length(var.task_role_arns) > 0 && alltrue([for arn in var.task_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "Roles' ARNs, at least one, without wildcards."
  }
}

variable "log_group_arn" {
  description = "The tasks' log group, without :* at its end (output log_group_arn)."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:logs:[a-z0-9-]+:[0-9]{12}:log-group:[A-Za-z0-9_/.#-]+$", var.log_group_arn))
    error_message = "One log group's ARN, without :* at its end."
  }
}

variable "stack_arn" {
  description = "The CloudFormation stack that releases go through, for the command \"rollout through CloudFormation\"; its last part, the stack's own id, may be *."
  type        = string
  default     = null
  validation {
    condition     = var.stack_arn == null ? true : can(regex("^arn:aws[a-z-]*:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][A-Za-z0-9-]*/([0-9a-f-]+|\\*)$", var.stack_arn))
    error_message = "One stack's ARN with its name in it, or null."
  }
}

variable "secret_arns" {
  description = "Secrets in Secrets Manager that verify looks for; it never reads their values."
  type        = list(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:*]+$", arn))])
    error_message = "Secrets' ARNs, without wildcards and without a JSON key."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role, where the account asks for one."
  type        = string
  default     = null
  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "An IAM policy's ARN, or null."
  }
}

variable "tags" {
  description = "Tags of the role; the provider's default_tags come along too."
  type        = map(string)
  nullable    = false
  default     = {}
}
