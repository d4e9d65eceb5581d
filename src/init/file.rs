//! An environment into `quilt-mcp.toml`: everything else in it stays as it is, comments too.

use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, TomlError};

use super::Draft;
use crate::config::{Config, ConfigError};
use crate::files::replace_file;

/// A configuration file that may or may not be there.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    text: Option<String>,
}

/// The text that a file is to have.
#[derive(Debug)]
pub struct Text {
    /// All of it.
    pub whole: String,
    /// The environment's part.
    pub table: String,
    /// Whether the environment is the first of the file, and so its default.
    pub is_default: bool,
}

/// Why an environment was not written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is wrong already, or would be.
    #[error(transparent)]
    Refused(Box<ConfigError>),
    /// It is no TOML.
    #[error("{} cannot be read as TOML: {source}", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<TomlError>,
    },
    /// The environment is there.
    #[error("{} has an environment named `{name}` already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// The environment.
        name: String,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<ConfigError> for FileError {
    fn from(error: ConfigError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl File {
    /// Reads it; that it is not there is fine.
    ///
    /// # Errors
    /// [`FileError`] when it is there and cannot be read, or is wrong.
    pub fn open(path: PathBuf) -> Result<Self, FileError> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => {
                Config::parse(&path, &text)?;
                Some(text)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(FileError::Unreadable { path, source }),
        };
        Ok(Self { path, text })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// What it says of the environment `name`: nothing where it does not have it.
    ///
    /// # Errors
    /// [`FileError::NotToml`].
    pub fn environment(&self, name: &str) -> Result<Draft, FileError> {
        let document = self.document()?;
        let environments = document.get("environments").and_then(Item::as_table_like);
        let table = environments.and_then(|environments| environments.get(name)?.as_table_like());
        let mut draft = Draft::default();
        for (key, item) in table.into_iter().flat_map(TableLike::iter) {
            if let Some(value) = item.as_value() {
                draft.set(key, value.clone());
            }
        }
        Ok(draft)
    }

    fn document(&self) -> Result<DocumentMut, FileError> {
        let text = self.text.as_deref().unwrap_or_default();
        text.parse().map_err(|source| FileError::NotToml {
            path: self.path.clone(),
            source: Box::new(source),
        })
    }

    /// Its text with the environment `name` in it. One that is there already is kept from change
    /// unless `replace` is set; even then the keys that the draft lacks stay.
    ///
    /// # Errors
    /// [`FileError`] when the environment is there, or the text would be wrong.
    ///
    /// # Panics
    /// Never: [`File::open`] refuses what has something else than tables.
    pub fn with(&self, name: &str, draft: &Draft, replace: bool) -> Result<Text, FileError> {
        let mut document = self.document()?;
        let is_empty = document.is_empty();
        let environments = document
            .entry("environments")
            .or_insert_with(|| Item::Table(implicit()));
        let environments = environments
            .as_table_like_mut()
            .expect("the configuration takes nothing but a table");
        if environments.contains_key(name) && !replace {
            return Err(FileError::Exists {
                path: self.path.clone(),
                name: name.to_owned(),
            });
        }
        fill(environments, name, draft);
        let table = shown(environments, name);
        if is_empty {
            document.insert("default_environment", toml_edit::value(name));
            // Keys of the file come before its tables.
            document.sort_values_by(|one, _, other, _| {
                (one.get() == "environments").cmp(&(other.get() == "environments"))
            });
        }
        let whole = document.to_string();
        Config::parse(&self.path, &whole)?.environment(name)?;
        Ok(Text {
            whole,
            table,
            is_default: is_empty,
        })
    }

    /// Writes the text, all of it or nothing.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn write(&self, text: &Text) -> Result<(), FileError> {
        replace_file(&self.path, &text.whole).map_err(|source| FileError::Unwritable {
            path: self.path.clone(),
            source,
        })
    }
}

fn implicit() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn fill(environments: &mut dyn TableLike, name: &str, draft: &Draft) {
    let table = environments
        .entry(name)
        .or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = table.as_table_like_mut() else {
        return;
    };
    for entry in draft.entries() {
        let mut value = entry.value.clone();
        if let Some(guess) = &entry.guess {
            value.decor_mut().set_suffix(format!(" # a guess: {guess}"));
        }
        match table.get_mut(&entry.key).and_then(Item::as_value_mut) {
            Some(known) if known.to_string().trim() == value.to_string().trim() => {}
            Some(known) => {
                if entry.guess.is_none() {
                    *value.decor_mut() = known.decor().clone();
                }
                *known = value;
            }
            None => drop(table.insert(&entry.key, Item::Value(value))),
        }
    }
}

/// The environment's table as it stands in the file.
fn shown(environments: &dyn TableLike, name: &str) -> String {
    let mut document = DocumentMut::new();
    let mut only = implicit();
    if let Some(table) = environments.get(name) {
        only.insert(name, table.clone());
    }
    document.insert("environments", Item::Table(only));
    document.to_string().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#"# what we run
default_environment = "dev"   # not staging

[environments.dev] # the small one
account_id = "123456789012"
region     = "us-east-1"
repository = "dev"
cluster    = "dev"
service    = "dev"
url        = "https://dev.example/mcp/" # behind the VPN
bake_seconds = 5 # we are in a hurry

[environments.dev.tags]
Owner = "us"
"#;

    fn file(text: Option<&str>) -> File {
        File {
            path: PathBuf::from("quilt-mcp.toml"),
            text: text.map(str::to_owned),
        }
    }

    #[test]
    fn a_new_file_has_its_default() {
        let text = file(None).with("staging", &Draft::sample(), false).unwrap();
        assert_eq!(
            text.whole,
            "default_environment = \"staging\"\n\n[environments.staging]\n\
             account_id = \"123456789012\"\nregion = \"us-east-1\"\nrepository = \"mcp-server\"\n\
             cluster = \"quilt\"\nservice = \"mcp-server\"\nurl = \"https://mcp.example.com/mcp/\"\n"
        );
        assert!(text.table.starts_with("[environments.staging]\n"));
    }

    #[test]
    fn what_is_there_stays_word_for_word() {
        let text = file(Some(OURS))
            .with("staging", &Draft::sample(), false)
            .unwrap();
        assert!(text.whole.starts_with(OURS), "{}", text.whole);
        assert!(
            text.whole.contains("\n\n[environments.staging]\n"),
            "{}",
            text.whole
        );
        assert_eq!(text.whole.matches("default_environment").count(), 1);
    }

    #[test]
    fn an_environment_is_not_overwritten_by_mistake() {
        let refused = file(Some(OURS)).with("dev", &Draft::sample(), false);
        assert!(matches!(refused, Err(FileError::Exists { .. })));
    }

    #[test]
    fn an_overwritten_environment_keeps_what_is_the_operators_own() {
        let mut draft = Draft::default();
        draft.set("region", "eu-west-1");
        draft.set("repository", "dev");
        draft.set("url", "https://other.example/mcp/");
        draft.guess("container", "server", "it is the only one");
        let text = file(Some(OURS)).with("dev", &draft, true).unwrap().whole;
        for line in [
            "default_environment = \"dev\"   # not staging",
            "[environments.dev] # the small one",
            "region     = \"eu-west-1\"",
            "repository = \"dev\"",
            "url        = \"https://other.example/mcp/\" # behind the VPN",
            "bake_seconds = 5 # we are in a hurry",
            "container = \"server\" # a guess: it is the only one",
            "Owner = \"us\"",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }

    #[test]
    fn tables_in_any_form_are_kept() {
        let inline = "environments = { dev = { account_id = \"123456789012\", region = \"us-east-1\", \
                      repository = \"d\", cluster = \"d\", service = \"d\", url = \"https://d.example/\" } }\n";
        let dotted = "environments.dev.account_id = \"123456789012\"\nenvironments.dev.region = \"us-east-1\"\n\
                      environments.dev.repository = \"d\"\nenvironments.dev.cluster = \"d\"\n\
                      environments.dev.service = \"d\"\nenvironments.dev.url = \"https://d.example/\"\n";
        for known in [inline, dotted] {
            let text = file(Some(known))
                .with("staging", &Draft::sample(), false)
                .unwrap();
            let config = Config::parse(Path::new("x"), &text.whole).unwrap();
            assert_eq!(config.names().collect::<Vec<_>>(), ["dev", "staging"]);
        }
    }

    #[test]
    fn what_would_be_wrong_is_not_written() {
        let mut draft = Draft::sample();
        draft.set("desired_count", 0);
        let refused = file(Some(OURS)).with("staging", &draft, false).unwrap_err();
        assert!(refused.to_string().contains("at least 1"), "{refused}");
    }
}
