//! What ECS does beside releases: container health checks, stop timeouts, forced deployments, scaling
//! while a deployment is under way.

mod common;

use common::{Environment, Release, eventually};
use serde_json::{Value, json};

async fn update(environment: &Environment, mut change: Value) -> Value {
    change["service"] = json!(environment.description.service);
    environment.ecs("UpdateService", change).await["service"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_health_check_is_run_in_the_container() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    let good = environment.settled().await;
    for task in environment.tasks("RUNNING").await {
        assert_eq!(task["healthStatus"], "HEALTHY");
        assert_eq!(task["containers"][0]["healthStatus"], "HEALTHY");
    }
    let image = environment.push_image().await;
    let revision = environment
        .register_with(&image, &["serve", "two"], |container| {
            container["healthCheck"]["command"] = json!(["CMD", "/server", "complain"]);
            container["healthCheck"]["startPeriod"] = json!(0);
        })
        .await;
    let bad = environment.update(&revision).await;
    let stopped = eventually("a task is given up", async || {
        let tasks = environment.tasks("STOPPED").await;
        tasks
            .into_iter()
            .find(|task| task["startedBy"] == json!(bad))
    })
    .await;
    assert_eq!(stopped["stopCode"], "ServiceSchedulerInitiated");
    assert_eq!(
        stopped["stoppedReason"],
        "Task failed container health checks"
    );
    eventually("it is rolled back", async || {
        let service = environment.service().await;
        (service["taskDefinition"] == good["taskDefinition"]).then_some(())
    })
    .await;
    environment.settled().await;
    assert_eq!(environment.version().await, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_at_sigterm_is_killed_after_its_stop_timeout() {
    let environment = common::start().await;
    let image = environment.push_image().await;
    let revision = environment.register(&image, &["stubborn", "one"]).await;
    let stubborn = environment.update(&revision).await;
    environment.settled().await;
    let polite = environment.release(Release::Serve("two")).await;
    environment.settled().await;
    environment.release(Release::Serve("three")).await;
    environment.settled().await;
    let codes = async |deployment: &str| {
        eventually("both have stopped", async || {
            let tasks = environment.tasks("STOPPED").await;
            let ended = tasks.iter().filter(|task| {
                task["startedBy"] == json!(deployment) && task["lastStatus"] == "STOPPED"
            });
            let codes: Vec<Value> = ended
                .map(|task| task["containers"][0]["exitCode"].clone())
                .collect();
            (codes.len() == 2).then_some(codes)
        })
        .await
    };
    assert_eq!(codes(&stubborn).await, [json!(137), json!(137)]);
    assert_eq!(codes(&polite).await, [json!(143), json!(143)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_revision_is_deployed_again_only_when_forced() {
    let environment = common::start().await;
    let first = environment.release(Release::Serve("one")).await;
    let service = environment.settled().await;
    let same = json!({ "taskDefinition": service["taskDefinition"] });
    let unchanged = update(&environment, same).await;
    assert_eq!(unchanged["deployments"][0]["id"], json!(first));
    let forced = update(&environment, json!({ "forceNewDeployment": true })).await;
    let second = &forced["deployments"][0];
    assert_ne!(second["id"], json!(first));
    assert_eq!(second["taskDefinition"], service["taskDefinition"]);
    environment.settled().await;
    for task in environment.tasks("RUNNING").await {
        assert_eq!(task["startedBy"], second["id"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_scaled_while_a_deployment_is_under_way() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    environment.settled().await;
    environment
        .fault(json!({ "fault": "slow-start", "seconds": 3600 }))
        .await;
    let second = environment.release(Release::Serve("two")).await;
    let scaled = update(&environment, json!({ "desiredCount": 4 })).await;
    assert_eq!(scaled["deployments"][0]["id"], json!(second));
    assert_eq!(scaled["deployments"][0]["desiredCount"], 4);
    environment.clear_faults().await;
    let settled = environment.settled().await;
    assert_eq!(settled["deployments"][0]["id"], json!(second));
    assert_eq!(settled["runningCount"], 4);
    update(&environment, json!({ "desiredCount": 0 })).await;
    eventually("nothing runs", async || {
        let service = environment.service().await;
        (service["runningCount"] == 0 && service["desiredCount"] == 0).then_some(())
    })
    .await;
    let service = environment.service().await;
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
}
