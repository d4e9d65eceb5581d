//! The file in which tests say that they were skipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file of lines `test: reason`, appended to by tests that skip themselves.
pub struct Skips(PathBuf);

impl Skips {
    /// The file at this path, whether or not it is there.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its place, for the tests.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Forgets an earlier run.
    ///
    /// # Errors
    /// When the file is there and cannot be removed.
    pub fn clear(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("could not remove {:?}", self.0))
            }
            _ => Ok(()),
        }
    }

    /// Its lines in order, each once.
    pub fn read(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let mut lines: Vec<_> = text
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        lines.sort();
        lines.dedup();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_given_once_and_in_order() {
        let name = format!("quilt-mcp-xtask-skips-{}", std::process::id());
        let skips = Skips::at(std::env::temp_dir().join(name));
        assert!(skips.read().is_empty());
        fs::write(skips.path(), "b: none\n\na: no aws\nb: none\n").unwrap();
        assert_eq!(skips.read(), ["a: no aws", "b: none"]);
        skips.clear().unwrap();
        assert!(skips.read().is_empty());
        skips.clear().unwrap();
    }
}
