use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use http::HeaderValue;
use thiserror::Error;
use tokio::process::Command;

use crate::auth::{BearerToken, TokenError};

/// How long a command may take to print a token: somebody may have to sign in.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);

/// Where the bearer token comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// No token: the server will say what it thinks of it.
    None,
    /// An environment variable's value, as it was at the start.
    Value(String),
    /// A file, read whenever a token is needed anew.
    File(PathBuf),
    /// A command of the shell that prints a token, run whenever one is needed anew.
    Command(String),
}

/// Why there is no token. No variant holds one.
#[derive(Debug, Error)]
pub enum TokenFailure {
    /// The file cannot be read.
    #[error("the token file {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The command cannot be run.
    #[error("the token command cannot be run: {0}")]
    Command(std::io::Error),
    /// The command failed.
    #[error("the token command ended with {0}; run it yourself to see why")]
    CommandFailed(std::process::ExitStatus),
    /// The command takes too long.
    #[error("the token command printed nothing in {} s", COMMAND_TIMEOUT.as_secs())]
    CommandTimedOut,
    /// What came is no token.
    #[error("what was given as a token is none: {0}")]
    NotAToken(TokenError),
}

impl TokenSource {
    /// Gets the token as it is now, as the header that presents it.
    pub(super) async fn authorization(&self) -> Result<Option<HeaderValue>, TokenFailure> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Value(value) => value.clone(),
            Self::File(path) => {
                let read = tokio::fs::read_to_string(path).await;
                read.map_err(|source| TokenFailure::File {
                    path: path.clone(),
                    source,
                })?
            }
            Self::Command(command) => run(command).await?,
        };
        let token = BearerToken::parse(text.trim()).map_err(TokenFailure::NotAToken)?;
        Ok(Some(token.authorization()))
    }

    /// Whether asking again can give another token.
    pub(super) fn can_change(&self) -> bool {
        matches!(self, Self::File(_) | Self::Command(_))
    }
}

async fn run(command: &str) -> Result<String, TokenFailure> {
    let running = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(TokenFailure::Command)?
        .wait_with_output();
    let output = tokio::time::timeout(COMMAND_TIMEOUT, running)
        .await
        .map_err(|_| TokenFailure::CommandTimedOut)?
        .map_err(TokenFailure::Command)?;
    if !output.status.success() {
        return Err(TokenFailure::CommandFailed(output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A value is never shown.
impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Value(_) => f.write_str("Value"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Command(_) => f.write_str("Command"),
        }
    }
}
