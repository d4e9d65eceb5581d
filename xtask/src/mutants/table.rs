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
//! must have and keeps. How many blanks there are between words does not matter; what is added gets the
//! indentation of the line before it in the block.

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
    /// Its lines, with single blanks between words.
    hunk: Vec<Line>,
}

/// A line of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Keep(String),
    Remove(String),
    Add(String),
}

impl Line {
    /// What the file must have.
    fn to_find(&self) -> Option<&str> {
        match self {
            Self::Keep(text) | Self::Remove(text) => Some(text),
            Self::Add(_) => None,
        }
    }
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
        let find: Vec<&str> = self.hunk.iter().filter_map(Line::to_find).collect();
        let places: Vec<usize> = lines
            .windows(find.len())
            .enumerate()
            .filter(|(_, window)| {
                let mut pairs = window.iter().zip(&find);
                pairs.all(|(line, find)| normal(line) == *find)
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
        let (found, rest) = lines[at..].split_at(find.len());
        let mut after: Vec<String> = lines[..at].iter().map(ToString::to_string).collect();
        after.extend(self.replaced(found));
        after.extend(rest.iter().map(ToString::to_string));
        fs::write(&path, after.join("\n") + "\n")?;
        Ok(before)
    }

    /// What stands in the place of the lines that were found.
    fn replaced(&self, found: &[&str]) -> Vec<String> {
        let mut found = found.iter();
        let mut indentation = found
            .as_slice()
            .first()
            .map_or("", |line| indentation(line));
        let mut replaced = Vec::new();
        for line in &self.hunk {
            if let Line::Add(text) = line {
                replaced.push(format!("{indentation}{text}"));
                continue;
            }
            let original = found.next().expect("as many as there are to find");
            indentation = self::indentation(original);
            if let Line::Keep(_) = line {
                replaced.push((*original).to_owned());
            }
        }
        replaced
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

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

fn block_of(name: &str, rest: &[&str]) -> anyhow::Result<Mutant> {
    let mut mutant = Mutant {
        name: name.trim().to_owned(),
        file: String::new(),
        hunk: Vec::new(),
    };
    for line in rest {
        let (sign, text) = line.split_at_checked(1).context("an empty line")?;
        let text = normal(text);
        match sign {
            "@" => mutant.file = text,
            "-" => mutant.hunk.push(Line::Remove(text)),
            "+" => mutant.hunk.push(Line::Add(text)),
            " " => mutant.hunk.push(Line::Keep(text)),
            _ => bail!("a line begins with `{sign}`: {line}"),
        }
    }
    ensure!(!mutant.file.is_empty(), "no line `@ file`");
    let find: Vec<&str> = mutant.hunk.iter().filter_map(Line::to_find).collect();
    let replace = mutant.hunk.iter().filter_map(|line| match line {
        Line::Keep(text) | Line::Add(text) => Some(text.as_str()),
        Line::Remove(_) => None,
    });
    ensure!(!find.is_empty(), "no line to find");
    ensure!(!replace.eq(find), "nothing is changed");
    Ok(mutant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# why\nno rollback\n@ service.tf\n enable = true\n-rollback = true\n+rollback = false\n\n\
                         dropped\n@ service.tf\n-enable = true\n";

    #[test]
    fn a_table_is_read() {
        let mutants = parse(TABLE).unwrap();
        assert_eq!(mutants.len(), 2);
        assert_eq!(
            mutants[0].hunk,
            [
                Line::Keep("enable = true".to_owned()),
                Line::Remove("rollback = true".to_owned()),
                Line::Add("rollback = false".to_owned()),
            ]
        );
        assert_eq!(mutants[1].name, "dropped");
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
            "a {\n  enable = true\n  rollback = false\n}\n"
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
