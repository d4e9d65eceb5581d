//! `init`: an environment into quilt-mcp.toml, from everywhere it can come from.

mod support;
#[path = "init/terminal.rs"]
mod terminal;

use serde_json::{Value, json};
use support::cli::Cli;
use support::rehearsal::Rehearsal;
use support::terraform::{apply_without_provider, output_of};
use support::tool_named_by;

/// An environment that is the operator's own, with what `init` must leave alone.
const OURS: &str = r#"# ours
default_environment = "dev" # for now

[environments.dev]
account_id = "123456789012"
region     = "us-east-1"
repository = "dev"
cluster    = "dev"
service    = "dev"
url        = "https://dev.example/mcp/"
profile    = "dev" # Ann's
"#;

const GIVEN: &[&str] = &[
    "init",
    "--env",
    "staging",
    "--account-id",
    "111111111111",
    "--region",
    "eu-west-1",
    "--repository",
    "quilt/acme/mcp-server",
    "--cluster",
    "acme",
    "--service",
    "acme-mcp-server",
    "--url",
    "https://mcp.acme.example/mcp/",
];

fn outputs() -> Value {
    json!({
        "release_role_arn": {"sensitive": false, "type": "string", "value": "arn:aws:iam::111111111111:role/r"},
        "quilt_mcp_environment": {"sensitive": false, "type": "dynamic", "value": {
            "account_id": "111111111111",
            "cluster": "acme",
            "container": "mcp-server",
            "cors_origins": ["https://catalog.acme.example"],
            "desired_count": 3,
            "region": "eu-west-1",
            "repository": "quilt/acme/mcp-server",
            "service": "acme-mcp-server",
            "url": "https://mcp.acme.example/mcp/",
        }},
    })
}

fn file(cli: &Cli) -> String {
    std::fs::read_to_string(cli.work().join("quilt-mcp.toml")).unwrap()
}

#[test]
fn from_terraforms_outputs() {
    let cli = Cli::new();
    cli.write("outputs.json", &outputs().to_string());
    let init = [
        "init",
        "--env",
        "staging",
        "--from-terraform",
        "outputs.json",
    ];
    let before = cli.run(&[&init[..], &["--dry-run"]].concat());
    assert!(before.stdout.contains("would be written"), "{before:?}");
    assert!(!cli.work().join("quilt-mcp.toml").exists());

    let result = cli
        .run(&[&init[..], &["--output", "json"]].concat())
        .result();
    assert_eq!(result["file"], "quilt-mcp.toml");
    assert_eq!(
        (&result["written"], &result["created"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(result["guesses"], json!([]));
    assert_eq!(result["next"], "quilt-mcp-deploy verify --env staging");
    assert_eq!(
        file(&cli),
        r#"default_environment = "staging"

[environments.staging]
account_id = "111111111111"
region = "eu-west-1"
repository = "quilt/acme/mcp-server"
cluster = "acme"
service = "acme-mcp-server"
container = "mcp-server"
url = "https://mcp.acme.example/mcp/"
cors_origins = ["https://catalog.acme.example"]
desired_count = 3
"#
    );
    // What follows reads it: it comes as far as asking for credentials.
    let verify = cli.variable("AWS_CONFIG_FILE", "/nowhere").run(&["verify"]);
    verify.assert_refusal(13, &["sts:GetCallerIdentity on staging"]);
}

#[test]
fn from_standard_input_below_the_file() {
    let cli = Cli::new();
    cli.write("quilt-mcp.toml", OURS);
    cli.write("below/outputs.json", &outputs().to_string());
    let script =
        "cd below && \"$0\" init --env staging --profile acme --from-terraform - < outputs.json";
    let run = cli.run_under(script, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(file(&cli).starts_with(OURS), "{}", file(&cli));
    assert!(file(&cli).contains("profile = \"acme\""));
    assert!(!cli.work().join("below/quilt-mcp.toml").exists());
}

#[test]
fn from_terraform_itself() {
    let Some(terraform) = tool_named_by("QUILT_MCP_TERRAFORM", "terraform") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(terraform, folder.path().join("terraform")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", folder.path().display());
    let cli = Cli::new().variable("PATH", path);
    let value = &outputs()["quilt_mcp_environment"]["value"];
    let module = output_of(value);
    let init = [
        "init",
        "--env",
        "staging",
        "--from-terraform",
        "--terraform-dir",
        "tf",
    ];

    cli.refuses(
        &init,
        2,
        &["cannot read tf", "--terraform-dir takes a folder"],
    );
    cli.write("tf/main.tf", "");
    cli.refuses(
        &init,
        2,
        &["tf has no output", "before the first `terraform apply`"],
    );
    cli.write("tf/main.tf", &module);
    apply_without_provider(&folder.path().join("terraform"), &cli.work().join("tf"));
    cli.run(&init).result_text();
    assert!(file(&cli).contains("acme-mcp-server"));
    cli.write("tf/terraform.tfstate", "no state");
    let again = [&init[..], &["--force"]].concat();
    cli.refuses(
        &again,
        2,
        &["`terraform output -json` failed in tf", "terraform init"],
    );
}

/// The local environment's service, as a service that somebody else made.
#[test]
fn from_a_service_that_runs() {
    let rehearsal = Rehearsal::new();
    let local = rehearsal
        .run(&["local", "up", "--output", "json"])
        .expect(0)
        .json();
    let text = |key: &str| local[key].as_str().unwrap().to_owned();
    let cli = Cli::new().credentials();
    let name = format!("{}/{}", text("cluster"), text("service"));
    let endpoint = text("endpoint_url");
    let look = [
        "init",
        "--env",
        "found",
        "--endpoint-url",
        &endpoint,
        "--region",
        &text("region"),
        "--from-service",
    ];

    cli.refuses(
        &[&look[..], &["quilt-local/other"]].concat(),
        4,
        &[
            "there is no service quilt-local/other",
            "aws ecs list-services",
        ],
    );
    cli.refuses(
        &[&look[..], &["other/other"]].concat(),
        4,
        &["there is no service other/other"],
    );
    cli.refuses(
        &[&look[..], &["quilt-local-mcp-server"]].concat(),
        2,
        &["CLUSTER/SERVICE"],
    );

    cli.refuses(
        &[&look[..], &[&name, "--container", "other"]].concat(),
        2,
        &["no container other; they have mcp-server", "--container"],
    );

    let url = format!("{}/mcp/", text("load_balancer_url").trim_end_matches('/'));
    let result = cli
        .run(&[&look[..], &[&name, "--url", &url, "--output", "json"]].concat())
        .result();
    // Its image is in a registry of this machine, which is no account's ECR.
    assert_eq!(result["guesses"][0]["key"], "repository", "{result:#}");
    let written = file(&cli);
    assert!(written.contains(&format!("account_id = \"{}\"", text("account_id"))));
    assert!(written.contains(&format!("container = \"{}\"", text("container"))));
    assert!(
        written.contains(&format!(
            "repository = \"{}\" # a guess",
            text("repository")
        )),
        "{written}"
    );
    let status = cli
        .run(&["status", "--env", "found", "--output", "json"])
        .result();
    assert_eq!(status["service"], local["service"]);
    rehearsal.run(&["local", "down"]).expect(0);
}

#[test]
fn from_what_is_given() {
    let cli = Cli::new();
    let run = cli.run(GIVEN);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("[environments.staging]"));
    assert!(
        run.stdout
            .ends_with("next: quilt-mcp-deploy verify --env staging\n")
    );
    // The same again is a mistake, unless it is said.
    cli.refuses(
        GIVEN,
        2,
        &["has an environment named `staging` already", "--force"],
    );
    let other = [GIVEN, &["--force", "--container", "server"]].concat();
    cli.run(&other).result_text();
    assert!(file(&cli).contains("container = \"server\""));
    assert_eq!(file(&cli).matches("[environments.staging]").count(), 1);
    // What the file says need not be given again.
    let before = file(&cli);
    let one = ["init", "--env", "staging", "--force", "--cluster", "blue"];
    cli.run(&one).result_text();
    let was = before
        .lines()
        .find(|line| line.starts_with("cluster"))
        .unwrap();
    assert_eq!(file(&cli), before.replace(was, "cluster = \"blue\""));
}

#[test]
fn a_new_file_says_where_commands_go_from_now_on() {
    let cli = Cli::new();
    let told = "commands without --env go to it";
    assert!(cli.run(GIVEN).stdout.contains(told));
    let mut another = GIVEN.to_vec();
    *another.iter_mut().find(|word| **word == "staging").unwrap() = "prod";
    let second = cli.run(&another);
    assert!(!second.stdout.contains(told), "{second:?}");
    assert!(file(&cli).starts_with("default_environment = \"staging\""));
}

#[test]
fn bad_input_changes_nothing() {
    let cli = Cli::new();
    cli.write("quilt-mcp.toml", OURS);
    cli.write("outputs.json", &outputs().to_string());
    cli.write(
        "unknown.json",
        &outputs().to_string().replace("\"cluster\"", "\"clutser\""),
    );
    cli.write(
        "other.json",
        "{\"url\": {\"value\": \"https://a.example\"}}",
    );
    cli.write("broken.json", "{");
    cli.write("wrong.toml", "[environments.dev]\nregion = 1\n");
    let service = ["init", "--env", "staging", "--from-service", "acme/mcp"];
    let from = |file: &'static str| ["init", "--env", "staging", "--from-terraform", file];
    for (line, says) in [
        (
            &["init"][..],
            "--env, --account-id, --region, --repository, --cluster, --service, --url",
        ),
        (
            &["init", "--env", "staging", "--cluster", "acme"],
            "not known and nobody to ask: --account-id",
        ),
        (
            &["init", "--from-terraform", "outputs.json"],
            "nobody to ask: --env",
        ),
        (&from("unknown.json"), "clutser"),
        (
            &from("other.json"),
            "has no output `quilt_mcp_environment`; it has url",
        ),
        (
            &from("broken.json"),
            "is not what `terraform output -json` prints",
        ),
        (&from("absent.json"), "cannot read absent.json"),
        (&service, "the region of acme/mcp is not known"),
        (
            &[&service[..], &["--region", "Ireland"]].concat(),
            "region must be an AWS region",
        ),
        (&from("."), "cannot read ."),
        (
            &[GIVEN, &["--account-id", "12"]].concat(),
            "cannot be used multiple times",
        ),
        (
            &[&from("outputs.json")[..], &["--account-id", "12"]].concat(),
            "account_id must be 12 digits",
        ),
        (
            &[&from("outputs.json")[..], &["--url", "http://a.example/"]].concat(),
            "url must be https",
        ),
        (
            &["init", "--env", "dev", "--force", "--region", "Ireland"],
            "region must be an AWS region",
        ),
        (&["init", "--env", "Staging"], "an environment's name"),
        (
            &[
                "init",
                "--env",
                "x",
                "--from-terraform",
                "--terraform-dir",
                "absent",
            ],
            "cannot read absent",
        ),
        (
            &[&from("outputs.json")[..], &["--from-service", "a/b"]].concat(),
            "cannot be used with",
        ),
        (
            &[&from("outputs.json")[..], &["--terraform-dir", "x"]].concat(),
            "two different things",
        ),
        (
            &[GIVEN, &["--config", "wrong.toml"]].concat(),
            "invalid type",
        ),
        (
            &[GIVEN, &["--config", "no/such/folder.toml"]].concat(),
            "cannot write no/such/folder.toml",
        ),
        (
            &["init", "--env", "local", "--from-terraform", "outputs.json"],
            "built-in environment",
        ),
        (
            &["init", "--env", "dev", "--from-terraform", "outputs.json"],
            "has an environment named `dev`",
        ),
    ] {
        cli.refuses(line, 2, &[says]);
        assert_eq!(file(&cli), OURS, "{line:?}");
    }
    // clap's own words take several lines, which a JSON error has in one.
    let alone = cli.run(&["init", "--terraform-dir", "x"]);
    alone.assert_refusal(2, &["--from-terraform"]);
}
