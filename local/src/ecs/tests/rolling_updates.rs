//! Bounds, scaling, breaker and rollback.

use proptest::prelude::*;

use super::{Behaviour, World};
use crate::ecs::breaker;
use crate::state::ecs::{DeploymentStatus, RolloutState, StopCode, TaskStatus};

#[test]
fn a_good_deployment_completes() {
    let mut world = World::new(2, 100, 200);
    let first = world.deploy(Behaviour::Good);
    world.settles();
    assert_eq!(world.primary().rollout, RolloutState::Completed);
    assert_eq!(world.of(&first).len(), 2);
    world.deploy(Behaviour::Good);
    world.settles();
    world.run("the first one is gone", |world| {
        world.service().deployment(&first).unwrap().status == DeploymentStatus::Inactive
    });
    assert!(world.said("has reached a steady state."));
}

#[test]
fn nothing_changes_in_a_steady_state() {
    let mut world = World::new(3, 100, 200);
    world.deploy(Behaviour::Good);
    world.settles();
    world.run("old events", |world| world.service().steady);
    let events = world.service().events.len();
    for _ in 0..100 {
        world.tick();
    }
    assert_eq!(world.service().events.len(), events);
    assert_eq!(world.state.tasks.len(), 3);
}

#[test]
fn a_draining_task_waits_for_its_requests() {
    use std::sync::atomic::Ordering;
    let mut world = World::new(1, 100, 200);
    let first = world.deploy(Behaviour::Good);
    world.settles();
    let address = world.of(&first)[0].address;
    let group = &world.state.load_balancing.target_groups[0];
    let in_flight = group.targets[0].in_flight.clone();
    in_flight.store(1, Ordering::SeqCst);
    world.deploy(Behaviour::Good);
    world.run("it drains", |world| {
        world.of(&first)[0].status == TaskStatus::Deactivating
    });
    let begun = world.now;
    let delay = world.state.load_balancing.target_groups[0].deregistration_delay;
    world.run("it stops", |world| {
        world.of(&first)[0].status > TaskStatus::Deactivating
    });
    assert!(world.now.since(begun) >= delay);
    assert!(
        world.state.load_balancing.target_groups[0]
            .targets
            .iter()
            .all(|target| target.address != address)
    );
}

#[test]
fn bounds_that_leave_no_room_above_replace_from_below() {
    let mut world = World::new(2, 50, 100);
    world.deploy(Behaviour::Good);
    world.settles();
    let second = world.deploy(Behaviour::Good);
    world.settles();
    assert_eq!(world.primary().id, second);
    assert_eq!(world.primary().rollout, RolloutState::Completed);
}

#[test]
fn scaling_in_and_out_is_no_deployment() {
    let mut world = World::new(4, 100, 200);
    let id = world.deploy(Behaviour::Good);
    world.settles();
    for desired in [1, 5, 0] {
        world.state.services[0].desired = desired;
        for _ in 0..100 {
            world.tick();
        }
        assert_eq!(world.healthy(), desired as usize);
        assert_eq!(world.primary().id, id);
        assert_eq!(world.primary().rollout, RolloutState::Completed);
    }
}

#[test]
fn a_rollback_is_not_rolled_back() {
    let mut world = World::new(2, 100, 200);
    let good = world.deploy(Behaviour::Good);
    world.settles();
    // The good revision goes bad, as when its image is deleted.
    let revision = world.primary().task_definition.clone();
    let bad = world.deploy(Behaviour::Crashes);
    world
        .behaviours
        .insert(revision.clone(), Behaviour::CannotBePulled);
    world.run("the rollback fails", |world| {
        world.primary().rollback_of.as_ref() == Some(&bad)
            && world.primary().rollout == RolloutState::Failed
    });
    assert_eq!(world.primary().task_definition, revision);
    for _ in 0..100 {
        world.tick();
    }
    assert_eq!(world.service().deployments.len(), 3);
    // What served before still serves.
    assert_eq!(world.healthy(), 2);
    assert!(world.of(&good).iter().all(|task| task.stop.is_none()));
}

#[test]
fn a_superseded_deployment_gives_way() {
    let mut world = World::new(2, 100, 200);
    world.deploy(Behaviour::Good);
    world.settles();
    let never = world.deploy(Behaviour::NeverHealthy);
    world.run("it has begun", |world| !world.of(&never).is_empty());
    let last = world.deploy(Behaviour::Good);
    world.settles();
    assert_eq!(world.primary().id, last);
    assert_eq!(world.primary().rollout, RolloutState::Completed);
    assert!(world.of(&never).iter().all(|task| !task.is_wanted()));
}

fn broken() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        Just(Behaviour::Crashes),
        Just(Behaviour::NeverHealthy),
        Just(Behaviour::CannotBePulled),
    ]
}

/// Bounds within which a rolling update can make progress.
fn bounds() -> impl Strategy<Value = (u32, u32, u32)> {
    (1..12_u32, 0..=100_u32, 100..=200_u32).prop_filter("no progress", |(desired, min, max)| {
        let lower = (desired * min).div_ceil(100);
        let upper = desired * max / 100;
        upper > *desired || lower < *desired
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The bounds are checked at every tick by `run`.
    #[test]
    fn good_deployments_complete_within_the_bounds((desired, min, max) in bounds()) {
        let mut world = World::new(desired, min, max);
        for _ in 0..3 {
            let id = world.deploy(Behaviour::Good);
            world.settles();
            prop_assert_eq!(&world.primary().id, &id);
            prop_assert_eq!(world.primary().rollout, RolloutState::Completed);
        }
    }

    #[test]
    fn broken_deployments_roll_back_to_the_last_completed(
        (desired, min, max) in bounds(),
        behaviour in broken(),
    ) {
        let mut world = World::new(desired, min, max);
        world.deploy(Behaviour::Good);
        world.settles();
        let good = world.primary().task_definition.clone();
        let bad = world.deploy(behaviour);
        world.run("the breaker trips", |world| world.primary().id != bad);
        let threshold = breaker::threshold(
            &world.service().configuration.deployment_circuit_breaker,
            desired,
        );
        let failed = world.service().deployment(&bad).unwrap();
        prop_assert_eq!(failed.failed_tasks, threshold);
        prop_assert_eq!(failed.rollout, RolloutState::Failed);
        prop_assert_eq!(&world.primary().task_definition, &good);
        world.settles();
        prop_assert_eq!(world.primary().rollout, RolloutState::Completed);
        prop_assert_eq!(world.healthy(), desired as usize);
    }

    #[test]
    fn without_rollback_a_broken_deployment_stays_failed(
        desired in 1..8_u32,
        behaviour in broken(),
    ) {
        let mut world = World::new(desired, 100, 200);
        world.state.services[0]
            .configuration
            .deployment_circuit_breaker
            .rollback = false;
        world.deploy(Behaviour::Good);
        world.settles();
        let bad = world.deploy(behaviour);
        world.settles();
        for _ in 0..50 {
            world.tick();
        }
        prop_assert_eq!(&world.primary().id, &bad);
        prop_assert_eq!(world.primary().rollout, RolloutState::Failed);
        prop_assert_eq!(world.healthy(), desired as usize);
        prop_assert!(world.said("deployment failed: tasks failed to start."));
    }

    #[test]
    fn stopped_tasks_say_why(behaviour in broken()) {
        let mut world = World::new(2, 100, 200);
        let bad = world.deploy(behaviour);
        world.settles();
        let (code, reason) = match behaviour {
            Behaviour::Crashes => {
                (StopCode::EssentialContainerExited, "Essential container in task exited")
            }
            Behaviour::NeverHealthy => {
                (StopCode::ServiceSchedulerInitiated, "Task failed ELB health checks in (target-group arn:")
            }
            _ => (StopCode::TaskFailedToStart, "CannotPullContainerError: "),
        };
        let tasks = world.of(&bad);
        let stops: Vec<_> = tasks.iter().filter_map(|task| task.stop.as_ref()).collect();
        prop_assert!(stops.len() >= 3);
        for stop in stops {
            prop_assert_eq!(stop.code, code);
            prop_assert!(stop.reason.starts_with(reason));
        }
    }
}
