//! What the command says and leaves alone when something is not right.

mod support;

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;

use support::aws_endpoint::{AwsEndpoint, Fault};
use support::cli::Cli;

const ACCOUNT: &str = "123456789012";

/// Every command that changes an AWS environment, as far as it can be asked without a checkout.
const CHANGES: [&[&str]; 2] = [
    &["publish", "--image-layout", "image", "--tag", "1.0.0"],
    &["rollout", "--tag", "1.0.0"],
];

fn configuration(endpoint: &str) -> String {
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
fn user_of(endpoint: &AwsEndpoint) -> Cli {
    let cli = Cli::new();
    cli.write("quilt-mcp.toml", &configuration(&endpoint.url()));
    cli
}

/// A user in a checkout of a workspace that looks like this one, with one commit.
fn user_in_a_checkout(endpoint: &AwsEndpoint) -> Cli {
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

mod checkout {
    use super::*;

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
        assert!(endpoint.operations().is_empty(), "refused before any call");
    }
}

mod configuration_file {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_unknown_environment_lists_the_known_ones() {
        let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
        let cli = user_of(&endpoint).credentials();
        for command in ["deploy", "publish", "rollout", "status", "smoke"] {
            cli.refuses(
                &[command, "--env", "prod"],
                2,
                &["no environment named `prod`", "`local`, `staging`", "--env"],
            );
        }
        assert!(endpoint.operations().is_empty());
    }

    /// What replaces what, the line and the words that the message shows.
    #[test]
    fn a_wrong_line_is_pointed_at() {
        let good = configuration("http://127.0.0.1:9");
        for (from, to, line, says) in [
            ("[environments.staging]", "[environments.staging", 3, ""),
            (
                "account_id = \"123456789012\"\n",
                "",
                3,
                "missing field `account_id`",
            ),
            (
                "\"123456789012\"",
                "\"12345\"",
                4,
                "account_id must be 12 digits",
            ),
            ("\"eu-west-1\"", "7", 5, "invalid type: integer"),
            (
                "endpoint_url = \"http",
                "endpoint_url = \"ftp",
                6,
                "must start with https://",
            ),
            ("cluster = ", "clutser = ", 8, "unknown field `clutser`"),
            (
                "http://127.0.0.1:9/mcp",
                "http://mcp.example.com/mcp",
                10,
                "url must be https",
            ),
        ] {
            let cli = Cli::new();
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good);
            cli.write("quilt-mcp.toml", &text);
            let wrong_line = text.lines().nth(line - 1).unwrap();
            let place = format!("quilt-mcp.toml:{line}:");
            cli.refuses(&["status"], 2, &[says, &place, wrong_line]);
        }
    }

    #[test]
    fn a_file_that_is_not_there() {
        let cli = Cli::new();
        cli.refuses(
            &["status", "--config", "elsewhere.toml"],
            2,
            &["cannot read elsewhere.toml", "No such file"],
        );
    }

    #[test]
    fn usage() {
        let cli = Cli::new();
        let digest = format!("sha256:{}", "a".repeat(64));
        for (arguments, says) in [
            (vec![], "Usage"),
            (vec!["deplyo"], "unrecognized subcommand 'deplyo'"),
            (
                vec!["status", "--output", "yaml"],
                "[possible values: text, json]",
            ),
            (vec!["rollout", "--digest", "latest"], "--digest"),
            (
                vec!["rollout", "--digest", &digest, "--tag", "1"],
                "cannot be used with",
            ),
            (vec!["rollout", "--timeout", "0"], "--timeout"),
            (vec!["publish", "--image-layout", "image"], "--tag"),
            (vec!["local", "up", "--port", "65533"], "65532"),
        ] {
            let run = cli.run(&arguments);
            assert_eq!(run.code, 2, "{run:?}");
            assert!(run.stderr.contains(says), "{run:?} does not say {says}");
            assert_eq!(run.stdout, "");
        }
        assert!(!cli.state().exists());
    }
}

mod credentials {
    use super::*;

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
        cli.refuses(&["status", "--profile", "nobody"], 13, &["nobody"]);
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
}

mod this_machine {
    use super::*;

    #[test]
    fn a_port_in_use() {
        // The listeners of the local environment take four ports in a row.
        for taken in [0, 2] {
            let (_listener, port) = listener_with_room_below(taken);
            let cli = Cli::new();
            let run = cli.run(&["local", "up", "--port", &(port - taken).to_string()]);
            let port = format!("port {port} of 127.0.0.1 is in use");
            run.assert_refusal(
                4,
                &["did not start", &port, "choose another port", "its log is"],
            );
            assert_eq!(run.stdout, "");
            let status = cli.run(&["local", "status", "--output", "json"]).result();
            assert_eq!(status["running"], false);
        }
    }

    /// A listener whose port has `below` ports under it and three above.
    fn listener_with_room_below(below: u16) -> (TcpListener, u16) {
        loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            if port > 1024 + below && port <= 65532 {
                return (listener, port);
            }
        }
    }

    #[test]
    fn the_local_environment_is_not_running() {
        let cli = Cli::new();
        for arguments in [
            &["status"][..],
            &["rollout", "--tag", "1.0.0"],
            &["smoke"],
            &["local", "fault", "refuse-pulls"],
        ] {
            cli.refuses(
                arguments,
                4,
                &["the local environment is not running", "local up"],
            );
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_run_under_way() {
        let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
        let cli = user_of(&endpoint).credentials();
        std::fs::create_dir(cli.state()).unwrap();
        let path = cli.state().join("staging.lock");
        let mut other = File::create(&path).unwrap();
        other.lock().unwrap();
        write!(other, "4242").unwrap();
        for arguments in [CHANGES[0], CHANGES[1], &["deploy"]] {
            cli.refuses(
                arguments,
                11,
                &[
                    "another run (process 4242)",
                    "environment staging",
                    "nothing was changed",
                ],
            );
        }
        assert!(endpoint.operations().is_empty());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "4242");

        drop(other);
        let run = cli.run(CHANGES[1]);
        assert_ne!(run.code, 11, "the lock went with its holder: {run:?}");
    }

    #[test]
    fn a_state_folder_that_cannot_be() {
        let cli = Cli::new();
        cli.write("a-file", "");
        let cli = cli.variable("QUILT_MCP_STATE_DIR", "a-file/state");
        for arguments in [
            &["deploy"][..],
            &["rollout", "--tag", "1"],
            &["local", "down"],
        ] {
            let says = [
                "cannot write a-file/state",
                "Not a directory",
                "QUILT_MCP_STATE_DIR",
            ];
            cli.refuses(arguments, 1, &says);
        }
        let says = [
            "a-file/state/local",
            "Not a directory",
            "choose another state folder",
        ];
        cli.refuses(&["local", "up", "--port", "0"], 4, &says);
    }

    #[test]
    fn files_that_may_not_grow() {
        // The nearest to a full disk that needs no rights.
        const LIMITED: &str = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
        let cli = Cli::new();
        let run = cli.run_under(LIMITED, &["deploy"]);
        run.assert_refusal(1, &["cannot write", "local.lock", "free some space"]);
        assert_eq!(run.stdout, "");
        let run = cli.run_under(LIMITED, &["local", "up", "--port", "0"]);
        run.assert_refusal(4, &["the local environment did not start"]);
        assert_eq!(run.stdout, "");
        let status = cli.run(&["local", "status", "--output", "json"]).result();
        assert_eq!(status["running"], false);
    }

    #[test]
    fn a_full_disk() {
        // A small disk of its own, which goes with the namespace that it is mounted in.
        const FULL: &str = "exec unshare -rm sh -c '
            mount -t tmpfs -o size=8k tmpfs disk || exit 99
            dd if=/dev/zero of=disk/full bs=1k count=8 2>/dev/null
            exec \"$0\" \"$@\"' \"$0\" \"$@\"";
        let cli = Cli::new();
        let disk = cli.work().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let cli = cli.variable("QUILT_MCP_STATE_DIR", disk.join("state"));
        let run = cli.run_under(FULL, &["deploy"]);
        if matches!(run.code, 1 | 99) && !run.stderr.contains("error: ") {
            println!("skipped: this user may not mount a disk: {}", run.stderr);
            return;
        }
        run.assert_refusal(
            1,
            &[
                "cannot write",
                "disk/state/local.lock",
                "No space left on device",
                "free some space",
            ],
        );
        assert_eq!(run.stdout, "");
    }

    #[test]
    fn a_standard_output_without_room() {
        let cli = Cli::new();
        for arguments in [
            &["local", "status"][..],
            &["local", "status", "--output", "json"],
        ] {
            let run = cli.run_under("exec \"$0\" \"$@\" > /dev/full", arguments);
            run.assert_refusal(1, &["cannot be written to stdout", "No space left"]);
        }
        // The failure itself still has its code.
        let run = cli.run_under(
            "exec \"$0\" \"$@\" > /dev/full 2> /dev/full",
            &["status", "--output", "json"],
        );
        assert_eq!(run.code, 4, "{run:?}");
    }
}
