//! Where a guide's commands are run: two local environments, called `local` and `staging`, and
//! `prod`, with the real binary on the `PATH`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::console::{Typed, missing, parts, script};
use crate::markdown::root;
use crate::support::rehearsal::{Ended, Rehearsal};
use crate::support::terraform::{apply_without_provider, output_of};

/// Longer than any guide takes; a command that hangs fails its test.
const PATIENCE_SECONDS: &str = "900";
/// The AWS CLI's profile of the guide's reader.
const PROFILE: &str = "[profile acme-staging]
region = us-east-1
aws_access_key_id = local
aws_secret_access_key = local
";

pub struct Place {
    rehearsal: Rehearsal,
    folder: TempDir,
    with_prod: bool,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    /// Nothing is up yet, and there is no quilt-mcp.toml.
    pub fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self {
            rehearsal: Rehearsal::new(),
            folder,
            with_prod: false,
            variables: Vec::new(),
        };
        place.install_program();
        place
    }

    /// A quilt-mcp.toml names two environments, each with an AWS account of its own behind it.
    pub fn with_environments() -> Self {
        let mut place = Self::bare();
        place.with_prod = true;
        place.rehearsal.run(&["local", "up"]).expect(0);
        let mut up = place
            .rehearsal
            .command(&["local", "up", "--output", "json"]);
        let prod = Ended::from(
            up.env("QUILT_MCP_STATE_DIR", place.prod())
                .output()
                .unwrap(),
        );
        let staging = environment("staging", &place.rehearsal.description());
        let prod = environment("prod", &prod.expect(0).json());
        std::fs::write(place.configuration(), staging + &prod).unwrap();
        place
    }

    /// The same, but quilt-mcp.toml does not name `staging` yet: Terraform has just made it, from
    /// the folder `terraform/environments/staging` of the reader's, and AWS's own configuration
    /// leads there.
    pub fn where_terraform_made_staging(mut self, terraform: &Path) -> Self {
        let staging = self.staging();
        let text = std::fs::read_to_string(self.configuration()).unwrap();
        let prod = text.find("[environments.prod]").unwrap();
        std::fs::write(self.configuration(), &text[prod..]).unwrap();

        std::os::unix::fs::symlink(terraform, self.bin().join("terraform")).unwrap();
        let module = self.folder.path().join("terraform/environments/staging");
        std::fs::create_dir_all(&module).unwrap();
        std::fs::write(module.join("main.tf"), output_of(&outputs(&staging))).unwrap();
        apply_without_provider(terraform, &module);

        let profiles = self.folder.path().join("aws-config");
        std::fs::write(&profiles, PROFILE).unwrap();
        let profiles = profiles.display().to_string();
        let endpoint = staging["endpoint_url"].as_str().unwrap().to_owned();
        self.variables = vec![
            ("AWS_CONFIG_FILE", profiles),
            ("AWS_ENDPOINT_URL", endpoint),
        ];
        self
    }

    /// What `local status` says of `staging`.
    pub fn staging(&self) -> Value {
        self.rehearsal.description()
    }

    /// A folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("quilt-mcp.toml")
    }

    /// Where `prod`'s local environment lives.
    fn prod(&self) -> PathBuf {
        self.folder.path().join("prod")
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// Puts the program on the `PATH`, in a wrapper that gives it what a reader has without
    /// saying so: the configuration of their folder, and a checkout without changes.
    fn install_program(&self) {
        std::fs::create_dir(self.bin()).unwrap();
        let allow_dirty = match has_changes() {
            true => "case $1 in publish|deploy) set -- \"$@\" --allow-dirty;; esac\n",
            false => "",
        };
        let configuration = self.configuration();
        let script = format!(
            "#!/bin/bash\n{allow_dirty}\
             [[ -f '{0}' && $* != *--config* ]] && set -- \"$@\" --config '{0}'\n\
             exec '{1}' \"$@\"\n",
            configuration.display(),
            env!("CARGO_BIN_EXE_quilt-mcp-deploy"),
        );
        let program = self.bin().join("quilt-mcp-deploy");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Types the commands of a page, one after the other, and holds how each ends and what it writes
    /// against what the page shows.
    pub fn type_in(&self, path: &str, commands: &[Typed]) {
        let output = self.bash(&script(commands)).output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout);
        let parts = parts(&output);
        for (typed, (written, code)) in commands.iter().zip(&parts) {
            let all = written.join("\n");
            assert_eq!(*code, typed.code, "{path}: {}\n{all}", typed.command);
            if let Some(line) = missing(&typed.shown, written) {
                panic!(
                    "{path}: {} did not write\n{line}\nbut\n{all}",
                    typed.command
                );
            }
        }
        assert_eq!(
            parts.len(),
            commands.len(),
            "{path} did not come to its end:\n{output}"
        );
        println!("{path}: {} commands", commands.len());
    }

    /// A script as a reader runs it: in the checkout, with bash, without a terminal. What it
    /// writes comes in the order in which it was written.
    pub fn bash(&self, script: &str) -> Command {
        let file = self.folder.path().join("script.sh");
        std::fs::write(&file, script).unwrap();
        let inherited = std::env::var("PATH").unwrap_or_default();
        let like_ours = self.rehearsal.command(&[]);
        let mut bash = Command::new("timeout");
        bash.args(["--kill-after=20", PATIENCE_SECONDS, "bash"])
            .arg(file)
            .current_dir(root())
            .stdin(Stdio::null());
        for (name, value) in like_ours.get_envs() {
            match value {
                Some(value) => bash.env(name, value),
                None => bash.env_remove(name),
            };
        }
        bash.env("PATH", format!("{}:{inherited}", self.bin().display()))
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("TERM", "dumb");
        for ci in ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_STEP_SUMMARY"] {
            bash.env_remove(ci);
        }
        if self.with_prod {
            bash.env("QUILT_MCP_TOKEN", "qk_local_demo");
        }
        bash.envs(self.variables.iter().map(|(name, value)| (name, value)));
        bash
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.with_prod {
            let mut down = self.rehearsal.command(&["local", "down"]);
            // The folder goes next; an environment that is down already is fine.
            let _ = down.env("QUILT_MCP_STATE_DIR", self.prod()).output();
        }
    }
}

/// Whether the checkout differs from its commit; then no published image is its own.
pub fn has_changes() -> bool {
    let status = Command::new("git")
        .current_dir(root())
        .args(["status", "--porcelain"])
        .output()
        .unwrap();
    !status.stdout.is_empty()
}

/// Where the environment that `local up` described serves MCP.
pub fn endpoint(description: &Value) -> String {
    let balancer = description["load_balancer_url"].as_str().unwrap();
    format!("{}/mcp/", balancer.trim_end_matches('/'))
}

/// What the module's output says of an environment that `local up` described.
fn outputs(description: &Value) -> Value {
    json!({
        "account_id": description["account_id"],
        "region": description["region"],
        "repository": description["repository"],
        "cluster": description["cluster"],
        "service": description["service"],
        "container": "mcp-server",
        "url": endpoint(description),
        "cors_origins": [],
        "desired_count": 2,
    })
}

/// The environment that `local up` described, as a table of quilt-mcp.toml.
fn environment(name: &str, description: &Value) -> String {
    let text = |key: &str| description[key].as_str().unwrap().to_owned();
    format!(
        "[environments.{name}]\naccount_id = \"{}\"\nregion = \"{}\"\nrepository = \"{}\"\n\
         cluster = \"{}\"\nservice = \"{}\"\nurl = \"{}\"\nendpoint_url = \"{}\"\n\
         bake_seconds = 2\ntimeout_seconds = 300\n\n",
        text("account_id"),
        text("region"),
        text("repository"),
        text("cluster"),
        text("service"),
        endpoint(description),
        text("endpoint_url"),
    )
}
