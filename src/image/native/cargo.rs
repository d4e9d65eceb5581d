//! Runs cargo and follows what it says.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::Command;

use super::BuildError;
use super::environment::{self, Folders};
use super::foreign;
use super::toolchain::Toolchain;
use crate::image::progress::BuildProgress;
use crate::image::source::{Checkout, SERVER_PACKAGE};

/// Lines of compiler output that an error carries at most.
const LONGEST_OUTPUT: usize = 400;

/// Compiles the server and gives the path of its binary.
pub async fn compile(
    checkout: &Checkout,
    toolchain: &Toolchain,
    target_directory: &Path,
    progress: &(dyn Fn(BuildProgress) + Send + Sync),
) -> Result<PathBuf, BuildError> {
    let triple = toolchain.target.triple();
    foreign::check(&checkout.root, &cargo_home())?;
    progress(BuildProgress::Compiling {
        target: triple.to_owned(),
        c_compiler: toolchain.c_compiler.clone(),
    });
    let mut command = command(checkout, toolchain, target_directory);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BuildError::ToolchainMissing { program: "cargo" },
        _ => unreadable(&error),
    })?;
    let stdout = lines(child.stdout.take().expect("stdout is piped"));
    let stderr = lines(child.stderr.take().expect("stderr is piped"));
    let (artifacts, output) = tokio::try_join!(
        follow_artifacts(stdout, progress),
        follow_messages(stderr, progress)
    )
    .map_err(|error| unreadable(&error))?;
    let status = child.wait().await.map_err(|error| unreadable(&error))?;
    if status.success() {
        artifacts.executable.ok_or(BuildError::NoExecutable {
            package: SERVER_PACKAGE,
        })
    } else {
        Err(diagnose(triple, &status.to_string(), &output))
    }
}

fn command(checkout: &Checkout, toolchain: &Toolchain, target_directory: &Path) -> Command {
    let cargo_home = cargo_home();
    let folders = Folders {
        checkout: &checkout.root,
        cargo_home: &cargo_home,
        target: target_directory,
    };
    let mut command = Command::new("cargo");
    environment::scrub(command.as_std_mut());
    command
        .args(["build", "--locked", "--profile", "image"])
        .args(["--target", toolchain.target.triple()])
        .args(["--package", SERVER_PACKAGE])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--color", "never"])
        .arg("--target-dir")
        .arg(target_directory)
        .envs(environment::variables(toolchain, &folders))
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .current_dir(&checkout.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Cargo's folder for downloaded sources (The Cargo Book, "Cargo Home").
fn cargo_home() -> PathBuf {
    match std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()) {
        Some(home) => std::path::absolute(&home).unwrap_or_else(|_| home.into()),
        None => std::env::home_dir()
            .unwrap_or_else(|| "/".into())
            .join(".cargo"),
    }
}

fn lines<R: AsyncRead + Unpin>(stream: R) -> Lines<BufReader<R>> {
    BufReader::new(stream).lines()
}

fn unreadable(error: &std::io::Error) -> BuildError {
    BuildError::Toolchain {
        command: "cargo build".to_owned(),
        message: error.to_string(),
    }
}

/// One of cargo's JSON messages (The Cargo Book, "External tools", "JSON messages").
#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        target: ArtifactTarget,
        fresh: bool,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct ArtifactTarget {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Default)]
struct Artifacts {
    executable: Option<PathBuf>,
    /// Crates may come in several versions and as build scripts; a person counts names.
    ready: HashSet<String>,
}

impl Artifacts {
    /// Takes note of a message, and says what to report of it.
    fn note(&mut self, message: Message) -> Option<BuildProgress> {
        let Message::CompilerArtifact {
            target,
            fresh,
            executable,
        } = message
        else {
            return None;
        };
        if target.name == SERVER_PACKAGE && executable.is_some() {
            self.executable = executable;
        }
        let is_build_script = target.kind.iter().any(|kind| kind == "custom-build");
        if is_build_script || !self.ready.insert(target.name.clone()) {
            return None;
        }
        Some(BuildProgress::Compiled {
            name: target.name,
            ready: self.ready.len(),
            fresh,
        })
    }
}

async fn follow_artifacts<R: AsyncRead + Unpin>(
    mut lines: Lines<BufReader<R>>,
    progress: &(dyn Fn(BuildProgress) + Send + Sync),
) -> std::io::Result<Artifacts> {
    let mut artifacts = Artifacts::default();
    while let Some(line) = lines.next_line().await? {
        // What is no JSON message was printed by a build script run outside cargo's protocol.
        match serde_json::from_str(&line) {
            Ok(message) => artifacts.note(message).into_iter().for_each(progress),
            Err(error) => tracing::debug!(%line, %error, "not a message of cargo's"),
        }
    }
    Ok(artifacts)
}

async fn follow_messages<R: AsyncRead + Unpin>(
    mut lines: Lines<BufReader<R>>,
    progress: &(dyn Fn(BuildProgress) + Send + Sync),
) -> std::io::Result<Vec<String>> {
    let mut output = Vec::new();
    while let Some(line) = lines.next_line().await? {
        // Crates that are compiled are reported as they finish.
        if !line.trim_start().starts_with("Compiling ") {
            progress(BuildProgress::Message { line: line.clone() });
        }
        output.push(line);
    }
    Ok(output)
}

fn diagnose(target: &str, status: &str, output: &[String]) -> BuildError {
    if let Some(linker) = output.iter().find_map(|line| missing_linker(line)) {
        return BuildError::LinkerMissing { linker };
    }
    if let Some(library) = output.iter().find_map(|line| missing_library(line)) {
        return BuildError::StaticLibraryMissing { library };
    }
    BuildError::Compile {
        target: target.to_owned(),
        status: status.to_owned(),
        output: from_first_error(output),
    }
}

/// rustc: "error: linker `cc` not found".
fn missing_linker(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("linker `")?;
    let (linker, rest) = rest.split_once('`')?;
    rest.starts_with(" not found").then(|| linker.to_owned())
}

/// GNU ld: "cannot find -lc"; lld: "unable to find library -lc". Only the C library's own
/// parts count; another library is the build's own trouble.
fn missing_library(line: &str) -> Option<String> {
    let after = |sign: &str| line.split_once(sign).map(|(_, rest)| rest);
    let rest = after("cannot find -l").or_else(|| after("unable to find library -l"))?;
    let name: String = rest
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        .collect();
    let of_the_c_library = ["c", "m", "pthread", "dl", "rt", "util", "gcc_eh"];
    of_the_c_library
        .contains(&name.as_str())
        .then(|| format!("-l{name}"))
}

/// From the first error on; where no line says "error", the end of the output.
fn from_first_error(output: &[String]) -> String {
    let first = output
        .iter()
        .position(|line| line.starts_with("error"))
        .unwrap_or_else(|| output.len().saturating_sub(40));
    let lines = &output[first..];
    let shown = &lines[..lines.len().min(LONGEST_OUTPUT)];
    let mut text = shown.join("\n");
    if lines.len() > shown.len() {
        text += &format!("\n... and {} more lines", lines.len() - shown.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn counts_crates_and_finds_the_binary() {
        let messages = [
            r#"{"reason":"compiler-artifact","package_id":"x","target":{"name":"build-script-build","kind":["custom-build"]},"fresh":true,"executable":null,"filenames":[]}"#,
            r#"{"reason":"build-script-executed","package_id":"x"}"#,
            r#"{"reason":"compiler-artifact","package_id":"x","target":{"name":"serde","kind":["lib"]},"fresh":true,"executable":null}"#,
            r#"{"reason":"compiler-artifact","package_id":"x","target":{"name":"serde","kind":["lib"]},"fresh":true,"executable":null}"#,
            r#"{"reason":"compiler-artifact","package_id":"x","target":{"name":"quilt-mcp-server","kind":["bin"]},"fresh":false,"executable":"/t/quilt-mcp-server"}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ];
        let mut artifacts = Artifacts::default();
        let reported: Vec<_> = messages
            .iter()
            .filter_map(|message| artifacts.note(serde_json::from_str(message).unwrap()))
            .collect();
        let compiled = |name: &str, ready, fresh| BuildProgress::Compiled {
            name: name.into(),
            ready,
            fresh,
        };
        assert_eq!(
            reported,
            [
                compiled("serde", 1, true),
                compiled("quilt-mcp-server", 2, false)
            ]
        );
        assert_eq!(artifacts.executable, Some("/t/quilt-mcp-server".into()));
    }

    #[test]
    fn says_what_to_install() {
        let linker = output("   Compiling a v1\nerror: linker `cc` not found\n  |\n");
        let error = diagnose("t", "exit status: 101", &linker);
        assert!(
            matches!(&error, BuildError::LinkerMissing { linker } if linker == "cc"),
            "{error}"
        );

        for line in [
            "  = note: /usr/bin/ld: cannot find -lc: No such file or directory",
            "  = note: ld.lld: error: unable to find library -lc",
        ] {
            let error = diagnose(
                "t",
                "s",
                &output(&format!("error: linking with `cc` failed\n{line}\n")),
            );
            assert!(
                matches!(&error, BuildError::StaticLibraryMissing { library } if library == "-lc"),
                "{error}"
            );
            assert!(error.to_string().contains("glibc-static"));
        }
        let other = diagnose(
            "t",
            "s",
            &output("error: linking failed\nld: cannot find -lcurl\n"),
        );
        assert!(matches!(other, BuildError::Compile { .. }), "{other}");
    }

    #[test]
    fn shows_everything_from_the_first_error_on() {
        let text = "   Compiling a v1\nwarning: unused\nerror[E0425]: cannot find value\n --> src/main.rs:1:1\n";
        let error = diagnose("t", "exit status: 101", &output(text)).to_string();
        assert!(
            error.contains("error[E0425]: cannot find value\n --> src/main.rs:1:1"),
            "{error}"
        );
        assert!(!error.contains("Compiling a v1"), "{error}");

        let quiet = diagnose("t", "signal: 9", &output("something odd\n")).to_string();
        assert!(
            quiet.contains("something odd") && quiet.contains("signal: 9"),
            "{quiet}"
        );

        let long = "error: x\n".repeat(LONGEST_OUTPUT + 3);
        assert!(from_first_error(&output(&long)).ends_with("... and 3 more lines"));
    }
}
