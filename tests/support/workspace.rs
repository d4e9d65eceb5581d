//! A workspace that looks like ours to the builders.

use std::path::Path;
use std::process::Command;

use quilt_mcp_deploy::image::Checkout;

/// Makes the workspace in `root`, with `program` as the server's source, and commits it; the
/// same files give the same commit.
pub fn small_workspace(root: &Path, program: &str, more: &[(&str, &str)]) -> Checkout {
    let manifest = "[workspace]\nmembers = [\"server\"]\nresolver = \"3\"\n\
         [profile.image]\ninherits = \"release\"\nstrip = \"symbols\"\n";
    let server =
        "[package]\nname = \"quilt-mcp-server\"\nversion = \"1.4.0\"\nedition = \"2024\"\n";
    let lock = "version = 4\n\n[[package]]\nname = \"quilt-mcp-server\"\nversion = \"1.4.0\"\n";
    let toolchain = include_str!("../../rust-toolchain.toml");
    let files = [
        ("Cargo.toml", manifest),
        ("Cargo.lock", lock),
        ("rust-toolchain.toml", toolchain),
        (".gitignore", "/target\n"),
        ("server/Cargo.toml", server),
        ("server/src/main.rs", program),
    ];
    for (path, text) in files.iter().chain(more) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let user = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let commit = ["-c", "commit.gpgsign=false", "commit", "--quiet", "-m", "x"];
    for arguments in [
        vec!["init", "--quiet"],
        vec!["add", "."],
        [&user[..], &commit[..]].concat(),
    ] {
        let status = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(&arguments)
            .env("GIT_AUTHOR_DATE", "2026-03-04T05:06:07Z")
            .env("GIT_COMMITTER_DATE", "2026-03-04T05:06:07Z")
            .status()
            .unwrap();
        assert!(status.success(), "git {arguments:?}");
    }
    Checkout::discover(root).unwrap()
}

/// Compiles `source` to a program that needs no library.
pub fn static_program(folder: &Path, source: &str) -> std::path::PathBuf {
    let (file, program) = (folder.join("program.rs"), folder.join("program"));
    std::fs::write(&file, source).unwrap();
    let compiled = Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "-C",
            "target-feature=+crt-static",
            "-o",
        ])
        .arg(&program)
        .arg(&file)
        .status()
        .unwrap();
    assert!(compiled.success());
    program
}
