//! What the compiler is told by its surroundings, made the same on every machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::toolchain::{Target, Toolchain};

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`, so that they may contain spaces.
const FLAG_SEPARATOR: &str = "\u{1f}";

/// Takes away every inherited variable that could change the binary.
pub fn scrub(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(changes_the_binary) {
            command.env_remove(name);
        }
    }
}

fn changes_the_binary(name: &str) -> bool {
    match name {
        // These decide where and how fast, not what.
        "CARGO_TARGET_DIR" | "CARGO_BUILD_JOBS" => false,
        // The checkout's rust-toolchain.toml decides, not the command that started us.
        "RUSTUP_TOOLCHAIN" | "RUSTC" => true,
        "RUSTFLAGS" | "CARGO_ENCODED_RUSTFLAGS" | "CARGO_INCREMENTAL" => true,
        "CFLAGS" | "CXXFLAGS" | "CPPFLAGS" | "LDFLAGS" | "TARGET_CFLAGS" | "TARGET_CXXFLAGS" => {
            true
        }
        _ => [
            "CARGO_BUILD_",
            "CARGO_PROFILE_",
            "CARGO_TARGET_",
            "CFLAGS_",
            "CXXFLAGS_",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix)),
    }
}

/// Variables for cargo: static linking, and no trace of this machine's folders in the binary.
pub fn variables(toolchain: &Toolchain, folders: &Folders<'_>) -> Vec<(&'static str, OsString)> {
    let (cflags, cxxflags) = match toolchain.target {
        Target::Gnu => (
            "CFLAGS_x86_64_unknown_linux_gnu",
            "CXXFLAGS_x86_64_unknown_linux_gnu",
        ),
        Target::Musl => (
            "CFLAGS_x86_64_unknown_linux_musl",
            "CXXFLAGS_x86_64_unknown_linux_musl",
        ),
    };
    let c_compiler_flags = c_compiler_flags(folders);
    vec![
        ("CARGO_ENCODED_RUSTFLAGS", rust_flags(toolchain, folders)),
        (cflags, c_compiler_flags.clone()),
        (cxxflags, c_compiler_flags),
        // Lets the crate `cc` read the quotes in the flags above.
        ("CC_SHELL_ESCAPED_FLAGS", "1".into()),
        // See reproducible-builds.org: stands for the current time in build scripts. Not the
        // commit's time, or every commit would compile the C code of every crate again.
        ("SOURCE_DATE_EPOCH", "0".into()),
    ]
}

/// The folders whose names must not get into the binary.
pub struct Folders<'a> {
    pub checkout: &'a Path,
    pub cargo_home: &'a Path,
    pub target: &'a Path,
}

impl Folders<'_> {
    /// What each folder is called in the binary. Where several fit, compilers take the
    /// last, so a folder within another comes after it.
    fn new_names(&self) -> Vec<(PathBuf, &'static str)> {
        let mut names = vec![
            (self.checkout.to_owned(), "/source"),
            (self.cargo_home.to_owned(), "/cargo"),
            (self.target.to_owned(), "/target"),
        ];
        names.sort_by_key(|(folder, _)| folder.components().count());
        names
    }
}

fn rust_flags(toolchain: &Toolchain, folders: &Folders<'_>) -> OsString {
    // Only rustup's component rust-src puts these paths into binaries; the other name is
    // the one they have without it.
    let library_source = toolchain.sysroot.join("lib/rustlib/src/rust");
    let library_name = format!("/rustc/{}", toolchain.compiler_commit);
    let mut names = folders.new_names();
    names.push((library_source, &library_name));

    let mut flags = vec![
        OsString::from("-Ctarget-feature=+crt-static"),
        // A hash of the unstripped binary, which some linkers add, differs where nothing else does.
        OsString::from("-Clink-arg=-Wl,--build-id=none"),
    ];
    flags.extend(names.into_iter().map(|(folder, name)| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(folder);
        flag.push("=");
        flag.push(name);
        flag
    }));
    flags.join(FLAG_SEPARATOR.as_ref())
}

fn c_compiler_flags(folders: &Folders<'_>) -> OsString {
    let mut flags = OsString::new();
    for (folder, name) in folders.new_names() {
        let folder = folder.to_string_lossy().replace('\'', r"'\''");
        flags.push(format!("'-ffile-prefix-map={folder}={name}' "));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_flags_do_not_reach_the_compiler() {
        for (name, changes) in [
            ("RUSTFLAGS", true),
            ("CARGO_ENCODED_RUSTFLAGS", true),
            ("CARGO_BUILD_RUSTFLAGS", true),
            ("CARGO_BUILD_TARGET", true),
            ("CARGO_PROFILE_IMAGE_LTO", true),
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", true),
            ("RUSTUP_TOOLCHAIN", true),
            ("CFLAGS_x86_64_unknown_linux_gnu", true),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_BUILD_JOBS", false),
            ("CARGO_HOME", false),
            ("CARGO_NET_OFFLINE", false),
            ("RUSTC_WRAPPER", false),
            ("PATH", false),
            ("HTTPS_PROXY", false),
        ] {
            assert_eq!(changes_the_binary(name), changes, "{name}");
        }
    }

    #[test]
    fn the_innermost_folder_is_renamed_last() {
        let folders = Folders {
            target: Path::new("/home/a b/source/target"),
            checkout: Path::new("/home/a b/source"),
            cargo_home: Path::new("/home/a b/.cargo"),
        };
        let toolchain = Toolchain {
            sysroot: "/opt/rust".into(),
            compiler_commit: "abc".into(),
            target: Target::Gnu,
        };
        let flags = rust_flags(&toolchain, &folders).into_string().unwrap();
        let flags: Vec<&str> = flags.split(FLAG_SEPARATOR).collect();
        assert_eq!(
            flags,
            [
                "-Ctarget-feature=+crt-static",
                "-Clink-arg=-Wl,--build-id=none",
                "--remap-path-prefix=/home/a b/source=/source",
                "--remap-path-prefix=/home/a b/.cargo=/cargo",
                "--remap-path-prefix=/home/a b/source/target=/target",
                "--remap-path-prefix=/opt/rust/lib/rustlib/src/rust=/rustc/abc",
            ]
        );
        let flags = c_compiler_flags(&folders).into_string().unwrap();
        assert!(
            flags.contains("'-ffile-prefix-map=/home/a b/source/target=/target' "),
            "{flags}"
        );
    }
}
