//! `verify` by the real binary: of the local environment, whole and with something wrong, and where
//! IAM answers no.

mod support;

use serde_json::Value;
use support::rehearsal::Rehearsal;

fn verify(rehearsal: &Rehearsal, code: i32) -> Value {
    let ended = rehearsal.run(&["verify", "--output", "json"]);
    ended.expect(code).json()
}

fn outcome<'a>(result: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = result["checks"].as_array().unwrap();
    let check = checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no check `{name}`: {result:#}"));
    (
        check["outcome"].as_str().unwrap(),
        check["detail"].as_str().unwrap(),
    )
}

#[test]
fn the_local_environment_is_ready_and_what_is_wrong_is_named() {
    let rehearsal = Rehearsal::new();
    rehearsal.run(&["local", "up"]).expect(0);
    let ready = verify(&rehearsal, 0);
    assert_eq!(ready["summary"]["failed"], 0, "{ready:#}");
    for name in [
        "credentials and account",
        "repository",
        "tag immutability",
        "cluster",
        "service",
        "circuit breaker",
        "container port",
        "log group",
        "execution role",
        "task role",
        "permissions for publish",
        "permissions for rollout",
        "health check of quilt-local-mcp",
        "stickiness of quilt-local-mcp",
        "idle timeout of quilt-local",
        "way in from the load balancer",
    ] {
        let (outcome, detail) = outcome(&ready, name);
        assert!(
            outcome == "ok" || (name == "log group" && outcome == "warning"),
            "{name}: {detail}"
        );
    }
    let rule = ready["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"].as_str().unwrap().starts_with("rule on port"))
        .unwrap();
    assert_eq!(rule["outcome"], "ok", "{rule}");

    // A simulation that names the action, and one that is refused itself.
    let deny = |operation: &str| {
        let arguments = ["local", "fault", "deny", operation];
        rehearsal.run(&arguments).expect(0);
    };
    deny("ecr:PutImage");
    let denied = verify(&rehearsal, 4);
    let (result, detail) = outcome(&denied, "permissions for publish");
    assert_eq!(result, "failed");
    assert!(detail.contains("ecr:PutImage"), "{detail}");

    deny("iam:SimulatePrincipalPolicy");
    let unknown = verify(&rehearsal, 0);
    let (result, detail) = outcome(&unknown, "permissions");
    assert_eq!(result, "unknown");
    assert!(detail.contains("iam:SimulatePrincipalPolicy"), "{detail}");
    rehearsal.run(&["verify", "--strict"]).expect(4);

    deny("ecs:DescribeServices");
    let blind = verify(&rehearsal, 4);
    assert_eq!(outcome(&blind, "service").0, "unknown");
    let (result, detail) = outcome(&blind, "permissions");
    assert_eq!(result, "failed");
    assert!(detail.contains("ecs:DescribeServices"), "{detail}");
}

#[test]
fn a_live_release_verifies_and_smokes_and_another_commit_does_not() {
    const COMMIT: &str = "1111111111111111111111111111111111111111";
    let rehearsal = Rehearsal::new();
    let server = rehearsal.server(COMMIT);
    let deployed = rehearsal.deploy(&server, &[]).expect(0).json();
    let smoke = &deployed["smoke"];
    assert_eq!(smoke["versions"][0]["commit"], COMMIT, "{smoke:#}");
    assert_eq!(smoke["tool_call"]["is_error"], false, "{smoke:#}");
    let verified = verify(&rehearsal, 0);
    let (result, detail) = outcome(&verified, "running image");
    assert_eq!(result, "ok", "{detail}");
    assert!(detail.contains("linux/amd64"), "{detail}");

    rehearsal
        .run(&["smoke", "--expect-commit", &COMMIT[..7]])
        .expect(0);
    let other = rehearsal
        .run(&["smoke", "--expect-commit", "2222222", "--output", "json"])
        .expect(12)
        .json();
    let message = other["error"]["message"].as_str().unwrap();
    assert!(message.contains("commit 2222222 was expected"), "{message}");
}
