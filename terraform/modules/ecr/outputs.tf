output "repository_arn" {
  description = "For mcp-service and github-oidc."
  value       = aws_ecr_repository.this.arn
}

output "repository_name" {
  description = "For `repository` in quilt-mcp.toml."
  value       = aws_ecr_repository.this.name
}

output "repository_url" {
  description = "Where images are pushed to."
  value       = aws_ecr_repository.this.repository_url
}
