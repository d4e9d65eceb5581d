//! What the Terraform modules make, as Terraform says it with its AWS provider mocked: every value is
//! known, and nobody is asked.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scenarios::Scenario;
use crate::support::terraform::{Terraform, checkout};

const SERVICE: &str = "modules/mcp-service";
const FILE: &str = "tests/described.tftest.hcl";
const LOAD_BALANCER: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/sales-prod/0123456789abcdef";

/// What Terraform made.
#[derive(Debug)]
pub struct Made {
    pub resources: Vec<Resource>,
    pub outputs: Map<String, Value>,
}

/// One resource: its address, and the values that it has.
#[derive(Debug, Deserialize)]
pub struct Resource {
    pub address: String,
    pub mode: String,
    pub values: Map<String, Value>,
}

/// What a module makes in each scenario, by its name.
pub fn makes(module: &str, scenarios: &[&Scenario]) -> Option<BTreeMap<String, Made>> {
    let mut text = mocks(module);
    for scenario in scenarios {
        text += &format!("run \"{}\" {{\n", scenario.name);
        if module == SERVICE {
            text += &format!(
                "  override_data {{\n    target = data.aws_lb_listener.this\n    values = {{ protocol = \"HTTPS\", port = {}, load_balancer_arn = \"{LOAD_BALANCER}\" }}\n  }}\n",
                scenario.listener_port
            );
        }
        text += &variables(&scenario.inputs);
        text += "}\n";
    }
    applied(module, &text)
}

/// What AWS would make up, as the module's own tests and `attributes.rs` have it.
fn mocks(module: &str) -> String {
    let tests = checkout().join("terraform").join(module).join("tests");
    let own = match module {
        SERVICE => return service_mocks(),
        "modules/ecr" => "repository.tftest.hcl",
        _ => "role.tftest.hcl",
    };
    let own = std::fs::read_to_string(tests.join(own)).unwrap();
    let (mocks, _) = own.split_once("\nvariables {").unwrap();
    mocks.to_owned() + "\n"
}

fn service_mocks() -> String {
    let mut text = String::from("mock_provider \"aws\" {\n  source = \"./tests/mocks\"\n}\n");
    for role in ["execution", "task"] {
        text += &format!(
            "override_resource {{\n  target = aws_iam_role.{role}\n  values = {{ arn = \"arn:aws:iam::123456789012:role/sales-prod-mcp-server-{role}\" }}\n}}\n"
        );
    }
    text
}

/// What a module makes in each run of a test file.
fn applied(module: &str, test: &str) -> Option<BTreeMap<String, Made>> {
    let terraform = Terraform::copy()?;
    terraform.write(&format!("{module}/{FILE}"), test);
    terraform.init(module);
    let filter = format!("-filter={FILE}");
    let said = terraform.run(module, &["test", "-json", "-verbose", &filter]);
    let states = said
        .lines()
        .map(|line| serde_json::from_str::<Message>(line).unwrap_or_else(|error| panic!("{error}")))
        .filter_map(|message| Some((message.run?, message.state?)))
        .map(|(run, state)| {
            let resources = state.root_module.resources.into_iter();
            let made = Made {
                resources: resources.filter(|one| one.mode == "managed").collect(),
                outputs: state
                    .outputs
                    .into_iter()
                    .map(|(name, output)| (name, output.value))
                    .collect(),
            };
            (run, made)
        });
    Some(states.collect())
}

/// A block of variables: JSON's values are Terraform's too.
fn variables(inputs: &Value) -> String {
    let lines: Vec<String> = inputs
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("    {name} = {value}\n"))
        .collect();
    format!("  variables {{\n{}  }}\n", lines.concat())
}

/// A line of `terraform test -json -verbose`, without the provider's schemas.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "@testrun")]
    run: Option<String>,
    #[serde(rename = "test_state")]
    state: Option<State>,
}

#[derive(Deserialize)]
struct State {
    root_module: Module,
    #[serde(default)]
    outputs: BTreeMap<String, Output>,
}

#[derive(Deserialize)]
struct Output {
    value: Value,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<Resource>,
}
