# Security groups do not filter what goes to Amazon's DNS or to a task's own metadata.

resource "aws_security_group" "this" {
  name_prefix = "${local.service_name}-"
  description = "Tasks of ${local.service_name}"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = local.service_name })

  # Running tasks hold the old one until the next release.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  security_group_id            = aws_security_group.this.id
  description                  = "MCP from the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = local.container_port
  to_port                      = local.container_port
  referenced_security_group_id = var.load_balancer_security_group_id
  tags                         = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "direct" {
  for_each = var.direct_ingress_cidrs

  security_group_id = aws_security_group.this.id
  description       = "MCP from an approved network, past the load balancer"
  ip_protocol       = "tcp"
  from_port         = local.container_port
  to_port           = local.container_port
  cidr_ipv4         = each.value
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = var.egress_cidrs

  security_group_id = aws_security_group.this.id
  description       = "HTTPS to the registry and to AWS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.value
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "https_prefix_list" {
  for_each = var.egress_prefix_list_ids

  security_group_id = aws_security_group.this.id
  description       = "HTTPS to an AWS service's addresses"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = each.value
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "dns" {
  for_each = { for pair in setproduct(var.dns_resolver_cidrs, ["tcp", "udp"]) : join(" ", pair) => pair }

  security_group_id = aws_security_group.this.id
  description       = "DNS to a resolver of your own"
  ip_protocol       = each.value[1]
  from_port         = 53
  to_port           = 53
  cidr_ipv4         = each.value[0]
  tags              = local.tags
}
