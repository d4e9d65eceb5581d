//! `cargo xtask bench`: what publishing costs, beside Docker and skopeo on the same machine and
//! registry.

mod base_image;
mod builds;
mod images;
mod proof;
mod world;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context;

use crate::command;
use builds::Builds;
use world::World;

/// Measure publishing and promotion, with --builds also compiling, beside docker and skopeo
///
/// Prints a table.
#[derive(clap::Args)]
pub struct Args {
    /// Compile the server with both builders too: cold, one changed line, nothing changed; and show
    /// what the Docker builder made. Takes half an hour on two cores
    #[arg(long)]
    builds: bool,
    /// The base image for that; without it one is made of this machine's packages (Debian, Ubuntu)
    #[arg(long, value_name = "IMAGE", requires = "builds")]
    rust_image: Option<String>,
    /// How often each thing is done; the median counts
    #[arg(long, value_name = "N", default_value = "5", value_parser = runs)]
    runs: usize,
}

fn runs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(runs @ 1..=world::ENVIRONMENTS) => Ok(runs),
        _ => Err(format!("1 to {}", world::ENVIRONMENTS)),
    }
}

/// One line of the table: what is done, and how long it takes with each tool.
struct Row {
    what: &'static str,
    ours: f64,
    docker: Option<f64>,
    skopeo: Option<f64>,
}

/// Measures, and prints each line of the table when it is known.
///
/// # Errors
/// When a program that is measured is missing or fails.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let world = World::start()?;
    let runs = args.runs;
    println!("\n| | quilt-mcp-deploy | docker | skopeo |\n|---|---|---|---|");
    images::unchanged_image(&world, runs)?.print();
    images::changed_image(&world, runs)?.print();
    images::promotion(&world, runs)?.print();
    if args.builds {
        let builds = Builds::prepare(&world, args.rust_image.as_deref())?;
        builds.cold()?.print();
        builds.unchanged(runs)?.print();
        builds.changed(runs)?.print();
        println!("\n{}", proof::of_docker_s_image(&world, &builds)?);
    }
    Ok(ExitCode::SUCCESS)
}

impl Row {
    fn print(&self) {
        println!(
            "| {} | {:.2} s | {} | {} |",
            self.what,
            self.ours,
            shown(self.docker, self.ours),
            shown(self.skopeo, self.ours)
        );
    }
}

fn shown(seconds: Option<f64>, ours: f64) -> String {
    match seconds {
        Some(seconds) => format!("{seconds:.2} s ({:.1} times ours)", seconds / ours),
        None => "–".to_owned(),
    }
}

/// How long it takes, in the middle of several times.
fn median(runs: usize, mut work: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let times = (0..runs).map(|run| seconds(|| work(run)));
    Ok(middle(times.collect::<anyhow::Result<_>>()?))
}

fn seconds(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed().as_secs_f64())
}

fn middle(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Runs a program quietly; its last words are in the error.
fn quietly(command: &mut Command) -> anyhow::Result<()> {
    command::capture(command).map(drop)
}

/// The program, or that it is missing.
fn program(name: &str) -> anyhow::Result<std::path::PathBuf> {
    command::on_path(name).with_context(|| format!("{name} is not installed"))
}

/// Writes a file, and the folders above it.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, content))
        .with_context(|| format!("could not write {}", path.display()))
}
