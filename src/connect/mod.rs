//! What an MCP client needs to know of an environment, in the client's own form; never a token.

mod client;
mod curl;
mod entry;
mod file;
mod token;

pub use client::{Client, ConnectError};
pub use curl::command as curl;
pub use entry::{Inputs, Server};
pub use file::{Merged, SettingsFile};
pub use token::{Token, VARIABLE};

/// The version of mcp-remote that our tests run.
pub const MCP_REMOTE: &str = "mcp-remote@0.15.1";
