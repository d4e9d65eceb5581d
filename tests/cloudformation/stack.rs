//! The stack in moto, which reads the template by itself: a second opinion on its functions, and on
//! what the APIs take.
//!
//! moto's CloudFormation knows no Rules, no `AWS::NoValue` in a list, no full name of a target group, no
//! name of a service, no count that is a text, and none of alarms, metric filters and scaling; its ECS
//! keeps of a service the count, and of a task definition the containers; its ECR keeps of a repository
//! whether tags may change.

use serde_json::{Value, json};

use crate::evaluate::Evaluation;
use crate::quilt::Stack;
use crate::scenarios;
use crate::support::moto::{ACCOUNT, Moto, REGION};
use crate::template;

pub const NAME: &str = "sales-prod-mcp-server";
const CLOUDFORMATION: (&str, &str) = ("cloudformation", "2010-05-15");
const BALANCING: (&str, &str) = ("elasticloadbalancing", "2015-12-01");

#[tokio::test(flavor = "multi_thread")]
async fn moto_makes_the_stack() {
    let Some(moto) = Moto::start() else { return };
    let quilt = Stack::build(&moto).await;
    let mut parameters = parameters(&quilt);
    send(&moto, "CreateStack", &parameters).await;
    let described = stack_says(&moto).await;
    assert!(
        described.contains("<StackStatus>CREATE_COMPLETE<"),
        "{described}"
    );
    the_environment_is_right(&described);
    the_container_is_right(&moto).await;
    the_load_balancer_is_right(&moto, &quilt).await;
    what_is_around_is_right(&moto, &quilt).await;
    assert_eq!(service(&moto).await["desiredCount"], 0);

    let image = format!(
        "{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/quilt/sales-prod/mcp-server@sha256:{}",
        "0".repeat(64)
    );
    parameters.push(("ImageUri", image));
    send(&moto, "UpdateStack", &parameters).await;
    let service = service(&moto).await;
    assert!(
        service["taskDefinition"].as_str().unwrap().ends_with(":2"),
        "{service}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_makes_the_repository_and_cis_role() {
    let Some(moto) = Moto::start() else { return };
    for [_, scenario] in [scenarios::repository(), scenarios::release_role()] {
        let template = scenario.evaluation().decided().to_string();
        let parameters = &scenario.parameters;
        call(&moto, "CreateStack", scenario.name, &template, parameters).await;
    }
    let named = json!({"repositoryNames": ["quilt/sales-prod/mcp-server"]});
    let answer = moto.ecr("DescribeRepositories", named).await;
    let repository = &answer["repositories"][0];
    assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
    let named = [
        ("RoleName", "sales-prod-mcp-server-release"),
        ("PolicyName", "release"),
    ];
    let policy = moto
        .query("iam", "2010-05-08", "GetRolePolicy", &named)
        .await;
    for said in ["cloudformation:UpdateStack", "stack/sales-prod-mcp-server/"] {
        assert!(policy.contains(said), "{said}: {policy}");
    }
    let role = moto
        .query("iam", "2010-05-08", "GetRole", &named[..1])
        .await;
    assert!(
        role.contains("repo%3Aacme/a%3Aenvironment%3Aprod"),
        "{role}"
    );
}

pub fn parameters(quilt: &Stack) -> Vec<(&'static str, String)> {
    vec![
        ("Name", "sales-prod".to_owned()),
        ("Environment", "prod".to_owned()),
        ("ClusterName", "sales-prod".to_owned()),
        (
            "RepositoryArn",
            format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/quilt/sales-prod/mcp-server"),
        ),
        ("CatalogUrl", "https://catalog.example.com".to_owned()),
        ("RegistryUrl", "https://registry.example.com".to_owned()),
        ("ListenerArn", quilt.listener.clone()),
        ("Host", "catalog.example.com".to_owned()),
        ("VpcId", quilt.vpc.clone()),
        ("SubnetIds", quilt.subnets.join(",")),
        (
            "LoadBalancerSecurityGroupId",
            quilt.load_balancer_security_group.clone(),
        ),
    ]
}

/// Sends the service's template with what moto cannot decide decided.
async fn send(moto: &Moto, action: &str, parameters: &[(&str, String)]) {
    let values: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let evaluation = Evaluation::new(template::read("mcp-service.yaml"), &values);
    call(
        moto,
        action,
        NAME,
        &for_moto(&evaluation.decided()),
        &values,
    )
    .await;
}

/// A decided template without what moto does not know.
pub fn for_moto(decided: &Value) -> String {
    let full_name = format!("targetgroup/{NAME}/0123456789abcdef");
    decided
        .to_string()
        .replace(
            r#"{"Fn::GetAtt":["TargetGroup","TargetGroupFullName"]}"#,
            &format!("{full_name:?}"),
        )
        .replace("${TargetGroup.TargetGroupFullName}", &full_name)
        .replace("${Service.Name}", NAME)
        .replace(
            r#""DesiredCount":{"Ref":"MinTasks"}"#,
            r#""DesiredCount":2"#,
        )
}

pub async fn call(
    moto: &Moto,
    action: &str,
    name: &str,
    template: &str,
    parameters: &[(&str, &str)],
) {
    let mut form = vec![
        ("StackName".to_owned(), name),
        ("TemplateBody".to_owned(), template),
        ("Capabilities.member.1".to_owned(), "CAPABILITY_NAMED_IAM"),
    ];
    for (index, (name, value)) in parameters.iter().enumerate() {
        let member = format!("Parameters.member.{}", index + 1);
        form.push((format!("{member}.ParameterKey"), name));
        form.push((format!("{member}.ParameterValue"), value));
    }
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    moto.query(CLOUDFORMATION.0, CLOUDFORMATION.1, action, &form)
        .await;
}

pub async fn stack_says(moto: &Moto) -> String {
    let stack = [("StackName", NAME)];
    moto.query(CLOUDFORMATION.0, CLOUDFORMATION.1, "DescribeStacks", &stack)
        .await
}

/// The stack's output for quilt-mcp.toml.
pub fn environment(described: &str) -> String {
    let (before, after) = described.split_once("deploy_through").unwrap();
    let (_, table) = before.rsplit_once("<OutputValue>").unwrap();
    let (way, _) = after.split_once("</OutputValue>").unwrap();
    let table = format!("{table}deploy_through{way}");
    table.replace("&quot;", "\"").replace("&#34;", "\"")
}

fn the_environment_is_right(described: &str) {
    let table = environment(described);
    let environment: toml::Value =
        toml::from_str(&table).unwrap_or_else(|error| panic!("{error}: {table}"));
    assert_eq!(
        serde_json::to_value(&environment["environments"]["prod"]).unwrap(),
        json!({
            "account_id": ACCOUNT,
            "region": REGION,
            "repository": "quilt/sales-prod/mcp-server",
            "cluster": "sales-prod",
            "service": NAME,
            "container": "mcp-server",
            "url": "https://catalog.example.com/mcp/",
            "cors_origins": ["https://catalog.example.com"],
            "desired_count": 2,
            "deploy_through": "cloudformation",
            "stack": NAME,
        })
    );
}

async fn the_container_is_right(moto: &Moto) {
    let parameters = json!({"taskDefinition": NAME});
    let answer = moto.ecs("DescribeTaskDefinition", parameters).await;
    let container = &answer["taskDefinition"]["containerDefinitions"][0];
    let environment = container["environment"].as_array().unwrap().iter();
    let environment: Vec<String> = environment
        .map(|one| {
            format!(
                "{}={}",
                one["name"].as_str().unwrap(),
                one["value"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        environment,
        [
            "AWS_REGION=eu-west-1",
            "QUILT_CATALOG_URL=https://catalog.example.com",
            "QUILT_REGISTRY_URL=https://registry.example.com",
            "MCP_LISTEN=0.0.0.0:8000",
            "MCP_PUBLIC_URL=https://catalog.example.com/mcp",
            "MCP_ALLOWED_ORIGINS=https://catalog.example.com",
            "MCP_DRAIN_TIMEOUT_SECONDS=115",
        ]
    );
    for (field, value) in [
        ("name", json!("mcp-server")),
        (
            "image",
            json!(
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/quilt/sales-prod/mcp-server:unreleased"
            ),
        ),
        ("user", json!("65532:65532")),
        ("readonlyRootFilesystem", json!(true)),
        ("secrets", json!([])),
    ] {
        assert_eq!(container[field], value, "{field}");
    }
    assert_eq!(container["portMappings"][0]["containerPort"], 8000);
    assert_eq!(
        container["logConfiguration"]["options"]["awslogs-group"],
        "/quilt/sales-prod/mcp-server"
    );
}

async fn service(moto: &Moto) -> Value {
    let parameters = json!({"cluster": "sales-prod", "services": [NAME]});
    let mut answer = moto.ecs("DescribeServices", parameters).await;
    answer["services"][0].take()
}

async fn the_load_balancer_is_right(moto: &Moto, quilt: &Stack) {
    let groups = [("Names.member.1", NAME)];
    let groups = moto
        .query(BALANCING.0, BALANCING.1, "DescribeTargetGroups", &groups)
        .await;
    for said in [
        "<TargetType>ip<",
        "<Port>8000<",
        "<ProtocolVersion>HTTP1<",
        "<HealthCheckPath>/healthz<",
        "<HttpCode>200<",
    ] {
        assert!(groups.contains(said), "{said}: {groups}");
    }
    let rules = [("ListenerArn", quilt.listener.as_str())];
    let rules = moto
        .query(BALANCING.0, BALANCING.1, "DescribeRules", &rules)
        .await;
    for said in [
        "<Priority>10<",
        "<member>catalog.example.com<",
        "<member>/mcp<",
        "<member>/mcp/*<",
        &format!("targetgroup/{NAME}/"),
    ] {
        assert!(rules.contains(said), "{said}: {rules}");
    }
}

async fn what_is_around_is_right(moto: &Moto, quilt: &Stack) {
    let groups = moto
        .call("logs", "Logs_20140328.DescribeLogGroups", json!({}))
        .await;
    let group = &groups["logGroups"][0];
    assert_eq!(group["logGroupName"], "/quilt/sales-prod/mcp-server");
    assert_eq!(group["retentionInDays"], 90);

    let ours = [
        ("Filter.1.Name", "description"),
        ("Filter.1.Value.1", "Tasks of sales-prod-mcp-server"),
    ];
    let ours = moto
        .query("ec2", "2016-11-15", "DescribeSecurityGroups", &ours)
        .await;
    assert!(ours.contains(&quilt.load_balancer_security_group), "{ours}");
    assert!(ours.contains("<fromPort>8000<"), "{ours}");

    let role = [("RoleName", "sales-prod-mcp-server-task")];
    let role = moto.query("iam", "2010-05-08", "GetRole", &role).await;
    assert!(
        role.contains("arn%3Aaws%3Aecs%3Aeu-west-1%3A123456789012%3A%2A"),
        "{role}"
    );

    let dashboard = [("DashboardName", NAME)];
    let dashboard = moto
        .query("monitoring", "2010-08-01", "GetDashboard", &dashboard)
        .await;
    assert!(dashboard.contains("RefusedAuthentication"), "{dashboard}");
}
