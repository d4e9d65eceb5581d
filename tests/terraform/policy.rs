//! Rules of ours about what Terraform plans: what no deployment of the server may do, whatever the
//! inputs. And checkov's rules.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::moto::Moto;
use crate::support::terraform::checkout;
use crate::support::tool_named_by;
use crate::world::{FOLDER, World};

/// A resource of the plan: its address, its type and its values.
struct Resource<'a> {
    address: &'a str,
    kind: &'a str,
    values: &'a Value,
}

impl Resource<'_> {
    /// A policy in this field.
    fn policy(&self, field: &str) -> Option<Value> {
        let text = self.values[field].as_str()?;
        Some(serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", self.address)))
    }

    fn container(&self) -> Option<Value> {
        let containers = self.policy("container_definitions")?;
        Some(containers[0].clone())
    }
}

/// A rule: what it says, and which resources break it.
type Rule = (&'static str, fn(&Resource) -> bool);

const RULES: [Rule; 14] = [
    ("a policy names its actions one by one", |resource| {
        statements(resource, "policy").any(|statement| {
            texts(&statement["Action"]).any(|action| action.contains('*'))
                || statement.get("NotAction").is_some()
        })
    }),
    (
        "on everything, a policy allows to look, no more",
        |resource| {
            statements(resource, "policy").any(|statement| {
                texts(&statement["Resource"]).any(|on| on == "*")
                    && texts(&statement["Action"]).any(|action| !only_looks(action))
            })
        },
    ),
    ("a policy allows on one account's resources", |resource| {
        resource.kind == "aws_iam_role_policy"
            && statements(resource, "policy").any(|statement| {
                texts(&statement["Resource"]).any(|on| on != "*" && !on.contains(":123456789012:"))
            })
    }),
    ("roles are passed to ECS tasks only", |resource| {
        statements(resource, "policy").any(|statement| {
            texts(&statement["Action"]).any(|action| action == "iam:PassRole")
                && (statement["Condition"]["StringEquals"]["iam:PassedToService"]
                    != "ecs-tasks.amazonaws.com"
                    || texts(&statement["Resource"]).any(|on| on.ends_with('*')))
        })
    }),
    ("a role is trusted under conditions", |resource| {
        statements(resource, "assume_role_policy").any(|statement| {
            statement["Condition"]
                .as_object()
                .is_none_or(|conditions| conditions.is_empty())
                || statement["Principal"] == "*"
        })
    }),
    ("GitHub's workflows are named one by one", |resource| {
        statements(resource, "assume_role_policy").any(|statement| {
            let equals = &statement["Condition"]["StringEquals"];
            let subjects = &equals["token.actions.githubusercontent.com:sub"];
            statement["Action"] == "sts:AssumeRoleWithWebIdentity"
                && (equals["token.actions.githubusercontent.com:aud"] != "sts.amazonaws.com"
                    || texts(subjects).next().is_none()
                    || texts(subjects).any(|subject| subject.contains('*')))
        })
    }),
    (
        "nobody comes in from everywhere, or to another port",
        |resource| {
            resource.kind == "aws_vpc_security_group_ingress_rule"
                && (resource.values["cidr_ipv4"] == "0.0.0.0/0"
                    || !resource.values["cidr_ipv6"].is_null()
                    || resource.values["from_port"] != 8000
                    || resource.values["to_port"] != 8000
                    || resource.values["ip_protocol"] != "tcp")
        },
    ),
    ("HTTPS goes out, and DNS where asked for", |resource| {
        resource.kind == "aws_vpc_security_group_egress_rule"
            && !(resource.values["ip_protocol"] != "-1"
                && resource.values["from_port"] == resource.values["to_port"]
                && [443, 53]
                    .iter()
                    .any(|port| resource.values["to_port"] == *port))
    }),
    ("logs end", |resource| {
        resource.kind == "aws_cloudwatch_log_group"
            && resource.values["retention_in_days"]
                .as_u64()
                .is_none_or(|days| days == 0)
    }),
    (
        "images stay what their tags say, scanned and encrypted",
        |resource| {
            resource.kind == "aws_ecr_repository"
                && (resource.values["image_tag_mutability"] != "IMMUTABLE"
                    || resource.values["image_scanning_configuration"][0]["scan_on_push"] != true
                    || resource.values["encryption_configuration"][0]["encryption_type"] != "KMS"
                    || resource.values["force_delete"] != false)
        },
    ),
    (
        "containers have no more rights than they need",
        |resource| {
            resource.container().is_some_and(|container| {
                container["privileged"] != false
                    || container["readonlyRootFilesystem"] != true
                    || container["user"] != "65532:65532"
                    || container["linuxParameters"]["capabilities"]["drop"]
                        != serde_json::json!(["ALL"])
                    || container["linuxParameters"]["capabilities"]
                        .get("add")
                        .is_some()
            })
        },
    ),
    ("tasks have no public address and no shell", |resource| {
        resource.kind == "aws_ecs_service"
            && (resource.values["network_configuration"][0]["assign_public_ip"] != false
                || resource.values["enable_execute_command"] != false)
    }),
    (
        "a failed release rolls back, and takes no healthy task away",
        |resource| {
            resource.kind == "aws_ecs_service"
                && (resource.values["deployment_circuit_breaker"][0]["rollback"] != true
                    || resource.values["deployment_minimum_healthy_percent"] != 100)
        },
    ),
    ("everything is tagged as Quilt's stacks are", |resource| {
        let tags = resource.values["tags_all"].as_object();
        tags.is_some_and(|tags| {
            ["Project", "Environment", "Owner", "CostCenter"]
                .iter()
                .any(|tag| !tags.contains_key(*tag))
        })
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_breaks_no_rule() {
    let Some(world) = World::new().await else {
        return;
    };
    // Much of a first plan is not known yet; of a plan after the apply, everything is.
    world.apply(&[]);
    let plan = world.terraform.plan(FOLDER);
    let resources = resources(&plan);
    assert!(resources.len() > 25, "{} resources", resources.len());
    let mut broken = Vec::new();
    for (rule, breaks) in RULES {
        for resource in resources.iter().filter(|resource| breaks(resource)) {
            broken.push(format!("{}: {rule}", resource.address));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    the_server_knows_its_variables(&resources);
    the_execution_role_may_do_what_aws_says(&resources).await;
    the_command_writes_the_policy_that_the_module_makes(&world, &resources);
    checkov(&world, &plan);
}

/// An unknown variable is only warned of by the server, so that a misspelt one would be lost.
fn the_server_knows_its_variables(resources: &[Resource]) {
    let documented =
        std::fs::read_to_string(checkout().join("docs/reference/server-variables.md")).unwrap();
    let container = resources.iter().find_map(Resource::container).unwrap();
    for variable in container["environment"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(
            documented.contains(&format!("| `{name}` |")),
            "{name} is not in docs/reference/server-variables.md"
        );
    }
}

/// Without secrets, the execution role has the actions of AWS's own policy for it, which moto knows:
/// the resources are ours.
async fn the_execution_role_may_do_what_aws_says(resources: &[Resource<'_>]) {
    let settings = [("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")];
    let Some(moto) = Moto::start_with(&settings) else {
        return;
    };
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    let version = [("PolicyArn", policy), ("VersionId", "v1")];
    let answer = moto
        .query("iam", "2010-05-08", "GetPolicyVersion", &version)
        .await;
    let (_, document) = answer.split_once("<Document>").unwrap();
    let (document, _) = document.split_once("</Document>").unwrap();
    let document = format!("document={document}");
    let (_, document) = url::form_urlencoded::parse(document.as_bytes())
        .next()
        .unwrap();
    let aws: Value = serde_json::from_str(&document).unwrap();
    let address = "module.mcp_server.aws_iam_role_policy.execution";
    let ours = resources
        .iter()
        .find(|resource| resource.address == address);
    let ours = ours.and_then(|resource| resource.policy("policy")).unwrap();
    assert_eq!(actions(&ours), actions(&aws));
}

/// `quilt-mcp-deploy policy` gives another role what CI's has.
fn the_command_writes_the_policy_that_the_module_makes(world: &World, resources: &[Resource]) {
    world.configure();
    let at = |address: &str| {
        let found = resources
            .iter()
            .find(|resource| resource.address == address);
        found.unwrap_or_else(|| panic!("{address} is not planned"))
    };
    let role = at("module.release_role.aws_iam_role.this");
    let of_ci = at("module.release_role.aws_iam_role_policy.this").policy("policy");
    let asked = [
        &["policy", "--output", "json"][..],
        &["--for", "publish", "--for", "rollout"],
        &["--for", "rollback and stop", "--for", "verify"],
        &["--role", role.values["arn"].as_str().unwrap()],
    ];
    let printed = world.cli.run(&asked.concat()).result();
    assert_eq!(Some(&printed["policy"]), of_ci.as_ref());
}

fn actions(policy: &Value) -> BTreeSet<&str> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements
        .flat_map(|statement| texts(&statement["Action"]))
        .collect()
}

/// checkov on the plan, with what `terraform/checkov.yaml` leaves out and why.
fn checkov(world: &World, plan: &Value) {
    let Some(checkov) = tool_named_by("QUILT_MCP_CHECKOV", "checkov") else {
        return;
    };
    world.terraform.write("plan.json", &plan.to_string());
    let output = Command::new(checkov)
        .args([
            "--framework",
            "terraform_plan",
            "--output",
            "json",
            "--file",
        ])
        .arg(world.terraform.path("plan.json"))
        .arg("--config-file")
        .arg(world.terraform.path("checkov.yaml"))
        .current_dir(world.terraform.path("."))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{error}: {text} {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let failed: Vec<String> = report["results"]["failed_checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            format!(
                "{} {} {}",
                check["check_id"], check["resource"], check["check_name"]
            )
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let passed = report["summary"]["passed"].as_u64().unwrap();
    assert!(passed > 30, "checkov looked at {passed} things only");
    println!("checkov: {passed} checks passed");
}

fn resources(plan: &Value) -> Vec<Resource<'_>> {
    let changes = plan["resource_changes"].as_array().unwrap().iter();
    changes
        .filter(|change| change["mode"] == "managed")
        .map(|change| Resource {
            address: change["address"].as_str().unwrap(),
            kind: change["type"].as_str().unwrap(),
            values: &change["change"]["after"],
        })
        .collect()
}

/// The statements of the policy in this field, where the resource has one.
fn statements(resource: &Resource, field: &str) -> impl Iterator<Item = Value> + use<> {
    let policy = resource.policy(field).unwrap_or_default();
    policy["Statement"]
        .as_array()
        .cloned()
        .unwrap_or_default()
        .into_iter()
}

/// One text, or a list of them, as policies have it.
fn texts(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(one) => Box::new(std::iter::once(one.as_str())),
        Value::Array(many) => Box::new(many.iter().filter_map(Value::as_str)),
        _ => Box::new(std::iter::empty()),
    }
}

/// Whether the action only looks, or signs in, which knows no resource.
fn only_looks(action: &str) -> bool {
    let operation = action.split(':').nth(1).unwrap_or_default();
    let signs_in = BTreeSet::from(["ecr:GetAuthorizationToken"]);
    operation.starts_with("Describe") || operation.starts_with("List") || signs_in.contains(action)
}
