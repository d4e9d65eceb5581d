//! An environment of `quilt-mcp.toml`, found rather than typed: what Terraform made, what a
//! service that runs tells, what somebody answers. All of them give a [`Draft`], and [`File`]
//! takes it into the file.

mod ask;
mod draft;
mod file;
pub mod service;
pub mod terraform;

pub use ask::{AskError, ask};
pub use draft::{Draft, Entry};
pub use file::{File, FileError, Text};
