//! Which build this is.

use std::fmt;

/// The name that the server gives itself in `initialize`.
pub const SERVER_NAME: &str = "quilt-mcp-server";

/// Version and commit of the running binary.
///
/// Displayed as a semantic version whose build metadata is the commit
/// (`0.1.0+3f2a9c1`, <https://semver.org/#spec-item-10>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildInfo {
    /// The crate's version.
    pub version: &'static str,
    /// The commit that the image was built from, where it is known.
    pub commit: Option<String>,
}

impl BuildInfo {
    /// This version, built from `commit`.
    pub fn new(commit: Option<String>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit,
        }
    }
}

impl fmt::Display for BuildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.commit {
            Some(commit) => write!(f, "{}+{commit}", self.version),
            None => f.write_str(self.version),
        }
    }
}
