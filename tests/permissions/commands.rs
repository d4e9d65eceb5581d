//! The commands, recorded in a local environment.

use crate::listed;
use crate::recorder::Recorder;
use crate::registry::of_registry;
use crate::support::stack::StandIn;

/// AWS checks these when a call is made that names something else, by command.
const IMPLIED: [(&str, &[&str]); 5] = [
    ("rollout", REGISTERED_WITH),
    ("rollback and stop", REGISTERED_WITH),
    ("rollout through CloudFormation", REGISTERED_WITH),
    ("rollout through CloudFormation", ASKED_BY_CLOUDFORMATION),
    ("publish", ASKED_BY_ENHANCED_SCANNING),
];
/// RegisterTaskDefinition and UpdateService, of what has roles and tags.
const REGISTERED_WITH: &[&str] = &["iam:PassRole", "ecs:TagResource"];
/// UpdateStack: the values of parameters that have types of AWS's own are looked for (AWS
/// CloudFormation user guide, "Controlling access with IAM"), and so are a task definition's roles.
const ASKED_BY_CLOUDFORMATION: &[&str] = &[
    "ec2:DescribeVpcs",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
    "iam:GetRole",
];
/// DescribeImageScanFindings, which Amazon Inspector answers (Amazon ECR user guide, "IAM permissions
/// required for enhanced scanning").
const ASKED_BY_ENHANCED_SCANNING: &[&str] = &["inspector2:ListFindings", "inspector2:ListCoverage"];

fn is_implied(command: &str, action: &str) -> bool {
    let of_command = IMPLIED.iter().filter(|(of, _)| *of == command);
    of_command
        .flat_map(|(_, actions)| *actions)
        .any(|implied| *implied == action)
}

/// The images that are published.
struct Images {
    first: String,
    second: String,
    exits: String,
    unhealthy: String,
}

#[test]
fn commands_call_what_is_listed_and_all_of_it() {
    let mut recorder = Recorder::start();
    let images = publish(&mut recorder);
    release_and_return(&mut recorder, &images);
    for (name, command) in [
        ("status", &["status"][..]),
        ("history", &["history"]),
        ("logs", &["logs"]),
        ("logs", &["policy", "--for", "status"]),
        ("rollout", &["plan", "--digest", &images.first]),
        ("images", &["images"]),
        ("prune", &["prune", "--keep", "0"]),
    ] {
        recorder.run(name, 0, command);
    }
    recorder.promote("second");
    recorder.deploy_with_secrets(&images.second);
    recorder.run("verify", 0, &["verify"]);
    let stand_in = StandIn::before(&recorder.endpoint());
    release_through_a_stack(&mut recorder, &stand_in, &images);
    // Where ECS's newer operations may not be used, revisions tell the history.
    let deny = ["local", "fault", "deny", "ecs:ListServiceDeployments"];
    recorder.rehearsal.run(&deny).expect(0);
    recorder.run("history", 0, &["history"]);
    recorder.run("rollback and stop", 4, &["rollback"]);
    let name = "rollout through CloudFormation";
    recorder
        .run_through(name, &stand_in, &["rollback"])
        .expect(4);
    compare(&recorder);
}

/// Publishes them, and one more that is never released.
fn publish(recorder: &mut Recorder) -> Images {
    let first = recorder.rehearsal.server(&"1".repeat(40));
    let second = recorder.rehearsal.server(&"2".repeat(40));
    let idle = recorder.rehearsal.server(&"3".repeat(40));
    let exits = recorder.rehearsal.fixture("exits");
    let unhealthy = recorder.rehearsal.fixture("unhealthy");
    recorder.publish(&idle, "never-released", &[]);
    recorder.publish(&first, "first", &[]);
    Images {
        first: recorder.publish(&first, "first", &["--scan-gate", "high"]),
        second: recorder.publish(&second, "second", &[]),
        exits: recorder.publish(&exits, "exits", &[]),
        unhealthy: recorder.publish(&unhealthy, "unhealthy", &[]),
    }
}

/// Releases that succeed and that fail, and returns of both kinds.
fn release_and_return(recorder: &mut Recorder, images: &Images) {
    let (rollout, rollback) = ("rollout", "rollback and stop");
    recorder.run(rollout, 0, &["rollout", "--digest", &images.first]);
    recorder.run(rollout, 0, &["rollout", "--digest", &images.second]);
    let broken = recorder.run(rollout, 8, &["rollout", "--digest", &images.exits]);
    recorder.run(rollback, 0, &["rollback"]);
    // One under way, which ECS itself returns.
    let start = ["rollout", "--digest", &images.unhealthy, "--no-wait"];
    recorder.run(rollout, 0, &start);
    recorder.run(rollback, 0, &["rollback"]);
    // One that the command gives up and has returned.
    recorder.run(rollout, 8, &["rollout", "--digest", &images.unhealthy]);
    let broken = broken["revision"]["arn"].as_str().unwrap();
    recorder.run(rollback, 7, &["rollback", "--to", broken]);
}

/// The same where CloudFormation moves the service.
fn release_through_a_stack(recorder: &mut Recorder, stand_in: &StandIn, images: &Images) {
    let name = "rollout through CloudFormation";
    stand_in.turn_breaker_off();
    let roll_out = |digest| ["rollout", "--digest", digest];
    for (code, digest) in [(0, &images.first), (8, &images.exits), (0, &images.second)] {
        let command = roll_out(digest);
        recorder.run_through(name, stand_in, &command).expect(code);
    }
    recorder
        .run_through(name, stand_in, &["rollback"])
        .expect(0);
    // A deployment that is none of the stack's is ECS's to return.
    let slow = ["--revision", "*", "--seconds", "86400"];
    let hold = [&["local", "fault", "slow-start"][..], &slow].concat();
    recorder.rehearsal.run(&hold).expect(0);
    let again = [&roll_out(&images.first)[..], &["--force", "--no-wait"]].concat();
    recorder.run_through(name, stand_in, &again).expect(0);
    let back = ["rollback", "--no-wait"];
    recorder.run_through(name, stand_in, &back).expect(0);
    recorder
        .rehearsal
        .run(&["local", "fault", "clear"])
        .expect(0);
    recorder.rehearsal.run(&["watch"]).expect(8);
}

fn compare(recorder: &Recorder) {
    let mut wrong = Vec::new();
    for (command, needs) in &listed() {
        let called = &recorder.calls[command.as_str()];
        for action in called.difference(needs) {
            wrong.push(format!("{command} calls {action}, which is not listed"));
        }
        let of_apis = needs
            .iter()
            .filter(|action| !is_implied(command, action) && !of_registry(action));
        for action in of_apis.filter(|action| !called.contains(*action)) {
            wrong.push(format!("{command} lists {action}, and never calls it"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
