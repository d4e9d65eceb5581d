//! `man`: the manual pages, made from the command line's own description.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Cli, Exit, Failure};
use crate::report::Report;

/// Print the manual page, or write one for each command into a folder.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  quilt-mcp-deploy man | man -l -\n  quilt-mcp-deploy man --dir ~/.local/share/man/man1"
)]
pub struct ManArgs {
    /// Write all pages into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What `man` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ManResult {
    /// The version of this object.
    version: u32,
    /// The page, where no folder was given (roff).
    page: Option<String>,
    /// The files that were written.
    files: Vec<PathBuf>,
}

impl ManArgs {
    /// Prints or writes them.
    ///
    /// # Errors
    /// [`Failure`] when the folder or stdout cannot be written.
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        // `help` says what the pages say.
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let result = match &self.dir {
            None => ManResult {
                version: 1,
                page: Some(page(command)?),
                files: Vec::new(),
            },
            Some(folder) => ManResult {
                version: 1,
                page: None,
                files: Self::write(folder, command)?,
            },
        };
        report.print(&result)?;
        Ok(Exit::Done)
    }

    fn write(folder: &Path, command: Command) -> Result<Vec<PathBuf>, Failure> {
        let unwritable = |error: io::Error| {
            Failure::new(
                Exit::Usage,
                format!("cannot write to {}: {error}", folder.display()),
            )
            .hint("give --dir a folder that you may write to")
        };
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        pages(command)
            .into_iter()
            .map(|page| page.generate_to(folder).map_err(unwritable))
            .collect()
    }
}

/// A page for the command and for every command below it that help shows.
fn pages(command: Command) -> Vec<Man> {
    let below = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .cloned()
        .flat_map(pages)
        .collect::<Vec<_>>();
    std::iter::once(Man::new(command)).chain(below).collect()
}

fn page(command: Command) -> Result<String, Failure> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page).map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("the manual page cannot be made: {error}"),
        )
    })?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

impl fmt::Display for ManResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(page) = &self.page {
            return f.write_str(page);
        }
        write!(f, "{} pages written", self.files.len())?;
        if let Some(folder) = self.files.first().and_then(|file| file.parent()) {
            write!(f, " to {}", folder.display())?;
        }
        Ok(())
    }
}
