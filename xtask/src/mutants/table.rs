//! Tables of mutants: single deliberate mistakes, each written like a hunk of a diff.
//!
//! ```text
//! # a comment
//! wrong health path
//! @ modules/mcp-service/main.tf
//! -health_path = "/healthz"
//! +health_path = "/health"
//! ```
//!
//! Blocks are separated by blank lines. Lines that begin with a blank are context, which the file
//! must have and keeps. How many blanks there are between words does not matter. A block may end with
//! `! reason`: then the mutant is known to survive, and why.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

/// One deliberate mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// What it is called.
    pub name: String,
    /// The file that it is in, from the target's folder.
    pub file: String,
    /// The lines that it replaces, with single blanks between words.
    find: Vec<String>,
    /// What it puts there.
    replace: Vec<String>,
    /// Why it is known to survive.
    pub excuse: Option<String>,
}

impl Mutant {
    /// Makes the mistake in the folder; gives what the file held before.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the lines do not stand in it exactly once.
    pub fn apply(&self, folder: &Path) -> anyhow::Result<String> {
        let path = folder.join(&self.file);
        let before =
            fs::read_to_string(&path).with_context(|| format!("could not read {}", self.file))?;
        let lines: Vec<&str> = before.lines().collect();
        let places: Vec<usize> = lines
            .windows(self.find.len())
            .enumerate()
            .filter(|(_, window)| {
                window
                    .iter()
                    .zip(&self.find)
                    .all(|(line, find)| normal(line) == *find)
            })
            .map(|(at, _)| at)
            .collect();
        let [at] = places[..] else {
            bail!(
                "`{}`: its lines stand {} times in {}, not once",
                self.name,
                places.len(),
                self.file
            );
        };
        let mut after: Vec<&str> = lines[..at].to_vec();
        after.extend(self.replace.iter().map(String::as_str));
        after.extend(&lines[at + self.find.len()..]);
        fs::write(&path, after.join("\n") + "\n")?;
        Ok(before)
    }

    /// Puts back what the file held before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn undo(&self, folder: &Path, before: &str) -> anyhow::Result<()> {
        Ok(fs::write(folder.join(&self.file), before)?)
    }
}

/// Reads a table.
///
/// # Errors
/// When a block has no name, no file, or changes nothing, or two have one name.
pub fn parse(text: &str) -> anyhow::Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for block in lines.split(|line| line.trim().is_empty()) {
        let Some((name, rest)) = block.split_first() else {
            continue;
        };
        let mutant = block_of(name, rest).with_context(|| format!("mutant `{name}`"))?;
        ensure!(
            mutants.iter().all(|known| known.name != mutant.name),
            "two mutants are named `{name}`"
        );
        mutants.push(mutant);
    }
    Ok(mutants)
}

fn normal(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn block_of(name: &str, rest: &[&str]) -> anyhow::Result<Mutant> {
    let mut mutant = Mutant {
        name: name.trim().to_owned(),
        file: String::new(),
        find: Vec::new(),
        replace: Vec::new(),
        excuse: None,
    };
    for line in rest {
        let (sign, text) = line.split_at_checked(1).context("an empty line")?;
        let text = normal(text);
        match sign {
            "@" => mutant.file = text,
            "!" => mutant.excuse = Some(text),
            "-" => mutant.find.push(text),
            "+" => mutant.replace.push(text),
            " " => {
                mutant.find.push(text.clone());
                mutant.replace.push(text);
            }
            _ => bail!("a line begins with `{sign}`: {line}"),
        }
    }
    ensure!(!mutant.file.is_empty(), "no line `@ file`");
    ensure!(!mutant.find.is_empty(), "no line to find");
    ensure!(mutant.find != mutant.replace, "nothing is changed");
    Ok(mutant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# why\nno rollback\n@ service.tf\n enable = true\n-rollback = true\n+rollback = false\n\n\
                         dropped\n@ service.tf\n-enable = true\n! nobody can see it\n";

    #[test]
    fn a_table_is_read() {
        let mutants = parse(TABLE).unwrap();
        assert_eq!(mutants.len(), 2);
        assert_eq!(mutants[0].find, ["enable = true", "rollback = true"]);
        assert_eq!(mutants[0].replace, ["enable = true", "rollback = false"]);
        assert_eq!(mutants[1].excuse.as_deref(), Some("nobody can see it"));
    }

    #[test]
    fn a_wrong_table_is_refused() {
        for (text, says) in [
            ("name\n-a\n+b\n", "no line `@ file`"),
            ("name\n@ f\n+b\n", "no line to find"),
            ("name\n@ f\n-a\n+a\n", "nothing is changed"),
            ("name\n@ f\n?a\n", "begins with `?`"),
            ("name\n@ f\n-a\n\nname\n@ f\n-b\n", "two mutants"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_mutant_is_applied_once_and_undone() {
        let folder = std::env::temp_dir().join(format!("xtask-mutants-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("service.tf");
        let text = "a {\n  enable = true\n  rollback = true\n}\n";
        fs::write(&file, text).unwrap();
        let [no_rollback, dropped] = &parse(TABLE).unwrap()[..] else {
            panic!("two mutants");
        };
        let before = no_rollback.apply(&folder).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "a {\nenable = true\nrollback = false\n}\n"
        );
        let error = no_rollback.apply(&folder).unwrap_err().to_string();
        assert!(error.contains("0 times"), "{error}");
        no_rollback.undo(&folder, &before).unwrap();
        dropped.apply(&folder).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "a {\n  rollback = true\n}\n"
        );
        fs::write(&file, format!("{text}{text}")).unwrap();
        assert!(
            dropped
                .apply(&folder)
                .unwrap_err()
                .to_string()
                .contains("2 times")
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
