//! One call, to see whether it works.

use super::Server;
use super::token::quoted;

/// The harmless tool that says whose token it is.
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"auth_status","arguments":{}}}"#;

/// A command for a POSIX shell. The token goes to curl on its standard input: other processes can
/// see arguments, and `printf` is part of the shell.
pub fn command(server: &Server) -> String {
    let token = server.token.clone().unwrap_or_default();
    format!(
        "printf 'Authorization: Bearer %s\\n' \"{}\" |\n    curl -sS -H @- {} \\\n        \
         -H 'Content-Type: application/json' \\\n        -H 'Accept: application/json' \\\n        -d {}",
        token.in_shell(),
        quoted(server.url.as_str()),
        quoted(CALL),
    )
}
