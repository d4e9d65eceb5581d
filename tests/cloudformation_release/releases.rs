//! Releases that go well, and returns.

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::stack::Troubles;

#[test]
fn a_release_is_a_new_image_of_the_stack_and_a_return_is_another() {
    let scene = Scene::set();
    let first = scene.server('1');
    let plan = scene.run(&["plan", "--digest", &first]).expect(0).json();
    assert_eq!(plan["deployment"]["action"], "update_stack");
    assert_eq!(plan["deploy_through"], "cloudformation");
    assert_eq!(plan["stack"]["status"], "CREATE_COMPLETE");
    assert_eq!(plan["template"], Value::Null);
    assert_eq!(plan["changes"].as_array().unwrap().len(), 1, "{plan}");

    let released = scene.roll_out(&first, &[]).expect(0).json();
    assert_eq!(released["verdict"]["verdict"], "succeeded");
    assert_eq!(released["stack"], "acme-staging-mcp-server");
    assert_eq!(released["started"], true);
    let status = scene.status();
    assert_eq!(status["stack"]["status"], "UPDATE_COMPLETE");
    assert_eq!(status["release"]["digest"], first);
    assert_eq!(status["release"]["revision"], released["revision"]["arn"]);
    told_of_the_image_and_nothing_else(&scene, &first);

    // The same again is nothing to do, and CloudFormation is not asked.
    let again = scene.roll_out(&first, &[]).expect(0).json();
    assert_eq!(again["nothing_to_do"], true);
    let plan = scene.run(&["plan", "--digest", &first]).expect(0).json();
    assert_eq!(plan["has_changes"], false, "{plan}");
    assert_eq!(scene.calls_of("UpdateStack"), 1);

    let second = scene.server('2');
    scene.roll_out(&second, &[]).expect(0);
    let back = scene.run(&["rollback"]).expect(0).json();
    assert_eq!(back["done"], true);
    let status = scene.status();
    assert_eq!(status["release"]["digest"], first);
    assert_eq!(status["stack"]["status"], "UPDATE_COMPLETE");
    // CloudFormation registers a revision anew: what is the same is the image.
    assert_ne!(status["release"]["revision"], released["revision"]["arn"]);
    assert_eq!(scene.calls_of("UpdateStack"), 3);
    let image = scene.stand_in.stack().parameters["ImageUri"].clone();
    assert!(image.ends_with(&first), "{image}");

    // What runs is not returned to.
    let runs = status["release"]["revision"].as_str().unwrap();
    let again = scene.run(&["rollback", "--to", runs]).expect(0).json();
    assert_eq!(
        (&again["from"], &again["to"]),
        (&status["release"]["revision"], &again["from"])
    );
    assert_eq!(scene.calls_of("UpdateStack"), 3);
}

fn told_of_the_image_and_nothing_else(scene: &Scene, digest: &str) {
    let calls = scene.stand_in.stack().calls_of("UpdateStack");
    let [told] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    let form = &told.form;
    let of = |key: &str| -> Vec<(&str, &str)> {
        let position = form.iter().position(|(_, value)| value == key);
        let (name, _) = &form[position.unwrap_or_else(|| panic!("no {key}"))];
        let prefix = name.strip_suffix("ParameterKey").unwrap();
        let of_it = form.iter().filter(|(name, _)| name.starts_with(prefix));
        let members = of_it.map(|(name, value)| (&name[prefix.len()..], value.as_str()));
        members
            .filter(|(name, _)| *name != "ParameterKey")
            .collect()
    };
    for kept in ["VpcId", "Host", "MinTasks"] {
        assert_eq!(of(kept), [("UsePreviousValue", "true")], "{kept}");
    }
    let image = of("ImageUri");
    assert!(image[0].1.ends_with(&format!("@{digest}")), "{image:?}");
    let caller = of("ReleasedBy")[0].1;
    assert!(caller.starts_with("arn:aws:"), "{caller}");
    let others: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!others.iter().any(|name| name.starts_with("Template")));
    assert!(!others.iter().any(|name| name.starts_with("Tags")));
}

/// Only a service without tasks is given the template's fewest: autoscaling keeps what it made of the rest.
#[test]
fn a_release_leaves_the_number_of_tasks_to_autoscaling() {
    let scene = Scene::set();
    let desired = || scene.status()["desired"].clone();
    scene.roll_out(&scene.server('1'), &[]).expect(0);
    assert_eq!(scene.stand_in.stack().parameters["TaskCount"], "MinTasks");
    scene.stand_in.update_service(json!({"desiredCount": 3}));
    scene.roll_out(&scene.server('2'), &[]).expect(0);
    assert_eq!(scene.stand_in.stack().parameters["TaskCount"], "Unchanged");
    assert_eq!(desired(), 3);
    scene.stand_in.update_service(json!({"desiredCount": 0}));
    scene.roll_out(&scene.server('3'), &[]).expect(0);
    assert_eq!(scene.stand_in.stack().parameters["TaskCount"], "MinTasks");
    assert_eq!(desired(), 2);
}

#[test]
fn an_update_to_the_same_image_is_attached_to() {
    let scene = Scene::set();
    let digest = scene.server('1');
    let started = scene.roll_out(&digest, &["--no-wait"]).expect(0).json();
    assert_eq!(started["verdict"], Value::Null);
    let attached = scene.roll_out(&digest, &[]).expect(0).json();
    assert_eq!(attached["verdict"]["verdict"], "succeeded");
    assert_eq!(attached["started"], false);
    assert_eq!(attached["revision"]["arn"], started["revision"]["arn"]);
    assert_eq!(scene.status()["stack"]["status"], "UPDATE_COMPLETE");
    assert_eq!(scene.calls_of("UpdateStack"), 1);
}

#[test]
fn an_answer_that_is_lost_is_one_update() {
    let scene = Scene::set();
    let digest = scene.server('1');
    scene.stand_in.stack().troubles = Troubles {
        lose_answer: true,
        ..Troubles::default()
    };
    scene.roll_out(&digest, &[]).expect(0);
    let calls = scene.stand_in.stack().calls_of("UpdateStack");
    assert!(calls.len() > 1, "{calls:?}");
    assert_eq!(scene.stand_in.stack().updates, 1);
}

#[test]
fn what_was_moved_behind_the_stacks_back_is_moved_to_what_the_stack_says() {
    let scene = Scene::set();
    let first = scene.server('1');
    let bootstrap = scene.status()["release"]["revision"].clone();
    let released = scene.roll_out(&first, &[]).expect(0).json();
    let moved = scene
        .stand_in
        .update_service(json!({"taskDefinition": bootstrap, "desiredCount": 0}));
    assert_eq!(moved["taskDefinition"], bootstrap);
    let run = scene.roll_out(&first, &["--supersede"]).expect(0);
    assert!(
        run.stderr.contains("behind the stack's back"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json()["revision"]["arn"], released["revision"]["arn"]);
    assert_eq!(scene.status()["release"]["digest"], first);
    assert_eq!(scene.calls_of("UpdateStack"), 1);
}
