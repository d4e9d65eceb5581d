//! What an image must satisfy before it may be published.
//!
//! One function per check, all listed in [`CHECKS`]: to add a rule, write a function that
//! says in one sentence what is wrong, and list it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci_spec::image::Config;
use serde::Serialize;

use super::contents::{self, Item};
use super::elf::check_static_x86_64;
use super::model::{Image, Platform};

/// What may be there beside the program: the user database, and how names are looked up.
const ALLOWED_FILES: &[&str] = &["etc/passwd", "etc/group", "etc/nsswitch.conf"];
/// Folders whose files may be there: CA roots.
const ALLOWED_FOLDERS: &[&str] = &["etc/ssl/certs"];
/// Bytes of all files together that are still no reason to ask what else is in there.
const LARGEST: u64 = 256 * 1024 * 1024;
/// Paths that a message names at most.
const SHOWN: usize = 5;

/// An image, and what its layers hold.
pub struct Inspected<'a> {
    image: &'a Image,
    items: BTreeMap<PathBuf, Item>,
}

/// One rule: a name for messages and output, and the function that finds what breaks it.
pub struct Check {
    /// What must hold.
    pub rule: &'static str,
    find_fault: fn(&Inspected<'_>) -> Result<(), String>,
}

/// Every rule, in the order in which faults are reported.
pub const CHECKS: &[Check] = &[
    Check {
        rule: "is for linux/amd64",
        find_fault: is_for_linux_amd64,
    },
    Check {
        rule: "runs as a numeric user other than root",
        find_fault: runs_as_numeric_non_root_user,
    },
    Check {
        rule: "has an absolute entrypoint",
        find_fault: has_absolute_entrypoint,
    },
    Check {
        rule: "has layers",
        find_fault: has_layers,
    },
    Check {
        rule: "holds its program, which needs no other file",
        find_fault: holds_a_static_program,
    },
    Check {
        rule: "holds nothing but its program, CA roots and a user",
        find_fault: holds_no_more_than_it_should,
    },
    Check {
        rule: "gives nobody rights that they do not have",
        find_fault: gives_no_rights,
    },
    Check {
        rule: "says the commit it was built from",
        find_fault: names_its_commit,
    },
];

/// A rule that an image breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The rule ([`Check::rule`]).
    pub rule: &'static str,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// An image that must not be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the image {image} may not be published: {}", reasons(faults))]
pub struct CheckError {
    /// The image's digest.
    pub image: String,
    /// Everything that is wrong with it; never empty.
    pub faults: Vec<Fault>,
}

/// Runs every check.
///
/// # Errors
/// All faults together, when there is one.
pub fn check(image: &Image) -> Result<(), CheckError> {
    let refused = |faults: Vec<Fault>| CheckError {
        image: image.digest.to_string(),
        faults,
    };
    let program = program(image).map(|program| program.trim_start_matches('/').to_owned());
    let items = contents::items(image, program.as_deref().map(Path::new)).map_err(|error| {
        refused(vec![Fault {
            rule: "has layers that can be read",
            reason: error.to_string(),
        }])
    })?;
    let inspected = Inspected { image, items };
    let faults: Vec<Fault> = CHECKS
        .iter()
        .filter_map(|check| {
            let reason = (check.find_fault)(&inspected).err()?;
            Some(Fault {
                rule: check.rule,
                reason,
            })
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(refused(faults))
    }
}

fn is_for_linux_amd64(Inspected { image, .. }: &Inspected<'_>) -> Result<(), String> {
    if image.platform == Platform::TARGET {
        Ok(())
    } else {
        Err(format!(
            "it is for {}, and the service runs on {}: build it for that platform",
            image.platform,
            Platform::TARGET
        ))
    }
}

/// A name could be mapped to uid 0 by the image's own /etc/passwd, so only numbers count
/// (the rule of Kubernetes' `runAsNonRoot`).
fn runs_as_numeric_non_root_user(Inspected { image, .. }: &Inspected<'_>) -> Result<(), String> {
    let user = run_configuration(image)
        .and_then(|config| config.user().clone())
        .unwrap_or_default();
    let fault = |what: &str| {
        Err(format!(
            "{what}: set a numeric user, for example 65532:65532"
        ))
    };
    let name = user.split(':').next().unwrap_or_default();
    match name.parse::<u32>() {
        _ if name.is_empty() => fault("it sets no user and would run as root"),
        Ok(0) => fault("it runs as root (user 0)"),
        Ok(_) => Ok(()),
        Err(_) => fault(&format!("its user `{user}` is not a number")),
    }
}

fn has_absolute_entrypoint(Inspected { image, .. }: &Inspected<'_>) -> Result<(), String> {
    let entrypoint = run_configuration(image)
        .and_then(|config| config.entrypoint().clone())
        .unwrap_or_default();
    match entrypoint.first() {
        None => Err("it has no entrypoint, so a task would not know what to start".to_owned()),
        Some(program) if program.starts_with('/') => Ok(()),
        Some(program) => Err(format!(
            "its entrypoint `{program}` is looked up in PATH: give the absolute path"
        )),
    }
}

fn has_layers(Inspected { image, .. }: &Inspected<'_>) -> Result<(), String> {
    if image.layers.is_empty() {
        Err("it has no layers, so it holds no files".to_owned())
    } else {
        Ok(())
    }
}

fn names_its_commit(Inspected { image, .. }: &Inspected<'_>) -> Result<(), String> {
    match image.commit.as_deref() {
        Some(commit) if !commit.is_empty() => Ok(()),
        _ => Err(
            "it has no label org.opencontainers.image.revision, so nobody could say what runs"
                .to_owned(),
        ),
    }
}

fn holds_a_static_program(inspected: &Inspected<'_>) -> Result<(), String> {
    let Some(program) = program(inspected.image) else {
        return Ok(());
    };
    let path = Path::new(program.trim_start_matches('/'));
    let Some(item) = inspected.items.get(path) else {
        return Err(format!("its program {program} is not in it"));
    };
    if item.mode & 0o111 == 0 {
        return Err(format!(
            "its program {program} may not be executed (mode {:o})",
            item.mode
        ));
    }
    check_static_x86_64(item.content.as_deref().unwrap_or_default())
        .map_err(|reason| format!("its program {program} would not start in it: {reason}"))
}

fn holds_no_more_than_it_should(inspected: &Inspected<'_>) -> Result<(), String> {
    let program = program(inspected.image);
    let program = program
        .as_deref()
        .map(|program| Path::new(program.trim_start_matches('/')));
    let is_data = |item: &Item| item.kind.is_file() && item.mode & 0o111 == 0;
    let is_listed = |path: &Path| {
        ALLOWED_FILES.iter().any(|file| path == Path::new(file))
            || ALLOWED_FOLDERS
                .iter()
                .any(|folder| path.starts_with(folder))
    };
    let is_allowed = |path: &Path, item: &Item| {
        item.kind.is_dir() || Some(path) == program || (is_data(item) && is_listed(path))
    };
    let others = inspected
        .items
        .iter()
        .filter(|(path, item)| !is_allowed(path, item));
    let others: Vec<String> = others
        .map(|(path, _)| format!("/{}", path.display()))
        .collect();
    if !others.is_empty() {
        let more = if others.len() > SHOWN { ", …" } else { "" };
        return Err(format!(
            "it holds {} files that the server does not need ({}{more}): build it from scratch, as server/Dockerfile does",
            others.len(),
            others[..others.len().min(SHOWN)].join(", ")
        ));
    }
    let size: u64 = inspected.items.values().map(|item| item.size).sum();
    if size > LARGEST {
        return Err(format!("its files have {size} bytes, more than {LARGEST}"));
    }
    Ok(())
}

/// No set-user-id or set-group-id bit, and nothing that another user may write.
fn gives_no_rights(inspected: &Inspected<'_>) -> Result<(), String> {
    let gives = |(_, item): &(&PathBuf, &Item)| {
        item.mode & 0o6000 != 0 || (item.mode & 0o002 != 0 && !item.kind.is_symlink())
    };
    match inspected.items.iter().find(gives) {
        None => Ok(()),
        Some((path, item)) => Err(format!(
            "/{} has the mode {:o}: take away set-user-id, set-group-id and others' right to write",
            path.display(),
            item.mode
        )),
    }
}

fn program(image: &Image) -> Option<String> {
    run_configuration(image)?
        .entrypoint()
        .as_ref()?
        .first()
        .cloned()
}

fn run_configuration(image: &Image) -> Option<&Config> {
    image.config.config().as_ref()
}

fn reasons(faults: &[Fault]) -> String {
    let reasons: Vec<&str> = faults.iter().map(|fault| fault.reason.as_str()).collect();
    reasons.join("; ")
}
