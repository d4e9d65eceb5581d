//! What the compiler is told by its surroundings, made the same on every machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::toolchain::{Target, Toolchain};

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`, so that they may contain spaces.
const FLAG_SEPARATOR: &str = "\u{1f}";

/// Takes away every inherited variable but those that a machine needs to find its programs, its
/// folders and the network. Whatever else a compiler or a build script might read, be it `CC`,
/// `CPATH` or `AWS_LC_SYS_CFLAGS`, could change the binary.
pub fn scrub(command: &mut Command) {
    command.env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept)));
    // What the linker says is read, and it speaks many languages.
    command.env("LC_ALL", "C");
}

/// Where programs, folders and the user's agents are.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "CARGO_HOME",
    "CARGO_BUILD_JOBS",
    "RUST_BACKTRACE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "SSH_ASKPASS",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "GIT_TERMINAL_PROMPT",
];

/// How the network is reached, with what credentials, and what rustup and a compiler of Nix's need
/// to be themselves.
const KEPT_PREFIXES: &[&str] = &[
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "GIT_CONFIG_",
    "GIT_SSL_",
    "NIX_",
    "RUSTUP_",
];

fn is_kept(name: &str) -> bool {
    // The checkout's rust-toolchain.toml decides, not the command that started us.
    if name.starts_with("RUSTUP_TOOLCHAIN") {
        return false;
    }
    let is_proxy = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]
        .contains(&name.to_ascii_lowercase().as_str());
    is_proxy || KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
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
        // These go before what configuration files say under [build] and [target].
        ("RUSTC_WRAPPER", "".into()),
        ("RUSTC_WORKSPACE_WRAPPER", "".into()),
        ("CARGO_INCREMENTAL", "0".into()),
        ("CARGO_BUILD_BUILD_DIR", folders.target.into()),
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
    fn only_what_finds_programs_and_the_network_is_inherited() {
        for (name, kept) in [
            ("RUSTFLAGS", false),
            ("CARGO_ENCODED_RUSTFLAGS", false),
            ("CARGO_BUILD_RUSTFLAGS", false),
            ("CARGO_BUILD_TARGET", false),
            ("CARGO_PROFILE_IMAGE_LTO", false),
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", false),
            ("CARGO_UNSTABLE_BUILD_STD", false),
            ("RUSTUP_TOOLCHAIN", false),
            ("RUSTC", false),
            ("RUSTC_WRAPPER", false),
            ("RUSTC_BOOTSTRAP", false),
            ("CC", false),
            ("AR", false),
            ("CFLAGS_x86_64_unknown_linux_gnu", false),
            ("CPATH", false),
            ("C_INCLUDE_PATH", false),
            ("LIBRARY_PATH", false),
            ("AWS_LC_SYS_CFLAGS", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("SOURCE_DATE_EPOCH", false),
            ("CARGO_BUILD_JOBS", true),
            ("CARGO_HOME", true),
            ("CARGO_NET_OFFLINE", true),
            ("CARGO_REGISTRIES_OURS_TOKEN", true),
            ("RUSTUP_HOME", true),
            ("PATH", true),
            ("HTTPS_PROXY", true),
            ("no_proxy", true),
        ] {
            assert_eq!(is_kept(name), kept, "{name}");
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
            c_compiler: None,
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
