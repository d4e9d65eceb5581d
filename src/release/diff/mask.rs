//! What of a task definition must not be shown.
//!
//! A value is hidden when its name or its shape may be a secret's. Too much is hidden rather
//! than too little: the diff still says that it changed.

use serde_json::Value;
use url::Url;

/// What stands in place of a value that may be a secret.
pub const HIDDEN: &str = "(hidden)";

/// Parts of names that mean a secret, wherever they stand in the name.
const TELLING_PARTS: [&str; 14] = [
    "apikey",
    "accesskey",
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "signature",
    "token",
    "webhook",
];
/// Words of names that mean a secret when they stand alone.
const TELLING_WORDS: [&str; 11] = [
    "auth", "cert", "dsn", "key", "keys", "pass", "pat", "pin", "pwd", "salt", "pw",
];
/// How the values of well-known secrets begin.
const TELLING_BEGINNINGS: [&str; 17] = [
    "-----BEGIN",
    "AKIA",
    "ASIA",
    "Basic ",
    "Bearer ",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "qk_",
    "sk-",
    "sk_live_",
    "xoxb-",
    "xoxp-",
];
/// A run of this many letters and digits of all kinds is taken for a key.
const LONG_RUN: usize = 32;

/// Whether a value of this name may be a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let squashed: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    TELLING_PARTS.iter().any(|part| squashed.contains(part))
        || words(name).any(|word| TELLING_WORDS.contains(&word.as_str()))
}

/// The words of `SOME_NAME`, `some-name` and `someName`, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut previous_lower = false;
    for c in name.chars() {
        let starts_word = c.is_uppercase() && previous_lower;
        if !c.is_alphanumeric() || starts_word {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        previous_lower = c.is_lowercase();
    }
    words.into_iter()
}

/// Whether a value may be a secret by its looks, whatever its name.
fn is_secret_value(value: &str) -> bool {
    TELLING_BEGINNINGS
        .iter()
        .any(|beginning| value.trim_start().starts_with(beginning))
        || has_password(value)
        || has_telling_parameter(value)
        || has_long_run(value)
}

/// `https://user:password@host`, also within other text.
fn has_password(value: &str) -> bool {
    value
        .split([' ', ',', '"', '\''])
        .filter_map(|word| Url::parse(word).ok())
        .any(|url| url.password().is_some() || (url.has_host() && !url.username().is_empty()))
}

/// `…?token=x`, `…;password=x`, `--api-key=x`.
fn has_telling_parameter(value: &str) -> bool {
    value
        .split(['?', '&', ';', ' ', ','])
        .filter_map(|part| part.split_once('='))
        .any(|(name, value)| !value.is_empty() && is_secret_name(name))
}

/// Letters of both cases and digits without a break, as random keys have them.
fn has_long_run(value: &str) -> bool {
    value
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|run| {
            run.len() >= LONG_RUN
                && run.bytes().any(|byte| byte.is_ascii_lowercase())
                && run.bytes().any(|byte| byte.is_ascii_uppercase())
                && run.bytes().any(|byte| byte.is_ascii_digit())
        })
}

/// The value at `path` as it may be shown.
pub(super) fn shown(path: &[String], value: &Value) -> Value {
    let references_secret = path
        .iter()
        .any(|part| part == "secrets" || part == "secretOptions");
    if references_secret {
        return match value.as_str() {
            Some(reference) if is_secret_reference(reference) => value.clone(),
            _ => HIDDEN.into(),
        };
    }
    let names_secret =
        path.last().is_some_and(|name| is_secret_name(name)) && is_named_by_the_template(path);
    if names_secret {
        return HIDDEN.into();
    }
    hide_within(value)
}

/// Whether the last part of the path is a name that the template's author chose.
fn is_named_by_the_template(path: &[String]) -> bool {
    let owner = path.len().checked_sub(2).and_then(|index| path.get(index));
    owner.is_some_and(|owner| {
        [
            "environment",
            "options",
            "dockerLabels",
            "properties",
            "driverOpts",
            "labels",
        ]
        .contains(&owner.as_str())
    })
}

/// The ARN of a secret or a parameter; what is no ARN may be a value put in the wrong place.
fn is_secret_reference(reference: &str) -> bool {
    let mut parts = reference.splitn(6, ':');
    parts.next() == Some("arn")
        && parts
            .nth(1)
            .is_some_and(|service| service == "secretsmanager" || service == "ssm")
}

fn hide_within(value: &Value) -> Value {
    match value {
        Value::String(text) if is_secret_value(text) => HIDDEN.into(),
        Value::Array(items) => Value::Array(hide_arguments(items)),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| {
                    let value = if is_secret_name(name) {
                        HIDDEN.into()
                    } else {
                        hide_within(value)
                    };
                    (name.clone(), value)
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The words of a command: what follows `--api-token` is hidden as well.
fn hide_arguments(items: &[Value]) -> Vec<Value> {
    let mut after_telling_flag = false;
    items
        .iter()
        .map(|item| {
            let text = item.as_str().unwrap_or_default();
            let hidden = after_telling_flag;
            after_telling_flag =
                text.starts_with('-') && !text.contains('=') && is_secret_name(text);
            if hidden {
                HIDDEN.into()
            } else {
                hide_within(item)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn hides_what_may_be_a_secret_and_nothing_else() {
        let environment = |name| path(&["environment", name]);
        let random = "bPxRfiCYEXAMPLEKEY0wJalrXUtnFEMI7MDENG";
        for (path, value, hidden) in [
            (environment("API_TOKEN"), json!("x"), true),
            (environment("dbPassword"), json!("x"), true),
            (environment("SENTRY_DSN"), json!("x"), true),
            (environment("MY_KEY"), json!("x"), true),
            (environment("KEYBOARD"), json!("x"), false),
            (environment("LOG_LEVEL"), json!("debug"), false),
            (environment("PASSAGE"), json!("x"), false),
            (environment("URL"), json!("https://a:b@c.example/"), true),
            (
                environment("URL"),
                json!("https://c.example/?token=1"),
                true,
            ),
            (
                environment("URL"),
                json!("https://c.example/?page=1"),
                false,
            ),
            (environment("X"), json!("AKIAIOSFODNN7EXAMPLE"), true),
            (environment("X"), json!(random), true),
            (
                environment("DIGEST"),
                json!("sha256:".to_owned() + &"ab1".repeat(20)),
                false,
            ),
            (
                path(&["logConfiguration", "options", "splunk-token"]),
                json!("x"),
                true,
            ),
            (
                path(&["logConfiguration", "options", "awslogs-group"]),
                json!("/g"),
                false,
            ),
            (path(&["secrets", "A"]), json!("hunter2"), true),
            (
                path(&["secrets", "A"]),
                json!("arn:aws:ssm:eu-west-1:1:parameter/a"),
                false,
            ),
            (path(&["pseudoTerminal"]), json!(true), false),
        ] {
            let shown = shown(&path, &value);
            assert_eq!(shown == HIDDEN, hidden, "{path:?} {value} -> {shown}");
        }
    }

    #[test]
    fn hides_arguments_of_a_command() {
        let command = json!([
            "serve",
            "--port",
            "1",
            "--api-token",
            "x",
            "--password=y",
            "z"
        ]);
        assert_eq!(
            shown(&path(&["command"]), &command),
            json!(["serve", "--port", "1", "--api-token", HIDDEN, HIDDEN, "z"])
        );
    }
}
