//! Service deployments and revisions through the API, and StopServiceDeployment.

mod common;

use common::{Environment, Release, eventually};
use serde_json::{Value, json};

const ECS: &str = "AmazonEC2ContainerServiceV20141113";

async fn newest(environment: &Environment) -> Value {
    let input = json!({ "service": environment.description.service });
    let arn = environment.ecs("ListServiceDeployments", input).await["serviceDeployments"][0]
        ["serviceDeploymentArn"]
        .take();
    describe(environment, &arn).await
}

/// Its deployment is then under way until it is stopped.
async fn hold_back_revision_3(environment: &Environment) {
    environment
        .fault(json!({ "fault": "slow-start", "revision": "*:3", "seconds": 86400 }))
        .await;
}

async fn describe(environment: &Environment, arn: &Value) -> Value {
    let input = json!({ "serviceDeploymentArns": [arn] });
    environment.ecs("DescribeServiceDeployments", input).await["serviceDeployments"][0].take()
}

async fn reaches(environment: &Environment, arn: &Value, status: &str) -> Value {
    eventually(status, async || {
        let found = describe(environment, arn).await;
        (found["status"] == status).then_some(found)
    })
    .await
}

async fn refused(environment: &Environment, operation: &str, input: Value) -> String {
    let response = environment
        .send(&format!("{ECS}.{operation}"), &input)
        .await;
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert!(!body["message"].as_str().unwrap().is_empty());
    body["__type"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_followed_rolled_back_and_kept_in_the_history() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    let service = environment.settled().await;
    let good = describe(&environment, &service["currentServiceDeployment"]).await;
    assert_eq!(good["status"], "SUCCESSFUL");
    assert_eq!(good["targetServiceRevision"]["runningTaskCount"], 2);
    assert_eq!(
        good["deploymentCircuitBreaker"]["status"],
        "MONITORING_COMPLETE"
    );
    assert_eq!(good["alarms"], json!({ "status": "DISABLED" }));

    hold_back_revision_3(&environment).await;
    environment.release(Release::Sick).await;
    let arn = newest(&environment).await["serviceDeploymentArn"].take();
    let running = reaches(&environment, &arn, "IN_PROGRESS").await;
    assert_eq!(
        running["sourceServiceRevisions"][0]["arn"],
        good["targetServiceRevision"]["arn"]
    );
    let stopped = environment
        .ecs(
            "StopServiceDeployment",
            json!({ "serviceDeploymentArn": arn, "stopType": "ROLLBACK" }),
        )
        .await;
    assert_eq!(stopped, json!({ "serviceDeploymentArn": arn }));
    // Once more changes nothing.
    environment
        .ecs(
            "StopServiceDeployment",
            json!({ "serviceDeploymentArn": arn }),
        )
        .await;
    let ended = reaches(&environment, &arn, "ROLLBACK_SUCCESSFUL").await;
    assert_eq!(
        ended["rollback"]["serviceRevisionArn"],
        good["targetServiceRevision"]["arn"]
    );
    assert!(
        ended["rollback"]["reason"]
            .as_str()
            .unwrap()
            .contains("requested")
    );
    assert!(ended["finishedAt"].as_f64() >= ended["startedAt"].as_f64());
    let again = json!({ "serviceDeploymentArn": arn });
    assert_eq!(
        refused(&environment, "StopServiceDeployment", again).await,
        "ConflictException"
    );
    assert_eq!(
        environment.settled().await["taskDefinition"],
        service["taskDefinition"]
    );
    assert_eq!(environment.version().await, "one");

    let revision = environment
        .ecs(
            "DescribeServiceRevisions",
            json!({ "serviceRevisionArns": [good["targetServiceRevision"]["arn"], "arn:other"] }),
        )
        .await;
    assert_eq!(
        revision["serviceRevisions"][0]["taskDefinition"],
        service["taskDefinition"]
    );
    let digest = &revision["serviceRevisions"][0]["containerImages"][0]["imageDigest"];
    assert!(digest.as_str().unwrap().starts_with("sha256:"));
    assert_eq!(revision["failures"][0]["reason"], "MISSING");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_deployment_stops_where_it_is() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    environment.settled().await;
    hold_back_revision_3(&environment).await;
    environment.release(Release::Sick).await;
    let arn = newest(&environment).await["serviceDeploymentArn"].take();
    let input = json!({ "serviceDeploymentArn": arn, "stopType": "ABORT" });
    environment.ecs("StopServiceDeployment", input).await;
    let ended = reaches(&environment, &arn, "STOPPED").await;
    assert!(ended["stoppedAt"].is_f64(), "{ended:#}");
    assert!(ended.get("rollback").is_none());
    assert_eq!(
        environment.service().await["deployments"][0]["rolloutState"],
        "FAILED"
    );
    assert_eq!(environment.version().await, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_paged() {
    let environment = common::start().await;
    for version in ["one", "two", "three"] {
        environment.release(Release::Serve(version)).await;
        environment.settled().await;
    }
    let list = async |mut input: Value| {
        input["service"] = json!(environment.description.service);
        environment.ecs("ListServiceDeployments", input).await
    };
    let all = list(json!({})).await["serviceDeployments"].take();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 4);
    let statuses = list(json!({ "status": ["SUCCESSFUL"] })).await;
    assert_eq!(statuses["serviceDeployments"].as_array().unwrap().len(), 4);
    let none = list(json!({ "status": ["IN_PROGRESS", "PENDING"] })).await;
    assert!(none["serviceDeployments"].as_array().unwrap().is_empty());
    let second = &all[1]["createdAt"];
    let later = list(json!({ "createdAt": { "after": second } })).await;
    assert_eq!(later["serviceDeployments"], json!([all[0]]));
    let earlier = list(json!({ "createdAt": { "before": second } })).await;
    assert_eq!(earlier["serviceDeployments"], json!([all[2], all[3]]));
    let first_page = list(json!({ "maxResults": 3 })).await;
    assert_eq!(
        first_page["serviceDeployments"].as_array().unwrap().len(),
        3
    );
    let rest = list(json!({ "maxResults": 3, "nextToken": first_page["nextToken"] })).await;
    assert_eq!(rest["serviceDeployments"], json!([all[3]]));
    assert!(rest.get("nextToken").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_as_by_ecs() {
    let environment = common::start().await;
    let stranger =
        "arn:aws:ecs:us-east-1:111122223333:service-deployment/quilt-local/s/AbCdEfGhIjKlMnOpQrStU";
    let cases = [
        (
            "StopServiceDeployment",
            json!({}),
            "InvalidParameterException",
        ),
        (
            "StopServiceDeployment",
            json!({ "serviceDeploymentArn": "x" }),
            "InvalidParameterException",
        ),
        (
            "StopServiceDeployment",
            json!({ "serviceDeploymentArn": stranger, "stopType": "HALT" }),
            "InvalidParameterException",
        ),
        (
            "StopServiceDeployment",
            json!({ "serviceDeploymentArn": stranger }),
            "ServiceDeploymentNotFoundException",
        ),
        (
            "DescribeServiceDeployments",
            json!({}),
            "InvalidParameterException",
        ),
        (
            "DescribeServiceRevisions",
            json!({ "serviceRevisionArns": vec!["x"; 21] }),
            "InvalidParameterException",
        ),
        (
            "ListServiceDeployments",
            json!({ "cluster": "quilt-local", "service": "absent" }),
            "ServiceNotFoundException",
        ),
        (
            "ListServiceDeployments",
            json!({
                "cluster": "quilt-local", "service": environment.description.service,
                "status": ["DONE"],
            }),
            "InvalidParameterException",
        ),
    ];
    for (operation, input, code) in cases {
        let shown = input.to_string();
        assert_eq!(
            refused(&environment, operation, input).await,
            code,
            "{operation} {shown}"
        );
    }
}
