# The target group, the rule, and the security group.

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

run "target_group" {
  assert {
    condition     = aws_lb_target_group.this.name == "sales-prod-mcp-server" && aws_lb_target_group.this.vpc_id == "vpc-0123456789abcdef0"
    error_message = "The target group is ${aws_lb_target_group.this.name} in ${aws_lb_target_group.this.vpc_id}"
  }
  assert {
    condition     = aws_lb_target_group.this.target_type == "ip" && aws_lb_target_group.this.protocol == "HTTP" && aws_lb_target_group.this.protocol_version == "HTTP1" && aws_lb_target_group.this.port == 8000
    error_message = "The target group does not speak HTTP/1.1 with the tasks' port"
  }
  assert {
    condition = alltrue([
      for check in aws_lb_target_group.this.health_check : check.enabled && check.path == "/healthz" && check.protocol == "HTTP" && check.port == "traffic-port" && check.matcher == "200"
    ])
    error_message = "The health check is ${jsonencode(aws_lb_target_group.this.health_check)}"
  }
  assert {
    condition = alltrue([
      for check in aws_lb_target_group.this.health_check : check.interval == 15 && check.timeout == 5 && check.healthy_threshold == 2 && check.unhealthy_threshold == 3
    ])
    error_message = "The health check is ${jsonencode(aws_lb_target_group.this.health_check)}"
  }
  assert {
    condition     = aws_lb_target_group.this.deregistration_delay == "60"
    error_message = "Deregistration takes ${aws_lb_target_group.this.deregistration_delay} s"
  }
  assert {
    condition     = aws_lb_target_group.this.load_balancing_algorithm_type == "least_outstanding_requests"
    error_message = "Long calls need least_outstanding_requests"
  }
  assert {
    condition     = aws_lb_target_group.this.stickiness[0].enabled == false
    error_message = "The server keeps no sessions: stickiness only makes load uneven"
  }
}

run "rule" {
  assert {
    condition     = aws_lb_listener_rule.this.priority == 10 && aws_lb_listener_rule.this.listener_arn == var.listener_arn
    error_message = "The rule is ${aws_lb_listener_rule.this.priority} on ${aws_lb_listener_rule.this.listener_arn}"
  }
  assert {
    condition     = one(aws_lb_listener_rule.this.action).type == "forward" && one(aws_lb_listener_rule.this.action).target_group_arn == aws_lb_target_group.this.arn
    error_message = "The rule does not forward to the target group"
  }
  assert {
    condition     = flatten([for condition in aws_lb_listener_rule.this.condition : [for host in condition.host_header : tolist(host.values)]]) == ["catalog.example.com"]
    error_message = "The rule is for other hosts"
  }
  assert {
    condition     = toset(flatten([for condition in aws_lb_listener_rule.this.condition : [for path in condition.path_pattern : tolist(path.values)]])) == toset(["/mcp", "/mcp/*"])
    error_message = "The rule must take /mcp and what is below it, and nothing else"
  }
  assert {
    condition     = length(aws_lb_listener_rule.this.condition) == 2
    error_message = "The rule has ${length(aws_lb_listener_rule.this.condition)} conditions"
  }
  assert {
    condition     = length(aws_wafv2_web_acl_association.this) == 0
    error_message = "The stack's own web ACL would be replaced"
  }
}

run "rule_with_everything" {
  variables {
    hosts                 = ["mcp.example.com"]
    dedicated_host        = true
    listener_priority     = 50
    authorization_servers = ["https://issuer.example.com"]
    client_cidrs          = ["10.0.0.0/8"]
    web_acl_arn           = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/quilt/01234567-89ab-cdef-0123-456789abcdef"
  }
  assert {
    condition     = aws_lb_listener_rule.this.priority == 50
    error_message = "A host of its own may come after the catalog"
  }
  assert {
    condition     = toset(flatten([for condition in aws_lb_listener_rule.this.condition : [for path in condition.path_pattern : tolist(path.values)]])) == toset(["/mcp", "/mcp/*", "/.well-known/oauth-protected-resource*"])
    error_message = "The rule must take the metadata's path too"
  }
  assert {
    condition     = flatten([for condition in aws_lb_listener_rule.this.condition : [for source in condition.source_ip : tolist(source.values)]]) == ["10.0.0.0/8"]
    error_message = "The rule must ask for the client's network"
  }
  assert {
    condition     = aws_wafv2_web_acl_association.this[0].web_acl_arn == var.web_acl_arn && aws_wafv2_web_acl_association.this[0].resource_arn == data.aws_lb.this.arn
    error_message = "The web ACL is not on the load balancer"
  }
}

run "security_group" {
  assert {
    condition     = aws_security_group.this.vpc_id == "vpc-0123456789abcdef0" && aws_security_group.this.name_prefix == "sales-prod-mcp-server-"
    error_message = "The security group is ${aws_security_group.this.name_prefix} in ${aws_security_group.this.vpc_id}"
  }
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.load_balancer.security_group_id == aws_security_group.this.id
      && aws_vpc_security_group_ingress_rule.load_balancer.referenced_security_group_id == "sg-0123456789abcdef0"
      && aws_vpc_security_group_ingress_rule.load_balancer.cidr_ipv4 == null
    )
    error_message = "Only the load balancer may come in"
  }
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.load_balancer.ip_protocol == "tcp"
      && aws_vpc_security_group_ingress_rule.load_balancer.from_port == 8000
      && aws_vpc_security_group_ingress_rule.load_balancer.to_port == 8000
    )
    error_message = "The load balancer needs port 8000 only"
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.direct) == 0
    error_message = "Nobody may come past the load balancer unless asked for"
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.https : [rule.security_group_id, rule.ip_protocol, rule.from_port, rule.to_port, rule.cidr_ipv4]] == [[aws_security_group.this.id, "tcp", 443, 443, "0.0.0.0/0"]]
    error_message = "Only HTTPS may go out"
  }
  assert {
    condition     = length(aws_vpc_security_group_egress_rule.https_prefix_list) == 0 && length(aws_vpc_security_group_egress_rule.dns) == 0
    error_message = "Nothing else may go out unless asked for"
  }
}

run "narrower_networks" {
  variables {
    direct_ingress_cidrs   = ["10.1.0.0/16"]
    egress_cidrs           = ["10.0.0.0/16"]
    egress_prefix_list_ids = ["pl-0123456789abcdef0"]
    dns_resolver_cidrs     = ["10.0.0.2/32"]
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.direct : [rule.security_group_id, rule.ip_protocol, rule.from_port, rule.to_port, rule.cidr_ipv4]] == [[aws_security_group.this.id, "tcp", 8000, 8000, "10.1.0.0/16"]]
    error_message = "The approved network needs port 8000 only"
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.https : rule.cidr_ipv4] == ["10.0.0.0/16"]
    error_message = "The way out is not narrowed"
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.https_prefix_list : [rule.security_group_id, rule.ip_protocol, rule.from_port, rule.to_port, rule.prefix_list_id]] == [[aws_security_group.this.id, "tcp", 443, 443, "pl-0123456789abcdef0"]] && alltrue([for rule in aws_vpc_security_group_egress_rule.https_prefix_list : rule.cidr_ipv4 == null])
    error_message = "The prefix list needs HTTPS only"
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.dns : [rule.security_group_id, rule.ip_protocol, rule.from_port, rule.to_port, rule.cidr_ipv4]] == [for protocol in ["tcp", "udp"] : [aws_security_group.this.id, protocol, 53, 53, "10.0.0.2/32"]]
    error_message = "The resolver needs port 53 only"
  }
}
