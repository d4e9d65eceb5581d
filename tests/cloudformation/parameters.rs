//! What the parameters take: each constraint is seen to refuse something, and each of the `Rules`.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use crate::attributes::SUBNET_ELSEWHERE;
use crate::evaluate::{Evaluation, text};
use crate::scenarios;
use crate::template;

/// A parameter, values that it takes, and values that it refuses.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const CIDRS: &[&str] = &["10.0.0.0/8", "192.168.1.7/32"];
const NO_CIDRS: &[&str] = &[
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0/8",
    "all",
    "10.0.0.0/8,10.0.0.0/9",
    "::/0",
];
const KEYS: &[&str] = &[
    "",
    "arn:aws:kms:us-east-1:123456789012:key/ab",
    "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/ab",
];
const NO_KEYS: &[&str] = &[
    "alias/quilt",
    "arn:aws:kms:us-east-1:123456789012:alias/quilt",
];
const URLS: &[&str] = &[
    "https://catalog.example.com",
    "https://catalog.example.com:8443",
];
const NO_URLS: &[&str] = &[
    "",
    "http://catalog.example.com",
    "https://catalog.example.com/",
    "https://catalog.example.com/b",
    "https://*.example.com",
    "catalog.example.com",
];
const HOSTS: &[&str] = &["catalog.example.com", "a.b"];
const NO_HOSTS: &[&str] = &[
    "catalog",
    "*.example.com",
    "catalog.example.com:8443",
    "Catalog.example.com",
    "a.example.com,b.example.com",
    "-a.example.com",
];
const BOUNDARIES: &[&str] = &[
    "",
    "arn:aws:iam::123456789012:policy/boundary",
    "arn:aws:iam::aws:policy/PowerUserAccess",
];
const NO_BOUNDARIES: &[&str] = &[
    "boundary",
    "arn:aws:iam::123456789012:role/boundary",
    "arn:aws:iam::*:policy/boundary",
];
const REPOSITORIES: &[&str] =
    &["arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server"];
const NO_REPOSITORIES: &[&str] = &[
    "",
    "quilt/sales-prod/mcp-server",
    "arn:aws:ecr:us-east-1:123456789012:repository/*",
    "arn:aws:ecr:us-east-1:123456789012:repository/a:tag",
];
const TAG_VALUES: &[&str] = &[
    "",
    "3f2a9c1",
    "arn:aws:sts::123456789012:assumed-role/ci/a@b.example",
];
const NO_TAG_VALUES: &[&str] = &["a*b", "a\nb", "(a)"];

const SERVICE: &[Row] = &[
    (
        "Name",
        &["sales-prod", "a1", "a-twenty-letter-name"],
        &["", "a", "Sales", "-a", "a-", "a_b", "a-name-of-21-letters-"],
    ),
    (
        "Environment",
        &["dev", "staging", "prod"],
        &["", "production"],
    ),
    (
        "ClusterName",
        &["sales-prod", "Sales_1"],
        &[
            "",
            "arn:aws:ecs:us-east-1:123456789012:cluster/sales-prod",
            "a/b",
        ],
    ),
    ("RepositoryArn", REPOSITORIES, NO_REPOSITORIES),
    ("CatalogUrl", URLS, NO_URLS),
    ("RegistryUrl", URLS, NO_URLS),
    (
        "ImageUri",
        &[
            "",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
        &[
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/a:latest",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/a",
            "docker.io/quilt/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/quilt/a@sha256:0123",
        ],
    ),
    ("ReleaseCommit", TAG_VALUES, NO_TAG_VALUES),
    ("ReleasedBy", TAG_VALUES, NO_TAG_VALUES),
    (
        "ListenerArn",
        &["arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/b/c"],
        &[
            "",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/a/b/c",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/b",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/a/b/c/d",
        ],
    ),
    ("ListenerPort", &["443", "8443"], &["0", "65536", "https"]),
    (
        "ListenerPriority",
        &["1", "24", "9999", "49999", "50000"],
        &["", "0", "010", "50001", "10.5", "ten"],
    ),
    ("Host", HOSTS, NO_HOSTS),
    ("SecondHost", HOSTS, NO_HOSTS),
    ("DedicatedHost", &["true", "false"], &["", "yes"]),
    ("ClientCidr", CIDRS, NO_CIDRS),
    ("DeregistrationDelaySeconds", &["5", "3600"], &["4", "3601"]),
    (
        "WebAclArn",
        &[
            "",
            "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/b",
        ],
        &["arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/b"],
    ),
    (
        "DirectIngressCidr",
        &["", "10.20.0.0/16", "10.20.1.0/24", "10.20.1.1/32"],
        &["10.0.0.0/8", "0.0.0.0/0", "10.20.0.0/15", "10.20.0.0/33"],
    ),
    (
        "EgressCidr",
        &["0.0.0.0/0", "10.0.0.0/16"],
        &["", "10.0.0.0", "10.0.0.0/33"],
    ),
    (
        "EgressPrefixListId",
        &["", "pl-0123abcd"],
        &["pl-", "sg-0123abcd"],
    ),
    (
        "DnsResolverCidr",
        &["", "10.0.0.2/32", "10.0.0.0/8"],
        &["0.0.0.0/0", "10.0.0.2"],
    ),
    ("Cpu", &["256", "4096"], &["128", "8192"]),
    ("MinTasks", &["1", "6"], &["0", "7", "2.5"]),
    ("MaxTasks", &["1", "99", "100"], &["0", "101", "06", "2.5"]),
    ("TaskCount", &["MinTasks", "Unchanged"], &["", "2"]),
    ("AutoscalingCpuPercent", &["20", "80"], &["19", "81"]),
    (
        "HealthCheckGracePeriodSeconds",
        &["30", "600"],
        &["29", "601"],
    ),
    (
        "CorsOrigins",
        &[
            "",
            "none",
            "https://a.example.com",
            "https://a.example.com,https://b.example.com:8443",
        ],
        &[
            "*",
            "https://*.example.com",
            "http://a.example.com",
            "https://a.example.com/",
            "https://a.example.com, https://b.example.com",
            "https://a.example.com,none",
        ],
    ),
    (
        "AuthorizationServers",
        &[
            "",
            "https://login.example.com/realm",
            "https://a.example.com,https://b.example.com",
        ],
        &[
            "http://login.example.com",
            "login.example.com",
            "https://a.example.com, https://b.example.com",
        ],
    ),
    (
        "Scopes",
        &["", "openid", "openid,quilt/read"],
        &["openid quilt", "openid,,quilt", "a\"b"],
    ),
    ("Audiences", &["", "one", "one,two"], &["one, two", ","]),
    (
        "LogFilter",
        &["", "info,rmcp=warn", "quilt_mcp_server::http=debug"],
        &["info; rm", "$(x)"],
    ),
    (
        "HttpsProxy",
        &["", "http://proxy.example.com:3128"],
        &[
            "http://user:secret@proxy.example.com",
            "proxy.example.com:3128",
            "http://proxy.example.com/x",
        ],
    ),
    ("NoProxy", &["", ".example.com,10.0.0.0/8"], &["a b", "a;b"]),
    (
        "SecretName",
        &["", "HTTPS_PROXY", "_A1"],
        &["https_proxy", "1A", "A-B"],
    ),
    (
        "SecretArn",
        &[
            "",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/a-a1B2c3",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/a-a1B2c3:key::",
            "arn:aws:ssm:us-east-1:123456789012:parameter/quilt/a",
        ],
        &[
            "quilt/a",
            "hunter2",
            "arn:aws:ssm:us-east-1:123456789012:document/a",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:a:b",
        ],
    ),
    ("SecretsKmsKeyArn", KEYS, NO_KEYS),
    ("LogKmsKeyArn", KEYS, NO_KEYS),
    (
        "LogRetentionDays",
        &["1", "90", "3653"],
        &["0", "-1", "100"],
    ),
    ("PermissionsBoundaryArn", BOUNDARIES, NO_BOUNDARIES),
    (
        "AlarmTopicArn",
        &["", "arn:aws:sns:us-east-1:123456789012:alarms"],
        &["alarms", "arn:aws:sqs:us-east-1:123456789012:alarms"],
    ),
    ("ServerErrorsPerMinute", &["1"], &["0"]),
    ("LatencyP95Seconds", &["0.5", "5"], &["0", "-1"]),
    ("RefusedAuthenticationsPer5Minutes", &["1"], &["0"]),
];

const ECR: &[Row] = &[
    (
        "Name",
        &["quilt/sales-prod/mcp-server", "ab"],
        &["", "a", "Quilt", "/a", "a/", "a//b"],
    ),
    ("KeepReleases", &["10", "30"], &["9", "0"]),
    ("UntaggedDays", &["1", "14"], &["0"]),
    ("KmsKeyArn", KEYS, NO_KEYS),
    (
        "PullAccountIds",
        &["", "123456789012", "123456789012,210987654321"],
        &["*", "12345", "123456789012, 210987654321"],
    ),
];

const OIDC: &[Row] = &[
    (
        "Name",
        &["sales-prod-mcp-server-release", "a+=,.@_-b"],
        &["", "a/b", "a b", "*"],
    ),
    (
        "OidcProviderArn",
        &["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"],
        &[
            "",
            "arn:aws:iam::123456789012:oidc-provider/example.com",
            "arn:aws:iam::123456789012:oidc-provider/tokenxactions.githubusercontent.com",
        ],
    ),
    (
        "Subjects",
        &[
            "repo:acme/quilt-mcp:environment:prod",
            "repo:acme/a:environment:prod,repo:acme/b:ref:refs/heads/main",
        ],
        &[
            "",
            "repo:acme/*",
            "repo:acme/*:environment:prod",
            "repo:acme/a:environment:*",
            "repo:acme/a:ref:refs/heads/*",
            "repo:acme/a:pull_request",
            "*",
        ],
    ),
    ("RepositoryArn", REPOSITORIES, NO_REPOSITORIES),
    (
        "ServiceArn",
        &["arn:aws:ecs:us-east-1:123456789012:service/sales-prod/sales-prod-mcp-server"],
        &[
            "",
            "arn:aws:ecs:us-east-1:123456789012:service/sales-prod/*",
            "arn:aws:ecs:us-east-1:123456789012:service/sales-prod-mcp-server",
        ],
    ),
    (
        "TaskDefinitionFamily",
        &["sales-prod-mcp-server"],
        &["", "a:1", "*"],
    ),
    (
        "ExecutionRoleArn",
        &["arn:aws:iam::123456789012:role/a/b"],
        &[
            "",
            "*",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:user/a",
        ],
    ),
    (
        "TaskRoleArn",
        &["arn:aws:iam::123456789012:role/a"],
        &["", "*", "arn:aws:iam::123456789012:role/*"],
    ),
    (
        "LogGroupArn",
        &["arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server"],
        &[
            "",
            "arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server:*",
            "arn:aws:logs:us-east-1:123456789012:log-group:*",
        ],
    ),
    (
        "StackName",
        &["sales-prod-mcp-server"],
        &["", "*", "1a", "a_b"],
    ),
    (
        "SecretArn",
        &[
            "",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/a-a1B2c3",
        ],
        &[
            "*",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:*",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:a:key::",
        ],
    ),
    ("PermissionsBoundaryArn", BOUNDARIES, NO_BOUNDARIES),
];

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
                    is_taken(declared, value),
                    "{name}: {parameter} refuses {value:?}"
                );
            }
            for value in *refuses {
                assert!(
                    !is_taken(declared, value),
                    "{name}: {parameter} takes {value:?}"
                );
            }
            let default = &declared["Default"];
            assert!(
                default.is_null() || is_taken(declared, &text(default)),
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

/// Whether CloudFormation takes a value (User Guide, "Parameters"): patterns match as a whole.
pub fn is_taken(parameter: &Value, value: &str) -> bool {
    let pattern = parameter["AllowedPattern"].as_str();
    let pattern = pattern.map(|pattern| Regex::new(&format!("^(?:{pattern})$")).unwrap());
    let among = parameter["AllowedValues"].as_array();
    let number: Option<f64> = value.parse().ok();
    let length = value.chars().count() as u64;
    pattern.is_none_or(|pattern| pattern.is_match(value))
        && among.is_none_or(|among| among.iter().any(|one| text(one) == value))
        && parameter["MinLength"]
            .as_u64()
            .is_none_or(|least| length >= least)
        && parameter["MaxLength"]
            .as_u64()
            .is_none_or(|most| length <= most)
        && (parameter["Type"] != "Number" || number.is_some())
        && parameter["MinValue"]
            .as_f64()
            .is_none_or(|least| number.unwrap() >= least)
        && parameter["MaxValue"]
            .as_f64()
            .is_none_or(|most| number.unwrap() <= most)
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
