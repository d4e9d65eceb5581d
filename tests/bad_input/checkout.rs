//! What is wrong with the checkout.

use crate::support::aws_endpoint::AwsEndpoint;
use crate::support::cli::Cli;
use crate::user::{ACCOUNT, user_in_a_checkout};

#[test]
fn no_git_repository() {
    let cli = Cli::new();
    for command in ["build", "publish", "deploy"] {
        cli.refuses(
            &[command],
            5,
            &[
                "is not in a git repository",
                "work",
                "run the command in a clone",
            ],
        );
    }
}

#[test]
fn a_repository_of_something_else() {
    let cli = Cli::new();
    cli.git(&["init", "--quiet"]);
    cli.refuses(
        &["build"],
        5,
        &["is not a checkout of quilt-mcp-deploy", "server/Cargo.toml"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_commit_yet() {
    let cli = user_in_a_checkout(&AwsEndpoint::of_account(ACCOUNT).await);
    std::fs::remove_dir_all(cli.work().join(".git")).unwrap();
    cli.git(&["init", "--quiet"]);
    cli.refuses(&["build"], 5, &["has no commit yet", "commit first"]);
}

#[test]
fn git_is_missing() {
    let cli = Cli::new().variable("PATH", "");
    cli.refuses(
        &["build"],
        5,
        &["git was not found on the PATH", "install git"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_no_commit_holds() {
    let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
    let cli = user_in_a_checkout(&endpoint).credentials();
    cli.write("server/src/main.rs", "fn main() { panic!() }\n");
    cli.write("server/src/new.rs", "");
    for command in ["publish", "deploy"] {
        cli.refuses(
            &[command],
            5,
            &[
                "the checkout differs from commit",
                "server/src/main.rs, server/src/new.rs",
                "--allow-dirty",
                "nothing was changed",
            ],
        );
    }
    // `publish` asks git and STS at the same time, and nothing else before it knows of both.
    let mut asked = endpoint.operations();
    asked.retain(|operation| operation != "GetCallerIdentity");
    assert_eq!(asked, Vec::<String>::new());
}
