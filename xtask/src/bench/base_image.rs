//! The base image of `server/Dockerfile`, made of what is on this machine: its Rust toolchain, its
//! C compiler with all that this needs, and the crates of the lock file, so that a build asks no
//! network for anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::world::World;
use super::{program, quietly};
use crate::command;

const NAME: &str = "quilt-mcp-bench-base:latest";
/// Debian's packages of what the Dockerfile's steps run.
const PACKAGES: &[&str] = &["ca-certificates", "coreutils", "dash", "gcc", "libc6-dev"];
/// What their installation made; no package lists these.
const MADE: &[&str] = &[
    "/bin/sh",
    "/etc/alternatives/cc",
    "/etc/ssl/certs/ca-certificates.crt",
    "/usr/bin/cc",
];
/// Of the Rust toolchain, what compiles for this target.
const TOOLCHAIN: &[&str] = &[
    "bin/cargo",
    "bin/rustc",
    "lib/rustlib/x86_64-unknown-linux-gnu",
];
/// The native builder gives the crates' folder this name, wherever it is.
const SETTINGS: &[&str] = &[
    "ENV PATH=/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV CARGO_HOME=/cargo",
    "ENV CARGO_NET_OFFLINE=true",
];

/// Makes the image and gives its name.
///
/// # Errors
/// Where the packages are not Debian's, or a crate cannot be had.
pub fn make(world: &World) -> anyhow::Result<String> {
    let root = world.folder().join("base");
    let tmp = root.join("tmp");
    fs::create_dir_all(&tmp)?;
    fs::set_permissions(&tmp, std::os::unix::fs::PermissionsExt::from_mode(0o1777))?;
    let crates = crates(world)?;
    let sysroot = sysroot()?;
    let archive = world.folder().join("base.tar");
    pack(&archive, Path::new("/"), &system_files()?, "")?;
    pack(&archive, &sysroot, &toolchain_files(&sysroot)?, "rust/")?;
    pack(&archive, &root, &[PathBuf::from("tmp")], "")?;
    pack(&archive, &crates, &[PathBuf::from("registry")], "cargo/")?;
    let archive_name = archive.display().to_string();
    let mut import = vec!["import"];
    for setting in SETTINGS {
        import.extend(["--change", setting]);
    }
    import.extend([&archive_name, NAME]);
    world.docker(&import)?;
    fs::remove_file(archive)?;
    Ok(NAME.to_owned())
}

/// A cargo home with what the lock file names for this target.
fn crates(world: &World) -> anyhow::Result<PathBuf> {
    let home = world.tools().join("bench-cargo");
    let mut fetch = command::cargo();
    fetch
        .current_dir(world.workspace())
        .args(["fetch", "--locked", "--target", "x86_64-unknown-linux-gnu"])
        .env("CARGO_HOME", &home);
    quietly(&mut fetch)?;
    Ok(home)
}

fn sysroot() -> anyhow::Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    let printed = command::capture(rustc.args(["--print", "sysroot"]))?;
    fs::canonicalize(printed.trim_end()).context("the Rust toolchain cannot be read")
}

fn toolchain_files(sysroot: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = TOOLCHAIN.iter().map(PathBuf::from).collect();
    for entry in fs::read_dir(sysroot.join("lib"))? {
        let name = entry?.file_name();
        if name.to_string_lossy().contains(".so") {
            files.push(Path::new("lib").join(name));
        }
    }
    Ok(files)
}

/// The files of the packages and of those they depend on.
fn system_files() -> anyhow::Result<Vec<PathBuf>> {
    let mut depends = Command::new(
        program("apt-cache")
            .context("no base image can be made here; name one with --rust-image")?,
    );
    depends.args(["depends", "--recurse", "--installed"]).args([
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        "--no-enhances",
    ]);
    let printed = command::capture(depends.args(PACKAGES))?;
    // A package begins a line; what it depends on is indented, and virtual ones are in brackets.
    let packages: BTreeSet<&str> = printed
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()))
        .collect();
    let mut list = Command::new("dpkg-query");
    let listed = command::capture(list.arg("--listfiles").args(packages))?;
    let files: BTreeSet<&Path> = listed
        .lines()
        .chain(MADE.iter().copied())
        .map(Path::new)
        .filter(|path| belongs(path))
        .collect();
    let relative = files.iter().filter_map(|path| path.strip_prefix("/").ok());
    Ok(relative.map(Path::to_owned).collect())
}

/// No folders, which come with their files; not `/bin` and its like, which are links to folders.
fn belongs(path: &Path) -> bool {
    let at_the_top = path.parent() == Some(Path::new("/"));
    !at_the_top
        && !path.starts_with("/usr/share")
        && path
            .symlink_metadata()
            .is_ok_and(|metadata| !metadata.is_dir())
}

/// Adds to an archive what is in `folder`, with a prefix before each name.
fn pack(archive: &Path, folder: &Path, names: &[PathBuf], prefix: &str) -> anyhow::Result<()> {
    let names: Vec<_> = names
        .iter()
        .map(|name| name.display().to_string())
        .collect();
    let list = archive.with_extension("list");
    fs::write(&list, names.join("\n"))?;
    let mut tar = Command::new(program("tar")?);
    tar.arg("--append")
        .arg("--file")
        .arg(archive)
        .args(["--owner=0", "--group=0", "--numeric-owner"])
        // Names alone: a link's target stays as it is.
        .arg(format!("--transform=s,^,{prefix},S"))
        .arg("--directory")
        .arg(folder)
        .arg("--files-from")
        .arg(&list);
    quietly(&mut tar)?;
    fs::remove_file(list).context("a list of files cannot be removed")
}
