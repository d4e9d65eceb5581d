//! Users of environments and checkouts in which something will be wrong.

use crate::support::aws_endpoint::AwsEndpoint;
use crate::support::cli::Cli;

pub const ACCOUNT: &str = "123456789012";

/// Every command that changes an AWS environment, as far as it can be asked without a checkout.
pub const CHANGES: [&[&str]; 2] = [
    &["publish", "--image-layout", "image", "--tag", "1.0.0"],
    &["rollout", "--tag", "1.0.0"],
];

pub fn configuration(endpoint: &str) -> String {
    format!(
        r#"default_environment = "staging"

[environments.staging]
account_id = "{ACCOUNT}"
region = "eu-west-1"
endpoint_url = "{endpoint}"
repository = "acme-staging-mcp-server"
cluster = "acme-staging"
service = "acme-staging-mcp-server"
url = "http://127.0.0.1:9/mcp/"
"#
    )
}

/// A user whose environment `staging` is behind `endpoint`.
pub fn user_of(endpoint: &AwsEndpoint) -> Cli {
    let cli = Cli::new();
    cli.write("quilt-mcp.toml", &configuration(&endpoint.url()));
    cli
}

/// A user in a checkout of a workspace that looks like this one, with one commit.
pub fn user_in_a_checkout(endpoint: &AwsEndpoint) -> Cli {
    let cli = user_of(endpoint);
    cli.write("Cargo.toml", "[workspace]\nmembers = [\"server\"]\n");
    cli.write(
        "server/Cargo.toml",
        "[package]\nname = \"quilt-mcp-server\"\nversion = \"1.4.0\"\n",
    );
    cli.write("server/src/main.rs", "fn main() {}\n");
    cli.git(&["init", "--quiet"]);
    cli.git(&["add", "."]);
    cli.git(&["commit", "--quiet", "--message", "First"]);
    cli
}
