//! What is wrong with the credentials.

use crate::support::aws_endpoint::{AwsEndpoint, Fault};
use crate::user::{ACCOUNT, CHANGES, user_of};

#[tokio::test(flavor = "multi_thread")]
async fn none() {
    let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
    let cli = user_of(&endpoint);
    for arguments in [CHANGES[0], CHANGES[1], &["status"]] {
        cli.refuses(
            arguments,
            13,
            &[
                "sts:GetCallerIdentity on staging failed",
                "AWS_PROFILE",
                "aws sso login",
            ],
        );
    }
    cli.refuses(
        &["status", "--profile", "nobody"],
        13,
        &["with profile nobody", "has no such profile"],
    );
    assert!(
        endpoint.operations().is_empty(),
        "there is nothing to sign with"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_or_not_known() {
    for (status, code) in [
        (403, "ExpiredToken"),
        (403, "InvalidClientTokenId"),
        (403, "SignatureDoesNotMatch"),
    ] {
        let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
        let words = "The security token included in the request is not good";
        endpoint.trap(
            "GetCallerIdentity",
            usize::MAX,
            Fault::Refuse(status, code, words),
        );
        let cli = user_of(&endpoint).credentials();
        for arguments in [CHANGES[0], CHANGES[1], &["status"]] {
            cli.refuses(
                arguments,
                13,
                &[code, words, "sign in again", "same command"],
            );
        }
        assert_only_identity_was_asked_for(&endpoint);
    }
}

/// That AWS does not answer says nothing of the credentials: the same command later is right.
#[tokio::test(flavor = "multi_thread")]
async fn not_asked() {
    let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
    endpoint.trap(
        "GetCallerIdentity",
        usize::MAX,
        Fault::Refuse(500, "InternalFailure", "try again"),
    );
    let cli = user_of(&endpoint).credentials();
    cli.refuses(
        &["status"],
        4,
        &["sts:GetCallerIdentity on staging failed", "InternalFailure"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_another_account() {
    let endpoint = AwsEndpoint::of_account("210987654321").await;
    let cli = user_of(&endpoint).credentials();
    for arguments in [CHANGES[0], CHANGES[1], &["status"]] {
        cli.refuses(
            arguments,
            13,
            &[
                "environment staging is in account 123456789012",
                "for account 210987654321 (arn:aws:sts::210987654321:assumed-role/deployer/ci)",
                "nothing was changed",
                "account_id",
            ],
        );
    }
    assert_only_identity_was_asked_for(&endpoint);
}

/// Between the look at the account and the next call, a session can end.
#[tokio::test(flavor = "multi_thread")]
async fn that_expire_on_the_way() {
    let words = "The security token included in the request is expired";
    for (operation, arguments) in [
        ("DescribeRepositories", CHANGES[0]),
        ("DescribeRepositories", CHANGES[1]),
        ("DescribeServices", &["status"]),
    ] {
        let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
        let expired = Fault::Refuse(400, "ExpiredTokenException", words);
        endpoint.trap(operation, usize::MAX, expired);
        let cli = user_of(&endpoint).credentials();
        cli.refuses(arguments, 13, &[operation, words, "sign in again"]);
        assert!(endpoint.changes().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_lack_a_permission() {
    for (operation, arguments, code) in [
        ("ecr:DescribeRepositories", CHANGES[0], 6),
        ("ecr:DescribeRepositories", CHANGES[1], 4),
        ("ecs:DescribeServices", &["status"], 4),
    ] {
        let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
        let words = "User is not authorized";
        let name = operation.split_once(':').unwrap().1;
        endpoint.trap(
            name,
            usize::MAX,
            Fault::Refuse(400, "AccessDeniedException", words),
        );
        let cli = user_of(&endpoint).credentials();
        let needed = format!("needs the IAM action {operation}");
        cli.refuses(arguments, code, &[words, &needed]);
    }
}

fn assert_only_identity_was_asked_for(endpoint: &AwsEndpoint) {
    let operations = endpoint.operations();
    assert!(!operations.is_empty());
    assert!(
        operations.iter().all(|name| name == "GetCallerIdentity"),
        "{operations:?}"
    );
}
