//! What is refused before anything is changed.

use crate::scene::Scene;
use crate::support::stack::STACK;

#[test]
fn a_stack_that_cannot_take_the_release_is_refused_before_anything_is_changed() {
    let scene = Scene::set();
    let digest = scene.server('1');
    let refused = |code: i32, says: &str, hint: &str| {
        let release = ["rollout", "--supersede", "--digest", &digest];
        let run = scene.run(&release).expect(code);
        let error = &run.json()["error"];
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
        let told = error["hint"].as_str().unwrap();
        assert!(told.contains("nothing was changed"), "{told}");
        assert!(told.contains(hint), "{told}");
    };
    for (status, code, hint) in [
        ("ROLLBACK_COMPLETE", 4, "delete-stack"),
        ("UPDATE_ROLLBACK_FAILED", 4, "continue-update-rollback"),
        ("UPDATE_FAILED", 4, "rollback-stack"),
        ("DELETE_FAILED", 4, "describe-stack-events"),
        ("UPDATE_IN_PROGRESS", 11, "wait until it ends"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", 11, "wait until it ends"),
        ("DELETE_IN_PROGRESS", 11, "wait until it ends"),
    ] {
        scene.stand_in.stack().status = status.into();
        refused(code, status, hint);
    }
    scene.stand_in.stack().status = "CREATE_COMPLETE".into();

    scene.configure("quilt-local-mcp-server", "another-stack");
    refused(
        4,
        "there is no stack another-stack in us-east-1",
        "quilt-mcp.toml",
    );
    scene.configure("quilt-local-mcp-server", STACK);

    let ours = std::mem::replace(&mut scene.stand_in.stack().service, "arn:x/other".into());
    refused(
        4,
        "does not hold service quilt-local-mcp-server",
        "quilt-mcp.toml",
    );
    scene.stand_in.stack().service = ours;

    scene.stand_in.stack().parameters.remove("ImageUri");
    refused(4, "has no parameter ImageUri", "quilt-mcp.toml");
    assert_eq!(scene.calls_of("UpdateStack"), 0);
    assert_eq!(scene.calls_of("CancelUpdateStack"), 0);
}
