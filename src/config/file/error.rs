//! Why the configuration cannot be used.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

use super::FILE_NAME;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML, lacks a key, has an unknown key, or a value is wrong.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
        /// The file's name and text.
        #[source_code]
        text: Arc<NamedSource<String>>,
        /// Where.
        #[label("{label}")]
        at: SourceSpan,
        /// What stands beside the place.
        label: String,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// No such environment.
    #[error(
        "there is no environment named `{name}`; there {}",
        known_environments(known)
    )]
    #[diagnostic(help("{}", where_environments_are(known)))]
    UnknownEnvironment {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
}

fn known_environments(known: &[String]) -> String {
    match known {
        [one] => format!("is only `{one}`"),
        many => format!(
            "are {}",
            many.iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// With the built-in one alone, the file is most likely in another folder, or not written yet.
pub(super) fn where_environments_are(known: &[String]) -> String {
    match known {
        [_] => format!(
            "environments stand in {FILE_NAME}, which is looked for in this folder and those above: go where it is, name it with --config, or have `quilt-mcp-deploy init` write it"
        ),
        _ => format!("name one with --env, QUILT_MCP_ENV or default_environment in {FILE_NAME}"),
    }
}
