//! The scheduler against a simulated world: a clock that only the test moves, containers that start,
//! crash and stay sick as their revision says.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::outcome::{Started, checked, exited, failed_to_start, started};
use super::{Effect, rolling, step};
use crate::aws::{Moment, names};
use crate::state::ecs::{
    Deployment, DeploymentStatus, RolloutState, Service, StopCode, Task, TaskDefinition, TaskStatus,
};
use crate::state::elb::{Failure, Health};
use crate::state::{Addresses, State};

/// How the containers of a revision behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Good,
    Crashes,
    NeverHealthy,
    CannotBePulled,
}

struct World {
    state: State,
    now: Moment,
    behaviours: BTreeMap<String, Behaviour>,
    /// What happens later: when, and to which task.
    due: Vec<(Moment, Happening)>,
}

#[derive(Debug, Clone)]
enum Happening {
    Starts(String),
    CannotPull(String),
    Exits(String, i32),
}

const TICK: Duration = Duration::from_millis(100);

impl World {
    fn new(desired: u32, minimum: u32, maximum: u32) -> Self {
        let now = Moment(1_000_000);
        let mut state = State::seed(Addresses::default(), now);
        let service = &mut state.services[0];
        service.desired = desired;
        service.configuration.minimum_healthy_percent = minimum;
        service.configuration.maximum_percent = maximum;
        // The first revision takes part like any other one.
        service.deployments.clear();
        Self {
            state,
            now,
            behaviours: BTreeMap::new(),
            due: Vec::new(),
        }
    }

    fn service(&self) -> &Service {
        &self.state.services[0]
    }

    fn primary(&self) -> &Deployment {
        self.service().primary().unwrap()
    }

    fn deploy(&mut self, behaviour: Behaviour) -> String {
        let revision = u32::try_from(self.state.task_definitions.len()).unwrap() + 1;
        let document = json!({ "containerDefinitions": [{ "name": "c", "image": "i" }] });
        let definition = TaskDefinition {
            family: names::SERVICE.to_owned(),
            revision,
            active: true,
            registered_at: self.now,
            deregistered_at: None,
            document: document.as_object().unwrap().clone(),
            tags: Vec::new(),
        };
        let arn = definition.arn();
        self.behaviours.insert(arn.clone(), behaviour);
        self.state.task_definitions.push(definition);
        let deployment = Deployment::new(arn, self.now);
        let id = deployment.id.clone();
        rolling::begin(&mut self.state.services[0], deployment);
        id
    }

    fn behaviour(&self, task: &str) -> Behaviour {
        self.behaviours[&self.state.task(task).unwrap().task_definition]
    }

    /// Lets time pass by one tick.
    fn tick(&mut self) {
        self.now = self.now.plus(TICK);
        let (happening, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.due)
            .into_iter()
            .partition(|(at, _)| *at <= self.now);
        self.due = later;
        for (_, happening) in happening {
            self.happen(happening);
        }
        for effect in step(&mut self.state, self.now) {
            self.carry_out(effect);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let (state, now) = (&mut self.state, self.now);
        match happening {
            Happening::Starts(task) => {
                let news = Started {
                    image_digest: "sha256:0".to_owned(),
                    runtime_id: "r".to_owned(),
                    process: None,
                    pull_stopped_at: now,
                };
                started(state, &task, news, now);
            }
            Happening::CannotPull(task) => {
                failed_to_start(state, &task, "CannotPullContainerError: no", now);
            }
            Happening::Exits(task, code) => exited(state, &task, Some(code), None, now),
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let soon = self.now.plus(TICK);
        match effect {
            Effect::Launch { task } => match self.behaviour(&task) {
                Behaviour::CannotBePulled => self.due.push((soon, Happening::CannotPull(task))),
                Behaviour::Crashes => {
                    self.due.push((soon, Happening::Starts(task.clone())));
                    self.due.push((soon.plus(TICK), Happening::Exits(task, 1)));
                }
                _ => self.due.push((soon, Happening::Starts(task))),
            },
            Effect::Stop { task, .. } => self.due.push((soon, Happening::Exits(task, 143))),
            Effect::Check {
                target_group,
                target,
                ..
            } => {
                let task = self
                    .state
                    .tasks
                    .iter()
                    .find(|task| task.address == *target.ip())
                    .unwrap();
                let result = match self.behaviours[&task.task_definition] {
                    _ if !task.container.running => Err(Failure::Connection),
                    Behaviour::NeverHealthy => Ok(503),
                    _ => Ok(200),
                };
                checked(&mut self.state, &target_group, target, result);
            }
        }
    }

    fn healthy(&self) -> usize {
        self.state
            .tasks
            .iter()
            .filter(|task| rolling::is_healthy(&self.state, 0, task))
            .count()
    }

    /// Ticks until `done`, and checks what must hold at every moment.
    fn run(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let enough = self.service().lower_bound() as usize;
        let mut was_enough = self.healthy() >= enough;
        for _ in 0..3000 {
            if done(self) {
                return;
            }
            self.tick();
            let wanted = self.state.tasks.iter().filter(|task| task.is_wanted());
            assert!(
                wanted.count() <= self.service().upper_bound().max(self.service().desired) as usize,
                "too many tasks"
            );
            let is_enough = self.healthy() >= enough;
            assert!(!was_enough || is_enough, "too few healthy tasks");
            was_enough = is_enough;
            self.check_targets();
        }
        panic!("in vain: {what}: {:#?}", self.service());
    }

    /// A task that still gets requests has not been told to stop.
    fn check_targets(&self) {
        for group in &self.state.load_balancing.target_groups {
            for target in group
                .targets
                .iter()
                .filter(|target| target.health == Health::Healthy)
            {
                let owner = self
                    .state
                    .tasks
                    .iter()
                    .find(|task| task.address == target.address)
                    .unwrap();
                assert!(owner.status <= TaskStatus::Running, "{owner:?}");
            }
        }
    }

    fn settles(&mut self) {
        self.run("the deployment ends", |world| {
            world.primary().rollout != RolloutState::InProgress
        });
    }

    fn of(&self, deployment: &str) -> Vec<&Task> {
        self.state
            .tasks
            .iter()
            .filter(|task| task.started_by == deployment)
            .collect()
    }

    fn said(&self, text: &str) -> bool {
        self.service()
            .events
            .iter()
            .any(|event| event.message.contains(text))
    }
}

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
        let threshold = super::breaker::threshold(
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
