//! Stops, alarms, forced deployments and revisions.

use super::{Behaviour, World};
use crate::state::ecs::{Alarms, DeploymentStatus, Ending, RolloutState};

fn with_alarm(rollback: bool) -> World {
    let mut world = World::new(2, 100, 200);
    world.state.services[0].configuration.alarms = Some(Alarms {
        alarm_names: vec!["errors".to_owned(), "latency".to_owned()],
        enable: true,
        rollback,
    });
    world.deploy(Behaviour::Good);
    world.settles();
    world
}

fn ask_for(world: &mut World, ending: Ending) {
    let now = world.now;
    let primary = world.state.services[0].primary_mut().unwrap();
    primary.ending = Some(ending);
    primary.updated_at = now;
}

#[test]
fn a_deployment_is_pending_before_it_starts_tasks() {
    let mut world = World::new(2, 100, 200);
    let first = world.deploy(Behaviour::Good);
    assert!(world.primary().started_at.is_none());
    world.tick();
    world.tick();
    assert!(world.primary().started_at.is_some());
    assert!(!world.of(&first).is_empty());
}

#[test]
fn a_requested_rollback_returns_to_the_last_completed_revision() {
    let mut world = World::new(2, 100, 200);
    world.deploy(Behaviour::Good);
    world.settles();
    let good = world.primary().clone();
    let unwanted = world.deploy(Behaviour::Good);
    world.run("it runs", |world| !world.of(&unwanted).is_empty());
    ask_for(&mut world, Ending::RollbackRequested);
    world.run("the rollback begins", |world| {
        world.primary().id != unwanted
    });
    assert_eq!(world.primary().rollback_of.as_ref(), Some(&unwanted));
    assert_eq!(world.primary().service_revision, good.service_revision);
    world.settles();
    assert_eq!(world.primary().rollout, RolloutState::Completed);
    assert_eq!(world.primary().task_definition, good.task_definition);
    assert!(world.said("rolling back to deployment"));
}

#[test]
fn a_rollback_without_a_candidate_fails_and_starts_nothing_more() {
    let mut world = World::new(2, 100, 200);
    let only = world.deploy(Behaviour::NeverHealthy);
    world.run("it runs", |world| !world.of(&only).is_empty());
    ask_for(&mut world, Ending::RollbackRequested);
    world.settles();
    assert_eq!(world.primary().id, only);
    assert_eq!(world.primary().rollout, RolloutState::Failed);
    assert_eq!(world.service().deployments.len(), 1);
}

#[test]
fn an_aborted_deployment_leaves_what_runs() {
    let mut world = World::new(2, 100, 200);
    let good = world.deploy(Behaviour::Good);
    world.settles();
    let aborted = world.deploy(Behaviour::Good);
    world.run("it is taken up", |world| {
        world.primary().started_at.is_some()
    });
    ask_for(&mut world, Ending::StopRequested);
    world.settles();
    let started = world.of(&aborted).len();
    for _ in 0..100 {
        world.tick();
    }
    assert_eq!(world.primary().rollout, RolloutState::Failed);
    assert_eq!(world.of(&aborted).len(), started);
    assert!(world.of(&good).iter().any(|task| task.is_wanted()));
    assert!(world.healthy() >= 2);
}

#[test]
fn an_alarm_rolls_back_and_is_named() {
    let mut world = with_alarm(true);
    let good = world.primary().task_definition.clone();
    let bad = world.deploy(Behaviour::NeverHealthy);
    world.run("it runs", |world| !world.of(&bad).is_empty());
    world.state.alarms.insert("latency".to_owned());
    world.run("the rollback begins", |world| world.primary().id != bad);
    let ended = world.service().deployment(&bad).unwrap();
    assert_eq!(
        ended.ending,
        Some(Ending::Alarms(vec!["latency".to_owned()]))
    );
    // The alarm still fires: the rollback does not watch it.
    world.settles();
    assert_eq!(world.primary().rollout, RolloutState::Completed);
    assert_eq!(world.primary().task_definition, good);
}

#[test]
fn an_alarm_without_rollback_fails_the_deployment() {
    let mut world = with_alarm(false);
    let bad = world.deploy(Behaviour::NeverHealthy);
    world.run("it is taken up", |world| {
        world.primary().started_at.is_some()
    });
    world.state.alarms.insert("errors".to_owned());
    world.settles();
    assert_eq!(world.primary().id, bad);
    assert_eq!(world.primary().rollout, RolloutState::Failed);
}

#[test]
fn an_alarm_that_fires_already_is_not_watched() {
    let mut world = with_alarm(true);
    world.state.alarms.insert("errors".to_owned());
    let id = world.deploy(Behaviour::Good);
    world.settles();
    assert!(!world.primary().watches_alarms);
    assert_eq!(world.primary().id, id);
    assert_eq!(world.primary().rollout, RolloutState::Completed);
}

#[test]
fn a_forced_deployment_of_the_same_revision_replaces_every_task() {
    let mut world = World::new(3, 100, 200);
    let first = world.deploy(Behaviour::Good);
    world.settles();
    let second = world.redeploy();
    world.settles();
    assert_eq!(world.primary().id, second);
    world.run("the first one is gone", |world| {
        world.service().deployment(&first).unwrap().status == DeploymentStatus::Inactive
    });
    assert!(world.of(&first).iter().all(|task| !task.is_wanted()));
    assert_eq!(world.healthy(), 3);
    let deployed = &world.service().deployments;
    assert_ne!(deployed[0].service_revision, deployed[1].service_revision);
    assert_eq!(
        deployed[0].source_revisions,
        [deployed[1].service_revision.clone()]
    );
}

#[test]
fn a_superseded_deployment_ends_and_both_revisions_are_sources() {
    let mut world = World::new(2, 100, 200);
    world.deploy(Behaviour::Good);
    world.settles();
    let second = world.deploy(Behaviour::NeverHealthy);
    world.run("it has begun", |world| !world.of(&second).is_empty());
    world.deploy(Behaviour::Good);
    let former = world.service().deployment(&second).unwrap();
    assert_eq!(former.ending, Some(Ending::Superseded));
    assert_eq!(world.primary().source_revisions.len(), 2);
    world.settles();
    assert_eq!(world.primary().rollout, RolloutState::Completed);
}

#[test]
fn a_rollback_restores_what_the_update_changed_besides_the_task_definition() {
    let mut world = World::new(2, 100, 200);
    world.deploy(Behaviour::Good);
    world.settles();
    let balancers = world.service().load_balancers.clone();
    world.state.services[0].load_balancers.clear();
    let bad = world.deploy(Behaviour::Crashes);
    world.run("the breaker trips", |world| world.primary().id != bad);
    assert_eq!(world.service().load_balancers, balancers);
    world.settles();
    assert_eq!(world.primary().rollout, RolloutState::Completed);
}
