//! Which compiler builds, and for which of the two static Linux targets.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::BuildError;
use super::environment;
use crate::files::is_on_search_path;
use crate::image::program::{NoAnswer, ask};

/// The machine that builds.
pub struct Host {
    os: &'static str,
    architecture: &'static str,
}

impl Host {
    pub fn current() -> Self {
        Self {
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
        }
    }

    pub fn check(&self) -> Result<(), BuildError> {
        if (self.os, self.architecture) == ("linux", "x86_64") {
            return Ok(());
        }
        Err(BuildError::Host {
            os: self.os.to_owned(),
            architecture: self.architecture.to_owned(),
        })
    }
}

/// The Rust toolchain that the checkout asks for.
pub struct Toolchain {
    /// Where its libraries are.
    pub sysroot: PathBuf,
    /// The compiler's own commit, as its standard library's paths name it.
    pub compiler_commit: String,
    /// What to compile for.
    pub target: Target,
    /// The C compiler's name and version; `None` where it does not answer.
    pub c_compiler: Option<String>,
}

impl Toolchain {
    /// Asks `rustc` in `checkout`, so that the checkout's rust-toolchain.toml counts.
    pub fn find(checkout: &Path) -> Result<Self, BuildError> {
        let sysroot = PathBuf::from(rustc(checkout, &["--print", "sysroot"])?.trim());
        let version = rustc(checkout, &["--version", "--verbose"])?;
        let target = Target::choose(&sysroot, std::env::var_os("PATH").as_deref());
        Ok(Self {
            target,
            c_compiler: target
                .c_compilers()
                .iter()
                .find_map(|program| c_compiler(program)),
            compiler_commit: compiler_commit(&version).to_owned(),
            sysroot,
        })
    }
}

/// Whether `program` of the Rust toolchain answers.
pub fn ask_for_version(program: &'static str) -> Result<(), BuildError> {
    let arguments = ["--version"];
    ask(Command::new(program).args(arguments))
        .map_err(|error| unanswered(program, &arguments, error))
        .map(drop)
}

fn rustc(checkout: &Path, arguments: &[&str]) -> Result<String, BuildError> {
    let mut command = Command::new("rustc");
    environment::scrub(&mut command);
    ask(command.args(arguments).current_dir(checkout))
        .map_err(|error| unanswered("rustc", arguments, error))
}

fn unanswered(program: &'static str, arguments: &[&str], error: NoAnswer) -> BuildError {
    match error {
        NoAnswer::Missing => BuildError::ToolchainMissing { program },
        NoAnswer::Failed(message) => BuildError::Toolchain {
            command: format!("{program} {}", arguments.join(" ")),
            message,
        },
    }
}

/// What a C compiler calls itself, in the first line of its answer.
fn c_compiler(program: &str) -> Option<String> {
    let mut command = Command::new(program);
    environment::scrub(&mut command);
    let answer = ask(command.arg("--version")).ok()?;
    let name = answer.lines().next()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn compiler_commit(version: &str) -> &str {
    version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "))
        .unwrap_or("unknown")
}

/// A target that gives static binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The usual target, with the C library linked in.
    Gnu,
    /// Static by nature, but has to be installed.
    Musl,
}

impl Target {
    /// Prefers musl where both halves of it are installed: the Rust target, and the C
    /// compiler that dependencies with C code need for it.
    fn choose(sysroot: &Path, search_path: Option<&std::ffi::OsStr>) -> Self {
        let libraries = sysroot
            .join("lib/rustlib")
            .join(Self::Musl.triple())
            .join("lib");
        let has_compiler = Self::Musl
            .c_compilers()
            .iter()
            .any(|compiler| is_on_search_path(compiler, search_path));
        if libraries.is_dir() && has_compiler {
            Self::Musl
        } else {
            Self::Gnu
        }
    }

    /// The C compilers that it may have, the first one first.
    fn c_compilers(self) -> &'static [&'static str] {
        match self {
            Self::Gnu => &["cc"],
            Self::Musl => &["musl-gcc", "x86_64-linux-musl-gcc"],
        }
    }

    /// The target's name for cargo.
    pub fn triple(self) -> &'static str {
        match self {
            Self::Gnu => "x86_64-unknown-linux-gnu",
            Self::Musl => "x86_64-unknown-linux-musl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_linux_on_x86_64_builds() {
        assert!(
            Host {
                os: "linux",
                architecture: "x86_64"
            }
            .check()
            .is_ok()
        );
        for (os, architecture) in [
            ("linux", "aarch64"),
            ("macos", "x86_64"),
            ("macos", "aarch64"),
        ] {
            let error = Host { os, architecture }.check().unwrap_err().to_string();
            assert!(error.contains(&format!("{os}/{architecture}")), "{error}");
            assert!(error.contains("--builder docker"), "{error}");
        }
    }

    #[test]
    fn musl_is_taken_only_when_it_can_compile_c_too() {
        let folder = tempfile::tempdir().unwrap();
        let with_target = folder.path().join("with");
        let without_target = folder.path().join("without");
        let bin = folder.path().join("bin");
        std::fs::create_dir_all(with_target.join("lib/rustlib/x86_64-unknown-linux-musl/lib"))
            .unwrap();
        std::fs::create_dir_all(&without_target).unwrap();
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("musl-gcc"), "").unwrap();
        for (sysroot, path, expected) in [
            (&with_target, Some(bin.as_os_str()), Target::Musl),
            (&with_target, None, Target::Gnu),
            (&with_target, Some(folder.path().as_os_str()), Target::Gnu),
            (&without_target, Some(bin.as_os_str()), Target::Gnu),
        ] {
            assert_eq!(
                Target::choose(sysroot, path),
                expected,
                "{sysroot:?} {path:?}"
            );
        }
    }

    #[test]
    fn reads_the_compilers_commit() {
        let version = "rustc 1.95.0\nbinary: rustc\ncommit-hash: 59807616e\nhost: x\n";
        assert_eq!(compiler_commit(version), "59807616e");
        assert_eq!(compiler_commit("rustc 1.95.0"), "unknown");
    }
}
