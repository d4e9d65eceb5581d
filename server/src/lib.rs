//! Quilt's MCP server.
//!
//! A stateless Streamable HTTP server in front of one Quilt stack. Every request
//! carries the caller's own bearer token; the stack's registry says whose it is,
//! and does all work with that caller's rights.

pub mod auth;
pub mod aws;
pub mod build_info;
pub mod config;
pub mod healthcheck;
pub mod http;
pub mod logging;
pub mod mcp;
pub mod metrics;
pub mod proxy;
pub mod registry;
pub mod resources;
pub mod serve;
pub mod tools;
