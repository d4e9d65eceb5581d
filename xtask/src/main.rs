//! `cargo xtask`: what a developer and CI run. One file or folder per task; a new task is one
//! more variant of [`Task`].

mod bench;
mod command;
mod load;
mod mutants;
mod rehearsal;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Test(test::Args),
    Bench(bench::Args),
    Trouble(rehearsal::Trouble),
    VerdictSpeed(rehearsal::VerdictSpeed),
    Soak(load::SoakArgs),
    BenchServer(load::BenchArgs),
    Mutants(mutants::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Test(args) => test::run(args),
        Task::Bench(args) => bench::run(&args),
        Task::Trouble(args) => args.run(),
        Task::VerdictSpeed(args) => args.run(),
        Task::Soak(args) => load::soak(args),
        Task::BenchServer(args) => load::bench(args),
        Task::Mutants(args) => mutants::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
