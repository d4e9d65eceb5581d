//! Where a client takes its bearer token from.

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
            Self::Command(command) => format!("$({command})"),
        }
    }
}

/// One word of a POSIX shell (POSIX.1-2024, XCU 2.2.2).
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether a shell takes it as a variable's name (POSIX.1-2024, XBD 3.216).
pub fn is_variable(name: &str) -> bool {
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
    fn quotes_inside_quotes_end_nothing() {
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }
}
