//! The example environments, filled in for a stack that does not exist.

use crate::support::terraform::Terraform;

/// What stands for each placeholder, the longer one first where one begins with another.
const VALUES: [(&str, &str); 19] = [
    ("YOUR-STACK", "sales"),
    ("YOUR-ACCOUNT-ID", "123456789012"),
    ("YOUR-REGION", "us-east-1"),
    ("YOUR-CATALOG-HOST", "catalog.example.com"),
    ("YOUR-REGISTRY-HOST", "registry.example.com"),
    (
        "YOUR-HTTPS-LISTENER-ARN",
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/sales/0123456789abcdef/0123456789abcdef",
    ),
    (
        "YOUR-LOAD-BALANCER-SECURITY-GROUP-ID",
        "sg-0123456789abcdef0",
    ),
    ("YOUR-VPC-ID", "vpc-0123456789abcdef0"),
    ("YOUR-PRIVATE-SUBNET-ID-1", "subnet-0123456789abcdef0"),
    ("YOUR-PRIVATE-SUBNET-ID-2", "subnet-0123456789abcdef1"),
    (
        "YOUR-ALARM-TOPIC-ARN",
        "arn:aws:sns:us-east-1:123456789012:alarms",
    ),
    ("YOUR-ORGANISATION", "acme"),
    ("YOUR-REPOSITORY", "quilt-mcp"),
    ("YOUR-STATE-BUCKET", "acme-terraform"),
    ("YOUR-LOCK-TABLE", "terraform-locks"),
    ("YOUR-TEAM", "data-platform"),
    ("YOUR-COST-CENTER", "4711"),
    ("YOUR-BOUNDARY", "boundary"),
    ("YOUR-KEY", "01234567-89ab-cdef-0123-456789abcdef"),
];

/// Replaces every placeholder, and puts a test beside the environment that looks at its outputs.
pub fn fill_in(terraform: &Terraform, environment: &str) {
    for file in ["main.tf", "terraform.tf"] {
        let file = format!("{environment}/{file}");
        let text = std::fs::read_to_string(terraform.path(&file)).unwrap();
        let text = VALUES
            .iter()
            .fold(text, |text, (name, value)| text.replace(name, value));
        let left = text
            .lines()
            .find(|line| line.contains("YOUR-") && !line.trim_start().starts_with('#'));
        assert_eq!(left, None, "{file}");
        terraform.write(&file, &text);
    }
    let kind = environment.rsplit('/').next().unwrap();
    let tasks = if kind == "dev" { 1 } else { 2 };
    terraform.write(
        &format!("{environment}/tests/environment.tftest.hcl"),
        &format!(
            r#"mock_provider "aws" {{
  source = "../../modules/mcp-service/tests/mocks"

  mock_data "aws_partition" {{
    defaults = {{ partition = "aws" }}
  }}
  mock_data "aws_iam_openid_connect_provider" {{
    defaults = {{ arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }}
  }}
  mock_resource "aws_ecr_repository" {{
    defaults = {{ arn = "arn:aws:ecr:us-east-1:123456789012:repository/quilt/sales-{kind}/mcp-server" }}
  }}
}}

run "outputs" {{
  assert {{
    condition = jsonencode(output.quilt_mcp_environment) == jsonencode({{
      account_id    = "123456789012"
      region        = "us-east-1"
      repository    = "quilt/sales-{kind}/mcp-server"
      cluster       = "sales-{kind}"
      service       = "sales-{kind}-mcp-server"
      container     = "mcp-server"
      url           = "https://catalog.example.com/mcp/"
      cors_origins  = ["https://catalog.example.com"]
      desired_count = {tasks}
    }})
    error_message = "The environment is ${{jsonencode(output.quilt_mcp_environment)}}"
  }}
}}
"#
        ),
    );
}
