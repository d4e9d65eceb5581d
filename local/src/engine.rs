//! Carries out what the scheduler asks for and tells it what came of it.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::aws::{Moment, names};
use crate::ecs::{self, Effect, outcome};
use crate::incidents;
use crate::runtime::{Exit, Launch, LogTarget, Runtime};
use crate::state::State;
use crate::state::ecs::{Stop, StopCode, Task, TaskStatus};
use crate::state::elb::Failure;
use crate::world::World;

/// Time passes in steps of this size; news is taken at once.
const TICK: Duration = Duration::from_millis(50);
/// What a task may take to end beyond its stop timeout before the shutdown goes on without it.
const SLACK: Duration = Duration::from_secs(5);

/// The engine of one environment.
pub(crate) struct Engine {
    world: Arc<World>,
    runtime: Arc<Runtime>,
    prober: Client<HttpConnector, Body>,
    tasks: JoinSet<()>,
}

impl Engine {
    pub(crate) fn new(world: Arc<World>, runtime: Runtime) -> Self {
        let prober = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build_http();
        Self {
            world,
            runtime: Arc::new(runtime),
            prober,
            tasks: JoinSet::new(),
        }
    }

    /// Runs until the environment's shutdown, then stops every task.
    pub(crate) async fn run(mut self) {
        while !self.world.shutdown.is_cancelled() {
            let now = Moment::now();
            incidents::step(&self.world, now);
            let effects = self.world.touch(|state| ecs::step(state, now));
            for effect in effects {
                self.carry_out(effect);
            }
            while self.tasks.try_join_next().is_some() {}
            tokio::select! {
                () = self.world.changed.notified() => {}
                () = tokio::time::sleep(TICK) => {}
                () = self.world.shutdown.cancelled() => {}
            }
        }
        self.stop_everything().await;
    }

    fn carry_out(&mut self, effect: Effect) {
        let world = Arc::clone(&self.world);
        let runtime = Arc::clone(&self.runtime);
        match effect {
            Effect::Launch { task } => {
                self.tasks.spawn(launch(world, runtime, task));
            }
            Effect::Stop { task, timeout } => {
                self.tasks
                    .spawn(async move { runtime.stop(&task, timeout).await });
            }
            Effect::CheckContainer {
                task,
                command,
                timeout,
            } => {
                self.tasks
                    .spawn(check_container(world, runtime, task, command, timeout));
            }
            Effect::Check {
                target_group,
                target,
                path,
                timeout,
            } => {
                let pretended = pretended_health(&self.world, target);
                let probe = probe(self.prober.clone(), target, path, timeout);
                self.tasks.spawn(async move {
                    let result = match pretended {
                        Some(Some(status)) => Ok(status),
                        Some(None) => Err(Failure::Timeout),
                        None => probe.await,
                    };
                    world.change(|state| outcome::checked(state, &target_group, target, result));
                });
            }
        }
    }

    async fn stop_everything(mut self) {
        let live = self.world.touch(|state| {
            let mut live = Vec::new();
            for task in &mut state.tasks {
                if task.status < TaskStatus::Deprovisioning {
                    task.stop.get_or_insert(Stop {
                        code: StopCode::TerminationNotice,
                        reason: "The local environment was stopped".to_owned(),
                    });
                    // Also what is just being started then ends at once.
                    task.enter(TaskStatus::Stopping, Moment::now());
                    live.push((task.id.clone(), task.stop_timeout));
                }
            }
            live
        });
        let longest = live.iter().map(|(_, timeout)| *timeout).max();
        for (task, timeout) in live {
            let runtime = Arc::clone(&self.runtime);
            self.tasks
                .spawn(async move { runtime.stop(&task, timeout).await });
        }
        let deadline = longest.unwrap_or_default() + SLACK;
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!("some tasks did not end in time: they are killed with the environment");
        }
    }
}

async fn launch(world: Arc<World>, runtime: Arc<Runtime>, id: String) {
    hold_back(&world, &id).await;
    let Some(request) = world.read(|state| request(state, &id)) else {
        return;
    };
    match runtime.launch(&world, request).await {
        Err(error) => {
            tracing::warn!(task = id, %error, "the task did not start");
            let reason = error.to_string();
            world.change(|state| outcome::failed_to_start(state, &id, &reason, Moment::now()));
        }
        Ok(running) => {
            tracing::info!(task = id, "the task started");
            let unwanted = world.change(|state| {
                outcome::started(state, &id, running.started, Moment::now());
                state
                    .task(&id)
                    .filter(|task| task.status == TaskStatus::Stopping)
                    .map(|task| task.stop_timeout)
            });
            if let Some(timeout) = unwanted {
                runtime.stop(&id, timeout).await;
            }
            let (code, reason) = ending(&world, &runtime, &id, running.exit).await;
            tracing::info!(task = id, code, "the task ended");
            world.change(|state| outcome::exited(state, &id, code, reason, Moment::now()));
        }
    }
}

async fn check_container(
    world: Arc<World>,
    runtime: Arc<Runtime>,
    id: String,
    command: Vec<String>,
    timeout: Duration,
) {
    let fails = world.read(|state| {
        let task = state.task(&id)?;
        world.faults.unhealthy(task, Moment::now())
    });
    let passed = fails.is_none() && runtime.check(&id, &command, timeout).await;
    world.change(|state| outcome::container_checked(state, &id, passed, Moment::now()));
}

/// Waits while the fault `slow-start` concerns the task and nobody stops it.
async fn hold_back(world: &World, id: &str) {
    let began = Instant::now();
    let held = || {
        world.read(|state| {
            let task = state.task(id)?;
            let wait = world.faults.slow_start(task)?;
            Some(task.stop.is_none() && began.elapsed() < wait)
        })
    };
    while held() == Some(true) && !world.shutdown.is_cancelled() {
        tokio::time::sleep(TICK).await;
    }
}

/// The exit code and reason of the container's end, which the fault `crash-tasks` may bring about.
async fn ending(
    world: &World,
    runtime: &Runtime,
    id: &str,
    mut exit: oneshot::Receiver<Exit>,
) -> (Option<i32>, Option<String>) {
    let began = Instant::now();
    let mut crashed = None;
    let ended = loop {
        tokio::select! {
            ended = &mut exit => break ended,
            () = tokio::time::sleep(TICK), if crashed.is_none() => {
                let crash = world.read(|state| world.faults.crash(state.task(id)?));
                if let Some((after, code)) = crash && began.elapsed() >= after {
                    crashed = Some(code);
                    runtime.stop(id, Duration::ZERO).await;
                }
            }
        }
    };
    match ended {
        Ok(exit) => (crashed.or(exit.code), exit.reason),
        Err(_) => (crashed, None),
    }
}

/// What the fault `unhealthy` has the target answer.
fn pretended_health(world: &World, target: SocketAddrV4) -> Option<Option<u16>> {
    world.read(|state| {
        let task = state
            .tasks
            .iter()
            .find(|task| task.address == *target.ip() && task.stopped_at.is_none())?;
        world.faults.unhealthy(task, Moment::now())
    })
}

/// What to start for a task.
fn request(state: &State, id: &str) -> Option<Launch> {
    let task = state.task(id)?;
    let definition = state.task_definition(&task.task_definition)?;
    let container = definition.main_container()?.clone();
    Some(Launch {
        task: id.to_owned(),
        image: task.container.image.clone(),
        address: task.address,
        port: port(state, task, &container),
        log: log_target(&container, task),
        container,
    })
}

/// The port that the load balancer speaks to, else the first one that the container maps.
fn port(state: &State, task: &Task, container: &Map<String, Value>) -> u16 {
    let balanced = state
        .service(&task.service)
        .and_then(|service| service.load_balancers.first())
        .map(|balancer| balancer.container_port);
    let mapped = || {
        let port = container
            .get("portMappings")?
            .get(0)?
            .get("containerPort")?
            .as_u64()?;
        u16::try_from(port).ok()
    };
    balanced.or_else(mapped).unwrap_or(names::CONTAINER_PORT)
}

/// The stream of the awslogs driver: `prefix/container/task`.
fn log_target(container: &Map<String, Value>, task: &Task) -> Option<LogTarget> {
    let configuration = container.get("logConfiguration")?;
    if configuration.get("logDriver")?.as_str()? != "awslogs" {
        return None;
    }
    let option = |name: &str| configuration.get("options")?.get(name)?.as_str();
    let prefix = option("awslogs-stream-prefix")?;
    Some(LogTarget {
        group: option("awslogs-group")?.to_owned(),
        stream: format!("{prefix}/{}/{}", task.container.name, task.id),
    })
}

/// One health check, as an Application Load Balancer makes it.
async fn probe(
    client: Client<HttpConnector, Body>,
    target: SocketAddrV4,
    path: String,
    timeout: Duration,
) -> Result<u16, Failure> {
    let request = Request::get(format!("http://{target}{path}"))
        .header(header::USER_AGENT, "ELB-HealthChecker/2.0")
        .body(Body::empty())
        .map_err(|_| Failure::Connection)?;
    match tokio::time::timeout(timeout, client.request(request)).await {
        Ok(Ok(response)) => Ok(response.status().as_u16()),
        Ok(Err(_)) => Err(Failure::Connection),
        Err(_) => Err(Failure::Timeout),
    }
}
