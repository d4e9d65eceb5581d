//! Where a client takes its bearer token from.

use std::process::{Command, Stdio};

/// The variable that holds the token, unless another is named: the proxy's own default too.
pub const VARIABLE: &str = "QUILT_MCP_TOKEN";

/// Where a client takes its bearer token from. There is no way to give the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An environment variable of this name.
    Variable(String),
    /// What this shell command prints.
    Command(String),
}

impl Default for Token {
    fn default() -> Self {
        Self::Variable(VARIABLE.to_owned())
    }
}

impl Token {
    /// What a POSIX shell makes the token of, inside double quotes.
    pub(super) fn in_shell(&self) -> String {
        match self {
            Self::Variable(name) => format!("${{{name}}}"),
            // What begins with a parenthesis is no arithmetic so, and a comment ends with its line.
            Self::Command(command) => format!("$( {command}\n)"),
        }
    }
}

/// Whether it begins as Quilt's tokens do: an API key, or a JWT (`{"` in Base64).
pub(super) fn looks_like_token(text: &str) -> bool {
    let text = text.trim_start();
    ["qk_", "eyJ"].iter().any(|start| text.starts_with(start))
}

/// Whether a POSIX shell can read it as commands; `true` where there is no shell to ask.
pub(super) fn is_readable(command: &str) -> bool {
    let reading = Command::new("sh")
        .args(["-n", "-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    reading.map_or(true, |status| status.success())
}

/// One word of a POSIX shell (POSIX.1-2024, XCU 2.2.2).
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether a shell takes it as a variable's name (POSIX.1-2024, XBD 3.216).
pub(super) fn is_variable(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
        && letters.all(|letter| letter == '_' || letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_are_told_from_tokens() {
        for (name, is) in [
            ("QUILT_MCP_TOKEN", true),
            ("_a1", true),
            ("", false),
            ("1a", false),
            ("qk-secret", false),
            ("a b", false),
            ("a}$(x)", false),
        ] {
            assert_eq!(is_variable(name), is, "{name}");
        }
    }

    #[test]
    fn tokens_are_known_by_how_they_begin() {
        for (text, is) in [
            ("qk_local_demo", true),
            (" eyJhbGciOiJIUzI1NiJ9.e30.c2ln", true),
            ("QUILT_MCP_TOKEN", false),
            ("pass show quilt/qk_token", false),
            ("", false),
        ] {
            assert_eq!(looks_like_token(text), is, "{text}");
        }
    }

    #[test]
    fn a_shell_reads_it_or_does_not() {
        for (command, is) in [
            ("(pass show a; true) | head -n 1", true),
            ("pass show a # mine", true),
            ("pass show 'a", false),
            ("true) ; (true", false),
            ("if true", false),
        ] {
            assert_eq!(is_readable(command), is, "{command}");
        }
    }

    #[test]
    fn what_a_shell_makes_of_a_command_is_what_the_command_prints() {
        for command in [
            "echo a",
            "echo a # a comment",
            "(echo a)",
            "((echo a); true) | cat",
            "echo \"a\"",
            "cat <<X\na\nX",
        ] {
            let token = Token::Command(command.to_owned()).in_shell();
            let output = Command::new("sh")
                .args(["-c", &format!("printf '<%s>' \"{token}\"")])
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stdout);
            assert_eq!(printed, "<a>", "{command}: {output:?}");
        }
    }

    #[test]
    fn quotes_inside_quotes_end_nothing() {
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }
}
