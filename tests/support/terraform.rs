//! Terraform on copies of our modules, so that a run leaves nothing in the checkout.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use super::{skip, tool_named_by};

/// Names the program, where it is not on the PATH.
const PROGRAM: &str = "QUILT_MCP_TERRAFORM";
/// Names a folder with providers (a "filesystem mirror"), where they cannot be downloaded.
const PROVIDERS: &str = "QUILT_MCP_TERRAFORM_PROVIDERS";
/// Names a folder to copy instead of the checkout's `terraform/`.
const FOLDER: &str = "QUILT_MCP_TERRAFORM_FOLDER";
/// Terraform's own variable for its configuration file.
const CONFIGURATION: &str = "TF_CLI_CONFIG_FILE";

/// A module that only has the output `quilt_mcp_environment`, as ours have it.
pub fn output_of(environment: &Value) -> String {
    format!(
        "output \"quilt_mcp_environment\" {{\n  value = jsondecode({:?})\n}}\n",
        environment.to_string()
    )
}

/// Applies a module that needs no provider.
pub fn apply_without_provider(program: &Path, folder: &Path) {
    let output = Command::new(program)
        .args(["apply", "-auto-approve", "-input=false", "-no-color"])
        .current_dir(folder)
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove(CONFIGURATION)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A copy of `terraform/` and a Terraform that has its provider.
pub struct Terraform {
    root: tempfile::TempDir,
    program: PathBuf,
    variables: Vec<(String, String)>,
}

impl Terraform {
    /// A copy of `terraform/`, where Terraform and its AWS provider can be had.
    pub fn copy() -> Option<Self> {
        let program = tool_named_by(PROGRAM, "terraform")?;
        let root = tempfile::tempdir().unwrap();
        let folder = std::env::var_os(FOLDER).map_or(checkout().join("terraform"), PathBuf::from);
        copy(&folder, root.path());
        let terraform = Self {
            root,
            program,
            variables: Vec::new(),
        };
        terraform.write_configuration();
        static PROVIDER: OnceLock<Result<(), String>> = OnceLock::new();
        match PROVIDER.get_or_init(|| terraform.find_provider()) {
            Ok(()) => Some(terraform),
            Err(why) => {
                skip(&format!("terraform cannot get its AWS provider: {why}"));
                None
            }
        }
    }

    /// Sets an environment variable for Terraform.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in the copy.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Writes a file in the copy.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs Terraform in a folder of the copy, however it ends.
    pub fn attempt(&self, folder: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.path(folder))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_CLI_ARGS", "-no-color")
            .env_remove("AWS_PROFILE")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        let configuration = self.path("terraform.rc");
        if configuration.is_file() {
            command.env(CONFIGURATION, configuration);
        }
        command.output().unwrap()
    }

    /// Runs Terraform in a folder of the copy; gives what it printed.
    pub fn run(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.attempt(folder, arguments);
        assert!(
            output.status.success(),
            "terraform {arguments:?} in {folder}: {}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Prepares a folder of the copy, without its backend.
    pub fn init(&self, folder: &str) {
        self.run(folder, &["init", "-backend=false", "-input=false"]);
    }

    /// The plan of a folder that was prepared, as JSON.
    pub fn plan(&self, folder: &str) -> Value {
        let file = self.path("plan.bin");
        let out = format!("-out={}", file.display());
        self.run(folder, &["plan", "-input=false", "-lock=false", &out]);
        let shown = self.run(folder, &["show", "-json", file.to_str().unwrap()]);
        serde_json::from_str(&shown).unwrap()
    }

    /// The folder with the mirrored providers where one is named; the user's own configuration
    /// where that is a file; else Terraform's defaults.
    fn write_configuration(&self) {
        if let Some(providers) = std::env::var_os(PROVIDERS) {
            let providers = PathBuf::from(providers);
            assert!(providers.is_dir(), "{PROVIDERS} names no folder");
            let text = format!(
                "provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n",
                providers.display().to_string()
            );
            self.write("terraform.rc", &text);
        } else if std::env::var_os(CONFIGURATION).is_some_and(|path| !Path::new(&path).is_file()) {
            self.write("terraform.rc", "");
        }
    }

    fn find_provider(&self) -> Result<(), String> {
        let versions = self.path("modules/mcp-service/versions.tf");
        self.write("probe/main.tf", &std::fs::read_to_string(versions).unwrap());
        let output = self.attempt("probe", &["init", "-backend=false", "-input=false"]);
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.split_whitespace().collect();
        Err(said.join(" "))
    }
}

/// The folder of the workspace.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies a folder, without what Terraform leaves in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let left = name.to_string_lossy();
        if left == ".terraform" || left == ".terraform.lock.hcl" || left.contains(".tfstate") {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
