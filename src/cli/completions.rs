//! `completions`: what a shell needs to complete our command lines.

use std::fmt;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Cli, Exit, Failure};
use crate::report::Report;

/// Print what a shell needs to complete commands, options and their values.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  quilt-mcp-deploy completions bash > \\\n    ~/.local/share/bash-completion/completions/quilt-mcp-deploy\n  \
quilt-mcp-deploy completions zsh > ~/.zfunc/_quilt-mcp-deploy\n  \
quilt-mcp-deploy completions fish > \\\n    ~/.config/fish/completions/quilt-mcp-deploy.fish"
)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What `completions` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompletionsResult {
    /// The version of this object.
    version: u32,
    /// The shell.
    shell: String,
    /// The script.
    script: String,
}

impl Completions {
    /// Prints it.
    ///
    /// # Errors
    /// [`Failure`] when stdout is closed or full.
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let mut command = Cli::command();
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        report.print(&CompletionsResult {
            version: 1,
            shell: self.shell.to_string(),
            script: String::from_utf8_lossy(&script).into_owned(),
        })?;
        Ok(Exit::Done)
    }
}

impl fmt::Display for CompletionsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.script)
    }
}
