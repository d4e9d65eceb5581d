//! Reading `quilt-mcp.toml`: found upwards from the working folder, checked
//! whole, and refused with the line that is wrong.

mod environment;
mod error;
mod model;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::{Environment, LOCAL};
use model::FileModel;
use source::Source;

pub use environment::is_loopback;
pub use error::ConfigError;
pub use model::schema;

/// The configuration file's name.
pub const FILE_NAME: &str = "quilt-mcp.toml";

/// What the configuration file says.
#[derive(Debug, Default, Clone)]
pub struct Config {
    /// Where it was read from; absent when there is no file.
    pub path: Option<PathBuf>,
    /// The environment to use when none is named.
    pub default_environment: Option<String>,
    environments: BTreeMap<String, Environment>,
}

impl Config {
    /// Reads `explicit`, or the nearest `quilt-mcp.toml` at or above `folder`; none is fine.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read or is wrong.
    pub fn load(explicit: Option<&Path>, folder: &Path) -> Result<Self, ConfigError> {
        match Self::find(explicit, folder) {
            None => Ok(Self::default()),
            Some(path) => {
                let text =
                    std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable {
                        path: path.clone(),
                        source,
                    })?;
                Self::parse(&path, &text)
            }
        }
    }

    /// `explicit`, or the nearest `quilt-mcp.toml` at or above `folder`.
    pub fn find(explicit: Option<&Path>, folder: &Path) -> Option<PathBuf> {
        match explicit {
            Some(path) => Some(path.to_owned()),
            None => folder
                .ancestors()
                .map(|ancestor| ancestor.join(FILE_NAME))
                .find(|candidate| candidate.is_file()),
        }
    }

    /// Reads the text of a configuration file; `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] pointing at the first wrong line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let model: FileModel = toml::from_str(text).map_err(|error| source.syntax(&error))?;
        let mut environments = BTreeMap::new();
        for (name, environment) in model.environments {
            let environment = source.environment(&name, environment)?;
            environments.insert(name.into_inner(), environment);
        }
        if let Some(default) = &model.default_environment
            && default.get_ref() != LOCAL
            && !environments.contains_key(default.get_ref())
        {
            return Err(source.invalid(
                default.span(),
                format!(
                    "default_environment names `{}`, which is not defined",
                    default.get_ref()
                ),
                "no [environments] table has this name",
                None,
            ));
        }
        Ok(Self {
            path: Some(path.to_owned()),
            default_environment: model.default_environment.map(Spanned::into_inner),
            environments,
        })
    }

    /// The names of the environments in the file, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.environments.keys().map(String::as_str)
    }

    /// The environment's name to use: asked for, else the file's default, else `local`.
    pub fn choose(&self, asked: Option<&str>) -> String {
        asked
            .or(self.default_environment.as_deref())
            .unwrap_or(LOCAL)
            .to_owned()
    }

    /// The environment of this name, from the file.
    ///
    /// # Errors
    /// [`ConfigError::UnknownEnvironment`] listing those that exist.
    pub fn environment(&self, name: &str) -> Result<&Environment, ConfigError> {
        self.environments
            .get(name)
            .ok_or_else(|| ConfigError::UnknownEnvironment {
                name: name.to_owned(),
                known: std::iter::once(LOCAL.to_owned())
                    .chain(self.environments.keys().cloned())
                    .collect(),
            })
    }
}

#[cfg(test)]
mod tests;
