# The stack that the service joins.

variable "name" {
  description = "Name of the Quilt stack, such as sales-prod: every resource's name begins with it."
  type        = string
  nullable    = false
  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z0-9][a-z0-9-]*[a-z0-9]$", var.name))
    error_message = "Lower-case letters, digits and dashes, at most 20, no dash at either end."
  }
}

variable "environment" {
  description = "Kind of environment: dev, staging or prod. Prod needs two tasks."
  type        = string
  nullable    = false
  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "One of dev, staging, prod."
  }
}

variable "cluster_arn" {
  description = "ARN of the ECS cluster; account and region of everything else are taken from it."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]+$", var.cluster_arn))
    error_message = "An ECS cluster's ARN, such as arn:aws:ecs:us-east-1:123456789012:cluster/sales-prod."
  }
}

variable "repository_arn" {
  description = "ARN of the ECR repository that releases are pulled from (output repository_arn of modules/ecr)."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9][a-z0-9._/-]*$", var.repository_arn))
    error_message = "An ECR repository's ARN, without a tag."
  }
}

variable "catalog_url" {
  description = "URL of the stack's catalog."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.catalog_url))
    error_message = "An https URL without a path and without a slash at its end."
  }
}

variable "registry_url" {
  description = "URL of the stack's registry, which says whose a token is."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.registry_url))
    error_message = "An https URL without a path and without a slash at its end."
  }
}

# The load balancer.

variable "listener_arn" {
  description = "ARN of the HTTPS listener of the stack's load balancer."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/[^/]+/[^/]+/[^/]+$", var.listener_arn))
    error_message = "Give the ARN of a listener of an application load balancer, which has `:listener/app/` in it; the load balancer's own has `:loadbalancer/app/`."
  }
}

variable "listener_priority" {
  description = "Priority of our rule. Quilt's stack has 25 (the catalog's host, every path), 26, 30 and 40: on the catalog's host ours must be below 25."
  type        = number
  nullable    = false
  default     = 10
  validation {
    condition     = var.listener_priority >= 1 && var.listener_priority <= 50000 && floor(var.listener_priority) == var.listener_priority
    error_message = "A whole number from 1 to 50000."
  }
  validation {
    condition     = !contains([25, 26, 30, 40], var.listener_priority)
    error_message = "25, 26, 30 and 40 are taken by the Quilt stack."
  }
}

variable "hosts" {
  description = "Host names that our rule matches; the first one stands in the endpoint's URL."
  type        = list(string)
  nullable    = false
  validation {
    condition     = length(var.hosts) > 0 && length(distinct(var.hosts)) == length(var.hosts) && alltrue([for host in var.hosts : can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", host))])
    error_message = "At least one full host name, in lower case, without wildcards and ports, each once."
  }
}

variable "dedicated_host" {
  description = "True when only the MCP server answers on hosts (routing by host): then our rule may come after the catalog's. False when it shares the catalog's host (routing by path)."
  type        = bool
  nullable    = false
  default     = false
}

variable "client_cidrs" {
  description = "Networks whose clients the rule lets in; empty leaves that to the load balancer's security group."
  type        = list(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0))])
    error_message = "CIDR blocks, such as 10.0.0.0/8."
  }
}

variable "deregistration_delay_seconds" {
  description = "How long the load balancer lets calls finish on a task that is to stop; the server has 115 s more."
  type        = number
  nullable    = false
  default     = 60
  validation {
    condition     = var.deregistration_delay_seconds >= 5 && var.deregistration_delay_seconds <= 3600
    error_message = "5 to 3600 seconds."
  }
}

variable "web_acl_arn" {
  description = "A WAF web ACL for the load balancer. Quilt's stack brings one, and a load balancer has one at most: leave null there."
  type        = string
  default     = null
  validation {
    condition     = var.web_acl_arn == null ? true : can(regex("^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/.+$", var.web_acl_arn))
    error_message = "The ARN of a regional web ACL, or null."
  }
}

# The network.

variable "vpc_id" {
  description = "The stack's VPC."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "A VPC's id."
  }
}

variable "subnet_ids" {
  description = "Private subnets for the tasks, in two availability zones or more, with a way to the registry and to AWS."
  type        = list(string)
  nullable    = false
  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "At least two different subnet ids."
  }
}

variable "load_balancer_security_group_id" {
  description = "The security group on the load balancer that tasks take requests from (elb-pri-<stack>)."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^sg-[0-9a-f]{8,17}$", var.load_balancer_security_group_id))
    error_message = "A security group's id."
  }
}

variable "direct_ingress_cidrs" {
  description = "Networks that may call the tasks past the load balancer, without TLS; none by default."
  type        = set(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for cidr in var.direct_ingress_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]) >= 16, false)])
    error_message = "CIDR blocks of /16 or smaller."
  }
}

variable "egress_cidrs" {
  description = "Networks that tasks may reach by HTTPS. Narrow it where the registry and AWS are reached inside the VPC."
  type        = set(string)
  nullable    = false
  default     = ["0.0.0.0/0"]
  validation {
    condition     = alltrue([for cidr in var.egress_cidrs : can(cidrhost(cidr, 0))])
    error_message = "CIDR blocks, such as 10.0.0.0/16."
  }
}

variable "egress_prefix_list_ids" {
  description = "Prefix lists that tasks may reach by HTTPS, such as that of a gateway endpoint for S3."
  type        = set(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for id in var.egress_prefix_list_ids : can(regex("^pl-[0-9a-f]{8,17}$", id))])
    error_message = "Prefix list ids."
  }
}

variable "dns_resolver_cidrs" {
  description = "Networks with DNS resolvers of your own. Amazon's resolver needs no rule."
  type        = set(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for cidr in var.dns_resolver_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "CIDR blocks, not the whole internet."
  }
}

# The tasks.

variable "cpu" {
  description = "CPU units of a task; 1024 are one vCPU."
  type        = number
  nullable    = false
  default     = 512
  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "One of 256, 512, 1024, 2048, 4096."
  }
}

variable "memory" {
  description = "Memory of a task in MiB, of what Fargate offers with cpu."
  type        = number
  nullable    = false
  default     = 1024
}

variable "min_tasks" {
  description = "The fewest tasks; also what the first release starts."
  type        = number
  nullable    = false
  default     = 2
  validation {
    condition     = var.min_tasks >= 1 && floor(var.min_tasks) == var.min_tasks
    error_message = "A whole number, at least 1."
  }
}

variable "max_tasks" {
  description = "The most tasks that autoscaling starts."
  type        = number
  nullable    = false
  default     = 6
  validation {
    condition     = var.max_tasks <= 100 && floor(var.max_tasks) == var.max_tasks
    error_message = "A whole number, at most 100."
  }
}

variable "autoscaling_cpu_percent" {
  description = "The tasks' average CPU usage that autoscaling keeps."
  type        = number
  nullable    = false
  default     = 60
  validation {
    condition     = var.autoscaling_cpu_percent >= 20 && var.autoscaling_cpu_percent <= 80
    error_message = "20 to 80 percent."
  }
}

variable "health_check_grace_period_seconds" {
  description = "How long failed health checks of the load balancer do not count after a task's start."
  type        = number
  nullable    = false
  default     = 60
  validation {
    condition     = var.health_check_grace_period_seconds >= 30 && var.health_check_grace_period_seconds <= 600
    error_message = "30 to 600 seconds."
  }
}

variable "cors_origins" {
  description = "Web origins whose pages may call the endpoint; null is the catalog's, an empty list is none."
  type        = list(string)
  default     = null
  validation {
    condition     = var.cors_origins == null ? true : alltrue([for origin in var.cors_origins : can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", origin))])
    error_message = "Exact https origins, such as https://catalog.example.com: no wildcard, no path."
  }
}

variable "authorization_servers" {
  description = "Issuers of tokens. Where there are some, clients can discover them (RFC 9728), and the rule takes the metadata's path too."
  type        = list(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for server in var.authorization_servers : can(regex("^https://[^,\\s]+$", server))])
    error_message = "https URLs."
  }
}

variable "scopes" {
  description = "Scopes that a client should ask the authorization servers for."
  type        = list(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for scope in var.scopes : can(regex("^[^,\\s\"\\\\]+$", scope))])
    error_message = "OAuth scopes, without blanks and commas."
  }
}

variable "athena_workgroup" {
  description = "Athena work group for queries; null lets the server find Quilt's."
  type        = string
  default     = null
}

variable "environment_variables" {
  description = "Further variables of the server (docs/server.md). They are readable by everybody who may describe the task definition."
  type        = map(string)
  nullable    = false
  default     = {}
  validation {
    condition     = alltrue([for name in keys(var.environment_variables) : can(regex("^[A-Z_][A-Z0-9_]*$", name))])
    error_message = "Names of capital letters, digits and underscores."
  }
  validation {
    condition     = !anytrue([for name in keys(var.environment_variables) : can(regex("SECRET|TOKEN|PASSWORD|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_KEY", name)) && name != "MCP_MAX_IN_FLIGHT_PER_TOKEN"])
    error_message = "One of the names is a secret's: put its ARN into secrets."
  }
  validation {
    condition     = length(setintersection(keys(var.environment_variables), ["AWS_REGION", "QUILT_CATALOG_URL", "QUILT_REGISTRY_URL", "MCP_LISTEN", "MCP_PUBLIC_URL", "MCP_ALLOWED_ORIGINS", "MCP_DRAIN_TIMEOUT_SECONDS", "MCP_AUTHORIZATION_SERVERS", "MCP_SCOPES", "MCP_ATHENA_WORKGROUP"])) == 0
    error_message = "One of the names is set by this module: use the input for it."
  }
}

variable "secrets" {
  description = "Variable's name => ARN in Secrets Manager or in the SSM Parameter Store. ECS reads the values; Terraform never does."
  type        = map(string)
  nullable    = false
  default     = {}
  validation {
    condition = alltrue([
      for reference in values(var.secrets) : can(regex("^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+(:[^:]*:[^:]*:[^:]*)?|ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+)$", reference))
    ])
    error_message = "Full ARNs of Secrets Manager secrets (with :json-key:version-stage:version-id if you like) or of SSM parameters."
  }
}

# Encryption, retention, boundaries.

variable "secrets_kms_key_arns" {
  description = "Keys of your own that the secrets are encrypted with; AWS's managed keys need none."
  type        = list(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for arn in var.secrets_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))])
    error_message = "ARNs of KMS keys, not of aliases."
  }
}

variable "log_kms_key_arn" {
  description = "Key of your own for the log group; its policy must let CloudWatch Logs use it. Null is AWS's own encryption."
  type        = string
  default     = null
  validation {
    condition     = var.log_kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.log_kms_key_arn))
    error_message = "The ARN of a KMS key, not of an alias, or null."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept. 90 days is what Quilt's stacks do."
  type        = number
  nullable    = false
  default     = 90
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "A number of days that CloudWatch Logs knows, such as 30, 90 or 365; never for ever."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of both roles, where the account asks for one."
  type        = string
  default     = null
  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "An IAM policy's ARN, or null."
  }
}

# Alarms and tags.

variable "alarm_topic_arns" {
  description = "SNS topics that are told of alarms. Without one, alarms are seen in the console only."
  type        = list(string)
  nullable    = false
  default     = []
  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", arn))])
    error_message = "ARNs of SNS topics."
  }
}

variable "server_errors_per_minute" {
  description = "Answers with 5xx and refused connections a minute, three minutes long, that alarm and roll a deployment back."
  type        = number
  nullable    = false
  default     = 10
  validation {
    condition     = var.server_errors_per_minute >= 1
    error_message = "At least 1."
  }
}

variable "latency_p95_seconds" {
  description = "Seconds of a tool call, to the end of its answer, for the slowest of twenty, that alarm."
  type        = number
  nullable    = false
  default     = 30
  validation {
    condition     = var.latency_p95_seconds > 0
    error_message = "More than 0."
  }
}

variable "refused_authentications_per_5_minutes" {
  description = "Refused tokens in five minutes that alarm."
  type        = number
  nullable    = false
  default     = 100
  validation {
    condition     = var.refused_authentications_per_5_minutes >= 1
    error_message = "At least 1."
  }
}

variable "tags" {
  description = "Further tags of every resource; the provider's default_tags come along too."
  type        = map(string)
  nullable    = false
  default     = {}
}
