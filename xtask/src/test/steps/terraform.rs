//! Step `terraform`: Terraform with its AWS provider, and checkov.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::{Outcome, node};
use crate::command;
use crate::test::session::Session;

const CHECKOV: &[&str] = &["checkov==3.3.30"];
/// Where Terraform comes from: no registry of packages that we may use has it.
const ADVICE: &str =
    "install Terraform 1.8 or newer from https://developer.hashicorp.com/terraform/install";
/// The module whose provider everything here needs.
const REQUIREMENTS: &str = "terraform/modules/mcp-service/versions.tf";
/// A folder of this name is what a mirror of providers holds.
const REGISTRY: &str = "registry.terraform.io";
/// Where administrators put mirrors, and how deep below.
const MIRRORS: &[&str] = &[
    "/opt",
    "/usr/local",
    "/usr/share",
    "/usr/lib",
    "/srv",
    "/var/lib",
];
const DEPTH: usize = 4;

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let checkov = session.tools.join("venv-checkov");
    if let Err(why) = node::python_environment(&checkov, CHECKOV) {
        return Ok(Outcome::Skipped(why));
    }
    session.export("QUILT_MCP_CHECKOV", checkov.join("bin/checkov"));
    let Some(terraform) = command::on_path("terraform") else {
        return Ok(Outcome::Skipped(format!(
            "terraform is not installed: {ADVICE}"
        )));
    };
    let probe = Probe::new(&terraform, &session.workspace, &session.tools)?;
    match probe.providers() {
        Ok(mirror) => {
            session.export("QUILT_MCP_TERRAFORM", &terraform);
            if let Some(mirror) = mirror {
                session.export("QUILT_MCP_TERRAFORM_PROVIDERS", mirror);
            }
            Ok(Outcome::Passed)
        }
        Err(error) => Ok(Outcome::Skipped(format!("{error:#}"))),
    }
}

/// An empty configuration that only asks for the provider.
struct Probe {
    terraform: PathBuf,
    folder: PathBuf,
}

impl Probe {
    fn new(terraform: &Path, workspace: &Path, tools: &Path) -> anyhow::Result<Self> {
        let folder = tools.join("terraform");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        fs::copy(workspace.join(REQUIREMENTS), folder.join("versions.tf"))
            .with_context(|| format!("could not read {REQUIREMENTS}"))?;
        Ok(Self {
            terraform: terraform.to_owned(),
            folder,
        })
    }

    /// The mirror that has the provider; none where Terraform gets it as usual.
    fn providers(&self) -> anyhow::Result<Option<PathBuf>> {
        let usual = match self.init(None) {
            Ok(()) => return Ok(None),
            Err(error) => error,
        };
        let found = MIRRORS
            .iter()
            .filter_map(|root| mirror_below(Path::new(root), DEPTH))
            .find(|mirror| self.init(Some(mirror)).is_ok());
        found
            .map(Some)
            .with_context(|| format!("Terraform cannot get its AWS provider: {usual:#}"))
    }

    fn init(&self, mirror: Option<&Path>) -> anyhow::Result<()> {
        let configuration = self.folder.join("terraform.rc");
        let text = mirror.map_or_else(String::new, |mirror| {
            let path = mirror.display().to_string();
            format!(
                "provider_installation {{\n  filesystem_mirror {{\n    path = {path:?}\n  }}\n}}\n"
            )
        });
        fs::write(&configuration, text)?;
        let mut init = Command::new(&self.terraform);
        init.current_dir(&self.folder)
            .args(["init", "-input=false", "-no-color"])
            .env("CHECKPOINT_DISABLE", "1");
        let users_own = std::env::var_os("TF_CLI_CONFIG_FILE");
        if mirror.is_some() || users_own.is_none_or(|path| !Path::new(&path).is_file()) {
            init.env("TF_CLI_CONFIG_FILE", &configuration);
        }
        command::capture(&mut init).map(drop)
    }
}

/// The nearest folder at or below `root` that holds one named [`REGISTRY`].
fn mirror_below(root: &Path, depth: usize) -> Option<PathBuf> {
    if root.file_name() == Some(OsStr::new(".terraform")) {
        return None;
    }
    if root.join(REGISTRY).is_dir() {
        return Some(root.to_owned());
    }
    let depth = depth.checked_sub(1)?;
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
        .iter()
        .find_map(|folder| mirror_below(folder, depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_found_and_a_working_folder_is_none() {
        let root = std::env::temp_dir().join(format!("xtask-mirror-{}", std::process::id()));
        let of_a_project = root.join("a/.terraform/providers").join(REGISTRY);
        fs::create_dir_all(&of_a_project).unwrap();
        assert_eq!(mirror_below(&root, DEPTH), None);
        let mirror = root.join("b/plugins");
        fs::create_dir_all(mirror.join(REGISTRY)).unwrap();
        assert_eq!(mirror_below(&root, DEPTH), Some(mirror));
        assert_eq!(mirror_below(&root, 1), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
