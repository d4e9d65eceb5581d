//! What is written for people: the form in the console, docs/cloudformation.md, the guide.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value};

use crate::evaluate::{ACCOUNT, Evaluation, REGION, STACK, text};
use crate::support::terraform::checkout;
use crate::template;

fn section(template: &Value, name: &str) -> Map<String, Value> {
    template[name].as_object().unwrap().clone()
}

#[test]
fn the_form_asks_for_every_parameter_once() {
    for name in template::NAMES {
        let template = template::read(name);
        let groups = &template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
        let mut asked = Vec::new();
        for group in groups.as_array().unwrap() {
            assert!(!text(&group["Label"]["default"]).is_empty());
            asked.extend(group["Parameters"].as_array().unwrap().iter().map(text));
        }
        let once: BTreeSet<String> = asked.iter().cloned().collect();
        assert_eq!(once.len(), asked.len(), "{name}: {asked:?}");
        let declared: BTreeSet<String> = section(&template, "Parameters").keys().cloned().collect();
        assert_eq!(once, declared, "{name}");
    }
}

/// Who breaks a constraint is told what it is, not shown a regular expression.
#[test]
fn patterns_are_explained() {
    // Set by quilt-mcp-deploy, or told by their descriptions.
    const EXCEPT: [&str; 4] = ["ReleaseCommit", "ReleasedBy", "LogFilter", "NoProxy"];
    for name in template::NAMES {
        for (parameter, declared) in section(&template::read(name), "Parameters") {
            assert!(
                !text(&declared["Description"]).is_empty(),
                "{name}: {parameter}"
            );
            let explained = !declared["ConstraintDescription"].is_null();
            let has_pattern = !declared["AllowedPattern"].is_null();
            assert!(
                explained || !has_pattern || EXCEPT.contains(&parameter.as_str()),
                "{name}: {parameter}"
            );
        }
    }
}

/// `aws cloudformation deploy` takes 51,200 bytes without a bucket (User Guide, "Quotas"), and a copy
/// wants room for a line of its own; tools know no anchors.
#[test]
fn the_templates_are_small_and_plain() {
    let anchor = Regex::new(r"(?m)(^|[\s\[{,:])[&*][A-Za-z]").unwrap();
    for name in template::NAMES {
        let text = template::text(name);
        assert!(text.len() < 51_000, "{name}: {} bytes", text.len());
        // The console shows question marks for other characters.
        assert!(text.is_ascii(), "{name}");
        assert_eq!(anchor.find(&text), None, "{name}");
        let resources = template::read(name)["Resources"].to_string();
        for literal in ["arn:aws:", "us-east-1", ".amazonaws.com/"] {
            assert!(
                !resources.contains(literal),
                "{name}: {literal} is not everywhere so"
            );
        }
    }
}

#[test]
fn the_document_lists_every_parameter_and_output() {
    let document = std::fs::read_to_string(checkout().join("docs/cloudformation.md")).unwrap();
    for name in template::NAMES {
        let (_, rest) = document.split_once(&format!("\n## {name}\n")).unwrap();
        let told = rest.split("\n## ").next().unwrap();
        let template = template::read(name);
        for (parameter, declared) in section(&template, "Parameters") {
            let default = match &declared["Default"] {
                Value::Null => "required".to_owned(),
                default if text(default).is_empty() => "empty".to_owned(),
                default => format!("`{}`", text(default)),
            };
            let row = format!(
                "| `{parameter}` | {default} | {} |",
                text(&declared["Description"])
            );
            assert!(told.contains(&row), "{name}: not told: {row}");
        }
        for (output, declared) in section(&template, "Outputs") {
            let row = format!("| `{output}` | {} |", text(&declared["Description"]));
            assert!(told.contains(&row), "{name}: not told: {row}");
        }
    }
}

/// An unknown variable is only warned of by the server, so that a misspelt one would be lost; and
/// one that is documented can be set, or is left out for a reason.
#[test]
fn the_server_knows_its_variables() {
    const LEFT_OUT: [(&str, &str); 9] = [
        ("MCP_METRICS_LISTEN", "its port is not open"),
        (
            "MCP_ALLOWED_HOSTS",
            "the listener's rule lets in its hosts only",
        ),
        ("MCP_MAX_IN_FLIGHT", "autoscaling comes before it"),
        ("MCP_MAX_IN_FLIGHT_PER_TOKEN", "the default fits a person"),
        (
            "MCP_DRAIN_GRACE_SECONDS",
            "the load balancer's delay comes before it",
        ),
        ("MCP_BUILD_COMMIT", "the image sets it"),
        ("AWS_ENDPOINT_URL", "for rehearsals"),
        ("SSL_CERT_FILE", "the image has its own"),
        ("SSL_CERT_DIR", "the image has its own"),
    ];
    let document =
        std::fs::read_to_string(checkout().join("docs/reference/server-variables.md")).unwrap();
    let row = Regex::new(r"(?m)^\| (`[A-Z_]+`(, `[A-Z_]+`)*) \|").unwrap();
    let known: BTreeSet<String> = row
        .captures_iter(&document)
        .flat_map(|row| {
            row[1]
                .split(", ")
                .map(|name| name.replace('`', ""))
                .collect::<Vec<_>>()
        })
        .collect();
    let template = template::read("mcp-service.yaml").to_string();
    let set = Regex::new(r#""Name":"([A-Z][A-Z_]+)""#).unwrap();
    let mut said: BTreeSet<String> = set
        .captures_iter(&template)
        .map(|name| name[1].to_owned())
        .collect();
    for (name, why) in LEFT_OUT {
        assert!(
            said.insert(name.to_owned()),
            "{name} is set, although {why}"
        );
    }
    assert_eq!(said, known);
}

/// A metric filter that asks for a field of another name never matches, and nobody sees it.
#[test]
fn metric_filters_ask_for_fields_of_the_log() {
    let document = std::fs::read_to_string(checkout().join("docs/server.md")).unwrap();
    let (_, rest) = document.split_once("\n## Logs\n").unwrap();
    let logs = rest.split("\n## ").next().unwrap();
    let resources = section(&template::read("mcp-service.yaml"), "Resources");
    let filters = resources
        .values()
        .filter(|resource| resource["Type"] == "AWS::Logs::MetricFilter");
    let filters: String = filters.map(Value::to_string).collect();
    let field = Regex::new(r"\$\.([a-z_]+)").unwrap();
    let asked: BTreeSet<&str> = field
        .captures_iter(&filters)
        .map(|field| field.get(1).unwrap().as_str())
        .collect();
    assert_eq!(asked, BTreeSet::from(["duration_ms", "status", "tool"]));
    for field in asked {
        let row = Regex::new(&format!(r"(?m)^\|[^|]*`{field}`")).unwrap();
        assert!(row.is_match(logs), "{field} is no field of the log");
    }
}

/// What the guide shows to be copied is taken by the templates, and gives the environment that it
/// shows.
#[test]
fn the_guides_parameters_are_taken() {
    let guide = checkout().join("docs/guides/adopt-cloudformation.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks = |language: &str| -> Vec<String> {
        let fence = format!("```{language}\n");
        let parts = guide.split(&fence).skip(1);
        parts
            .map(|part| part.split("```").next().unwrap().to_owned())
            .collect()
    };
    let files = blocks("json");
    let shown = &blocks("toml")[0];
    for (name, file) in ["ecr.yaml", "mcp-service.yaml", "github-oidc.yaml"]
        .into_iter()
        .zip(&files)
    {
        let file: Value = serde_json::from_str(file).unwrap();
        let parameters = file["Parameters"].as_object().unwrap().iter();
        let parameters: Vec<(&str, &str)> = parameters
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let template = template::read(name);
        for (parameter, value) in &parameters {
            let declared = &template["Parameters"][*parameter];
            assert!(template::is_taken(declared, value), "{name}: {parameter}");
        }
        let evaluation = Evaluation::new(template, &parameters);
        assert_eq!(evaluation.broken_rules(), Vec::<String>::new(), "{name}");
        if name == "mcp-service.yaml" {
            let said = &evaluation.outputs()["QuiltMcpEnvironment"];
            let here = |text: &str| {
                text.replace(ACCOUNT, "111111111111")
                    .replace(REGION, "eu-west-1")
                    .replace(STACK, "acme-staging-mcp-server")
            };
            assert_eq!(here(said), *shown);
        }
    }
    assert_eq!(files.len(), 3);
}
