//! The clients, and which file each reads.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Token;

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
    /// The file is not the client's.
    #[error("{} is not settings that {key} could be added to: {why}", path.display())]
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
            Self::NotAVariable => {
                "give a variable's name, never the token: other processes can see arguments"
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
        match (self.made_of(), variable, command) {
            (Self::Vscode, None, None) => Ok(None),
            (Self::Vscode, ..) => Err(ConnectError::AsksItself { client }),
            (Self::ClaudeCode | Self::Cursor, _, Some(_)) => {
                Err(ConnectError::NoCommand { client })
            }
            (_, _, Some(command)) => Ok(Some(Token::Command(command))),
            (_, Some(name), None) if super::token::is_variable(&name) => {
                Ok(Some(Token::Variable(name)))
            }
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
