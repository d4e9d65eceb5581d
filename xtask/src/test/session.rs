//! What the steps of one run share.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use super::skips::Skips;
use super::steps::docker::Engine;
use crate::command;

/// One run of `cargo xtask test`. When it is dropped, what it started is stopped.
pub struct Session {
    /// The folder of the workspace's Cargo.toml.
    pub workspace: PathBuf,
    /// Where tools are set up, kept from run to run: `tools/` in cargo's target folder.
    pub tools: PathBuf,
    /// Arguments for `cargo test`; empty for the whole workspace.
    pub cargo_test: Vec<OsString>,
    /// Whether a skip is a failure: `CI` is `true` in the environment.
    pub ci: bool,
    /// Where tests say that they were skipped.
    pub skips: Skips,
    exports: Vec<(&'static str, OsString)>,
    notes: Vec<String>,
    engine: Option<Engine>,
    _lock: File,
}

/// What a run leaves to be told beside the verdicts of its steps.
pub struct Report {
    /// Facts worth knowing that are neither failures nor skips.
    pub notes: Vec<String>,
    /// `test: reason`, one for each test that skipped itself.
    pub skipped_tests: Vec<String>,
}

impl Session {
    /// Finds the target folder and takes it, waiting for another run to end: two runs must not
    /// set up the same tools or stop each other's engine.
    ///
    /// # Errors
    /// When cargo does not know the target folder, or it cannot be written.
    pub fn begin(cargo_test: Vec<OsString>) -> anyhow::Result<Self> {
        let (workspace, target) = folders()?;
        let tools = target.join("tools");
        fs::create_dir_all(&tools).with_context(|| format!("could not make {tools:?}"))?;
        let lock = lock(tools.join("lock"))?;
        let skips = Skips::at(target.join("skipped-tests.txt"));
        skips.clear()?;
        Ok(Self {
            workspace,
            cargo_test,
            ci: std::env::var("CI").is_ok_and(|value| value == "true"),
            skips,
            exports: Vec::new(),
            notes: Vec::new(),
            engine: None,
            _lock: lock,
            tools,
        })
    }

    /// Has the tests run with this environment variable.
    pub fn export(&mut self, name: &'static str, value: impl Into<OsString>) {
        let value = value.into();
        println!("{name}={}", value.to_string_lossy());
        self.exports.push((name, value));
    }

    /// The environment variables for the tests.
    pub fn exports(&self) -> impl Iterator<Item = (&'static str, &OsString)> {
        self.exports.iter().map(|(name, value)| (*name, value))
    }

    /// Says something that the summary repeats.
    pub fn note(&mut self, note: String) {
        println!("note: {note}");
        self.notes.push(note);
    }

    /// Keeps an engine running until the end of the run.
    pub fn keep(&mut self, engine: Engine) {
        self.engine = Some(engine);
    }

    /// Stops what was started and gives what there is to tell.
    pub fn end(mut self) -> Report {
        drop(self.engine.take());
        Report {
            notes: std::mem::take(&mut self.notes),
            skipped_tests: self.skips.read(),
        }
    }
}

/// The workspace's folder and cargo's target folder.
///
/// # Errors
/// When cargo does not know them.
pub fn folders() -> anyhow::Result<(PathBuf, PathBuf)> {
    let mut cargo = command::cargo();
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&command::capture(&mut cargo)?)?;
    let folder = |name: &str| {
        let path = metadata[name].as_str();
        path.map(PathBuf::from)
            .with_context(|| format!("`cargo metadata` gave no {name}"))
    };
    Ok((folder("workspace_root")?, folder("target_directory")?))
}

fn lock(path: PathBuf) -> anyhow::Result<File> {
    let file = File::create(&path).with_context(|| format!("could not make {path:?}"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => println!("waiting for another `cargo xtask test` to end"),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("could not lock {path:?}"));
        }
    }
    file.lock()
        .with_context(|| format!("could not lock {path:?}"))?;
    Ok(file)
}
