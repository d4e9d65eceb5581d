//! Mutants of the Terraform modules.

use std::process::Command;

use anyhow::Context;

use super::Target;
use super::judge::{Copy, Judge};
use crate::command;

/// Names the program, as for the tests.
const PROGRAM: &str = "QUILT_MCP_TERRAFORM";
/// Names a folder with providers, as for the tests.
const PROVIDERS: &str = "QUILT_MCP_TERRAFORM_PROVIDERS";
/// Names the folder that the tests copy instead of `terraform/`.
const FOLDER: &str = "QUILT_MCP_TERRAFORM_FOLDER";
/// A file of tests, and the files that it is about.
type Tests = (&'static str, &'static [&'static str]);
/// Modules and their tests.
const MODULES: [(&str, &[Tests]); 3] = [
    (
        "modules/mcp-service",
        &[
            (
                "service",
                &["task.tf", "service.tf", "main.tf", "outputs.tf"],
            ),
            ("permissions", &["iam.tf"]),
            ("network", &["network.tf", "load_balancer.tf"]),
            ("observability", &["alarms.tf", "dashboard.tf", "logs.tf"]),
            ("inputs", &["variables.tf"]),
        ],
    ),
    ("modules/ecr", &[("repository", &[])]),
    ("modules/github-oidc", &[("role", &[])]),
];

pub const TARGET: Target = Target {
    name: "terraform",
    folder: "terraform",
    table: include_str!("terraform.mutants"),
    tools: &["tools", "terraform"],
    judges,
};

/// Terraform's tests of the module that the mutant is in, one file after the other; then the
/// tests that apply the modules.
fn judges(copy: &Copy) -> anyhow::Result<Vec<Judge>> {
    let terraform = copy.tool(PROGRAM).context("terraform is not set up")?;
    let configuration = copy.folder.join("terraform.rc");
    if let Some(mirror) = copy.tool(PROVIDERS) {
        let mirror = mirror.to_string_lossy();
        let text = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n"
        );
        std::fs::write(&configuration, text)?;
    }
    let run = |folder: &str, arguments: &[&str]| {
        let mut command = Command::new(terraform);
        command
            .args(arguments)
            .current_dir(copy.folder.join(folder))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_ARGS", "-no-color");
        if configuration.is_file() {
            command.env("TF_CLI_CONFIG_FILE", &configuration);
        }
        command
    };
    let mut judges = Vec::new();
    for (module, tests) in MODULES {
        command::capture(&mut run(
            module,
            &["init", "-backend=false", "-input=false"],
        ))?;
        for (test, files) in tests {
            let filter = format!("-filter=tests/{test}.tftest.hcl");
            let judge = Judge::new(
                format!("{test}.tftest.hcl"),
                run(module, &["test", &filter]),
            );
            let files = files.iter().map(|file| format!("{module}/{file}"));
            judges.push(judge.below(module).about(files));
        }
    }
    for tests in [
        &[
            "modules::an_example_keeps",
            "modules::the_example_environments",
            "modules::production_s",
        ][..],
        &["policy::"],
        &["ownership::"],
    ] {
        judges.push(Judge::tests("terraform", tests, FOLDER, copy)?);
    }
    Ok(judges)
}
