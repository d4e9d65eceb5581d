//! Tells the program which version it is: `0.1.0+3f2a9c1d8e4b`, a semantic version whose build
//! metadata is the commit (<https://semver.org/#spec-item-10>).
//!
//! Only release builds look at git: a development build that did would compile everything again
//! after each commit.

use std::path::Path;
use std::process::Command;

/// Names the commit where there is no git to ask, or instead of asking it.
const COMMIT: &str = "QUILT_MCP_BUILD_COMMIT";
/// As many digits of a commit as the image's labels are shown with.
const DIGITS: usize = 12;

fn main() {
    println!("cargo:rerun-if-env-changed={COMMIT}");
    println!("cargo:rerun-if-changed=build.rs");
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let named = std::env::var(COMMIT)
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = match release {
        true => named.or_else(commit_of_checkout),
        false => named,
    };
    let full = match (commit, release) {
        (Some(commit), _) => format!("{version}+{commit}"),
        (None, true) => format!("{version} (commit unknown)"),
        (None, false) => format!("{version} (development build)"),
    };
    println!("cargo:rustc-env=QUILT_MCP_DEPLOY_VERSION={full}");
}

/// The commit of this checkout, with `.dirty` where files differ from it.
fn commit_of_checkout() -> Option<String> {
    let folder = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&folder).canonicalize().ok()? {
        // Unpacked inside somebody else's repository, whose commit says nothing of this program.
        return None;
    }
    // Every commit and checkout is a line of it; the sources tell of changes that are neither.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    for path in [&log, "src", "local", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let dirty = if changes.is_empty() { "" } else { ".dirty" };
    Some(format!("{}{dirty}", commit.get(..DIGITS)?))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
