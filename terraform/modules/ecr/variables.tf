variable "name" {
  description = "The repository's name, such as quilt/sales-prod/mcp-server."
  type        = string
  nullable    = false
  validation {
    condition     = length(var.name) >= 2 && length(var.name) <= 256 && can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name))
    error_message = "2 to 256 lower-case letters, digits and any of . _ - / between them."
  }
}

variable "keep_releases" {
  description = "How many releases stay; what runs must be among them."
  type        = number
  nullable    = false
  default     = 30
  validation {
    condition     = var.keep_releases >= 10 && floor(var.keep_releases) == var.keep_releases
    error_message = "A whole number, at least 10: what runs, and what a rollback returns to, must not expire."
  }
}

variable "untagged_days" {
  description = "Days after which images without a tag go."
  type        = number
  nullable    = false
  default     = 14
  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "A whole number, at least 1."
  }
}

variable "kms_key_arn" {
  description = "Key of your own; null is AWS's managed key for ECR. It cannot be changed later."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "The ARN of a KMS key, not of an alias, or null."
  }
}

variable "pull_account_ids" {
  description = "Other accounts that may pull, such as the next environment's. Of images encrypted with a key of your own, its policy must let them decrypt too."
  type        = list(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for id in var.pull_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "Account ids of 12 digits."
  }
}

variable "tags" {
  description = "Tags of the repository; the provider's default_tags come along too."
  type        = map(string)
  nullable    = false
  default     = {}
}
