//! The wire formats, as AWS's own CLI reads them.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::tools::aws_cli;
use common::{Environment, Release};
use serde_json::{Value, json};

struct Cli<'a> {
    environment: &'a Environment,
    program: &'a Path,
}

impl Cli<'_> {
    fn run(&self, line: &str) -> Output {
        Command::new(self.program)
            .args(line.split_whitespace())
            .env(
                "AWS_ENDPOINT_URL",
                &self.environment.description.endpoint_url,
            )
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_PAGER", "")
            .env("AWS_MAX_ATTEMPTS", "1")
            .output()
            .unwrap()
    }

    fn ask(&self, line: &str) -> Value {
        let output = self.run(line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {error}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The error that the CLI reports.
    fn refused(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(!output.status.success(), "{line}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_found_from_the_service() {
    let Some(program) = aws_cli() else { return };
    let environment = common::start().await;
    let cli = Cli {
        environment: &environment,
        program: &program,
    };
    let service = environment.service().await;
    let network = &service["networkConfiguration"]["awsvpcConfiguration"];
    let subnet = network["subnets"][0].as_str().unwrap();
    let found = cli.ask(&format!("ec2 describe-subnets --subnet-ids {subnet}"));
    assert_eq!(found["Subnets"].as_array().unwrap().len(), 1);
    assert_eq!(found["Subnets"][0]["MapPublicIpOnLaunch"], false);
    let vpc = found["Subnets"][0]["VpcId"].as_str().unwrap();
    let tables = cli.ask(&format!(
        "ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet}"
    ));
    let routes = tables["RouteTables"][0]["Routes"].as_array().unwrap();
    let out = routes
        .iter()
        .find(|route| route["DestinationCidrBlock"] == "0.0.0.0/0");
    assert!(
        out.unwrap()["NatGatewayId"]
            .as_str()
            .unwrap()
            .starts_with("nat-")
    );
    let none = cli.ask("ec2 describe-route-tables --filters Name=vpc-id,Values=vpc-0");
    assert_eq!(none["RouteTables"], json!([]));
    let endpoints = cli.ask(&format!(
        "ec2 describe-vpc-endpoints --filters Name=vpc-id,Values={vpc}"
    ));
    assert_eq!(endpoints["VpcEndpoints"], json!([]));

    let group = network["securityGroups"][0].as_str().unwrap();
    let groups = cli.ask(&format!("ec2 describe-security-groups --group-ids {group}"));
    let ingress = &groups["SecurityGroups"][0]["IpPermissions"][0];
    assert_eq!(ingress["FromPort"], 8000);
    let balancers = cli.ask("elbv2 describe-load-balancers");
    let balancer = &balancers["LoadBalancers"][0];
    assert_eq!(
        ingress["UserIdGroupPairs"][0]["GroupId"],
        balancer["SecurityGroups"][0]
    );
    assert_eq!(balancer["AvailabilityZones"][0]["SubnetId"], subnet);
    let error = cli.refused("ec2 describe-subnets --subnet-ids subnet-0");
    assert!(error.contains("(InvalidSubnetID.NotFound)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_balancer_is_described() {
    let Some(program) = aws_cli() else { return };
    let environment = common::start().await;
    let cli = Cli {
        environment: &environment,
        program: &program,
    };
    let balancers = cli.ask("elbv2 describe-load-balancers");
    let arn = balancers["LoadBalancers"][0]["LoadBalancerArn"]
        .as_str()
        .unwrap();
    let attributes = cli.ask(&format!(
        "elbv2 describe-load-balancer-attributes --load-balancer-arn {arn}"
    ));
    let idle = attributes["Attributes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|attribute| attribute["Key"] == "idle_timeout.timeout_seconds");
    assert_eq!(idle.unwrap()["Value"], "300");
    let listeners = cli.ask(&format!(
        "elbv2 describe-listeners --load-balancer-arn {arn}"
    ));
    let listener = listeners["Listeners"][0]["ListenerArn"].as_str().unwrap();
    let rules = cli.ask(&format!("elbv2 describe-rules --listener-arn {listener}"));
    assert_eq!(
        rules["Rules"][0]["Conditions"][0]["Values"],
        json!(["/mcp", "/mcp/*"])
    );
    let groups = cli.ask("elbv2 describe-target-groups");
    let group = groups["TargetGroups"][0]["TargetGroupArn"]
        .as_str()
        .unwrap();
    assert_eq!(rules["Rules"][0]["Actions"][0]["TargetGroupArn"], group);
    let attributes = cli.ask(&format!(
        "elbv2 describe-target-group-attributes --target-group-arn {group}"
    ));
    assert!(
        attributes
            .to_string()
            .contains("deregistration_delay.timeout_seconds")
    );
    let health = cli.ask(&format!(
        "elbv2 describe-target-health --target-group-arn {group}"
    ));
    assert_eq!(health["TargetHealthDescriptions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_permissions_and_secrets_are_described() {
    let Some(program) = aws_cli() else { return };
    let environment = common::start().await;
    let cli = Cli {
        environment: &environment,
        program: &program,
    };
    let definition =
        cli.ask("ecs describe-task-definition --task-definition quilt-local-mcp-server");
    for member in ["taskRoleArn", "executionRoleArn"] {
        let arn = definition["taskDefinition"][member].as_str().unwrap();
        let role = arn.rsplit('/').next().unwrap();
        let found = cli.ask(&format!("iam get-role --role-name {role}"));
        assert_eq!(found["Role"]["Arn"], arn);
        let trust = &found["Role"]["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trust["Principal"]["Service"], "ecs-tasks.amazonaws.com");
    }
    let error = cli.refused("iam get-role --role-name absent");
    assert!(error.contains("(NoSuchEntity)"), "{error}");

    let simulate = "iam simulate-principal-policy --policy-source-arn arn:aws:iam::111122223333:user/local --action-names ecs:UpdateService ecs:StopServiceDeployment";
    let decisions = || {
        let answer = cli.ask(simulate);
        let results = answer["EvaluationResults"].as_array().unwrap().clone();
        results
            .iter()
            .map(|result| result["EvalDecision"].clone())
            .collect::<Vec<Value>>()
    };
    assert_eq!(decisions(), [json!("allowed"), json!("allowed")]);
    environment
        .fault(json!({ "fault": "deny", "operation": "ecs:StopServiceDeployment" }))
        .await;
    assert_eq!(decisions(), [json!("allowed"), json!("implicitDeny")]);

    environment.secret("secrets-manager", "quilt", "v").await;
    environment.secret("parameter-store", "/quilt", "v").await;
    let secret = cli.ask("secretsmanager describe-secret --secret-id quilt");
    assert!(secret["ARN"].as_str().unwrap().contains(":secret:quilt-"));
    let value = cli.ask("secretsmanager get-secret-value --secret-id quilt");
    assert_eq!(value["SecretString"], "v");
    let parameters = cli.ask("ssm describe-parameters --parameter-filters Key=Name,Values=/quilt");
    assert_eq!(parameters["Parameters"][0]["Type"], "SecureString");
    let parameters = cli.ask("ssm get-parameters --names /quilt /absent");
    assert_eq!(parameters["InvalidParameters"], json!(["/absent"]));
    let error = cli.refused("secretsmanager describe-secret --secret-id absent");
    assert!(error.contains("(ResourceNotFoundException)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_followed_and_stopped() {
    let Some(program) = aws_cli() else { return };
    let environment = common::start().await;
    let cli = Cli {
        environment: &environment,
        program: &program,
    };
    environment.release(Release::Serve("one")).await;
    environment.settled().await;
    // Held back, so that it is under way for as long as the CLI takes.
    environment
        .fault(json!({ "fault": "slow-start", "revision": "*:3", "seconds": 86400 }))
        .await;
    environment.release(Release::Sick).await;
    let list =
        "ecs list-service-deployments --cluster quilt-local --service quilt-local-mcp-server";
    let listed = cli.ask(&format!("{list} --status PENDING IN_PROGRESS"));
    let arn = listed["serviceDeployments"][0]["serviceDeploymentArn"]
        .as_str()
        .unwrap();
    let stop =
        format!("ecs stop-service-deployment --service-deployment-arn {arn} --stop-type ROLLBACK");
    assert_eq!(cli.ask(&stop)["serviceDeploymentArn"], arn);
    environment.settled().await;
    let described = cli.ask(&format!(
        "ecs describe-service-deployments --service-deployment-arns {arn}"
    ));
    let deployment = &described["serviceDeployments"][0];
    assert_eq!(deployment["status"], "ROLLBACK_SUCCESSFUL");
    assert!(!deployment["rollback"]["startedAt"].is_null());
    assert_eq!(deployment["deploymentCircuitBreaker"]["threshold"], 3);
    let error = cli.refused(&stop);
    assert!(error.contains("(ConflictException)"), "{error}");
    let revision = deployment["rollback"]["serviceRevisionArn"]
        .as_str()
        .unwrap();
    let revisions = cli.ask(&format!(
        "ecs describe-service-revisions --service-revision-arns {revision}"
    ));
    assert!(revisions["serviceRevisions"][0]["containerImages"][0]["imageDigest"].is_string());

    let policy = cli.ask("ecr get-lifecycle-policy --repository-name quilt-local-mcp-server");
    assert!(
        policy["lifecyclePolicyText"]
            .as_str()
            .unwrap()
            .contains("untagged")
    );
    let digest = environment.push_image().await;
    let digest = digest.rsplit('@').next().unwrap();
    for name in ["CVE-1", "CVE-2"] {
        let fault = json!({ "fault": "vulnerability", "name": name, "package": "openssl" });
        environment.fault(fault).await;
    }
    let scan = cli.ask(&format!(
        "ecr describe-image-scan-findings --repository-name quilt-local-mcp-server --image-id imageDigest={digest} --page-size 1"
    ));
    assert_eq!(scan["imageScanStatus"]["status"], "ACTIVE");
    let findings = scan["imageScanFindings"]["enhancedFindings"].as_array();
    let titles: Vec<&Value> = findings
        .unwrap()
        .iter()
        .map(|found| &found["title"])
        .collect();
    assert_eq!(titles, ["CVE-1", "CVE-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_in_each_protocol() {
    let Some(program) = aws_cli() else { return };
    let environment = common::start().await;
    let cli = Cli {
        environment: &environment,
        program: &program,
    };
    let services = "ecs list-services --cluster quilt-local";
    let cases = [
        ("deny", services, "(AccessDeniedException)"),
        ("deny", "elbv2 describe-load-balancers", "(AccessDenied)"),
        ("deny", "ec2 describe-subnets", "(UnauthorizedOperation)"),
        ("throttle", services, "(ThrottlingException)"),
        ("throttle", "iam get-role --role-name x", "(Throttling)"),
        ("throttle", "ec2 describe-subnets", "(RequestLimitExceeded)"),
        ("server-error", services, "(ServerException)"),
        (
            "server-error",
            "elbv2 describe-load-balancers",
            "(ServiceUnavailable)",
        ),
        ("server-error", "ec2 describe-subnets", "(Unavailable)"),
        ("cut-off", services, "Connection was closed"),
        ("expired-credentials", services, "(ExpiredTokenException)"),
    ];
    for (fault, line, expected) in cases {
        let mut request = json!({ "fault": fault });
        if fault == "deny" {
            request["operation"] = json!("*");
        }
        environment.fault(request).await;
        let error = cli.refused(line);
        assert!(error.contains(expected), "{fault} {line}: {error}");
        environment.clear_faults().await;
    }
    let error = cli.refused("ec2 describe-instances");
    assert!(error.contains("(InvalidAction)"), "{error}");
}
