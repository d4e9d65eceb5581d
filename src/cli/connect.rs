//! `connect`: an MCP client's configuration for an environment.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::{Context, Exit, Failure};
use crate::connect::{Client, ConnectError, Merged, Server, SettingsFile, Token, curl};
use crate::files::is_on_search_path;
use crate::report::Reporter as _;

/// Print an MCP client's configuration for the environment, or add it to the client's file.
///
/// Never a token: the client takes that from a variable or a command, or asks for it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  quilt-mcp-deploy connect claude-desktop --env prod --write \\\n    --token-command 'pass show quilt/token'\n  \
quilt-mcp-deploy connect cursor --env prod\n  \
quilt-mcp-deploy connect curl --env staging | sh"
)]
pub struct ConnectArgs {
    /// The client
    #[arg(value_enum)]
    client: Client,
    /// The server's name among the client's servers
    #[arg(long, default_value = "quilt", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: String,
    /// The variable that the client takes the token from [default: QUILT_MCP_TOKEN]
    #[arg(long, value_name = "VARIABLE", conflicts_with = "token_command")]
    token_env: Option<String>,
    /// The shell command that prints the token
    #[arg(long, value_name = "COMMAND")]
    token_command: Option<String>,
    /// Add it to the file that the client reads; everything else in there stays, and the file as it
    /// was is kept beside it
    #[arg(long)]
    write: bool,
    /// The file, instead of the client's usual one
    #[arg(long, value_name = "FILE", requires = "write")]
    file: Option<PathBuf>,
    /// Replace another server of the same name
    #[arg(long, requires = "write")]
    force: bool,
}

/// What `connect` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConnectResult {
    /// The version of this object.
    version: u32,
    /// The environment.
    environment: String,
    /// The client.
    client: &'static str,
    /// The server's name among the client's servers.
    name: String,
    /// The endpoint.
    #[schemars(with = "String")]
    url: Url,
    /// The client's settings with this server alone; null for curl.
    configuration: Option<Value>,
    /// The shell command; null for all but curl.
    command: Option<String>,
    /// The file that the client reads, where it has one.
    file: Option<PathBuf>,
    /// What became of it.
    outcome: Outcome,
    /// The file as it was before, where it was changed.
    backup: Option<PathBuf>,
    /// What is left to do.
    notes: Vec<String>,
}

/// What became of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It was printed only.
    Printed,
    /// It is in the file now.
    Written,
    /// It was in the file before.
    Present,
}

impl ConnectArgs {
    /// Prints or writes it.
    ///
    /// # Errors
    /// [`Failure`] when the client cannot be served that way, or its file not be changed.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let environment = context.environment()?;
        let (client, write) = (self.client, self.write);
        let server = Server {
            token: client.token(self.token_env, self.token_command)?,
            name: self.name,
            url: environment.url,
        };
        let is_named = self.file.is_some();
        let file = match (self.file, client.file()) {
            (Some(_), _) if client == Client::Curl => return Err(no_file(client).into()),
            (Some(file), _) => Some(file),
            (None, Ok(file)) => Some(file),
            (None, Err(error)) if write => return Err(error.into()),
            (None, Err(_)) => None,
        };
        let mut written = None;
        if let Some(file) = file.as_ref().filter(|_| write) {
            let settings = SettingsFile::open(file.clone())?;
            if is_named {
                settings.is_placed_well()?;
            }
            let merged = settings.add(client, &server, self.force)?;
            let open_question = settings.open_question(client, &server);
            written = Some((merged, open_question));
        }
        let notes = notes(client, &server, file.as_deref(), written.as_ref());
        let merged = written.map(|(merged, _)| merged);
        let is_curl = client == Client::Curl;
        context.print(&ConnectResult {
            version: 1,
            environment: environment.name,
            client: client.name(),
            configuration: (!is_curl).then(|| server.settings(client)),
            command: is_curl.then(|| curl(&server)),
            name: server.name,
            url: server.url,
            file,
            outcome: match merged {
                None => Outcome::Printed,
                Some(Merged::Unchanged) => Outcome::Present,
                Some(Merged::Written { .. }) => Outcome::Written,
            },
            backup: match merged {
                Some(Merged::Written { backup, .. }) => backup,
                _ => None,
            },
            notes: notes.clone(),
        })?;
        for message in notes {
            context.reporter.note(message);
        }
        Ok(Exit::Done)
    }
}

fn no_file(client: Client) -> ConnectError {
    ConnectError::NoFile {
        client: client.name(),
    }
}

/// What the operator still has to see to. `written` tells what became of the file, where it was to
/// be written, and of a question in it that keeps nothing secret.
fn notes(
    client: Client,
    server: &Server,
    file: Option<&Path>,
    written: Option<&(Merged, Option<String>)>,
) -> Vec<String> {
    let mut notes = Vec::new();
    match (file, written) {
        (Some(file), None) => notes.push(format!(
            "{} reads {}; --write adds it there",
            client.name(),
            file.display()
        )),
        (_, Some((Merged::Written { folder, .. }, _))) => {
            notes.extend(folder.iter().map(|folder| {
                format!("the folder {} was not there and was made", folder.display())
            }))
        }
        _ => {}
    }
    let open_question = written.and_then(|(_, question)| question.as_deref());
    notes.push(token_note(client, server.token.as_ref(), open_question));
    if client.starts_proxy()
        && !is_on_search_path("quilt-mcp-server", std::env::var_os("PATH").as_deref())
    {
        notes.push(
            "quilt-mcp-server is not on the PATH here; docs/server-proxy.md says where to get it"
                .to_owned(),
        );
    }
    if client == Client::ClaudeDesktop && matches!(written, Some((Merged::Written { .. }, _))) {
        notes.push("restart Claude Desktop".to_owned());
    }
    notes
}

/// Where the token comes from, and when.
fn token_note(client: Client, token: Option<&Token>, open_question: Option<&str>) -> String {
    match token {
        Some(Token::Variable(name)) => match client {
            Client::Curl => format!("the token is taken from the variable {name}"),
            Client::ClaudeDesktop => format!(
                "the token is taken from the variable {name}, which must be set where Claude Desktop is started; \
                 programs started from a desktop often do not see a shell's variables: \
                 --token-command 'COMMAND' takes the token from a command instead"
            ),
            _ => format!(
                "the token is taken from the variable {name}, which must be set where the client is started"
            ),
        },
        Some(Token::Command(_)) if client.starts_proxy() => {
            "the token is the first line that the command prints; it is run when a token is needed, and again when that is refused".to_owned()
        }
        Some(Token::Command(_)) if client == Client::Curl => {
            "the token is what the command prints each time this is run".to_owned()
        }
        Some(Token::Command(_)) => {
            "the token is what the command prints when the client starts the server; it is not run again: when the token expires, restart the client".to_owned()
        }
        None => match open_question {
            Some(question) => format!(
                "the client asks for the token with the question `{question}`, which was there before and is not a \
                 promptString with \"password\": true: the token is not kept secret; correct that, or choose another --name"
            ),
            None => "the client asks for the token and keeps it".to_owned(),
        },
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::new(Exit::Usage, error.to_string()).hint(error.hint())
    }
}

impl fmt::Display for ConnectResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or(Path::new("")).display();
        match self.outcome {
            Outcome::Printed => match (&self.command, &self.configuration) {
                (Some(command), _) => f.write_str(command),
                (None, Some(configuration)) => write!(f, "{configuration:#}"),
                (None, None) => Ok(()),
            },
            Outcome::Present => write!(f, "{} is in {file} already", self.name),
            Outcome::Written => {
                write!(f, "{} is in {file} now", self.name)?;
                match &self.backup {
                    Some(backup) => write!(f, "; before, that was {}", backup.display()),
                    None => Ok(()),
                }
            }
        }
    }
}
