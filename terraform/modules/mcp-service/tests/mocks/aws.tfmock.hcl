# AWS as the tests see it: a stack named sales-prod with its load balancer.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_region" {
  defaults = { name = "us-east-1" }
}

mock_data "aws_lb_listener" {
  defaults = {
    protocol          = "HTTPS"
    port              = 443
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/sales-prod/0123456789abcdef"
  }
}

mock_data "aws_lb" {
  defaults = {
    arn             = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/sales-prod/0123456789abcdef"
    arn_suffix      = "app/sales-prod/0123456789abcdef"
    idle_timeout    = 1000
    security_groups = ["sg-0123456789abcdef0"]
  }
}

mock_resource "aws_lb_target_group" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/sales-prod-mcp-server/0123456789abcdef"
    arn_suffix = "targetgroup/sales-prod-mcp-server/0123456789abcdef"
  }
}

mock_resource "aws_lb_listener_rule" {
  defaults = {
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/sales-prod/0123456789abcdef/0123456789abcdef/0123456789abcdef"
  }
}

mock_resource "aws_ecs_task_definition" {
  defaults = {
    arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/sales-prod-mcp-server:1"
  }
}

mock_resource "aws_security_group" {
  defaults = { id = "sg-0fedcba9876543210" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/some-role" }
}
