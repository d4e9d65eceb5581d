//! The same wishes as inputs of a Terraform module and as parameters of the template.

mod beside;

pub use self::beside::{release_role, repository};

use serde_json::{Value, json};

use crate::attributes::VPC;
use crate::evaluate::Evaluation;
use crate::template;

const LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/sales-prod/0123456789abcdef/0123456789abcdef";
const REPOSITORY: &str =
    "arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-prod/mcp-server";
const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/proxy-a1B2c3";

/// A wish.
pub struct Scenario {
    pub name: &'static str,
    /// The folder of the module.
    pub module: &'static str,
    /// The file of the template.
    pub template: &'static str,
    /// Inputs of the module.
    pub inputs: Value,
    /// Parameters of the template.
    pub parameters: Vec<(&'static str, &'static str)>,
    /// The port of the listener, which the module looks up.
    pub listener_port: u16,
}

pub fn all() -> Vec<Scenario> {
    let mut all = Vec::from(of_the_service());
    all.extend(repository());
    all.extend(release_role());
    all
}

pub fn of_the_service() -> [Scenario; 3] {
    [least(), most(), other()]
}

/// What must be said, and nothing else.
pub fn least() -> Scenario {
    Scenario {
        name: "least",
        module: "modules/mcp-service",
        template: "mcp-service.yaml",
        inputs: json!({
            "name": "sales-prod",
            "environment": "prod",
            "cluster_arn": "arn:aws:ecs:us-east-1:123456789012:cluster/sales-prod",
            "repository_arn": REPOSITORY,
            "catalog_url": "https://catalog.example.com",
            "registry_url": "https://registry.example.com",
            "listener_arn": LISTENER,
            "hosts": ["catalog.example.com"],
            "vpc_id": VPC,
            "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "load_balancer_security_group_id": "sg-0123456789abcdef0",
        }),
        parameters: vec![
            ("Name", "sales-prod"),
            ("Environment", "prod"),
            ("ClusterName", "sales-prod"),
            ("RepositoryArn", REPOSITORY),
            ("CatalogUrl", "https://catalog.example.com"),
            ("RegistryUrl", "https://registry.example.com"),
            ("ListenerArn", LISTENER),
            ("Host", "catalog.example.com"),
            ("VpcId", VPC),
            (
                "SubnetIds",
                "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
            ),
            ("LoadBalancerSecurityGroupId", "sg-0123456789abcdef0"),
        ],
        listener_port: 443,
    }
}

/// Every input that does not exclude another one, and no default.
fn most() -> Scenario {
    least().and(
        "most",
        json!({
            "environment": "staging",
            "listener_priority": 7,
            "client_cidrs": ["10.0.0.0/8"],
            "deregistration_delay_seconds": 90,
            "web_acl_arn": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/ours/a1b2",
            "direct_ingress_cidrs": ["10.20.0.0/16"],
            "egress_cidrs": ["10.0.0.0/9"],
            "egress_prefix_list_ids": ["pl-0123abcd"],
            "dns_resolver_cidrs": ["10.0.0.2/32"],
            "cpu": 1024,
            "memory": 3072,
            "min_tasks": 3,
            "max_tasks": 9,
            "autoscaling_cpu_percent": 55,
            "health_check_grace_period_seconds": 75,
            "cors_origins": ["https://a.example.com", "https://b.example.com:8443"],
            "authorization_servers": ["https://login.example.com", "https://sso.example.com/x"],
            "scopes": ["openid", "quilt/read"],
            "athena_workgroup": "quilt",
            "environment_variables": {
                "MCP_AUDIENCES": "one,two", "MCP_LOG": "debug",
                "HTTPS_PROXY": "http://proxy.example.com:3128", "NO_PROXY": ".example.com,10.0.0.0/8",
            },
            "secrets": {"PROXY_PASSWORD": format!("{SECRET}:password::")},
            "secrets_kms_key_arns": [KEY],
            "log_kms_key_arn": KEY,
            "log_retention_days": 365,
            "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/boundary",
            "alarm_topic_arns": ["arn:aws:sns:us-east-1:123456789012:alarms"],
            "server_errors_per_minute": 4,
            "latency_p95_seconds": 2.5,
            "refused_authentications_per_5_minutes": 33,
        }),
        &[
            ("Environment", "staging"),
            ("ListenerPriority", "7"),
            ("ClientCidr", "10.0.0.0/8"),
            ("DeregistrationDelaySeconds", "90"),
            ("WebAclArn", "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/ours/a1b2"),
            ("DirectIngressCidr", "10.20.0.0/16"),
            ("EgressCidr", "10.0.0.0/9"),
            ("EgressPrefixListId", "pl-0123abcd"),
            ("DnsResolverCidr", "10.0.0.2/32"),
            ("Cpu", "1024"),
            ("Memory", "3072"),
            ("MinTasks", "3"),
            ("MaxTasks", "9"),
            ("AutoscalingCpuPercent", "55"),
            ("HealthCheckGracePeriodSeconds", "75"),
            ("CorsOrigins", "https://a.example.com,https://b.example.com:8443"),
            ("AuthorizationServers", "https://login.example.com,https://sso.example.com/x"),
            ("Scopes", "openid,quilt/read"),
            ("AthenaWorkgroup", "quilt"),
            ("Audiences", "one,two"),
            ("LogFilter", "debug"),
            ("HttpsProxy", "http://proxy.example.com:3128"),
            ("NoProxy", ".example.com,10.0.0.0/8"),
            ("SecretName", "PROXY_PASSWORD"),
            ("SecretArn", "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/proxy-a1B2c3:password::"),
            ("SecretsKmsKeyArn", KEY),
            ("LogKmsKeyArn", KEY),
            ("LogRetentionDays", "365"),
            ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/boundary"),
            ("AlarmTopicArn", "arn:aws:sns:us-east-1:123456789012:alarms"),
            ("ServerErrorsPerMinute", "4"),
            ("LatencyP95Seconds", "2.5"),
            ("RefusedAuthenticationsPer5Minutes", "33"),
        ],
    )
}

/// A host of its own behind another port, no web page, and a secret in the Parameter Store.
fn other() -> Scenario {
    let secret = "arn:aws:ssm:us-east-1:123456789012:parameter/quilt/proxy";
    let scenario = least().and(
        "other",
        json!({
            "environment": "dev",
            "hosts": ["mcp.example.com", "mcp.example.net"],
            "dedicated_host": true,
            "listener_priority": 41,
            "client_cidrs": ["192.168.0.0/16"],
            "min_tasks": 1,
            "max_tasks": 1,
            "cpu": 256,
            "memory": 512,
            "cors_origins": [],
            "secrets": {"HTTPS_PROXY": secret},
        }),
        &[
            ("Environment", "dev"),
            ("ListenerPort", "8443"),
            ("Host", "mcp.example.com"),
            ("SecondHost", "mcp.example.net"),
            ("DedicatedHost", "true"),
            ("ListenerPriority", "41"),
            ("ClientCidr", "192.168.0.0/16"),
            ("MinTasks", "1"),
            ("MaxTasks", "1"),
            ("Cpu", "256"),
            ("Memory", "512"),
            ("CorsOrigins", "none"),
            ("SecretName", "HTTPS_PROXY"),
            ("SecretArn", secret),
        ],
    );
    Scenario {
        listener_port: 8443,
        ..scenario
    }
}

impl Scenario {
    /// The template with the parameters.
    pub fn evaluation(&self) -> Evaluation {
        Evaluation::new(template::read(self.template), &self.parameters)
    }

    fn and(
        mut self,
        name: &'static str,
        inputs: Value,
        parameters: &[(&'static str, &'static str)],
    ) -> Self {
        self.name = name;
        let more = inputs.as_object().unwrap().clone();
        self.inputs.as_object_mut().unwrap().extend(more);
        self.parameters.extend(parameters);
        self
    }
}
