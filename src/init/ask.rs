//! Asking somebody at a terminal for what is not known.

use std::io;

use dialoguer::Input;
use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};

use super::Draft;
use crate::config::ConfigError;

/// A question: the key that it is about, and how it is put.
struct Question {
    key: &'static str,
    put: &'static str,
}

const QUESTIONS: [Question; 8] = [
    Question {
        key: "account_id",
        put: "AWS account (12 digits)",
    },
    Question {
        key: "region",
        put: "AWS region",
    },
    Question {
        key: "profile",
        put: "AWS profile (empty for the default credentials)",
    },
    Question {
        key: "cluster",
        put: "ECS cluster (in a Quilt stack, the stack's name)",
    },
    Question {
        key: "service",
        put: "ECS service",
    },
    Question {
        key: "container",
        put: "Container that runs the server",
    },
    Question {
        key: "repository",
        put: "ECR repository (without registry and tag)",
    },
    Question {
        key: "url",
        put: "URL of the MCP endpoint",
    },
];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The terminal went away, or somebody did.
    #[error("the question was not answered: {0}")]
    NoAnswer(#[from] io::Error),
}

impl From<dialoguer::Error> for AskError {
    fn from(error: dialoguer::Error) -> Self {
        let dialoguer::Error::IO(error) = error;
        Self::NoAnswer(error)
    }
}

/// Asks for the environment's name, unless it is known, and for every key that is not.
/// What the configuration would not take is asked again.
///
/// # Errors
/// [`AskError`] when the terminal is closed.
pub fn ask(
    name: Option<String>,
    draft: &mut Draft,
    color: bool,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, AskError> {
    let terminal = Term::stderr();
    let theme: &dyn Theme = match color {
        true => &ColorfulTheme::default(),
        false => &SimpleTheme,
    };
    let ask = |put: &str, proposed: Option<String>, check: &dyn Fn(&str) -> Result<(), String>| {
        let mut input = Input::<String>::with_theme(theme)
            .with_prompt(put)
            .allow_empty(true)
            .validate_with(|answer: &String| check(answer.trim()));
        if let Some(proposed) = proposed {
            input = input.default(proposed);
        }
        let answer = input.interact_text_on(&terminal)?;
        Ok::<_, AskError>(answer.trim().to_owned())
    };
    let name = match name {
        Some(name) => name,
        None => ask(
            "Name of the environment",
            Some("staging".to_owned()),
            &name_is_taken,
        )?,
    };
    for Question { key, put } in QUESTIONS {
        if draft.entries().iter().any(|entry| entry.key == key) {
            continue;
        }
        let proposed = proposal(key, draft, variable);
        let answer = ask(put, proposed, &|answer| value_is_taken(key, answer))?;
        if !answer.is_empty() {
            draft.set(key, answer);
        }
    }
    Ok(name)
}

/// What is likely, from what is known so far.
fn proposal(key: &str, draft: &Draft, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let cluster = draft.text("cluster");
    match key {
        "region" => variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
        "profile" => variable("AWS_PROFILE"),
        "container" => Some("mcp-server".to_owned()),
        "service" => cluster.map(|cluster| format!("{cluster}-mcp-server")),
        "repository" => cluster.map(|cluster| format!("quilt/{cluster}/mcp-server")),
        _ => None,
    }
}

fn name_is_taken(name: &str) -> Result<(), String> {
    in_words(Draft::sample().environment(name))
}

fn value_is_taken(key: &str, answer: &str) -> Result<(), String> {
    if answer.is_empty() && !Draft::default().missing().contains(&key) {
        return Ok(());
    }
    let mut sample = Draft::sample();
    sample.set(key, answer);
    in_words(sample.environment("sample"))
}

/// What is wrong, without the file that does not exist yet.
fn in_words<T>(checked: Result<T, ConfigError>) -> Result<(), String> {
    checked.map(drop).map_err(|error| match error {
        ConfigError::Invalid { message, .. } => message,
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_one_by_one() {
        for (key, answer, says) in [
            ("account_id", "111111111111", None),
            (
                "account_id",
                "1111",
                Some("account_id must be 12 digits, in quotes"),
            ),
            ("account_id", "", Some("account_id must be")),
            ("region", "Ireland", Some("region must be")),
            ("profile", "", None),
            ("container", "", None),
            ("container", "https://mcp", Some("container must be a name")),
            ("url", "mcp.example.com", Some("url is not a URL")),
            (
                "url",
                "http://mcp.example.com/mcp/",
                Some("url must be https"),
            ),
            ("url", "https://mcp.example.com/mcp/", None),
        ] {
            let judged = value_is_taken(key, answer).err();
            match (says, &judged) {
                (None, None) => {}
                (Some(says), Some(told)) if told.starts_with(says) => {}
                _ => panic!("{key} = {answer}: {judged:?}"),
            }
        }
        assert_eq!(name_is_taken("staging"), Ok(()));
        assert!(name_is_taken("local").unwrap_err().contains("built-in"));
        assert!(name_is_taken("My Stack").is_err());
    }
}
