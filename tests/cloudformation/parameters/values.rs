//! Values that parameters take, and values that they refuse.

/// A parameter, values that it takes, and values that it refuses.
pub type Row = (
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

pub const SERVICE: &[Row] = &[
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

pub const ECR: &[Row] = &[
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

pub const OIDC: &[Row] = &[
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
