//! An environment as far as it is known.

use std::path::Path;
use std::sync::LazyLock;

use toml_edit::{DocumentMut, Item, Table, Value};

use crate::config::{Config, ConfigError, Environment, FILE_NAME};

/// A key of the environment.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// What it was guessed from, where it was.
    pub guess: Option<String>,
}

/// The keys of an environment that are known, in the order in which the documentation has them.
#[derive(Debug, Clone, Default)]
pub struct Draft(Vec<Entry>);

/// The keys that the configuration knows, and those that it cannot do without.
struct Keys {
    all: Vec<String>,
    required: Vec<String>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let schema = crate::config::schema().to_value();
    let environment = &schema["$defs"]["EnvironmentModel"];
    let names = |keys: Vec<&str>| keys.into_iter().map(str::to_owned).collect();
    Keys {
        all: environment["properties"]
            .as_object()
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default(),
        required: environment["required"]
            .as_array()
            .map(|keys| names(keys.iter().filter_map(|key| key.as_str()).collect()))
            .unwrap_or_default(),
    }
});

impl Draft {
    /// Sets a key, instead of what it was.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.put(key, value.into(), None);
    }

    /// Sets a key to what `because` lets us suppose.
    pub fn guess(&mut self, key: &str, value: impl Into<Value>, because: impl Into<String>) {
        self.put(key, value.into(), Some(because.into()));
    }

    fn put(&mut self, key: &str, value: Value, guess: Option<String>) {
        self.0.retain(|entry| entry.key != key);
        self.0.push(Entry {
            key: key.to_owned(),
            value,
            guess,
        });
        let place = |key: &str| KEYS.all.iter().position(|known| known == key);
        self.0
            .sort_by_key(|entry| place(&entry.key).unwrap_or(usize::MAX));
    }

    /// Takes what `other` has, instead of what is here.
    pub fn overlay(&mut self, other: Self) {
        for Entry { key, value, guess } in other.0 {
            self.put(&key, value, guess);
        }
    }

    /// Whether an environment may have this key.
    pub fn takes(key: &str) -> bool {
        KEYS.all.iter().any(|known| known == key)
    }

    /// The keys that are known.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|entry| entry.key == key)
            .and_then(|entry| entry.value.as_str())
    }

    /// The keys that an environment needs and that are not known.
    pub fn missing(&self) -> Vec<&'static str> {
        KEYS.required
            .iter()
            .filter(|key| self.0.iter().all(|entry| entry.key != **key))
            .map(String::as_str)
            .collect()
    }

    /// What the configuration makes of it.
    ///
    /// # Errors
    /// [`ConfigError`] when a key or value is not one that the configuration takes.
    pub fn environment(&self, name: &str) -> Result<Environment, ConfigError> {
        let mut table = Table::new();
        for Entry { key, value, .. } in &self.0 {
            table.insert(key, Item::Value(value.clone()));
        }
        let mut environments = Table::new();
        environments.set_implicit(true);
        environments.insert(name, Item::Table(table));
        let mut document = DocumentMut::new();
        document.insert("environments", Item::Table(environments));
        let text = document.to_string();
        let file = format!("{FILE_NAME}, as it would be written");
        Ok(Config::parse(Path::new(&file), &text)?
            .environment(name)?
            .clone())
    }

    /// An environment in which everything but what is asked about is right.
    pub fn sample() -> Self {
        let mut draft = Self::default();
        for (key, value) in [
            ("account_id", "123456789012"),
            ("region", "us-east-1"),
            ("repository", "mcp-server"),
            ("cluster", "quilt"),
            ("service", "mcp-server"),
            ("url", "https://mcp.example.com/mcp/"),
        ] {
            draft.set(key, value);
        }
        draft
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_of_the_documentation() {
        let mut draft = Draft::default();
        draft.set("url", "https://a.example/mcp/");
        draft.set("account_id", "123456789012");
        draft.guess("container", "server", "the only one");
        let keys: Vec<&str> = draft.0.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["account_id", "container", "url"]);
        assert_eq!(
            draft.missing(),
            ["region", "repository", "cluster", "service"]
        );
    }

    #[test]
    fn a_sample_is_a_whole_environment() {
        let sample = Draft::sample();
        assert!(sample.missing().is_empty());
        assert_eq!(sample.environment("staging").unwrap().cluster, "quilt");
    }

    #[test]
    fn what_the_configuration_refuses_is_refused() {
        let mut draft = Draft::sample();
        draft.set("account_id", "1234");
        let error = draft.environment("staging").unwrap_err();
        assert!(error.to_string().contains("12 digits"), "{error}");
        let error = Draft::sample().environment("local").unwrap_err();
        assert!(error.to_string().contains("built-in"), "{error}");
    }
}
