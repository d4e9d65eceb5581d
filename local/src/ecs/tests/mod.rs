//! The scheduler against a simulated world: a clock that only the test moves, containers that start,
//! crash and stay sick as their revision says.

mod container_health;
mod deployments;
mod rolling_updates;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::outcome::{Started, checked, container_checked, exited, failed_to_start, started};
use super::{Effect, rolling, step};
use crate::aws::{Moment, names};
use crate::state::ecs::{Deployment, RolloutState, Service, Task, TaskDefinition, TaskStatus};
use crate::state::elb::{Failure, Health};
use crate::state::{Addresses, State};

/// How the containers of a revision behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Good,
    Crashes,
    NeverHealthy,
    CannotBePulled,
    /// The load balancer finds nothing wrong with it.
    FailsItsOwnCheck,
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
        self.deploy_with(behaviour, json!({ "name": "c", "image": "i" }))
    }

    fn deploy_with(&mut self, behaviour: Behaviour, container: serde_json::Value) -> String {
        let revision = u32::try_from(self.state.task_definitions.len()).unwrap() + 1;
        let document = json!({ "containerDefinitions": [container] });
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
        super::deployments::begin(&mut self.state.services[0], deployment);
        id
    }

    /// Deploys the revision that runs once more.
    fn redeploy(&mut self) -> String {
        let deployment = Deployment::new(self.primary().task_definition.clone(), self.now);
        let id = deployment.id.clone();
        super::deployments::begin(&mut self.state.services[0], deployment);
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
            Effect::CheckContainer { task, .. } => {
                let passed = self.behaviour(&task) != Behaviour::FailsItsOwnCheck;
                container_checked(&mut self.state, &task, passed, self.now);
            }
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
