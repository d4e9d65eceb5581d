//! Container health checks.

use serde_json::json;

use super::{Behaviour, World};
use crate::state::ecs::{HealthStatus, RolloutState, StopCode};

fn deploy(world: &mut World, behaviour: Behaviour) -> String {
    let check = json!({
        "command": ["CMD", "/check"], "interval": 15, "retries": 3, "startPeriod": 15,
    });
    world.deploy_with(
        behaviour,
        json!({ "name": "c", "image": "i", "healthCheck": check }),
    )
}

#[test]
fn a_deployment_waits_for_its_containers_to_be_healthy() {
    let mut world = World::new(2, 100, 200);
    let id = deploy(&mut world, Behaviour::Good);
    world.run("they run", |world| {
        world.of(&id).iter().any(|task| task.container.running)
    });
    let status = world.of(&id)[0].health_status();
    assert_eq!(status, HealthStatus::Unknown);
    world.settles();
    assert_eq!(world.primary().rollout, RolloutState::Completed);
    for task in world.of(&id) {
        assert_eq!(task.health_status(), HealthStatus::Healthy);
    }
}

#[test]
fn containers_that_fail_their_check_are_replaced_and_trip_the_breaker() {
    let mut world = World::new(2, 100, 200);
    deploy(&mut world, Behaviour::Good);
    world.settles();
    let good = world.primary().task_definition.clone();
    let bad = deploy(&mut world, Behaviour::FailsItsOwnCheck);
    world.run("the breaker trips", |world| world.primary().id != bad);
    let tasks = world.of(&bad);
    let stop = tasks.iter().find_map(|task| task.stop.as_ref()).unwrap();
    assert_eq!(stop.code, StopCode::ServiceSchedulerInitiated);
    assert_eq!(stop.reason, "Task failed container health checks");
    assert!(world.said("failed container health checks."));
    world.settles();
    assert_eq!(world.primary().task_definition, good);
    assert_eq!(world.primary().rollout, RolloutState::Completed);
}

#[test]
fn the_grace_period_covers_the_container_check() {
    let mut world = World::new(1, 100, 200);
    world.state.services[0].grace_seconds = 60;
    let id = deploy(&mut world, Behaviour::FailsItsOwnCheck);
    world.run("it is unhealthy", |world| {
        world
            .of(&id)
            .iter()
            .any(|task| task.health_status() == HealthStatus::Unhealthy)
    });
    for _ in 0..50 {
        world.tick();
    }
    assert!(world.of(&id)[0].stop.is_none());
    world.run("it is given up", |world| world.of(&id)[0].stop.is_some());
}

#[test]
fn shell_commands_no_command_and_none() {
    let of = |command: serde_json::Value| {
        let container = json!({ "healthCheck": { "command": command } });
        crate::ecs::container_health::of(container.as_object().unwrap())
            .map(|health| health.command)
    };
    assert_eq!(of(json!(["CMD", "/a", "b"])).unwrap(), ["/a", "b"]);
    assert_eq!(
        of(json!(["CMD-SHELL", "a || exit 1"])).unwrap(),
        ["/bin/sh", "-c", "a || exit 1"]
    );
    assert_eq!(of(json!(["NONE"])), None);
    assert_eq!(of(json!(["CMD"])), None);
}
