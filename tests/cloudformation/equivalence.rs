//! The template makes what the module makes.
//!
//! Between them stands a description of what is made, in CloudFormation's words, for each scenario
//! (`described/`): one test holds it against what Terraform says of the module, the other against the
//! template. So the template is judged where there is no Terraform, too.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::difference::{self, Difference};
use crate::scenarios::{self, Scenario};
use crate::support::terraform::checkout;
use crate::{module, translate};

/// Set to `1` to write the descriptions anew from the module.
const DESCRIBE: &str = "QUILT_MCP_DESCRIBE";

/// A difference that is meant: where (`*` is any one name), what the module says and what the
/// template says (`None` is nothing, `Some("…")` anything), and why.
type Meant = (
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
);

const MEANT: [Meant; 6] = [
    (
        "*/Tags/ManagedBy/Value",
        Some("terraform"),
        Some("cloudformation"),
        "who wrote it; quilt-mcp-deploy takes terraform's task definitions for templates of releases",
    ),
    (
        "Repository/RepositoryPolicyText/Statement/PullFromOtherAccounts/Principal/AWS/0",
        Some("arn:aws:iam::210987654321:root"),
        Some("210987654321"),
        "an account's id means its root (IAM User Guide, AWS JSON policy elements: Principal)",
    ),
    (
        "Repository/RepositoryPolicyText/Statement/PullFromOtherAccounts/Principal/AWS/1",
        Some("arn:aws:iam::123456789012:root"),
        Some("123456789012"),
        "the same",
    ),
    (
        "Outputs/QuiltMcpEnvironment",
        Some("…"),
        Some("…"),
        "an output is a text: the environment is written as quilt-mcp.toml has it",
    ),
    (
        "Outputs/TemplateArn",
        Some("…"),
        None,
        "the stack says which revision runs; there is no template of releases",
    ),
    ("Outputs/AlarmNames", Some("…"), None, "an output is a text"),
];

fn file(scenario: &Scenario) -> PathBuf {
    let folder = checkout().join("tests/cloudformation/described");
    folder.join(format!("{}.json", scenario.name))
}

fn described(scenario: &Scenario) -> Value {
    let file = file(scenario);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_modules_make_what_is_described() {
    let scenarios = scenarios::all();
    for module in ["modules/mcp-service", "modules/ecr", "modules/github-oidc"] {
        let of_module = scenarios
            .iter()
            .filter(|scenario| scenario.module == module);
        let of_module: Vec<&Scenario> = of_module.collect();
        let Some(mut made) = module::makes(module, &of_module) else {
            return;
        };
        for scenario in of_module {
            let made = made.remove(scenario.name).unwrap();
            let mut said = Value::Object(translate::resources(made.resources));
            said["Outputs"] = translate::outputs(&made.outputs);
            if std::env::var_os(DESCRIBE).is_some_and(|value| value == "1") {
                let text = serde_json::to_string_pretty(&said).unwrap();
                std::fs::write(file(scenario), text + "\n").unwrap();
            }
            assert_eq!(
                said,
                described(scenario),
                "{}: the module is another one than described; {DESCRIBE}=1 describes it anew",
                scenario.name
            );
        }
    }
}

#[test]
fn the_templates_make_what_is_described() {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for scenario in scenarios::all() {
        let evaluation = scenario.evaluation();
        assert_eq!(
            evaluation.broken_rules(),
            Vec::<String>::new(),
            "{}",
            scenario.name
        );
        let mut said = Value::Object(evaluation.resources());
        said["Outputs"] = json!(evaluation.outputs());
        for found in difference::between(&described(&scenario), &said) {
            match MEANT.iter().position(|meant| is_meant(&found, meant)) {
                Some(meant) => drop(seen.insert(meant)),
                None => wrong.push(format!("{}: {found}", scenario.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (index, meant) in MEANT.iter().enumerate() {
        assert!(
            seen.contains(&index),
            "{} is no difference: {}",
            meant.0,
            meant.3
        );
    }
}

fn is_meant(found: &Difference, (at, module, template, _): &Meant) -> bool {
    let says = |value: &Option<Value>, meant: &Option<&str>| match (value, meant) {
        (None, None) => true,
        (Some(_), Some("…")) => true,
        (Some(value), Some(meant)) => value == meant,
        _ => false,
    };
    let mut places = at.split('/');
    let is_there = found.at.split('/').all(|name| {
        places
            .next()
            .is_some_and(|place| place == "*" || place == name)
    });
    is_there
        && places.next().is_none()
        && says(&found.module, module)
        && says(&found.template, template)
}

/// The keys of quilt-mcp.toml, and what they say, are those of the module's output.
#[test]
fn the_environment_is_the_modules() {
    for scenario in scenarios::of_the_service() {
        let evaluation = scenario.evaluation();
        let text = &evaluation.outputs()["QuiltMcpEnvironment"];
        let file: toml::Value =
            toml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let mut file = serde_json::to_value(file).unwrap();
        let name = scenario.inputs["environment"].as_str().unwrap();
        let mut environment = file["environments"][name].take();
        let through = environment.as_object_mut().unwrap();
        assert_eq!(
            through.remove("deploy_through"),
            Some(json!("cloudformation"))
        );
        assert_eq!(through.remove("stack"), Some(json!(crate::evaluate::STACK)));
        assert_eq!(
            environment,
            described(&scenario)["Outputs"]["QuiltMcpEnvironment"]
        );
    }
}
