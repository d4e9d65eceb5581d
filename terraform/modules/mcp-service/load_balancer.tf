locals {
  # `/mcp/*` does not match `/mcp`, and the metadata is of use only where clients can find an issuer.
  paths = concat(
    ["/mcp", "/mcp/*"],
    length(var.authorization_servers) > 0 ? ["/.well-known/oauth-protected-resource*"] : [],
  )

  # The Quilt stack's rules on the same listener: catalog, voila, registry, s3-proxy.
  quilt_priorities = [25, 26, 30, 40]
}

resource "aws_lb_target_group" "this" {
  name             = local.service_name
  vpc_id           = var.vpc_id
  target_type      = "ip"
  protocol         = "HTTP"
  protocol_version = "HTTP1"
  port             = local.container_port

  # A call may last 110 s, and the container has 120 s after this to finish what it has.
  deregistration_delay          = var.deregistration_delay_seconds
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    enabled             = true
    protocol            = "HTTP"
    port                = "traffic-port"
    path                = local.health_path
    matcher             = "200"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  # Any task answers any request.
  stickiness {
    enabled = false
    type    = "lb_cookie"
  }

  tags = local.tags
}

resource "aws_lb_listener_rule" "this" {
  listener_arn = var.listener_arn
  priority     = var.listener_priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }

  condition {
    host_header {
      values = var.hosts
    }
  }

  condition {
    path_pattern {
      values = local.paths
    }
  }

  dynamic "condition" {
    for_each = length(var.client_cidrs) > 0 ? [var.client_cidrs] : []
    content {
      source_ip {
        values = condition.value
      }
    }
  }

  tags = merge(local.tags, { Name = local.service_name })

  lifecycle {
    precondition {
      condition     = data.aws_lb_listener.this.protocol == "HTTPS"
      error_message = "listener_arn is of a listener for ${data.aws_lb_listener.this.protocol}; it must be HTTPS, because bearer tokens cross it."
    }
    precondition {
      condition     = var.dedicated_host || var.listener_priority < min(local.quilt_priorities...)
      error_message = "listener_priority ${var.listener_priority} comes after the catalog's rule (${min(local.quilt_priorities...)}), which takes every path of its host: choose a lower number, or set dedicated_host when only the MCP server answers on these hosts."
    }
    precondition {
      condition     = length(var.hosts) + length(local.paths) + length(var.client_cidrs) <= 5
      error_message = "A rule takes 5 values in its conditions, and this one would have ${length(var.hosts)} hosts, ${length(local.paths)} paths and ${length(var.client_cidrs)} client networks."
    }
  }
}

check "idle_timeout" {
  assert {
    condition     = data.aws_lb.this.idle_timeout >= 300
    error_message = "The load balancer closes connections that are silent for ${data.aws_lb.this.idle_timeout} s; Quilt's stacks have 1000 s, and less than 300 s cuts clients that wait between calls."
  }
}

check "load_balancer_security_group" {
  assert {
    condition     = contains(data.aws_lb.this.security_groups, var.load_balancer_security_group_id)
    error_message = "${var.load_balancer_security_group_id} is not a security group of the load balancer, so its requests would not reach the tasks."
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count        = var.web_acl_arn == null ? 0 : 1
  resource_arn = data.aws_lb.this.arn
  web_acl_arn  = var.web_acl_arn
}
