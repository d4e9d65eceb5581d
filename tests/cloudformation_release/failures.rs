//! Releases that fail, and what becomes of the stack.

use crate::scene::Scene;
use crate::support::stack::Troubles;

#[test]
fn a_failing_release_is_cancelled_and_cloudformation_returns() {
    let scene = Scene::set();
    let good = scene.server('1');
    scene.roll_out(&good, &[]).expect(0);
    let before = scene.status()["release"]["revision"].clone();
    scene.stand_in.turn_breaker_off();

    let failed = scene
        .roll_out(&scene.fixture("exits"), &[])
        .expect(8)
        .json();
    assert_eq!(failed["verdict"]["verdict"], "rolled_back");
    assert_eq!(failed["verdict"]["to"], before);
    assert!(
        !failed["diagnosis"]["stopped"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let status = scene.status();
    assert_eq!(status["stack"]["status"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(status["release"]["digest"], good);
    assert_eq!(scene.calls_of("CancelUpdateStack"), 1);

    // There is nothing left to return from, and whoever attaches is told how it ended.
    let back = scene.run(&["rollback"]).expect(0).json();
    assert_eq!(back["to"], before);
    assert_eq!(back["from"], failed["revision"]["arn"]);
    let watched = scene.run(&["watch"]).expect(8).json();
    assert_eq!(watched["revision"], failed["revision"]["arn"]);
    assert_eq!(scene.calls_of("UpdateStack"), 2);
    // And the stack takes the next release.
    let next = scene.server('2');
    scene.roll_out(&next, &[]).expect(0);
    assert_eq!(scene.status()["release"]["digest"], next);
}

#[test]
fn left_alone_cloudformation_returns_by_itself_and_the_reason_is_its_own() {
    let scene = Scene::set();
    scene.roll_out(&scene.server('1'), &[]).expect(0);
    let left = ["--on-failure", "leave"];
    let failed = scene
        .roll_out(&scene.fixture("exits"), &left)
        .expect(8)
        .json();
    let reason = failed["verdict"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("Service UPDATE_FAILED: "), "{reason}");
    assert!(
        reason.contains("ECS Deployment Circuit Breaker"),
        "{reason}"
    );
    let told = &failed["diagnosis"]["stack"][0];
    assert_eq!(told["resource"], "Service");
    assert_eq!(scene.calls_of("CancelUpdateStack"), 0);
    assert_eq!(
        scene.status()["stack"]["status"],
        "UPDATE_ROLLBACK_COMPLETE"
    );
}

/// Whoever sees first that the tasks fail: ECS's circuit breaker, or we, who cancel the update.
#[test]
fn a_stack_that_cannot_return_is_a_failure_and_takes_no_release() {
    for on_failure in ["leave", "rollback"] {
        let scene = Scene::set();
        if on_failure == "rollback" {
            scene.stand_in.turn_breaker_off();
        }
        cannot_return(&scene, on_failure);
    }
}

fn cannot_return(scene: &Scene, on_failure: &str) {
    scene.roll_out(&scene.server('1'), &[]).expect(0);
    scene.stand_in.stack().troubles = Troubles {
        no_return: true,
        ..Troubles::default()
    };
    let exits = scene.fixture("exits");
    let failed = scene
        .roll_out(&exits, &["--on-failure", on_failure])
        .expect(7)
        .json();
    let evidence = &failed["verdict"]["evidence"];
    assert_eq!(evidence["kind"], "stack_failed", "{on_failure}: {failed}");
    assert_eq!(evidence["status"], "UPDATE_ROLLBACK_FAILED");
    assert_eq!(
        evidence["reason"],
        "Service UPDATE_FAILED: it was deleted by hand"
    );
    let told = failed["diagnosis"]["stack"].as_array().unwrap();
    assert_eq!(
        told.last().unwrap()["reason"],
        "it was deleted by hand",
        "{told:?}"
    );
    assert!(told.len() > 1, "{told:?}");
    assert_ne!(failed["diagnosis"]["stopped"].as_array().unwrap().len(), 0);
    let next = scene.server('2');
    let refused = scene.roll_out(&next, &[]).expect(4);
    let error = &refused.json()["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("UPDATE_ROLLBACK_FAILED"), "{message}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("continue-update-rollback"), "{hint}");
    scene.run(&["plan", "--digest", &next]).expect(4);
    assert_eq!(scene.calls_of("UpdateStack"), 2);
}

#[test]
fn an_update_that_never_moves_the_service_says_why() {
    let scene = Scene::set();
    let good = scene.server('1');
    scene.roll_out(&good, &[]).expect(0);
    scene.stand_in.stack().troubles = Troubles {
        no_registration: true,
        ..Troubles::default()
    };
    let run = scene.roll_out(&scene.server('2'), &[]).expect(8);
    let message = run.json()["error"]["message"].to_string();
    assert!(message.contains("UPDATE_ROLLBACK_COMPLETE"), "{message}");
    assert!(
        message.contains("TaskDefinition UPDATE_FAILED"),
        "{message}"
    );
    assert_eq!(scene.status()["release"]["digest"], good);
}

#[test]
fn rollback_takes_an_update_under_way_back() {
    let scene = Scene::set();
    let good = scene.server('1');
    scene.roll_out(&good, &[]).expect(0);
    let before = scene.status()["release"]["revision"].clone();
    scene
        .roll_out(&scene.fixture("unhealthy"), &["--no-wait"])
        .expect(0);
    let stopped = scene.run(&["stop"]).expect(4);
    assert!(
        stopped.stderr.contains("cannot be stopped")
            || stopped.stdout.contains("cannot be stopped")
    );
    let back = scene.run(&["rollback"]).expect(0).json();
    assert_eq!(back["done"], true);
    assert_eq!(back["to"], before);
    assert_eq!(scene.calls_of("CancelUpdateStack"), 1);
    assert_eq!(
        scene.status()["stack"]["status"],
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert_eq!(scene.status()["release"]["digest"], good);
}

/// Time runs out before CloudFormation moves the service: nothing is known, and the same command attaches.
#[test]
fn a_stack_that_does_not_begin_is_not_known() {
    let scene = Scene::set();
    let digest = scene.server('1');
    scene.stand_in.stack().troubles = Troubles {
        idle: true,
        ..Troubles::default()
    };
    let run = scene.roll_out(&digest, &["--timeout", "1"]).expect(10);
    let message = run.json()["error"]["message"].to_string();
    assert!(message.contains("to register the revision"), "{message}");
    scene.stand_in.stack().troubles = Troubles::default();
    let attached = scene.roll_out(&digest, &[]).expect(0).json();
    assert_eq!(attached["started"], false);
    assert_eq!(scene.calls_of("UpdateStack"), 1);
}

/// Who attaches while CloudFormation goes back is told of the release, not of the return.
#[test]
fn a_return_under_way_is_watched_to_the_stacks_end() {
    let scene = Scene::set();
    let good = scene.server('1');
    let before = scene.roll_out(&good, &[]).expect(0).json();
    let unhealthy = scene.fixture("unhealthy");
    let started = scene.roll_out(&unhealthy, &["--no-wait"]).expect(0).json();
    scene.run(&["rollback", "--no-wait"]).expect(0);
    for (command, code) in [("watch", 8), ("rollback", 0)] {
        let joined = scene.run(&[command]).expect(code).json();
        let verdict = &joined["verdict"];
        assert_eq!(verdict["verdict"], "rolled_back", "{command}");
        assert_eq!(verdict["to"], before["revision"]["arn"], "{command}");
        let from = match command {
            "watch" => &joined["revision"],
            _ => &joined["from"],
        };
        assert_eq!(*from, started["revision"]["arn"], "{command}");
        assert_eq!(
            scene.status()["stack"]["status"],
            "UPDATE_ROLLBACK_COMPLETE"
        );
    }
}

/// An update that failed and was no release does not stand between the operator and the release before.
#[test]
fn a_failed_update_that_was_no_release_does_not_count_as_a_return() {
    let scene = Scene::set();
    let first = scene.server('1');
    let second = scene.server('2');
    let earlier = scene.roll_out(&first, &[]).expect(0).json();
    let later = scene.roll_out(&second, &[]).expect(0).json();
    for (tags, digest, image_of) in [(false, &first, &earlier), (true, &second, &later)] {
        scene.stand_in.stack().fail_another_update(tags);
        let back = scene.run(&["rollback"]).expect(0).json();
        assert_eq!(scene.status()["release"]["digest"], *digest);
        assert_eq!(back["image_of"], image_of["revision"]["arn"]);
        assert_ne!(back["to"], image_of["revision"]["arn"]);
    }
}
