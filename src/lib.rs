//! Builds, publishes and rolls out Quilt's MCP server on ECS Fargate, and says
//! truthfully whether the release is live.

pub mod image;
pub mod registry;
