use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use thiserror::Error;

use super::command::{self, CommandFailure};
use crate::auth::{BearerToken, TokenError};

/// How long a command may take to print a token: a client waits no longer for its first answer.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Where the bearer token comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// No token: the server will say what it thinks of it.
    None,
    /// An environment variable, as it was at the start.
    Variable {
        /// Its name.
        name: String,
        /// The token.
        value: String,
    },
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
    #[error(
        "the token command had not ended after {} s and was killed; run it yourself to see what it waits for, such as a passphrase or a sign-in",
        COMMAND_LIMIT.as_secs()
    )]
    CommandTimedOut,
    /// What came is no token.
    #[error("{origin} {why}")]
    NotAToken {
        /// Where it came from, with a verb.
        origin: String,
        /// What is wrong with it.
        why: NotAToken,
    },
}

/// What is wrong with what should be a token; each is the end of a sentence.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotAToken {
    /// Nothing, or white space.
    #[error("nothing where the token should be")]
    Empty,
    /// A whole header, or its value.
    #[error("`Bearer` before the token; give the token alone")]
    Scheme,
    /// White space inside.
    #[error("several words where the token should be, and a token is one")]
    Words,
    /// RFC 6750 does not allow it.
    #[error("something with characters that no token has")]
    Characters,
    /// Longer than any server takes.
    #[error("something that is too long for a token: {0}")]
    Length(TokenError),
}

impl TokenSource {
    /// Gets the token as it is now, as the header that presents it.
    pub(super) async fn authorization(&self) -> Result<Option<HeaderValue>, TokenFailure> {
        let (text, origin) = match self {
            Self::None => return Ok(None),
            Self::Variable { name, value } => (value.clone(), format!("{name} holds")),
            Self::File(path) => {
                let read = tokio::fs::read_to_string(path).await;
                let text = read.map_err(|source| TokenFailure::File {
                    path: path.clone(),
                    source,
                })?;
                (text, format!("the token file {} holds", path.display()))
            }
            Self::Command(command) => (run(command).await?, "the token command printed".to_owned()),
        };
        match read(&text) {
            Ok(token) => Ok(Some(token.authorization())),
            Err(why) => Err(TokenFailure::NotAToken { origin, why }),
        }
    }

    /// Whether asking again can give another token.
    pub(super) fn can_change(&self) -> bool {
        matches!(self, Self::File(_) | Self::Command(_))
    }
}

/// The token in a text: its first line that is not blank, as password managers print it before
/// whatever else they know.
fn read(text: &str) -> Result<BearerToken, NotAToken> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let line = text.lines().next().unwrap_or_default().trim();
    let mut words = line.split_whitespace();
    let first = words.next().ok_or(NotAToken::Empty)?;
    let scheme = first.trim_end_matches(':');
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("authorization") {
        return Err(NotAToken::Scheme);
    }
    if words.next().is_some() {
        return Err(NotAToken::Words);
    }
    BearerToken::parse(line).map_err(|error| match error {
        TokenError::TooLong => NotAToken::Length(error),
        TokenError::Missing | TokenError::Malformed => NotAToken::Characters,
    })
}

async fn run(command: &str) -> Result<String, TokenFailure> {
    let printed = command::run(command, tokio::time::sleep(COMMAND_LIMIT)).await;
    printed.map_err(|failure| match failure {
        CommandFailure::Io(error) => TokenFailure::Command(error),
        CommandFailure::Status(status) => TokenFailure::CommandFailed(status),
        CommandFailure::Limit => TokenFailure::CommandTimedOut,
    })
}

/// A value is never shown.
impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Variable { name, .. } => f.debug_tuple("Variable").field(name).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Command(_) => f.write_str("Command"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_token_or_what_is_wrong_is_said() {
        let long = "a".repeat(9 * 1024);
        for (text, expected) in [
            ("qk_a", None),
            ("qk_a\n", None),
            ("\u{feff}qk_a\r\n", None),
            ("\n  qk_a\nuser: me\nurl: https://a.example\n", None),
            ("", Some(NotAToken::Empty)),
            (" \n\n", Some(NotAToken::Empty)),
            ("Bearer qk_a", Some(NotAToken::Scheme)),
            ("bearer", Some(NotAToken::Scheme)),
            ("Authorization: Bearer qk_a", Some(NotAToken::Scheme)),
            ("qk_a qk_b", Some(NotAToken::Words)),
            ("user: me\nqk_a", Some(NotAToken::Words)),
            ("qk_a,", Some(NotAToken::Characters)),
            ("\"qk_a\"", Some(NotAToken::Characters)),
            (&long, Some(NotAToken::Length(TokenError::TooLong))),
        ] {
            let start: String = text.chars().take(40).collect();
            match (read(text), expected) {
                (Ok(token), None) => assert_eq!(token.authorization(), "Bearer qk_a", "{start:?}"),
                (read, expected) => assert_eq!(read.err(), expected, "{start:?}"),
            }
        }
    }

    #[tokio::test]
    async fn where_it_came_from_is_said_and_never_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "qk_a qk_b").unwrap();
        let name = "MINE".to_owned();
        for (source, says) in [
            (
                TokenSource::Variable {
                    name: name.clone(),
                    value: "Bearer qk_a".to_owned(),
                },
                "MINE holds `Bearer` before the token; give the token alone".to_owned(),
            ),
            (
                TokenSource::Command("true".to_owned()),
                "the token command printed nothing where the token should be".to_owned(),
            ),
            (
                TokenSource::File(path.clone()),
                format!("the token file {} holds several words", path.display()),
            ),
        ] {
            let error = source.authorization().await.unwrap_err().to_string();
            assert!(error.starts_with(&says), "{error}");
            assert!(!error.contains("qk_a"), "{error}");
        }
    }
}
