//! The entry of a client's settings that stands for the server.

use serde_json::{Map, Value, json};
use url::Url;

use super::token::{VARIABLE, quoted};
use super::{Client, MCP_REMOTE, Token};

/// The server as a client is to know it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name among the client's servers.
    pub name: String,
    /// The MCP endpoint.
    pub url: Url,
    /// Where the token comes from; absent where the client asks for it.
    pub token: Option<Token>,
}

/// Questions that VS Code asks, and where they stand in its settings.
pub type Inputs = Vec<Value>;

impl Server {
    /// The entry, as this client reads it.
    pub fn entry(&self, client: Client) -> Value {
        let token = self.token.clone().unwrap_or_default();
        match client.made_of() {
            Client::StdioProxy | Client::ClaudeDesktop => self.stdio_proxy(&token),
            Client::McpRemote => self.mcp_remote(&token),
            Client::Cursor => self.http(false, &format!("${{env:{}}}", variable(&token))),
            Client::Vscode => self.http(true, &format!("${{input:{}}}", self.input())),
            Client::ClaudeCode | Client::Curl => {
                self.http(true, &format!("${{{}}}", variable(&token)))
            }
        }
    }

    /// What the client asks for, if it asks.
    pub fn inputs(&self, client: Client) -> Inputs {
        match client {
            Client::Vscode => vec![json!({
                "type": "promptString",
                "id": self.input(),
                "description": format!("Quilt token for {}", self.url.host_str().unwrap_or("the MCP server")),
                "password": true,
            })],
            _ => Vec::new(),
        }
    }

    /// Settings with nothing but this server.
    pub fn settings(&self, client: Client) -> Value {
        let mut settings = Map::new();
        let inputs = self.inputs(client);
        if !inputs.is_empty() {
            settings.insert("inputs".to_owned(), inputs.into());
        }
        let servers = json!({ self.name.as_str(): self.entry(client) });
        settings.insert(client.servers_key().to_owned(), servers);
        settings.into()
    }

    fn input(&self) -> String {
        format!("{}-token", self.name)
    }

    fn http(&self, with_type: bool, token: &str) -> Value {
        let mut entry = Map::new();
        if with_type {
            entry.insert("type".to_owned(), "http".into());
        }
        entry.insert("url".to_owned(), self.url.as_str().into());
        let headers = json!({"Authorization": format!("Bearer {token}")});
        entry.insert("headers".to_owned(), headers);
        entry.into()
    }

    fn stdio_proxy(&self, token: &Token) -> Value {
        let mut arguments = vec!["proxy", self.url.as_str()];
        match token {
            Token::Variable(name) if name == VARIABLE => {}
            Token::Variable(name) => arguments.extend(["--token-env", name]),
            Token::Command(command) => arguments.extend(["--token-command", command]),
        }
        json!({"command": "quilt-mcp-server", "args": arguments})
    }

    /// Through a shell, which makes the header's value: mcp-remote takes variables as they are, and
    /// clients have no way to put `Bearer` before one.
    fn mcp_remote(&self, token: &Token) -> Value {
        let script = format!(
            "export QUILT_AUTHORIZATION=\"Bearer {}\"; exec npx -y {MCP_REMOTE} {} \
             --transport http-only --header 'Authorization:${{QUILT_AUTHORIZATION}}'",
            token.in_shell(),
            quoted(self.url.as_str()),
        );
        json!({"command": "sh", "args": ["-c", script]})
    }
}

/// The clients that read variables take nothing else.
fn variable(token: &Token) -> &str {
    match token {
        Token::Variable(name) => name,
        Token::Command(_) => VARIABLE,
    }
}
