//! The clients, and which file each reads.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Token;
use super::token::{is_readable, is_variable, looks_like_token};

/// An MCP client, or a way to make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// Claude Desktop, through the stdio proxy on Linux, through mcp-remote elsewhere
    ClaudeDesktop,
    /// Claude Code: .mcp.json of the project in this folder
    ClaudeCode,
    /// Cursor, for all its projects
    Cursor,
    /// VS Code: .vscode/mcp.json of the project in this folder; it asks for the token and keeps it
    Vscode,
    /// Any client that starts a local process: mcp-remote, with Node 18 or newer
    McpRemote,
    /// One call with curl, to see whether it works
    Curl,
    /// Any client that starts a local process: quilt-mcp-server proxy, on Linux
    StdioProxy,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The client cannot take its token from there.
    #[error("{client} cannot run a command for its token")]
    NoCommand {
        /// The client.
        client: &'static str,
    },
    /// The client asks for it.
    #[error("{client} asks for the token by itself and keeps it")]
    AsksItself {
        /// The client.
        client: &'static str,
    },
    /// A variable's name is none; it is not repeated, because it may be a token.
    #[error("what --token-env names is no environment variable")]
    NotAVariable,
    /// The token itself was given; it is not repeated.
    #[error("what {option} was given looks like a token")]
    LooksLikeToken {
        /// `--token-env` or `--token-command`.
        option: &'static str,
    },
    /// There is no command.
    #[error("--token-command is empty")]
    EmptyCommand,
    /// The shell cannot read the command; it is not repeated, because it may hold a token.
    #[error("a shell cannot read what --token-command was given: `sh -n` refuses it")]
    BrokenCommand,
    /// The client reads no file of its own.
    #[error("there is no file that {client} is known to read")]
    NoFile {
        /// The client.
        client: &'static str,
    },
    /// There is no home folder.
    #[error("the home folder is not known, and the file is in it")]
    NoHome,
    /// The file cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// `read`, `write` or `back up`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Neither the file's folder nor the folder above it is there.
    #[error("{} cannot be written: there is no folder {}", path.display(), missing.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// The folder above the file's own.
        missing: PathBuf,
    },
    /// The file is not in UTF-8.
    #[error("{} is in {encoding}, and settings are in UTF-8", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What it is in, as far as can be told.
        encoding: &'static str,
    },
    /// The file is not the client's.
    #[error("{key} cannot be added to {}: {why}", path.display())]
    NotSettings {
        /// The file.
        path: PathBuf,
        /// The key that has the servers.
        key: &'static str,
        /// Why.
        why: String,
    },
    /// There is another server of this name.
    #[error("{} has another server named `{name}` already", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
}

impl ConnectError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoCommand { .. } => {
                "give --token-env NAME, a variable that is set where it is started; `connect stdio-proxy` and `connect mcp-remote` can run a command"
            }
            Self::AsksItself { .. } => "leave --token-env and --token-command out",
            Self::NotAVariable
            | Self::LooksLikeToken {
                option: "--token-env",
            } => "give a variable's name, never the token: other processes can see arguments",
            Self::LooksLikeToken { .. } => {
                "give a command that prints the token, never the token: other processes can see arguments"
            }
            Self::EmptyCommand => {
                "give a shell command that prints the token, or leave the option out"
            }
            Self::BrokenCommand => {
                "try it in a shell; look for quotes and parentheses without an end"
            }
            Self::NoFolder { .. } => "nothing was changed; correct the path, or make the folder",
            Self::Encoding { .. } => {
                "nothing was changed; save it as UTF-8 (Notepad: Save as, Encoding), and try again"
            }
            Self::NoFile { .. } => {
                "without --write it is printed; --file names a file to write it to"
            }
            Self::NoHome => "set HOME, or name the file with --file",
            Self::File { .. } => "nothing was changed",
            Self::NotSettings { .. } => {
                "nothing was changed; correct the file, or add by hand what is printed without --write"
            }
            Self::Taken { .. } => {
                "nothing was changed; --force replaces it, --name chooses another name"
            }
        }
    }
}

impl Client {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "claude-desktop",
            Self::ClaudeCode => "claude-code",
            Self::Cursor => "cursor",
            Self::Vscode => "vscode",
            Self::McpRemote => "mcp-remote",
            Self::Curl => "curl",
            Self::StdioProxy => "stdio-proxy",
        }
    }

    /// The client that does its work: Claude Desktop can only start processes.
    pub(super) fn made_of(self) -> Self {
        match self {
            Self::ClaudeDesktop if cfg!(target_os = "linux") => Self::StdioProxy,
            Self::ClaudeDesktop => Self::McpRemote,
            other => other,
        }
    }

    /// Whether it starts `quilt-mcp-server proxy`.
    pub fn starts_proxy(self) -> bool {
        self.made_of() == Self::StdioProxy
    }

    /// The key of its settings that has the servers.
    pub(super) fn servers_key(self) -> &'static str {
        match self {
            Self::Vscode => "servers",
            _ => "mcpServers",
        }
    }

    /// Where it takes its token from, of what was asked for.
    ///
    /// # Errors
    /// [`ConnectError`] when it cannot.
    pub fn token(
        self,
        variable: Option<String>,
        command: Option<String>,
    ) -> Result<Option<Token>, ConnectError> {
        let client = self.name();
        let given = [("--token-env", &variable), ("--token-command", &command)];
        for (option, value) in given {
            if value.as_deref().is_some_and(looks_like_token) {
                return Err(ConnectError::LooksLikeToken { option });
            }
        }
        match (self.made_of(), variable, command) {
            (Self::Vscode, None, None) => Ok(None),
            (Self::Vscode, ..) => Err(ConnectError::AsksItself { client }),
            (Self::ClaudeCode | Self::Cursor, _, Some(_)) => {
                Err(ConnectError::NoCommand { client })
            }
            (_, _, Some(command)) if command.trim().is_empty() => Err(ConnectError::EmptyCommand),
            (_, _, Some(command)) if !is_readable(&command) => Err(ConnectError::BrokenCommand),
            (_, _, Some(command)) => Ok(Some(Token::Command(command))),
            (_, Some(name), None) if is_variable(&name) => Ok(Some(Token::Variable(name))),
            (_, Some(_), None) => Err(ConnectError::NotAVariable),
            (_, None, None) => Ok(Some(Token::default())),
        }
    }

    /// The file that it reads.
    ///
    /// # Errors
    /// [`ConnectError`] when there is none.
    pub fn file(self) -> Result<PathBuf, ConnectError> {
        let home = || {
            std::env::home_dir()
                .filter(|home| !home.as_os_str().is_empty())
                .ok_or(ConnectError::NoHome)
        };
        match self {
            Self::ClaudeDesktop => Ok(claude_desktop(&home()?)),
            Self::ClaudeCode => Ok(".mcp.json".into()),
            Self::Cursor => Ok(home()?.join(".cursor/mcp.json")),
            Self::Vscode => Ok(".vscode/mcp.json".into()),
            Self::McpRemote | Self::Curl | Self::StdioProxy => Err(ConnectError::NoFile {
                client: self.name(),
            }),
        }
    }
}

fn claude_desktop(home: &Path) -> PathBuf {
    let settings = if cfg!(target_os = "macos") {
        home.join("Library/Application Support")
    } else {
        std::env::var_os("XDG_CONFIG_HOME")
            .filter(|folder| !folder.is_empty())
            .map_or_else(|| home.join(".config"), PathBuf::from)
    };
    settings.join("Claude/claude_desktop_config.json")
}
