//! Secrets Manager's secrets and Systems Manager's parameters, as the control port sets them. They
//! live in memory only: a new life starts without any, and no file holds them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Moment, names};

/// A value that no log shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Where a value is kept on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Store {
    SecretsManager,
    ParameterStore,
}

/// A stored value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub name: String,
    pub store: Store,
    pub value: Secret,
    pub version: u64,
    pub created_at: Moment,
    pub changed_at: Moment,
    /// The six characters that Secrets Manager appends to the name in the ARN.
    suffix: String,
}

impl Entry {
    pub(crate) fn arn(&self) -> String {
        match self.store {
            Store::SecretsManager => names::arn(
                "secretsmanager",
                &format!("secret:{}-{}", self.name, self.suffix),
            ),
            Store::ParameterStore => names::arn(
                "ssm",
                &format!("parameter/{}", self.name.trim_start_matches('/')),
            ),
        }
    }
}

/// Every secret and parameter.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<BTreeMap<(Store, String), Entry>>);

impl Secrets {
    /// Sets a value, which becomes a new version of one that is there.
    pub(crate) fn set(&self, store: Store, name: &str, value: Secret) {
        let now = Moment::now();
        let mut entries = self.lock();
        let entry = entries
            .entry((store, name.to_owned()))
            .or_insert_with(|| Entry {
                name: name.to_owned(),
                store,
                value: value.clone(),
                version: 0,
                created_at: now,
                changed_at: now,
                suffix: names::service_deployment_id()[..6].to_owned(),
            });
        entry.value = value;
        entry.version += 1;
        entry.changed_at = now;
    }

    pub(crate) fn remove(&self, store: Store, name: &str) -> bool {
        self.lock().remove(&(store, name.to_owned())).is_some()
    }

    pub(crate) fn list(&self) -> Vec<Entry> {
        self.lock().values().cloned().collect()
    }

    /// Finds a secret by its name or ARN, with or without the suffix.
    pub(crate) fn secret(&self, id: &str) -> Option<Entry> {
        let without_suffix = |entry: &Entry| {
            let arn = entry.arn();
            arn[..arn.len() - entry.suffix.len() - 1].to_owned()
        };
        self.find(Store::SecretsManager, |entry| {
            entry.name == id || entry.arn() == id || without_suffix(entry) == id
        })
    }

    /// Finds a parameter by its name or ARN.
    pub(crate) fn parameter(&self, id: &str) -> Option<Entry> {
        self.find(Store::ParameterStore, |entry| {
            entry.name == id || entry.arn() == id
        })
    }

    fn find(&self, store: Store, is: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let entries = self.lock();
        entries
            .values()
            .find(|entry| entry.store == store && is(entry))
            .cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Store, String), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `valueFrom` of a container's secret points at.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html>
#[derive(Debug, PartialEq, Eq)]
enum Reference<'a> {
    Secret {
        arn: String,
        json_key: Option<&'a str>,
    },
    Parameter(&'a str),
}

fn parse(value_from: &str) -> Reference<'_> {
    let parts: Vec<&str> = value_from.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "secretsmanager", _, _, "secret", _, rest @ ..] => Reference::Secret {
            arn: parts[..7].join(":"),
            json_key: rest.first().copied().filter(|key| !key.is_empty()),
        },
        _ => Reference::Parameter(value_from),
    }
}

/// The value that `valueFrom` points at, or why the task cannot have it, as ECS says it.
pub(crate) fn resolve(secrets: &Secrets, value_from: &str) -> Result<Secret, String> {
    const FAILED: &str =
        "unable to pull secrets or registry auth: execution resource retrieval failed: ";
    match parse(value_from) {
        Reference::Parameter(name) => secrets
            .parameter(name)
            .map(|entry| entry.value)
            .ok_or_else(|| {
                format!("{FAILED}unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: {name}")
            }),
        Reference::Secret { arn, json_key } => {
            let entry = secrets.secret(&arn).ok_or_else(|| {
                format!("{FAILED}unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {arn} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.")
            })?;
            let Some(key) = json_key else {
                return Ok(entry.value);
            };
            let document: Option<Value> = serde_json::from_str(entry.value.expose()).ok();
            let member = document.as_ref().and_then(|document| document.get(key));
            match member {
                Some(Value::String(text)) => Ok(Secret(text.clone())),
                Some(other) => Ok(Secret(other.to_string())),
                None => Err(format!("{FAILED}unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key {key}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Secrets {
        let secrets = Secrets::default();
        let set =
            |store, name: &str, value: &str| secrets.set(store, name, Secret(value.to_owned()));
        set(Store::SecretsManager, "quilt/key", "old");
        set(Store::SecretsManager, "quilt/key", "plain");
        set(Store::SecretsManager, "quilt/json", r#"{"a":"1","b":2}"#);
        set(Store::ParameterStore, "/quilt/p", "p");
        secrets
    }

    #[test]
    fn references() {
        let secrets = filled();
        let arn = |name: &str| secrets.secret(name).unwrap().arn();
        let (plain, json) = (arn("quilt/key"), arn("quilt/json"));
        let cases = [
            (plain.clone(), "plain"),
            (names::arn("secretsmanager", "secret:quilt/key"), "plain"),
            (format!("{plain}:::"), "plain"),
            (format!("{json}:a::"), "1"),
            (format!("{json}:b::"), "2"),
            ("/quilt/p".to_owned(), "p"),
            (names::arn("ssm", "parameter/quilt/p"), "p"),
        ];
        for (value_from, expected) in cases {
            let found = resolve(&secrets, &value_from).unwrap();
            assert_eq!(found.expose(), expected, "{value_from}");
        }
        assert_eq!(secrets.secret("quilt/key").unwrap().version, 2);
        for (value_from, expected) in [
            (format!("{json}:c::"), "did not contain json key c"),
            (
                names::arn("secretsmanager", "secret:x-AbCdEf"),
                "can't find the specified secret",
            ),
            ("absent".to_owned(), "invalid ssm parameters: absent"),
        ] {
            let error = resolve(&secrets, &value_from).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn values_are_not_shown() {
        assert!(!format!("{:?}", filled()).contains("plain"));
    }
}
