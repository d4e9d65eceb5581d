//! What the parameters take: each constraint is seen to refuse something, and each of the `Rules`.

mod values;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::attributes::SUBNET_ELSEWHERE;
use crate::evaluate::{Evaluation, text};
use crate::scenarios;
use crate::template;
use values::{ECR, OIDC, SERVICE};

/// What AWS itself checks, or the `Rules` do.
const WITHOUT_CONSTRAINTS: [&str; 5] = [
    "AthenaWorkgroup",
    "LoadBalancerSecurityGroupId",
    "Memory",
    "SubnetIds",
    "VpcId",
];

#[test]
fn every_constraint_takes_what_it_should_and_refuses_the_rest() {
    for (name, rows) in template::NAMES.into_iter().zip([SERVICE, ECR, OIDC]) {
        let template = template::read(name);
        let parameters = template["Parameters"].as_object().unwrap();
        for (parameter, takes, refuses) in rows {
            let declared = parameters
                .get(*parameter)
                .unwrap_or_else(|| panic!("{name}: no {parameter}"));
            for value in *takes {
                assert!(
                    template::is_taken(declared, value),
                    "{name}: {parameter} refuses {value:?}"
                );
            }
            for value in *refuses {
                assert!(
                    !template::is_taken(declared, value),
                    "{name}: {parameter} takes {value:?}"
                );
            }
            let default = &declared["Default"];
            assert!(
                default.is_null() || template::is_taken(declared, &text(default)),
                "{name}: {parameter} refuses its default"
            );
        }
        let tried: BTreeSet<&str> = rows
            .iter()
            .map(|row| row.0)
            .chain(WITHOUT_CONSTRAINTS)
            .collect();
        for parameter in parameters.keys() {
            assert!(
                tried.contains(parameter.as_str()),
                "{name}: {parameter} is not tried"
            );
        }
    }
}

#[test]
fn the_rules_refuse_what_the_module_refuses() {
    let template = template::read("mcp-service.yaml");
    const ARN: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/a";
    const ISSUER: &str = "https://login.example.com";
    for (parameters, says) in [
        (vec![("ListenerPriority", "24")], ""),
        (vec![("ListenerPriority", "27")], "after the catalog's rule"),
        (
            vec![("ListenerPriority", "27"), ("DedicatedHost", "true")],
            "",
        ),
        (
            vec![("ListenerPriority", "25"), ("DedicatedHost", "true")],
            "taken by the Quilt stack",
        ),
        (
            vec![("ListenerPriority", "26"), ("DedicatedHost", "true")],
            "taken by the Quilt stack",
        ),
        (
            vec![("ListenerPriority", "30"), ("DedicatedHost", "true")],
            "taken by the Quilt stack",
        ),
        (
            vec![("ListenerPriority", "40"), ("DedicatedHost", "true")],
            "taken by the Quilt stack",
        ),
        (
            vec![
                ("SecondHost", "mcp.example.com"),
                ("ClientCidr", "10.0.0.0/8"),
            ],
            "",
        ),
        (
            vec![
                ("SecondHost", "mcp.example.com"),
                ("AuthorizationServers", ISSUER),
            ],
            "",
        ),
        (
            vec![
                ("ClientCidr", "10.0.0.0/8"),
                ("AuthorizationServers", ISSUER),
            ],
            "",
        ),
        (
            vec![
                ("SecondHost", "mcp.example.com"),
                ("ClientCidr", "10.0.0.0/8"),
                ("AuthorizationServers", ISSUER),
            ],
            "no room for two hosts",
        ),
        (
            vec![("SecondHost", "catalog.example.com")],
            "another host than Host",
        ),
        (vec![("SubnetIds", SUBNET_ELSEWHERE)], "must be in VpcId"),
        (
            vec![(
                "SubnetIds",
                "subnet-0123456789abcdef0,subnet-0fedcba9876543210",
            )],
            "must be in VpcId",
        ),
        (
            vec![("Environment", "prod"), ("MinTasks", "1")],
            "every failure is an outage",
        ),
        (vec![("Environment", "staging"), ("MinTasks", "1")], ""),
        (vec![("Environment", "dev"), ("MinTasks", "1")], ""),
        (
            vec![("MinTasks", "2"), ("MaxTasks", "1")],
            "less than MinTasks",
        ),
        (
            vec![("MinTasks", "3"), ("MaxTasks", "2")],
            "less than MinTasks",
        ),
        (
            vec![("MinTasks", "4"), ("MaxTasks", "1")],
            "less than MinTasks",
        ),
        (
            vec![("MinTasks", "5"), ("MaxTasks", "4")],
            "less than MinTasks",
        ),
        (
            vec![("MinTasks", "6"), ("MaxTasks", "5")],
            "less than MinTasks",
        ),
        (vec![("MinTasks", "6"), ("MaxTasks", "6")], ""),
        (vec![("Scopes", "openid")], "AuthorizationServers only"),
        (
            vec![("Scopes", "openid"), ("AuthorizationServers", ISSUER)],
            "",
        ),
        (vec![("SecretName", "HTTPS_PROXY")], "go together"),
        (vec![("SecretArn", ARN)], "go together"),
        (vec![("SecretName", "HTTPS_PROXY"), ("SecretArn", ARN)], ""),
    ] {
        let broken = broken(&template, &parameters);
        match says {
            "" => assert!(broken.is_empty(), "{parameters:?}: {broken:?}"),
            says => assert!(
                broken.len() == 1 && broken[0].contains(says),
                "{parameters:?}: {broken:?}, not {says:?}"
            ),
        }
    }
}

/// The pairs that Fargate offers (ECS Developer Guide, "Task size").
#[test]
fn the_rules_know_what_fargate_offers() {
    let template = template::read("mcp-service.yaml");
    let offered = |cpu: u32, memory: u32| match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => (1024..=4096).contains(&memory),
        1024 => (2048..=8192).contains(&memory),
        2048 => (4096..=16384).contains(&memory),
        _ => (8192..=30720).contains(&memory),
    };
    for cpu in [256, 512, 1024, 2048, 4096] {
        let steps = (1..=32).map(|gib| gib * 1024);
        for memory in steps.chain([256, 512, 1536, 2500]) {
            let whole = memory % 1024 == 0 || (cpu == 256 && memory == 512);
            let (cpu_text, memory_text) = (cpu.to_string(), memory.to_string());
            let parameters = [("Cpu", cpu_text.as_str()), ("Memory", memory_text.as_str())];
            let broken = broken(&template, &parameters);
            assert_eq!(
                broken.is_empty(),
                whole && offered(cpu, memory),
                "{cpu} and {memory}: {broken:?}"
            );
        }
    }
}

fn broken(template: &Value, more: &[(&str, &str)]) -> Vec<String> {
    let parameters = [scenarios::least().parameters, more.to_vec()].concat();
    Evaluation::new(template.clone(), &parameters).broken_rules()
}
