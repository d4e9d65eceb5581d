//! Configuration files of cargo's that lie outside the checkout and apply to it all the same.
//!
//! Most of what they may say is about the network, or is overruled by what we tell cargo. The rest
//! would give another binary on this machine than elsewhere, and cannot be overruled.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::BuildError;

/// Tables that change the binary and cannot be overruled.
const TABLES: &[&str] = &["env", "host", "include", "patch", "paths", "unstable"];
/// What `image`, the profile of the server, is made of.
const PROFILES: &[&str] = &["image", "release"];

/// Refuses what cannot be overruled (The Cargo Book, "Configuration").
pub fn check(checkout: &Path, cargo_home: &Path) -> Result<(), BuildError> {
    for file in files(checkout, cargo_home) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        // What cargo cannot read it says itself.
        let settings = text.parse::<Table>().unwrap_or_default();
        if let Some(setting) = settings_that_leak(&settings).into_iter().next() {
            return Err(BuildError::ForeignConfig { file, setting });
        }
    }
    Ok(())
}

/// Every file outside the checkout that cargo would read, once.
fn files(checkout: &Path, cargo_home: &Path) -> Vec<PathBuf> {
    let above = checkout.ancestors().skip(1);
    let mut folders: Vec<PathBuf> = above.map(|folder| folder.join(".cargo")).collect();
    if !folders.iter().any(|folder| folder == cargo_home) {
        folders.push(cargo_home.to_owned());
    }
    // Where both names are there, cargo takes the old one.
    let names = ["config", "config.toml"];
    let file = |folder: &PathBuf| {
        let files = names.iter().map(|name| folder.join(name));
        files.into_iter().find(|file| file.is_file())
    };
    folders.iter().filter_map(file).collect()
}

fn settings_that_leak(settings: &Table) -> Vec<String> {
    let mut leaks: Vec<String> = TABLES
        .iter()
        .filter(|name| settings.get(**name).is_some_and(|value| !is_empty(value)))
        .map(|name| (*name).to_owned())
        .collect();
    let tables = |name: &str| settings.get(name).and_then(Value::as_table);
    if tables("build").is_some_and(|build| build.contains_key("rustc")) {
        leaks.push("build.rustc".to_owned());
    }
    if let Some(profiles) = tables("profile") {
        let ours = PROFILES.iter().filter(|name| profiles.contains_key(**name));
        leaks.extend(ours.map(|name| format!("profile.{name}")));
    }
    for (target, keys) in tables("target").into_iter().flatten() {
        // A linker; and tables, which stand for build scripts. Flags are overruled, and a runner
        // runs nothing here.
        let keys = keys.as_table().into_iter().flatten();
        let leaking = keys.filter(|(key, value)| *key == "linker" || value.is_table());
        leaks.extend(leaking.map(|(key, _)| format!("target.{target}.{key}")));
    }
    leaks
}

fn is_empty(value: &Value) -> bool {
    value.as_table().is_some_and(Table::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_or_overruled_may_stay() {
        let harmless = r#"
            [build]
            jobs = 4
            rustflags = ["-Ctarget-cpu=native"]
            rustc-wrapper = "sccache"
            target-dir = "/var/cache/target"
            [target.x86_64-unknown-linux-gnu]
            rustflags = ["-Clink-arg=-fuse-ld=mold"]
            runner = "qemu-x86_64"
            [profile.dev]
            debug = 1
            [env]
            [net]
            git-fetch-with-cli = true
            [http]
            proxy = "http://proxy.example.com:3128"
            [source.crates-io]
            replace-with = "ours"
            [registries.ours]
            index = "sparse+https://crates.example.com/"
        "#;
        assert!(settings_that_leak(&harmless.parse().unwrap()).is_empty());
    }

    #[test]
    fn what_changes_the_binary_is_named() {
        for (text, setting) in [
            ("[env]\nX = \"y\"", "env"),
            ("paths = [\"/other\"]", "paths"),
            ("include = [\"other.toml\"]", "include"),
            ("[patch.crates-io]\nx = { path = \"y\" }", "patch"),
            ("[unstable]\nbuild-std = [\"std\"]", "unstable"),
            ("[build]\nrustc = \"other\"", "build.rustc"),
            ("[profile.image]\nopt-level = 1", "profile.image"),
            ("[profile.release]\nopt-level = 1", "profile.release"),
            ("[target.t]\nlinker = \"lld\"", "target.t.linker"),
            ("[target.t.z]\nrustc-cfg = [\"x\"]", "target.t.z"),
        ] {
            assert_eq!(settings_that_leak(&text.parse().unwrap()), [setting]);
        }
    }

    #[test]
    fn only_files_outside_the_checkout_count() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = folder.path().join("a/checkout");
        let home = folder.path().join("home");
        for place in [&checkout, &home] {
            std::fs::create_dir_all(place.join(".cargo")).unwrap();
        }
        let setting = "[env]\nX = \"y\"\n";
        std::fs::write(checkout.join(".cargo/config.toml"), setting).unwrap();
        check(&checkout, &home).unwrap();

        std::fs::write(home.join("config.toml"), setting).unwrap();
        let error = check(&checkout, &home).unwrap_err().to_string();
        assert!(
            error.contains("home/config.toml") && error.contains("`env`"),
            "{error}"
        );

        std::fs::remove_file(home.join("config.toml")).unwrap();
        std::fs::create_dir_all(folder.path().join("a/.cargo")).unwrap();
        std::fs::write(folder.path().join("a/.cargo/config"), setting).unwrap();
        let error = check(&checkout, &home).unwrap_err().to_string();
        assert!(error.contains("a/.cargo/config"), "{error}");
    }
}
