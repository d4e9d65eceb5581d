//! `cargo xtask bench`: what publishing costs, beside Docker and skopeo on the same machine and
//! registry.

mod world;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context;

use crate::command;
use world::World;

/// Measure nothing-to-do, a changed image and promotion, beside docker and skopeo
///
/// Prints a table. Docker's image is `FROM scratch` with a `COPY`
/// of the finished binary: the least that Docker could have to do.
#[derive(clap::Args)]
pub struct Args {
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

/// Measures and prints.
///
/// # Errors
/// When a program that is measured is missing or fails.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let world = World::start()?;
    let runs = args.runs;
    let rows = [
        nothing_to_do(&world, runs)?,
        changed_image(&world, runs)?,
        promotion(&world, runs)?,
    ];
    println!("\n| | quilt-mcp-deploy | docker | skopeo |\n|---|---|---|---|");
    for row in &rows {
        println!(
            "| {} | {:.2} s | {} | {} |",
            row.what,
            row.ours,
            shown(row.docker, row.ours),
            shown(row.skopeo, row.ours)
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(seconds: Option<f64>, ours: f64) -> String {
    match seconds {
        Some(seconds) => format!("{seconds:.2} s ({:.1} times ours)", seconds / ours),
        None => "–".to_owned(),
    }
}

fn nothing_to_do(world: &World, runs: usize) -> anyhow::Result<Row> {
    let layout = world.image("unchanged", 0)?;
    let publish = || world.publish(&layout, "unchanged");
    let docker = || -> anyhow::Result<()> {
        world.docker(&[
            "build",
            "--quiet",
            "--tag",
            &world.reference("by-docker"),
            &world.context(),
        ])?;
        world.docker(&["push", "--quiet", &world.reference("by-docker")])
    };
    let skopeo = || {
        world.skopeo_copy(
            &format!("oci:{}", layout.display()),
            &world.remote("by-skopeo"),
        )
    };
    world.docker_context(0)?;
    publish()?;
    docker()?;
    skopeo()?;
    Ok(Row {
        what: "publish, nothing to do",
        ours: median(runs, |_| publish())?,
        docker: Some(median(runs, |_| docker())?),
        skopeo: Some(median(runs, |_| skopeo())?),
    })
}

/// Another binary each time, of the server's size.
fn changed_image(world: &World, runs: usize) -> anyhow::Result<Row> {
    let layouts = (0..runs)
        .map(|run| world.image(&format!("changed-{run}"), 1 + run as u64))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let ours = median(runs, |run| {
        world.publish(&layouts[run], &format!("ours-{run}"))
    })?;
    // Other content for each tool: a blob that one of them sent is nothing to do for the next.
    let others = (0..runs)
        .map(|run| world.image(&format!("skopeo-{run}"), 1000 + run as u64))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let skopeo = median(runs, |run| {
        let from = format!("oci:{}", others[run].display());
        world.skopeo_copy(&from, &world.remote(&format!("skopeo-{run}")))
    })?;
    for run in 0..runs {
        world.docker_context(2000 + run as u64)?;
        let tag = world.reference(&format!("docker-{run}"));
        world.docker(&["build", "--quiet", "--tag", &tag, &world.context()])?;
    }
    let docker = median(runs, |run| {
        world.docker(&[
            "push",
            "--quiet",
            &world.reference(&format!("docker-{run}")),
        ])
    })?;
    Ok(Row {
        what: "push of a changed image",
        ours,
        docker: Some(docker),
        skopeo: Some(skopeo),
    })
}

/// From one repository to another of the same registry.
fn promotion(world: &World, runs: usize) -> anyhow::Result<Row> {
    for run in 0..runs {
        for by in ["by-us", "by-skopeo"] {
            world.create_repository(&format!("{by}/{run}"))?;
        }
    }
    let ours = median(runs, |run| world.promote("unchanged", run))?;
    let skopeo = median(runs, |run| {
        let to = world.remote_in(&format!("by-skopeo/{run}"), "unchanged");
        world.skopeo_copy(&world.remote("unchanged"), &to)
    })?;
    Ok(Row {
        what: "promotion within a registry",
        ours,
        docker: None,
        skopeo: Some(skopeo),
    })
}

fn median(runs: usize, mut work: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut seconds = Vec::new();
    for run in 0..runs {
        let begun = Instant::now();
        work(run)?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[runs / 2])
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
