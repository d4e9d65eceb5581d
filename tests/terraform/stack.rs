//! A Quilt stack as the module finds it, in moto: network, load balancer, listener and cluster.

use quilt_mcp_deploy::image::Digest;
use serde_json::{Value, json};

use crate::support::moto::{Moto, REGION};

pub const NAME: &str = "sales-prod";
pub const CATALOG: &str = "catalog.example.com";

/// What exists before the module is applied.
pub struct Stack {
    pub vpc: String,
    pub subnets: Vec<String>,
    pub load_balancer_security_group: String,
    pub listener: String,
    pub cluster: String,
}

impl Stack {
    pub async fn build(moto: &Moto) -> Self {
        // moto gives every region a network.
        let subnets = moto
            .query("ec2", "2016-11-15", "DescribeSubnets", &[])
            .await;
        let vpc = one(&subnets, "vpcId");
        let subnets = all(&subnets, "subnetId");
        open_a_way_out(moto, &subnets[0], &vpc).await;
        let group = [
            ("GroupName", "elb-pri-sales-prod"),
            ("GroupDescription", "the load balancer"),
            ("VpcId", &vpc),
        ];
        let group = moto
            .query("ec2", "2016-11-15", "CreateSecurityGroup", &group)
            .await;
        let group = one(&group, "groupId");
        let listener = listen(moto, &subnets, &group).await;
        let cluster = moto
            .ecs("CreateCluster", json!({"clusterName": NAME}))
            .await;
        let cluster = cluster["cluster"]["clusterArn"]
            .as_str()
            .unwrap()
            .to_owned();
        let provider = [
            ("Url", "https://token.actions.githubusercontent.com"),
            ("ClientIDList.member.1", "sts.amazonaws.com"),
        ];
        moto.query(
            "iam",
            "2010-05-08",
            "CreateOpenIDConnectProvider",
            &provider,
        )
        .await;
        Self {
            vpc,
            subnets,
            load_balancer_security_group: group,
            listener,
            cluster,
        }
    }
}

/// A NAT gateway that the subnets' own route table leads to.
async fn open_a_way_out(moto: &Moto, subnet: &str, vpc: &str) {
    let ec2 = ("ec2", "2016-11-15");
    let address = [("Domain", "vpc")];
    let address = moto.query(ec2.0, ec2.1, "AllocateAddress", &address).await;
    let address = one(&address, "allocationId");
    let gateway = [("SubnetId", subnet), ("AllocationId", &address)];
    let gateway = moto.query(ec2.0, ec2.1, "CreateNatGateway", &gateway).await;
    let gateway = one(&gateway, "natGatewayId");
    let tables = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
    let tables = moto
        .query(ec2.0, ec2.1, "DescribeRouteTables", &tables)
        .await;
    let table = one(&tables, "routeTableId");
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "0.0.0.0/0"),
        ("NatGatewayId", &gateway),
    ];
    moto.query(ec2.0, ec2.1, "CreateRoute", &route).await;
}

/// A load balancer with a listener for HTTPS.
async fn listen(moto: &Moto, subnets: &[String], group: &str) -> String {
    const ELB: (&str, &str) = ("elasticloadbalancing", "2015-12-01");
    let balancer = [
        ("Name", NAME),
        ("Scheme", "internal"),
        ("Subnets.member.1", &subnets[0]),
        ("Subnets.member.2", &subnets[1]),
        ("SecurityGroups.member.1", group),
    ];
    let balancer = moto
        .query(ELB.0, ELB.1, "CreateLoadBalancer", &balancer)
        .await;
    let balancer = one(&balancer, "LoadBalancerArn");
    let idle_timeout = [
        ("LoadBalancerArn", balancer.as_str()),
        ("Attributes.member.1.Key", "idle_timeout.timeout_seconds"),
        ("Attributes.member.1.Value", "1000"),
    ];
    moto.query(ELB.0, ELB.1, "ModifyLoadBalancerAttributes", &idle_timeout)
        .await;
    let certificate = json!({"DomainName": CATALOG, "ValidationMethod": "DNS"});
    let certificate = moto
        .call("acm", "CertificateManager.RequestCertificate", certificate)
        .await;
    let listener = [
        ("LoadBalancerArn", balancer.as_str()),
        ("Port", "443"),
        ("Protocol", "HTTPS"),
        ("SslPolicy", "ELBSecurityPolicy-TLS13-1-2-2021-06"),
        (
            "Certificates.member.1.CertificateArn",
            certificate["CertificateArn"].as_str().unwrap(),
        ),
        ("DefaultActions.member.1.Type", "fixed-response"),
        (
            "DefaultActions.member.1.FixedResponseConfig.StatusCode",
            "404",
        ),
        (
            "DefaultActions.member.1.FixedResponseConfig.ContentType",
            "text/plain",
        ),
    ];
    let listener = moto.query(ELB.0, ELB.1, "CreateListener", &listener).await;
    one(&listener, "ListenerArn")
}

/// Puts an image for linux/amd64 into the repository; gives its digest.
pub async fn put_image(moto: &Moto, repository: &str, tag: &str) -> String {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2,
                   "digest": Digest::of(b"{}")},
        // moto makes the digest of an image out of its layers.
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 2,
                    "digest": Digest::of(tag.as_bytes())}],
    });
    let parameters = json!({
        "repositoryName": repository, "imageManifest": manifest.to_string(), "imageTag": tag,
    });
    let answer: Value = moto.ecr("PutImage", parameters).await;
    let digest = &answer["image"]["imageId"]["imageDigest"];
    digest.as_str().unwrap().to_owned()
}

/// The main file of an environment on this stack, made from the example.
pub fn environment(stack: &Stack) -> String {
    format!(
        r#"provider "aws" {{
  region      = "{REGION}"
  max_retries = 2

  default_tags {{
    tags = {{
      Project     = "quilt"
      Environment = "prod"
      Owner       = "data-platform"
      CostCenter  = "4711"
    }}
  }}
}}

variable "log_filter" {{
  type    = string
  default = "info"
}}

module "ecr" {{
  source = "../../modules/ecr"
  name   = "quilt/{NAME}/mcp-server"
}}

module "mcp_server" {{
  source = "../../modules/mcp-service"

  name                            = "{NAME}"
  environment                     = "prod"
  cluster_arn                     = "{cluster}"
  repository_arn                  = module.ecr.repository_arn
  catalog_url                     = "https://{CATALOG}"
  registry_url                    = "https://registry.example.com"
  listener_arn                    = "{listener}"
  hosts                           = ["{CATALOG}"]
  load_balancer_security_group_id = "{group}"
  vpc_id                          = "{vpc}"
  subnet_ids                      = {subnets:?}
  environment_variables           = {{ MCP_LOG = var.log_filter }}
}}

data "aws_iam_openid_connect_provider" "github" {{
  url = "https://token.actions.githubusercontent.com"
}}

module "release_role" {{
  source = "../../modules/github-oidc"

  name                   = "{NAME}-mcp-server-release"
  oidc_provider_arn      = data.aws_iam_openid_connect_provider.github.arn
  subjects               = ["repo:acme/quilt-mcp:environment:prod"]
  repository_arn         = module.ecr.repository_arn
  service_arn            = module.mcp_server.service_arn
  task_definition_family = module.mcp_server.task_definition_family
  task_role_arns         = [module.mcp_server.execution_role_arn, module.mcp_server.task_role_arn]
  log_group_arn          = module.mcp_server.log_group_arn
}}

output "quilt_mcp_environment" {{
  value = module.mcp_server.quilt_mcp_environment
}}
"#,
        cluster = stack.cluster,
        listener = stack.listener,
        group = stack.load_balancer_security_group,
        vpc = stack.vpc,
        subnets = stack.subnets,
    )
}

/// The text of the first element of that name.
fn one(xml: &str, element: &str) -> String {
    all(xml, element).swap_remove(0)
}

/// The texts of all elements of that name, each once.
fn all(xml: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let mut found: Vec<String> = Vec::new();
    for rest in xml.split(&open).skip(1) {
        let text = rest.split(&close).next().unwrap().to_owned();
        if !found.contains(&text) {
            found.push(text);
        }
    }
    assert!(!found.is_empty(), "no {element} in {xml}");
    found
}
