//! The checkout that an image is built from: which commit, which version, changed or not.
//!
//! Everything is asked of the `git` program, so that the user's own configuration of
//! repositories, worktrees and safe folders holds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use super::digest::Digest;
use super::program::{NoAnswer, ask};
use super::reference::Tag;

/// The crate that becomes the image's only binary.
pub const SERVER_PACKAGE: &str = "quilt-mcp-server";

/// Where the server's manifest is in the checkout; it tells this workspace from any other.
const SERVER_MANIFEST: &str = "server/Cargo.toml";

/// What decides the image's content: a new file elsewhere cannot change it.
const BUILD_INPUTS: [&str; 6] = [
    "server",
    ".cargo",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
];

/// Digits of the commit in a tag. Fixed, because git's own abbreviation grows with the
/// clone, and two clones of one commit must give one tag.
const SHORT_COMMIT: usize = 7;

/// A git checkout of this workspace at one commit.
#[derive(Debug, Clone, Serialize)]
pub struct Checkout {
    /// The checkout's top folder.
    pub root: PathBuf,
    /// The commit's full id.
    pub commit: String,
    /// When the commit was made (the committer's date).
    pub committed_at: Timestamp,
    /// Paths that differ from the commit: changed tracked files, and new files that the build may read.
    pub changes: Vec<String>,
    /// Version of the server, from its Cargo.toml.
    pub version: String,
    /// Where the project says its source is (`package.repository`); part of the image.
    pub repository: Option<String>,
    /// Address of the remote `origin`, without credentials; not part of the image, because
    /// it differs between two clones of one commit.
    pub origin: Option<String>,
}

impl Checkout {
    /// Finds the checkout that holds `directory`.
    ///
    /// # Errors
    /// When git is missing or fails, when `directory` is in no git repository, when there is
    /// no commit yet, and when the repository is not this workspace.
    pub fn discover(directory: &Path) -> Result<Self, SourceError> {
        let root = find_root(directory)?;
        let manifest = ServerManifest::read(&root)?;
        let (head, changes, origin) = thread::scope(|scope| {
            let changes = scope.spawn(|| changes(&root));
            let origin = scope.spawn(|| origin(&root));
            (head_commit(&root), joined(changes), joined(origin))
        });
        let (commit, committed_at) = head?;
        Ok(Self {
            changes: changes?,
            origin,
            version: manifest.version,
            repository: manifest.repository,
            root,
            commit,
            committed_at,
        })
    }

    /// Every file that git does not ignore, tracked or not, relative to the top folder. A
    /// tracked file may be gone from the disk.
    ///
    /// # Errors
    /// When git fails.
    pub fn files(&self) -> Result<Vec<PathBuf>, SourceError> {
        let arguments = [
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ];
        let listed = git(&self.root, &arguments)?;
        let paths = listed.split('\0').filter(|path| !path.is_empty());
        Ok(paths.map(PathBuf::from).collect())
    }

    /// Whether the files differ from the commit.
    pub fn is_dirty(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The first of the files that differ, for a message.
    pub fn shown_changes(&self) -> String {
        const SHOWN: usize = 5;
        let shown = self.changes[..self.changes.len().min(SHOWN)].join(", ");
        match self.changes.len() > SHOWN {
            true => shown + ", …",
            false => shown,
        }
    }

    /// The first seven digits of the commit.
    pub fn short_commit(&self) -> &str {
        &self.commit[..SHORT_COMMIT.min(self.commit.len())]
    }

    /// What the image says it was built from: the commit, with `-dirty` when the files
    /// differ from it, so that nobody takes the image for that commit's.
    pub fn revision(&self) -> String {
        if self.is_dirty() {
            format!("{}-dirty", self.commit)
        } else {
            self.commit.clone()
        }
    }

    /// The tag for an image of the unchanged commit, `1.4.0-3f2a9c1`; `None` when the tree
    /// is dirty, because then the tag needs the image's digest ([`Checkout::tag`]).
    pub fn clean_tag(&self) -> Option<Tag> {
        (!self.is_dirty()).then(|| self.tag_with(""))
    }

    /// The tag for an image built from this checkout: that of the commit, and for a dirty
    /// tree with `-dirty-` and the digest's first 12 digits, so that tags stay immutable.
    pub fn tag(&self, digest: &Digest) -> Tag {
        self.clean_tag()
            .unwrap_or_else(|| self.tag_with(&format!("-dirty-{}", digest.short())))
    }

    fn tag_with(&self, suffix: &str) -> Tag {
        // `+` may stand in a version but not in a tag; `_` is what Helm and others put there.
        let version = self.version.replace('+', "_");
        format!("{version}-{}{suffix}", self.short_commit())
            .parse()
            .expect(
                "a version, a commit and a digest make a tag: checked when the manifest was read",
            )
    }
}

/// Why a folder is not a checkout that we can build from.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no `git` program.
    #[error("git was not found on the PATH: install git and run the command again")]
    GitMissing,
    /// The folder is in no git repository.
    #[error(
        "{0} is not in a git repository: run the command in a clone of quilt-mcp-deploy, because an image is named after its commit"
    )]
    NotARepository(PathBuf),
    /// The repository has no commit.
    #[error(
        "the git repository {0} has no commit yet: commit first, because an image is named after its commit"
    )]
    NoCommit(PathBuf),
    /// The repository is not this workspace.
    #[error("the git repository {root} is not a checkout of quilt-mcp-deploy: {reason}")]
    NotThisWorkspace {
        /// The repository's top folder.
        root: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// Another failure of git.
    #[error("`git {arguments}` failed in {directory}: {message}")]
    Git {
        /// What git was asked.
        arguments: String,
        /// Where.
        directory: PathBuf,
        /// What git said, or why it could not be started.
        message: String,
    },
}

fn find_root(directory: &Path) -> Result<PathBuf, SourceError> {
    match git(directory, &["rev-parse", "--show-toplevel"]) {
        Ok(root) => Ok(PathBuf::from(root.trim_end_matches('\n'))),
        Err(SourceError::Git { message, .. }) if message.contains("not a git repository") => {
            Err(SourceError::NotARepository(directory.to_owned()))
        }
        Err(error) => Err(error),
    }
}

fn head_commit(root: &Path) -> Result<(String, Timestamp), SourceError> {
    let arguments = [
        "show",
        "--no-patch",
        "--no-show-signature",
        "--format=%H %ct",
        "HEAD",
    ];
    let answer = git(root, &arguments).map_err(|error| {
        match git(root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]) {
            Ok(_) => error,
            Err(_) => SourceError::NoCommit(root.to_owned()),
        }
    })?;
    let parsed = answer.trim().split_once(' ').and_then(|(commit, seconds)| {
        let committed_at = Timestamp::from_second(seconds.parse().ok()?).ok()?;
        Some((commit.to_owned(), committed_at))
    });
    parsed.ok_or_else(|| SourceError::Git {
        arguments: arguments.join(" "),
        directory: root.to_owned(),
        message: format!("its answer `{}` is not a commit and a time", answer.trim()),
    })
}

fn changes(root: &Path) -> Result<Vec<String>, SourceError> {
    let mut new_files = vec!["ls-files", "--others", "--exclude-standard", "-z", "--"];
    new_files.extend(BUILD_INPUTS);
    let (tracked, untracked) = thread::scope(|scope| {
        let untracked = scope.spawn(|| git(root, &new_files));
        (tracked_changes(root), joined(untracked))
    });
    let untracked = untracked?;
    let untracked = untracked.split('\0').filter(|path| !path.is_empty());
    let mut changes = tracked?;
    changes.extend(untracked.map(str::to_owned));
    Ok(changes)
}

/// The files that differ from HEAD. `git status` may note in the index that it has compared them,
/// which after a clone spares everybody who asks next from reading every file again (git-status(1),
/// "Background refresh").
fn tracked_changes(root: &Path) -> Result<Vec<String>, SourceError> {
    let arguments = [
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=no",
        "--no-renames",
    ];
    let listed = answer(git_command(root), root, &arguments)?;
    let entries = listed.split('\0');
    // Two letters, a blank and the path.
    let paths = entries.filter_map(|entry| entry.get(3..));
    Ok(paths.map(str::to_owned).collect())
}

fn origin(root: &Path) -> Option<String> {
    let address = git(root, &["config", "--get", "remote.origin.url"]).ok()?;
    Some(without_credentials(address.trim()))
}

/// An address with its user and password removed; text that is no URL is a path or the
/// `host:path` form of ssh, which carries a user name at most.
fn without_credentials(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.has_host() => {
            // Both fail only for URLs without a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.into()
        }
        _ => match address.split_once('@') {
            Some((_, rest)) => rest.to_owned(),
            None => address.to_owned(),
        },
    }
}

/// What a thread found; a panic of it goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Asks git, which takes no lock for what nobody asked it to do.
fn git(directory: &Path, arguments: &[&str]) -> Result<String, SourceError> {
    let mut command = git_command(directory);
    command.env("GIT_OPTIONAL_LOCKS", "0");
    answer(command, directory, arguments)
}

fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(directory)
        // Inside a git hook these name the hook's repository, whatever folder we ask about.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_PREFIX")
        .env("LC_ALL", "C");
    command
}

fn answer(
    mut command: Command,
    directory: &Path,
    arguments: &[&str],
) -> Result<String, SourceError> {
    ask(command.args(arguments)).map_err(|error| match error {
        NoAnswer::Missing => SourceError::GitMissing,
        NoAnswer::Failed(message) => SourceError::Git {
            arguments: arguments.join(" "),
            directory: directory.to_owned(),
            message,
        },
    })
}

/// What the image needs to know of the server's Cargo.toml.
struct ServerManifest {
    version: String,
    repository: Option<String>,
}

impl ServerManifest {
    fn read(root: &Path) -> Result<Self, SourceError> {
        let refused = |reason: String| SourceError::NotThisWorkspace {
            root: root.to_owned(),
            reason,
        };
        let manifest = read_toml(&root.join(SERVER_MANIFEST))
            .map_err(|error| refused(format!("{SERVER_MANIFEST}: {error}")))?;
        let workspace = read_toml(&root.join("Cargo.toml"))
            .map_err(|error| refused(format!("Cargo.toml: {error}")))?;
        let name = manifest_field(&manifest, &workspace, "name");
        if name.as_deref() != Some(SERVER_PACKAGE) {
            return Err(refused(format!(
                "{SERVER_MANIFEST} is not the package {SERVER_PACKAGE}"
            )));
        }
        let version = manifest_field(&manifest, &workspace, "version")
            .filter(|version| is_version(version))
            .ok_or_else(|| refused(format!("{SERVER_MANIFEST} has no usable version")))?;
        Ok(Self {
            version,
            repository: manifest_field(&manifest, &workspace, "repository"),
        })
    }
}

fn read_toml(path: &Path) -> Result<toml::Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    text.parse()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

/// A field of `[package]`, or of the workspace where it says `field.workspace = true`.
fn manifest_field(manifest: &toml::Table, workspace: &toml::Table, field: &str) -> Option<String> {
    let own = manifest.get("package")?.get(field)?;
    let inherits = own.get("workspace").and_then(toml::Value::as_bool) == Some(true);
    let value = if inherits {
        workspace.get("workspace")?.get("package")?.get(field)?
    } else {
        own
    };
    value.as_str().map(str::to_owned)
}

/// Whether the text can be the first part of a tag: digits first, nothing that a tag cannot hold,
/// and room for the rest of the tag.
fn is_version(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(version: &str, changes: &[&str]) -> Checkout {
        Checkout {
            root: PathBuf::from("/x"),
            commit: "3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345".into(),
            committed_at: Timestamp::UNIX_EPOCH,
            changes: changes.iter().map(|&path| path.to_owned()).collect(),
            version: version.into(),
            repository: None,
            origin: None,
        }
    }

    #[test]
    fn tags_say_version_and_commit() {
        let digest = Digest::of(b"x");
        let clean = checkout("1.4.0", &[]);
        assert_eq!(clean.clean_tag().unwrap().as_str(), "1.4.0-3f2a9c1");
        assert_eq!(clean.tag(&digest).as_str(), "1.4.0-3f2a9c1");
        assert_eq!(clean.revision(), clean.commit);

        let dirty = checkout("1.4.0-rc.1+exp", &["server/src/main.rs"]);
        assert_eq!(dirty.clean_tag(), None);
        assert_eq!(
            dirty.tag(&digest).as_str(),
            format!("1.4.0-rc.1_exp-3f2a9c1-dirty-{}", digest.short())
        );
        assert_eq!(dirty.revision(), format!("{}-dirty", dirty.commit));
    }

    #[test]
    fn addresses_lose_their_credentials() {
        for (address, expected) in [
            ("https://github.com/a/b.git", "https://github.com/a/b.git"),
            (
                "https://user:t0ken@github.com/a/b.git",
                "https://github.com/a/b.git",
            ),
            ("https://t0ken@github.com/a/b", "https://github.com/a/b"),
            ("https://host/a?private_token=t0ken", "https://host/a"),
            ("ssh://git@github.com/a/b", "ssh://github.com/a/b"),
            ("git@github.com:a/b.git", "github.com:a/b.git"),
            ("/srv/git/b.git", "/srv/git/b.git"),
        ] {
            assert_eq!(without_credentials(address), expected, "{address}");
        }
    }

    #[test]
    fn versions_that_fit_no_tag_are_refused() {
        for (version, usable) in [
            ("0.1.0", true),
            ("1.0.0-rc.1+5", true),
            ("", false),
            ("v1", false),
            ("1.0/2", false),
            (&"1".repeat(65), false),
        ] {
            assert_eq!(is_version(version), usable, "{version}");
        }
    }
}
