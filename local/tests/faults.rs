//! Faults through the control port, and the record of the calls.

mod common;

use common::{Environment, Release, eventually};
use reqwest::StatusCode;
use serde_json::{Value, json};

const ECS: &str = "AmazonEC2ContainerServiceV20141113";
const LOGS: &str = "Logs_20140328";

/// What one call came to: its status and error code, or `None` when the connection ended.
async fn outcome(environment: &Environment, target: &str) -> Option<(u16, String)> {
    let sent = environment
        .http
        .post(&environment.description.endpoint_url)
        .header("x-amz-target", target)
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test")
        .body(r#"{"cluster":"quilt-local"}"#)
        .send()
        .await;
    let response = sent.ok()?;
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let code = body["__type"].as_str().unwrap_or_default().to_owned();
    Some((status, code))
}

async fn stopped_because(environment: &Environment, code: &str) -> Value {
    eventually(code, async || {
        let tasks = environment.tasks("STOPPED").await;
        tasks.into_iter().find(|task| task["stopCode"] == code)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_operation_answers_as_iam_does_and_others_go_on() {
    let environment = common::start().await;
    environment
        .fault(json!({ "fault": "deny", "operation": "ecs:ListServiceDeployments" }))
        .await;
    let input = json!({ "cluster": "quilt-local", "service": "quilt-local-mcp-server" });
    let response = environment
        .send(&format!("{ECS}.ListServiceDeployments"), &input)
        .await;
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["__type"], "AccessDeniedException");
    assert_eq!(
        body["message"],
        "User: arn:aws:iam::111122223333:user/local is not authorized to perform: ecs:ListServiceDeployments on resource: arn:aws:ecs:us-east-1:111122223333:service/quilt-local/quilt-local-mcp-server because no identity-based policy allows the ecs:ListServiceDeployments action"
    );
    assert_eq!(environment.service().await["status"], "ACTIVE");
    // The Query protocol has its own code and status.
    environment
        .fault(json!({ "fault": "deny", "operation": "sts:*" }))
        .await;
    let response = environment
        .http
        .post(&environment.description.endpoint_url)
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test")
        .body("Action=GetCallerIdentity&Version=2011-06-15")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(
        response
            .text()
            .await
            .unwrap()
            .contains("<Code>AccessDenied</Code>")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeded_storm_is_the_same_storm_again_and_is_counted() {
    let environment = common::start().await;
    let mut storms = Vec::new();
    for _ in 0..2 {
        for (fault, share) in [("throttle", 0.3), ("server-error", 0.2), ("cut-off", 0.2)] {
            environment
                .fault(json!({
                    "fault": fault, "operation": "ecs:*", "probability": share, "seed": 5,
                }))
                .await;
        }
        let reset = environment.http.delete(environment.control_url("calls"));
        assert_eq!(reset.send().await.unwrap().status(), StatusCode::NO_CONTENT);
        let mut storm = Vec::new();
        for _ in 0..60 {
            storm.push(outcome(&environment, &format!("{ECS}.ListClusters")).await);
            // What else is called changes nothing.
            outcome(&environment, &format!("{LOGS}.DescribeLogGroups")).await;
        }
        storms.push(storm);
    }
    assert_eq!(storms[0], storms[1]);
    let count = |wanted: &Option<(u16, &str)>| {
        storms[0]
            .iter()
            .filter(|one| one.as_ref().map(|(status, code)| (*status, code.as_str())) == *wanted)
            .count() as u64
    };
    let throttled = count(&Some((400, "ThrottlingException")));
    let failed = count(&Some((500, "ServerException")));
    let cut = count(&None);
    assert!(
        throttled > 5 && failed > 3 && cut > 3,
        "{throttled} {failed} {cut}"
    );
    let calls = environment.calls().await;
    let listed = &calls["operations"]["ecs:ListClusters"];
    assert_eq!(listed["calls"], 60);
    assert_eq!(listed["faulted"], throttled + failed + cut);
    assert_eq!(calls["operations"]["logs:DescribeLogGroups"]["faulted"], 0);
    assert_eq!(calls["total"], 120);
    assert_eq!(calls["log"].as_array().unwrap().len(), 120);
    assert_eq!(calls["log"][1]["service"], "logs");
    assert_eq!(calls["log"][1]["outcome"]["kind"], "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_be_carried_out_though_its_answer_is_cut_off() {
    let environment = common::start().await;
    let revision = environment.register("127.0.0.1:1/x:1", &[]).await;
    for (carried_out, expected) in [(0.0, 1), (1.0, 2)] {
        environment
            .fault(json!({
                "fault": "cut-off", "operation": "ecs:UpdateService", "carried_out": carried_out,
            }))
            .await;
        let sent = environment
            .http
            .post(&environment.description.endpoint_url)
            .header("x-amz-target", format!("{ECS}.UpdateService"))
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test")
            .body(
                json!({
                    "cluster": "quilt-local", "service": environment.description.service,
                    "taskDefinition": revision,
                })
                .to_string(),
            )
            .send()
            .await;
        assert!(sent.is_err());
        let input = json!({ "service": environment.description.service });
        let known = environment.ecs("ListServiceDeployments", input).await;
        assert_eq!(
            known["serviceDeployments"].as_array().unwrap().len(),
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_crash_start_late_and_turn_unhealthy_as_told() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    environment.settled().await;
    environment
        .fault(json!({
            "fault": "crash-tasks", "revision": "*:3", "after_seconds": 0.2, "exit_code": 42,
        }))
        .await;
    environment.release(Release::Serve("two")).await;
    let crashed = stopped_because(&environment, "EssentialContainerExited").await;
    assert_eq!(crashed["containers"][0]["exitCode"], 42);
    assert!(
        crashed["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .ends_with(":3")
    );
    // The rollback, to the same image but another revision, is not concerned.
    environment.settled().await;
    assert_eq!(environment.version().await, "one");

    environment.clear_faults().await;
    environment
        .fault(json!({ "fault": "unhealthy", "revision": "*:4", "status": 418 }))
        .await;
    environment.release(Release::Serve("three")).await;
    eventually("the service says why", async || {
        let events = environment.service().await["events"].to_string();
        events
            .contains("Health checks failed with these codes: [418]")
            .then_some(())
    })
    .await;
    environment.settled().await;

    environment.clear_faults().await;
    environment
        .fault(json!({ "fault": "slow-start", "seconds": 86400 }))
        .await;
    let slow = environment.release(Release::Serve("four")).await;
    let pending = async || {
        let tasks = environment.tasks("RUNNING").await;
        let ours = tasks.iter().filter(|task| task["startedBy"] == json!(slow));
        ours.filter(|task| task["lastStatus"] == "PENDING").count()
    };
    eventually("they are pending", async || {
        (pending().await == 2).then_some(())
    })
    .await;
    environment.clear_faults().await;
    environment.settled().await;
    assert_eq!(environment.version().await, "four");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_rolls_a_deployment_back() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    let good = environment.settled().await;
    let alarms = json!({ "alarmNames": ["errors"], "enable": true, "rollback": true });
    environment
        .ecs(
            "UpdateService",
            json!({
                "service": environment.description.service,
                "deploymentConfiguration": { "alarms": alarms },
            }),
        )
        .await;
    environment
        .fault(json!({ "fault": "slow-start", "revision": "*:3", "seconds": 86400 }))
        .await;
    environment.release(Release::Sick).await;
    let arn = environment.service().await["currentServiceDeployment"].take();
    let describe = async || {
        let input = json!({ "serviceDeploymentArns": [arn] });
        environment.ecs("DescribeServiceDeployments", input).await["serviceDeployments"][0].take()
    };
    eventually("the alarm is watched", async || {
        (describe().await["status"] == "IN_PROGRESS").then_some(())
    })
    .await;
    assert_eq!(describe().await["alarms"]["status"], "MONITORING");
    environment
        .fault(json!({ "fault": "alarm", "name": "errors" }))
        .await;
    let ended = eventually("it is rolled back", async || {
        let found = describe().await;
        (found["status"] == "ROLLBACK_SUCCESSFUL").then_some(found)
    })
    .await;
    assert_eq!(ended["alarms"]["status"], "TRIGGERED");
    assert_eq!(ended["alarms"]["triggeredAlarmNames"], json!(["errors"]));
    assert_eq!(
        environment.settled().await["taskDefinition"],
        good["taskDefinition"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_operator_deploys_when_enough_of_ours_run() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    let first = environment.settled().await;
    environment
        .fault(json!({ "fault": "other-deployment", "when_running": 1 }))
        .await;
    environment
        .fault(json!({ "fault": "stage", "stage": "BAKE_TIME" }))
        .await;
    let ours = environment.release(Release::Serve("two")).await;
    let service = eventually("somebody else's is PRIMARY", async || {
        let service = environment.service().await;
        (service["deployments"][0]["id"] != json!(ours)).then_some(service)
    })
    .await;
    assert_eq!(
        service["deployments"][0]["taskDefinition"],
        first["taskDefinition"]
    );
    let input = json!({ "service": environment.description.service });
    let history = environment.ecs("ListServiceDeployments", input).await;
    assert_eq!(history["serviceDeployments"][1]["status"], "STOPPED");
    let input = json!({
        "serviceDeploymentArns": [history["serviceDeployments"][0]["serviceDeploymentArn"]],
    });
    let described = eventually("the stage is shown", async || {
        let found = environment
            .ecs("DescribeServiceDeployments", input.clone())
            .await;
        let stage = &found["serviceDeployments"][0]["lifecycleStage"];
        (stage == "BAKE_TIME").then_some(found)
    })
    .await;
    let sources = &described["serviceDeployments"][0]["sourceServiceRevisions"];
    assert_eq!(sources.as_array().unwrap().len(), 2);
    assert_eq!(environment.faults().await.as_array().unwrap().len(), 1);
    environment.settled().await;
    assert_eq!(environment.version().await, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_task_is_replaced() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    environment.settled().await;
    environment.fault(json!({ "fault": "retire-task" })).await;
    let retired = stopped_because(&environment, "TerminationNotice").await;
    assert_eq!(
        retired["stoppedReason"],
        "ECS is performing maintenance on the underlying infrastructure hosting the task."
    );
    assert_eq!(environment.faults().await, json!([]));
    eventually("two tasks run", async || {
        (environment.service().await["runningCount"] == 2).then_some(())
    })
    .await;
    assert_eq!(
        environment.service().await["deployments"][0]["failedTasks"],
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_breaks_off_and_the_registry_recovers() {
    let environment = common::start().await;
    environment
        .fault(json!({ "fault": "break-uploads", "after_bytes": 10, "times": 1 }))
        .await;
    let content = vec![7; 100_000];
    let url = environment.registry_url("blobs/uploads/");
    let authorization = environment.authorization().await;
    let started = environment
        .http
        .post(url)
        .header("authorization", &authorization)
        .send()
        .await
        .unwrap();
    let location = started.headers()["location"].to_str().unwrap().to_owned();
    let upload = format!("http://{}{location}", environment.description.registry);
    let patch = |body: Vec<u8>| {
        environment
            .http
            .patch(&upload)
            .header("authorization", &authorization)
            .body(body)
            .send()
    };
    assert!(patch(content.clone()).await.is_err());
    // What arrived is there, as a client that resumes asks.
    let status = environment
        .http
        .get(&upload)
        .header("authorization", &authorization)
        .send()
        .await
        .unwrap();
    assert_eq!(status.headers()["range"], "0-9");
    assert_eq!(patch(content).await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(environment.faults().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_mounts_nothing_begins_an_upload() {
    let environment = common::start().await;
    let blob = environment.push_blob(b"a layer").await;
    let repository = environment.description.repository.clone();
    let input = json!({ "repositoryName": "second" });
    environment.ecr("CreateRepository", input).await;
    let authorization = environment.authorization().await;
    let mount = async |into: &str| {
        let registry = &environment.description.registry;
        let url =
            format!("http://{registry}/v2/{into}/blobs/uploads/?mount={blob}&from={repository}");
        let request = environment.http.post(url);
        let sent = request.header("authorization", &authorization).send();
        sent.await.unwrap()
    };
    environment
        .fault(json!({ "fault": "refuse-mounts", "repository": "sec*" }))
        .await;
    let answer = mount("second").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.contains("/second/blobs/uploads/"), "{location}");
    assert_eq!(mount(&repository).await.status(), StatusCode::CREATED);
    let clear = environment.http.delete(environment.control_url("faults"));
    clear.send().await.unwrap();
    assert_eq!(mount("second").await.status(), StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_takes_its_time_and_finds_what_it_is_told() {
    let environment = common::start().await;
    let image = environment.push_image().await;
    let digest = image.rsplit('@').next().unwrap();
    let scan = async |more: Value| {
        let mut input = json!({
            "repositoryName": environment.description.repository,
            "imageId": { "imageDigest": digest },
        });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        environment.ecr("DescribeImageScanFindings", input).await
    };
    let clean = scan(json!({})).await;
    assert_eq!(clean["imageScanStatus"]["status"], "ACTIVE");
    let findings = &clean["imageScanFindings"]["enhancedFindings"];
    assert_eq!(findings, &json!([]));

    environment
        .fault(json!({ "fault": "slow-scan", "seconds": 86400 }))
        .await;
    let waiting = scan(json!({})).await;
    assert_eq!(waiting["imageScanStatus"]["status"], "PENDING");
    assert_eq!(waiting["imageScanFindings"], Value::Null);
    environment.clear_faults().await;

    for fault in [
        json!({ "fault": "vulnerability", "name": "CVE-1", "repository": "another" }),
        json!({ "fault": "vulnerability", "name": "CVE-2" }),
        json!({
            "fault": "vulnerability", "name": "CVE-3", "severity": "low",
            "package": "openssl", "installed": "3.0.1", "fixed_in": "3.0.2",
        }),
    ] {
        environment.fault(fault).await;
    }
    let first = scan(json!({ "maxResults": 1 })).await;
    let found = &first["imageScanFindings"];
    let counts = json!({ "HIGH": 1, "LOW": 1 });
    assert_eq!(found["findingSeverityCounts"], counts);
    let finding = &found["enhancedFindings"][0];
    assert_eq!(finding["severity"], "HIGH");
    let details = &finding["packageVulnerabilityDetails"];
    assert_eq!(details["vulnerabilityId"], "CVE-2");
    assert_eq!(details["vulnerablePackages"], json!([]));

    let second = scan(json!({ "maxResults": 1, "nextToken": first["nextToken"] })).await;
    assert_eq!(second["nextToken"], Value::Null);
    let finding = &second["imageScanFindings"]["enhancedFindings"][0];
    let packages = json!([{ "name": "openssl", "version": "3.0.1", "fixedInVersion": "3.0.2" }]);
    let details = &finding["packageVulnerabilityDetails"];
    assert_eq!(details["vulnerablePackages"], packages);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_with_a_reason() {
    let environment = common::start().await;
    let cases = [
        (r#"{"fault":"gremlins"}"#, "gremlins"),
        (
            r#"{"fault":"throttle","probability":2}"#,
            "probability is 2: it must be a share, 0 to 1",
        ),
        (r#"{"fault":"latency"}"#, "milliseconds"),
        (
            r#"{"fault":"vulnerability","name":"CVE-1","severity":"severe"}"#,
            "severity is severe: it must be informational, low",
        ),
        (
            r#"{"fault":"vulnerability","name":"CVE-1","fixed_in":"2"}"#,
            "package is missing",
        ),
        (r#"{"fault":"slow-scan","seconds":-1}"#, "seconds is -1"),
    ];
    for (body, expected) in cases {
        let request = environment.http.put(environment.control_url("faults"));
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let text = response.text().await.unwrap();
        assert!(text.contains(expected), "{text}");
    }
}
