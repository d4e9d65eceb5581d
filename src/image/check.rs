//! What an image must satisfy before it may be published.
//!
//! One function per check, all listed in [`CHECKS`]: to add a rule, write a function that
//! says in one sentence what is wrong, and list it.

use oci_spec::image::Config;
use serde::Serialize;

use super::model::{Image, Platform};

/// One rule: a name for messages and output, and the function that finds what breaks it.
pub struct Check {
    /// What must hold.
    pub rule: &'static str,
    find_fault: fn(&Image) -> Result<(), String>,
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
    let faults: Vec<Fault> = CHECKS
        .iter()
        .filter_map(|check| {
            let reason = (check.find_fault)(image).err()?;
            Some(Fault {
                rule: check.rule,
                reason,
            })
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(CheckError {
            image: image.digest.to_string(),
            faults,
        })
    }
}

fn is_for_linux_amd64(image: &Image) -> Result<(), String> {
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
fn runs_as_numeric_non_root_user(image: &Image) -> Result<(), String> {
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

fn has_absolute_entrypoint(image: &Image) -> Result<(), String> {
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

fn has_layers(image: &Image) -> Result<(), String> {
    if image.layers.is_empty() {
        Err("it has no layers, so it holds no files".to_owned())
    } else {
        Ok(())
    }
}

fn names_its_commit(image: &Image) -> Result<(), String> {
    match image.commit.as_deref() {
        Some(commit) if !commit.is_empty() => Ok(()),
        _ => Err(
            "it has no label org.opencontainers.image.revision, so nobody could say what runs"
                .to_owned(),
        ),
    }
}

fn run_configuration(image: &Image) -> Option<&Config> {
    image.config.config().as_ref()
}

fn reasons(faults: &[Fault]) -> String {
    let reasons: Vec<&str> = faults.iter().map(|fault| fault.reason.as_str()).collect();
    reasons.join("; ")
}
