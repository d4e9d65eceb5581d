//! Finding the checkout: real repositories, made by git.

use std::path::Path;
use std::process::Command;

use quilt_mcp_deploy::image::{Checkout, Digest, SourceError};

const DATE: &str = "2026-03-04T05:06:07Z";

fn git(directory: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .env("GIT_COMMITTER_DATE", DATE)
        .env("GIT_AUTHOR_DATE", DATE)
        .status()
        .expect("git runs");
    assert!(status.success(), "git {arguments:?}");
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A workspace with one commit.
fn workspace(root: &Path) {
    git(root, &["init", "--quiet", "--initial-branch=main"]);
    write(
        root,
        "Cargo.toml",
        "[workspace.package]\nversion = \"1.4.0\"\nrepository = \"https://example.com/source\"\n",
    );
    write(
        root,
        "server/Cargo.toml",
        "[package]\nname = \"quilt-mcp-server\"\nversion.workspace = true\nrepository.workspace = true\n",
    );
    write(root, "README.md", "read me\n");
    write(root, ".gitignore", "/target\n");
    git(root, &["add", "."]);
    git(root, &["commit", "--quiet", "--message", "first"]);
}

#[test]
fn describes_a_clean_checkout_from_any_folder_in_it() {
    let folder = tempfile::tempdir().unwrap();
    workspace(folder.path());
    git(
        folder.path(),
        &[
            "remote",
            "add",
            "origin",
            "https://user:t0ken@example.com/a.git",
        ],
    );

    let checkout = Checkout::discover(&folder.path().join("server")).unwrap();

    assert_eq!(checkout.root, folder.path().canonicalize().unwrap());
    assert_eq!(checkout.commit.len(), 40);
    assert_eq!(checkout.committed_at.to_string(), DATE);
    assert_eq!(checkout.version, "1.4.0");
    assert_eq!(
        checkout.repository.as_deref(),
        Some("https://example.com/source")
    );
    assert_eq!(
        checkout.origin.as_deref(),
        Some("https://example.com/a.git")
    );
    assert_eq!(checkout.changes, Vec::<String>::new());
    assert_eq!(
        checkout.clean_tag().unwrap().to_string(),
        format!("1.4.0-{}", &checkout.commit[..7])
    );
}

#[test]
fn only_what_can_change_the_image_or_the_commit_makes_it_dirty() {
    for (path, expected) in [
        ("server/src/new.rs", true),
        ("README.md", true),
        ("notes.txt", false),
        ("quilt-mcp.toml", false),
        ("target/junk", false),
        (".cargo/config.toml", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        workspace(folder.path());
        write(folder.path(), path, "changed\n");
        let checkout = Checkout::discover(folder.path()).unwrap();
        assert_eq!(checkout.is_dirty(), expected, "{path}");
        if expected {
            assert_eq!(checkout.changes, [path]);
            assert!(checkout.tag(&Digest::of(b"")).as_str().contains("-dirty-"));
        }
    }
}

#[test]
fn a_staged_or_deleted_file_makes_it_dirty() {
    let folder = tempfile::tempdir().unwrap();
    workspace(folder.path());
    write(folder.path(), "docs/new.md", "new\n");
    git(folder.path(), &["add", "docs/new.md"]);
    std::fs::remove_file(folder.path().join("README.md")).unwrap();
    let mut changes = Checkout::discover(folder.path()).unwrap().changes;
    changes.sort();
    assert_eq!(changes, ["README.md", "docs/new.md"]);
}

#[test]
fn says_what_is_missing() {
    let nothing = tempfile::tempdir().unwrap();
    let error = Checkout::discover(nothing.path()).unwrap_err();
    assert!(matches!(error, SourceError::NotARepository(_)), "{error}");

    let empty = tempfile::tempdir().unwrap();
    git(empty.path(), &["init", "--quiet"]);
    let error = Checkout::discover(empty.path()).unwrap_err();
    assert!(
        matches!(error, SourceError::NotThisWorkspace { .. }),
        "{error}"
    );

    let uncommitted = tempfile::tempdir().unwrap();
    workspace(uncommitted.path());
    std::fs::remove_dir_all(uncommitted.path().join(".git")).unwrap();
    git(uncommitted.path(), &["init", "--quiet"]);
    let error = Checkout::discover(uncommitted.path()).unwrap_err();
    assert!(matches!(error, SourceError::NoCommit(_)), "{error}");

    let other = tempfile::tempdir().unwrap();
    workspace(other.path());
    write(
        other.path(),
        "server/Cargo.toml",
        "[package]\nname = \"other\"\nversion = \"1.0.0\"\n",
    );
    let error = Checkout::discover(other.path()).unwrap_err();
    assert!(error.to_string().contains("quilt-mcp-server"), "{error}");

    write(other.path(), "server/Cargo.toml", "not toml");
    let error = Checkout::discover(other.path()).unwrap_err();
    assert!(error.to_string().contains("server/Cargo.toml"), "{error}");

    let gone = nothing.path().join("gone");
    let error = Checkout::discover(&gone).unwrap_err();
    assert!(matches!(error, SourceError::Git { .. }), "{error}");
}
