//! Releases through the whole environment: real images, real processes, a real load balancer.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Environment, Release, eventually};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A client that calls again and again until it is told to stop.
struct Hammer {
    stop: Arc<AtomicBool>,
    /// Answers by their text; failures by what they were.
    counts: JoinHandle<BTreeMap<String, usize>>,
}

impl Hammer {
    fn start(environment: &Environment, path: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = format!("{}{path}", environment.description.load_balancer_url);
        let (http, stopped) = (environment.http.clone(), Arc::clone(&stop));
        let counts = tokio::spawn(async move {
            let mut counts = BTreeMap::new();
            while !stopped.load(Ordering::SeqCst) {
                let answer = match http.post(&url).body("{}").send().await {
                    Ok(response) if response.status() == 200 => response.text().await.unwrap(),
                    Ok(response) => format!("failed: {}", response.status()),
                    Err(error) => format!("failed: {error}"),
                };
                *counts.entry(answer).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            counts
        });
        Self { stop, counts }
    }

    async fn stop(self) -> BTreeMap<String, usize> {
        self.stop.store(true, Ordering::SeqCst);
        self.counts.await.unwrap()
    }
}

fn assert_no_failure(counts: &BTreeMap<String, usize>) {
    assert!(
        counts.keys().all(|answer| !answer.starts_with("failed")),
        "{counts:?}"
    );
}

fn messages(service: &Value) -> Vec<&str> {
    service["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message"].as_str().unwrap())
        .collect()
}

fn assert_said(service: &Value, what: &str) {
    let messages = messages(service);
    assert!(
        messages.iter().any(|message| message.contains(what)),
        "{what}: {messages:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_rolls_over_without_a_failed_request() {
    let environment = common::start().await;
    let first = environment.release(Release::Serve("one")).await;
    let service = environment.settled().await;
    assert_eq!(service["deployments"][0]["id"], json!(first));
    assert_eq!(service["runningCount"], 2);
    assert_eq!(environment.version().await, "one");
    let tasks = environment.tasks("RUNNING").await;
    assert_eq!(tasks.len(), 2);
    for task in &tasks {
        assert_eq!(task["startedBy"], json!(first));
        let digest = task["containers"][0]["imageDigest"].as_str().unwrap();
        assert!(environment.push_image().await.ends_with(digest));
    }

    let quick = Hammer::start(&environment, "/mcp/");
    let slow = Hammer::start(&environment, "/mcp/slow");
    environment.release(Release::Serve("two")).await;
    let service = environment.settled().await;
    let (quick, slow) = (quick.stop().await, slow.stop().await);
    assert_no_failure(&quick);
    assert_no_failure(&slow);
    assert!(
        quick.contains_key("one") && quick.contains_key("two"),
        "{quick:?}"
    );
    assert_eq!(environment.version().await, "two");
    for what in [
        "has started 2 tasks: (task ",
        "registered 1 targets in (target-group arn:aws:elasticloadbalancing:",
        "has begun draining connections on",
        "has stopped",
        "deployment completed.",
        "has reached a steady state.",
    ] {
        assert_said(&service, what);
    }
    let stopped = environment.tasks("STOPPED").await;
    for task in &stopped {
        assert_eq!(task["stopCode"], "ServiceSchedulerInitiated");
        let reason = task["stoppedReason"].as_str().unwrap();
        assert!(
            reason.starts_with("Scaling activity initiated by (deployment ecs-svc/"),
            "{reason}"
        );
    }
}

/// Releases something broken over a good release and returns the stopped tasks of the broken one.
async fn broken(environment: &Environment, release: impl AsyncFnOnce() -> String) -> Vec<Value> {
    environment.release(Release::Serve("good")).await;
    let good = environment.settled().await["taskDefinition"].clone();
    let hammer = Hammer::start(environment, "/mcp/");
    let failed = release().await;
    let service = eventually("the rollback completes", async || {
        let service = environment.service().await;
        let primary = &service["deployments"][0];
        let done = primary["id"] != json!(failed)
            && primary["rolloutState"] == "COMPLETED"
            && service["deployments"].as_array().unwrap().len() == 1;
        done.then_some(service)
    })
    .await;
    let counts = hammer.stop().await;
    assert_no_failure(&counts);
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(service["taskDefinition"], good);
    assert_said(
        &service,
        &format!("(deployment {failed}) deployment failed: tasks failed to start."),
    );
    assert_said(&service, "rolling back to deployment ecs-svc/");
    let input = json!({ "service": environment.description.service });
    let deployments = environment.ecs("ListServiceDeployments", input).await;
    assert_eq!(
        deployments["serviceDeployments"][0]["status"],
        "ROLLBACK_SUCCESSFUL"
    );
    let mut stopped = environment.tasks("STOPPED").await;
    stopped.retain(|task| task["startedBy"] == json!(failed));
    assert!(!stopped.is_empty());
    stopped
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_release_rolls_back() {
    let environment = common::start().await;
    let stopped = broken(&environment, async || {
        environment.release(Release::Crash).await
    })
    .await;
    let crashed: Vec<&Value> = stopped
        .iter()
        .filter(|task| task["stopCode"] == "EssentialContainerExited")
        .collect();
    assert!(crashed.len() >= 3, "{stopped:#?}");
    for task in crashed {
        assert_eq!(task["stoppedReason"], "Essential container in task exited");
        assert_eq!(task["containers"][0]["exitCode"], 3);
        let id = task["taskArn"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap();
        let input = json!({
            "logGroupName": environment.description.log_group,
            "logStreamName": format!("mcp-server/mcp-server/{id}"),
        });
        let events = environment.logs("GetLogEvents", input).await;
        assert_eq!(
            events["events"][0]["message"],
            "fatal: the configuration makes no sense"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_is_never_healthy_rolls_back() {
    let environment = common::start().await;
    let stopped = broken(&environment, async || {
        environment.release(Release::Sick).await
    })
    .await;
    let unhealthy = stopped.iter().filter(|task| {
        task["stoppedReason"]
            .as_str()
            .unwrap()
            .starts_with("Task failed ELB health checks in (target-group arn:")
    });
    assert!(unhealthy.count() >= 3, "{stopped:#?}");
    let service = environment.service().await;
    assert_said(
        &service,
        "due to (reason Health checks failed with these codes: [503]).",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_cannot_be_pulled_rolls_back() {
    let environment = common::start().await;
    let stopped = broken(&environment, async || {
        let description = &environment.description;
        let image = format!("{}/{}:absent", description.registry, description.repository);
        let revision = environment.register(&image, &[]).await;
        environment.update(&revision).await
    })
    .await;
    let failed: Vec<Value> = stopped
        .into_iter()
        .filter(|task| task["stopCode"] == "TaskFailedToStart")
        .collect();
    assert!(failed.len() >= 3, "{failed:#?}");
    for task in failed {
        let reason = task["stoppedReason"].as_str().unwrap();
        assert!(reason.starts_with("CannotPullContainerError: "), "{reason}");
        assert!(task["containers"][0].get("exitCode").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_release_to_return_to_the_deployment_stays_failed() {
    let environment = common::start().await;
    let failed = environment.release(Release::Crash).await;
    let service = eventually("the deployment fails", async || {
        let service = environment.service().await;
        (service["deployments"][0]["rolloutState"] == "FAILED").then_some(service)
    })
    .await;
    let primary = &service["deployments"][0];
    assert_eq!(primary["id"], json!(failed));
    assert_eq!(primary["status"], "PRIMARY");
    assert_eq!(primary["failedTasks"], 3);
    assert_eq!(
        primary["rolloutStateReason"],
        "ECS deployment circuit breaker: tasks failed to start."
    );
    // A better release heals it.
    environment.release(Release::Serve("better")).await;
    environment.settled().await;
    assert_eq!(environment.version().await, "better");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_task_is_replaced() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    environment.settled().await;
    let before = environment.tasks("RUNNING").await;
    let victim = &before[0]["taskArn"];
    let input = json!({ "task": victim, "reason": "practice" });
    environment.ecs("StopTask", input).await;
    let task = eventually("the task stops", async || {
        let found = environment
            .ecs("DescribeTasks", json!({ "tasks": [victim] }))
            .await;
        let task = found["tasks"][0].clone();
        (task["lastStatus"] == "STOPPED").then_some(task)
    })
    .await;
    assert_eq!(task["stopCode"], "UserInitiated");
    assert_eq!(task["stoppedReason"], "practice");
    eventually("two tasks run", async || {
        (environment.service().await["runningCount"] == 2).then_some(())
    })
    .await;
}
