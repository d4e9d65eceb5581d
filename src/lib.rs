//! Builds, publishes and rolls out Quilt's MCP server on ECS Fargate, and says
//! truthfully whether the release is live.
//!
//! Data flows one way: a commit becomes an [`image`], the image is pushed to a
//! [`registry`], a [`release`] turns it into a task definition revision, a
//! [`rollout`] moves the service to that revision and watches until there is a
//! verdict, and [`smoke`] uses the result as an MCP client would. [`cli`] wires
//! the stages together, [`report`] shows what happens.

pub mod arn;
pub mod aws;
pub mod cli;
pub mod config;
pub mod connect;
mod files;
pub mod history;
pub mod image;
pub mod init;
pub mod interrupt;
pub mod logs;
pub mod permissions;
pub mod plan;
pub mod printable;
pub mod registry;
pub mod release;
pub mod report;
pub mod rollout;
pub mod smoke;
pub mod stack;
pub mod status;
pub mod verify;
