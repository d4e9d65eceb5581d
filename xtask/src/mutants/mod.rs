//! `cargo xtask mutants`: do the tests catch mistakes? Each mutant of a table is applied to a copy,
//! judged until one judge catches it, and undone.

mod cloudformation;
mod judge;
mod table;
mod terraform;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{Context, bail};

use crate::test::{folders, tools};
use judge::{Catch, Copy, Judge};
use table::Mutant;

/// Apply deliberate mistakes, one at a time, and see whether the tests catch them
///
/// Exit status 0 when every mutant was caught, but for those that the table says survive.
#[derive(clap::Args)]
pub struct Args {
    /// What is mutated
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS.iter().map(|target| target.name)))]
    target: String,
    /// Only mutants with this in their name
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// How many at a time; each takes about one core
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// What can be mutated. A new one is one more file with its table beside it.
const TARGETS: &[&Target] = &[&terraform::TARGET, &cloudformation::TARGET];

/// A folder of this repository, its mutants, and who judges them.
pub struct Target {
    /// What the command line calls it.
    pub name: &'static str,
    /// The folder, from the workspace's.
    pub folder: &'static str,
    /// Its mutants.
    pub table: &'static str,
    /// The steps of `cargo xtask test` that set up what the judges need.
    pub tools: &'static [&'static str],
    /// Prepares a copy of the folder, and gives the judges in the order in which they are asked.
    pub judges: fn(&Copy) -> anyhow::Result<Vec<Judge>>,
}

/// What became of a mutant.
struct Fate {
    mutant: Mutant,
    caught_by: Option<Catch>,
}

/// Judges the mutants and prints the table.
///
/// # Errors
/// When a mutant no longer fits the files, a judge cannot work, or one fails without a mutant.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = TARGETS.iter().find(|target| target.name == args.target);
    let target = target.context("clap knows the targets")?;
    let mut mutants = table::parse(target.table)?;
    if let Some(only) = &args.only {
        mutants.retain(|mutant| mutant.name.contains(only));
    }
    let (workspace, target_folder) = folders()?;
    let copies = target_folder.join("mutants").join(target.name);
    if copies.exists() {
        fs::remove_dir_all(&copies)?;
    }
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    let tools = tools(target.tools)?;
    let mut workers = (0..jobs.max(1))
        .map(|job| {
            let folder = copies.join(job.to_string());
            copy_folder(&workspace.join(target.folder), &folder)?;
            let tools = tools.clone();
            Worker::new(target, Copy { folder, tools })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    println!(
        "{} mutants of {}, {jobs} at a time",
        mutants.len(),
        target.folder
    );
    workers[0].check_that_nothing_fails_without_one()?;
    let queue = Mutex::new(VecDeque::from(mutants));
    let fates = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let running: Vec<_> = workers
            .iter_mut()
            .map(|worker| scope.spawn(|| worker.work(&queue, &fates)))
            .collect();
        running
            .into_iter()
            .try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    fs::remove_dir_all(&copies)?;
    let fates = fates.into_inner().expect("no worker panicked");
    Ok(summary(&fates))
}

/// One copy of the folder and its judges.
struct Worker {
    copy: Copy,
    judges: Vec<Judge>,
}

impl Worker {
    fn new(target: &Target, copy: Copy) -> anyhow::Result<Self> {
        let judges = (target.judges)(&copy)?;
        Ok(Self { copy, judges })
    }

    fn check_that_nothing_fails_without_one(&mut self) -> anyhow::Result<()> {
        for judge in &mut self.judges {
            if let Some(by) = judge.catches()? {
                bail!("a judge fails without any mutant: {by}");
            }
        }
        Ok(())
    }

    fn work(
        &mut self,
        queue: &Mutex<VecDeque<Mutant>>,
        fates: &Mutex<Vec<Fate>>,
    ) -> anyhow::Result<()> {
        loop {
            let next = queue.lock().expect("no worker panics").pop_front();
            let Some(mutant) = next else { return Ok(()) };
            let before = mutant.apply(&self.copy.folder)?;
            let caught_by = self.judge(&mutant);
            mutant.undo(&self.copy.folder, &before)?;
            let fate = Fate {
                caught_by: caught_by?,
                mutant,
            };
            println!("{fate}");
            fates.lock().expect("no worker panics").push(fate);
        }
    }

    fn judge(&mut self, mutant: &Mutant) -> anyhow::Result<Option<Catch>> {
        let mut concerned: Vec<&mut Judge> = self
            .judges
            .iter_mut()
            .filter(|judge| judge.concerns(&mutant.file))
            .collect();
        concerned.sort_by_key(|judge| !judge.is_about(&mutant.file));
        for judge in concerned {
            if let Some(by) = judge.catches()? {
                return Ok(Some(by));
            }
        }
        Ok(None)
    }
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.mutant.name;
        match &self.caught_by {
            Some(by) => write!(f, "caught    {name}  ({by})"),
            None => write!(f, "SURVIVED  {name}  ({})", self.mutant.file),
        }
    }
}

/// Prints who caught how many, and which nobody caught; whether all were caught.
fn summary(fates: &[Fate]) -> ExitCode {
    println!("\n| caught by | mutants |\n|---|---|");
    for (judge, mutants) in by_judge(fates) {
        println!("| `{judge}` | {mutants} |");
    }
    let missed: Vec<&Fate> = fates
        .iter()
        .filter(|fate| fate.caught_by.is_none())
        .collect();
    println!(
        "\n{} mutants: {} caught, {} missed",
        fates.len(),
        fates.len() - missed.len(),
        missed.len()
    );
    for fate in &missed {
        println!("{fate}");
    }
    if missed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// How many mutants each file of tests caught, the most first.
fn by_judge(fates: &[Fate]) -> Vec<(String, usize)> {
    let mut judges = BTreeMap::new();
    for caught in fates.iter().filter_map(|fate| fate.caught_by.as_ref()) {
        *judges.entry(caught.by()).or_default() += 1;
    }
    let mut judges: Vec<(String, usize)> = judges.into_iter().collect();
    judges.sort_by_key(|(_, mutants)| Reverse(*mutants));
    judges
}

/// Copies a folder, without what tools leave in it under names that begin with a dot.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("could not read {from:?}"))? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mutant that no longer fits would be no test of the tests.
    #[test]
    fn every_mutant_fits_its_file() {
        let (workspace, _) = folders().unwrap();
        for target in TARGETS {
            let copy =
                std::env::temp_dir().join(format!("xtask-{}-{}", target.name, std::process::id()));
            copy_folder(&workspace.join(target.folder), &copy).unwrap();
            let mutants = table::parse(target.table).unwrap();
            assert!(
                mutants.len() >= 60,
                "{}: {} mutants",
                target.name,
                mutants.len()
            );
            for mutant in mutants {
                let before = mutant.apply(&copy).unwrap();
                mutant.undo(&copy, &before).unwrap();
            }
            fs::remove_dir_all(&copy).unwrap();
        }
    }
}
