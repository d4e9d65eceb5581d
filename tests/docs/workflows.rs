//! What CI runs: the composite action's and the GitLab example's own lines, released from one
//! environment to the next.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use crate::markdown::{Page, files, root};
use crate::place::{Place, has_changes};
use crate::support::{skip, tool, tool_named_by};

const ACTION: &str = ".github/actions/release/action.yml";

fn yaml(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The scripts of the steps of a composite action, carried out as GitHub does, as far as they
/// are bash: each with its `env`, the outputs of the steps before, and nothing else filled in.
struct Runner<'a> {
    place: &'a Place,
    inputs: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

/// A step that ended otherwise than with 0.
#[derive(Debug)]
struct FailedStep {
    name: String,
    code: i32,
    log: String,
}

impl<'a> Runner<'a> {
    fn new(place: &'a Place, with: &[(&str, &str)]) -> Self {
        let action = yaml(ACTION);
        let declared = action["inputs"].as_object().unwrap();
        let mut inputs: BTreeMap<String, String> = declared
            .iter()
            .filter_map(|(name, input)| Some((name.clone(), input["default"].as_str()?.to_owned())))
            .collect();
        for (name, value) in with {
            assert!(declared.contains_key(*name), "{ACTION} has no input {name}");
            inputs.insert((*name).to_owned(), (*value).to_owned());
        }
        for (name, input) in declared {
            let given = inputs.contains_key(name);
            assert!(given || input["required"] != true, "{name} is required");
        }
        Self {
            place,
            inputs,
            outputs: BTreeMap::new(),
        }
    }

    /// The action's outputs, unless a step fails; then nothing behind it is run.
    fn run(mut self) -> Result<BTreeMap<String, String>, FailedStep> {
        let action = yaml(ACTION);
        for step in action["runs"]["steps"].as_array().unwrap() {
            if step["shell"] == "bash" {
                self.step(step)?;
            }
        }
        let outputs = action["outputs"].as_object().unwrap();
        Ok(outputs
            .iter()
            .map(|(name, output)| (name.clone(), self.fill(output["value"].as_str().unwrap())))
            .collect())
    }

    fn step(&mut self, step: &Value) -> Result<(), FailedStep> {
        let name = step["name"].as_str().unwrap();
        let written = self.place.folder().join("github-output");
        std::fs::write(&written, "").unwrap();
        // What GitHub runs for `shell: bash`.
        let script = format!("set -eo pipefail\n{}", step["run"].as_str().unwrap());
        let mut bash = self.place.bash(&script);
        for (variable, value) in step["env"].as_object().unwrap_or(&Map::new()) {
            bash.env(variable, self.fill(value.as_str().unwrap()));
        }
        if let Some(folder) = step["working-directory"].as_str() {
            bash.current_dir(root().join(self.fill(folder)));
        }
        let output = bash
            .env("GITHUB_OUTPUT", &written)
            .env("RUNNER_TEMP", self.place.folder())
            .env("GITHUB_ACTIONS", "true")
            .env(
                "GITHUB_STEP_SUMMARY",
                self.place.folder().join("summary.md"),
            )
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(FailedStep {
                name: name.to_owned(),
                code: output.status.code().unwrap(),
                log: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let id = step["id"].as_str().unwrap();
        for line in std::fs::read_to_string(&written).unwrap().lines() {
            let (key, value) = line.split_once('=').unwrap();
            self.outputs.insert(format!("{id}.{key}"), value.to_owned());
        }
        Ok(())
    }

    /// The text with each `${{ … }}` replaced; others than inputs and outputs are the runner's.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").unwrap();
            filled += before;
            filled += &self.value(expression.trim());
            rest = after;
        }
        filled + rest
    }

    fn value(&self, expression: &str) -> String {
        let known = match expression.split_once('.') {
            Some(("inputs", name)) => self.inputs.get(name),
            Some(("steps", output)) => self.outputs.get(&output.replace("outputs.", "")),
            Some(("github", "token")) => return String::new(),
            _ => None,
        };
        known
            .unwrap_or_else(|| panic!("{ACTION}: nothing is known of {expression}"))
            .clone()
    }
}

#[test]
fn the_action_releases_and_promotes() {
    let Some(_) = tool("jq") else { return };
    let place = Place::with_environments();
    let configuration = place.configuration();
    let program = place.folder().join("bin/quilt-mcp-deploy");
    let common = [
        ("config", configuration.to_str().unwrap()),
        ("program", program.to_str().unwrap()),
        ("token", "qk_local_demo"),
    ];
    let first = [&common[..], &[("environment", "staging")]].concat();
    let released = Runner::new(&place, &first).run().unwrap();
    assert!(released["digest"].starts_with("sha256:"), "{released:?}");
    assert!(
        released["revision"].contains(":task-definition/"),
        "{released:?}"
    );

    let then = [
        &common[..],
        &[
            ("environment", "prod"),
            ("promote-from", "staging"),
            ("promote-digest", &released["digest"]),
        ],
    ]
    .concat();
    let promoted = Runner::new(&place, &then).run().unwrap();
    assert_eq!(promoted["digest"], released["digest"]);
    for environment in ["staging", "prod"] {
        let status = place
            .bash(&format!(
                "quilt-mcp-deploy status --env {environment} --output json"
            ))
            .output()
            .unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        let commit = status["release"]["commit"].as_str();
        assert!(commit.is_some_and(|commit| commit.len() >= 40), "{status}");
    }
    for page in ["release-staging.html", "release-prod.html"] {
        let page = std::fs::read_to_string(place.folder().join(page)).unwrap();
        assert!(page.contains("is live"));
    }
    let summary = std::fs::read_to_string(place.folder().join("summary.md")).unwrap();
    assert_eq!(summary.matches("is live").count() % 2, 0, "{summary}");
}

/// What a step's script ends with, given these variables alone.
fn code_of(script: &str, variables: &[(&str, &str)]) -> i32 {
    let mut bash = Command::new("bash");
    bash.args(["-eo", "pipefail", "-c", script])
        .env_clear()
        .envs(variables.iter().copied());
    bash.output().unwrap().status.code().unwrap()
}

/// The action looks before it changes anything, and the workflow before its first job does.
#[test]
fn two_roles_need_two_profiles() {
    let action = yaml(ACTION);
    let workflow = yaml(".github/workflows/release-to-aws.yml");
    for (steps, whose) in [
        (&action["runs"]["steps"], "the action"),
        (&workflow["jobs"]["first"]["steps"], "the workflow"),
    ] {
        let step = &steps[0];
        assert_eq!(step["name"], "The inputs go together", "{whose}");
        let script = step["run"].as_str().unwrap();
        for (role, profile, promote_role, promote_profile, expected) in [
            ("prod", "b", "staging", "a", 0),
            ("both", "", "both", "", 0),
            ("both", "a", "both", "a", 0),
            ("prod", "a", "staging", "a", 2),
            ("prod", "b", "staging", "", 2),
            ("prod", "", "staging", "a", 2),
            ("prod", "", "staging", "", 2),
        ] {
            let variables = [
                ("ROLE", role),
                ("PROFILE", profile),
                ("PROMOTE_ROLE", promote_role),
                ("PROMOTE_PROFILE", promote_profile),
                ("THEN", "prod"),
            ];
            assert_eq!(
                code_of(script, &variables),
                expected,
                "{whose}: {variables:?}"
            );
        }
    }
    // Nothing is promoted, so there is one role.
    let script = action["runs"]["steps"][0]["run"].as_str().unwrap();
    let one = [
        ("ROLE", "staging"),
        ("PROFILE", ""),
        ("PROMOTE_ROLE", ""),
        ("PROMOTE_PROFILE", ""),
    ];
    assert_eq!(code_of(script, &one), 0);
}

/// What is given under `with` and `secrets` is what the workflow or action takes, and all that it must have.
fn assert_takes(called: &str, takes: &Value, given: &Value) {
    let names = |value: &Value| -> Vec<String> {
        let object = value.as_object();
        object.map_or_else(Vec::new, |object| object.keys().cloned().collect())
    };
    for name in names(given) {
        assert!(!takes[&name].is_null(), "{called} takes no {name}");
    }
    for name in names(takes) {
        let missing = takes[&name]["required"] == true && given[&name].is_null();
        assert!(!missing, "{called} needs {name}");
    }
}

#[test]
fn what_calls_the_workflow_and_the_action_gives_what_they_take() {
    let workflow = yaml(".github/workflows/release-to-aws.yml");
    let takes = &workflow["on"]["workflow_call"];
    let page = Page::read("docs/guides/daily-work.md");
    let blocks = page.blocks();
    let example = blocks
        .iter()
        .find(|block| block.text.contains("release-to-aws.yml@"))
        .unwrap();
    let example: Value = serde_saphyr::from_str(&example.text).unwrap();
    let job = &example["jobs"]["release"];
    assert_takes("the workflow", &takes["inputs"], &job["with"]);
    assert_takes("the workflow", &takes["secrets"], &job["secrets"]);

    let action = yaml(ACTION);
    for job in ["first", "then"] {
        let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
        let step = steps
            .iter()
            .find(|step| step["uses"] == "./source/.github/actions/release")
            .unwrap();
        assert_takes("the action", &action["inputs"], &step["with"]);
    }
}

#[test]
fn a_release_that_fails_fails_the_step() {
    let Some(_) = tool("jq") else { return };
    let place = Place::with_environments();
    let unhealthy = place
        .bash("quilt-mcp-deploy local fault unhealthy --status 503")
        .status();
    assert!(unhealthy.unwrap().success());
    let failed = Runner::new(
        &place,
        &[
            ("environment", "staging"),
            ("config", place.configuration().to_str().unwrap()),
            (
                "program",
                place
                    .folder()
                    .join("bin/quilt-mcp-deploy")
                    .to_str()
                    .unwrap(),
            ),
        ],
    )
    .run()
    .unwrap_err();
    // There was no release before to return to.
    assert_eq!(
        (failed.name.as_str(), failed.code),
        ("Roll out to ${{ inputs.environment }}", 7)
    );
    assert!(failed.log.contains("::error"), "{}", failed.log);
    let report = std::fs::read_to_string(place.folder().join("release-staging.html")).unwrap();
    assert!(
        report.contains("Task failed ELB health checks"),
        "no diagnosis"
    );
}

#[test]
fn the_gitlab_example_releases_and_promotes() {
    if has_changes() {
        return skip(
            "this checkout has changes, and the example rolls out what its commit published",
        );
    }
    let page = Page::read("docs/guides/daily-work.md");
    let blocks = page.blocks();
    let example = blocks
        .iter()
        .find(|block| block.text.contains(".gitlab-ci.yml"))
        .unwrap();
    let jobs: Value = serde_saphyr::from_str(&example.text).unwrap();
    let place = Place::with_environments();
    let report = place.folder().join("release.html");
    for job in ["staging", "prod"] {
        let lines: Vec<&str> = jobs[job]["script"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line.as_str().unwrap())
            .collect();
        let script = format!("set -e\n{}", lines.join("\n"));
        let script = script.replace("release.html", report.to_str().unwrap());
        let output = place.bash(&script).output().unwrap();
        assert!(
            output.status.success(),
            "{job}: {}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(shellcheck) = tool_named_by("QUILT_MCP_SHELLCHECK", "shellcheck") else {
        return;
    };
    let mut scripts = 0;
    for path in files(".yml")
        .iter()
        .filter(|path| path.starts_with(".github/"))
    {
        for script in scripts_of(&yaml(path)) {
            scripts += 1;
            let mut check = Command::new(&shellcheck)
                .args(["--shell=bash", "--severity=style", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = check.stdin.take().unwrap();
            stdin.write_all(script.as_bytes()).unwrap();
            drop(stdin);
            let output = check.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{path}: {said}\n{script}");
        }
    }
    assert!(scripts >= 10, "only {scripts} scripts were found");
}

/// Every `run` in it, at whatever depth.
fn scripts_of(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("run", Value::String(script)) => vec![script.clone()],
                (_, value) => scripts_of(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(scripts_of).collect(),
        _ => Vec::new(),
    }
}
