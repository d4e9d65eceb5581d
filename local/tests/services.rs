//! Services and target groups that are made, changed and deleted, and two target groups on a service.

mod common;

use common::{Environment, eventually};
use serde_json::{Value, json};

const ECS: &str = "AmazonEC2ContainerServiceV20141113";

/// A call of ELBv2; its answer is looked at as text.
async fn elb(environment: &Environment, form: &str) -> (u16, String) {
    let response = environment
        .http
        .post(&environment.description.endpoint_url)
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test")
        .body(format!("Version=2015-12-01&{form}"))
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, response.text().await.unwrap())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

async fn target_group(environment: &Environment, name: &str, matcher: &str) -> String {
    let (status, text) = elb(
        environment,
        &format!(
            "Action=CreateTargetGroup&Name={name}&Protocol=HTTP&Port=8000&TargetType=ip&HealthCheckPath=/healthz&HealthCheckIntervalSeconds=1&HealthCheckTimeoutSeconds=1&HealthyThresholdCount=2&UnhealthyThresholdCount=2&Matcher.HttpCode={matcher}"
        ),
    )
    .await;
    assert_eq!(status, 200, "{text}");
    between(&text, "<TargetGroupArn>", "</TargetGroupArn>").to_owned()
}

async fn refused(environment: &Environment, operation: &str, mut input: Value) -> String {
    input["cluster"] = json!("quilt-local");
    let response = environment
        .send(&format!("{ECS}.{operation}"), &input)
        .await;
    assert_eq!(response.status(), 400);
    response.json::<Value>().await.unwrap()["__type"].to_string()
}

async fn describe(environment: &Environment, name: &str) -> Value {
    let input = json!({ "services": [name] });
    environment.ecs("DescribeServices", input).await["services"][0].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_two_target_groups_needs_both_to_be_healthy() {
    let environment = common::start().await;
    let first = target_group(&environment, "first", "200").await;
    let second = target_group(&environment, "second", "204").await;
    let (_, listeners) = elb(&environment, "Action=DescribeListeners").await;
    let listener = between(&listeners, "<ListenerArn>", "</ListenerArn>");
    let (status, rule) = elb(
        &environment,
        &format!("Action=CreateRule&ListenerArn={listener}&Priority=7&Conditions.member.1.Field=path-pattern&Conditions.member.1.Values.member.1=/other*&Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn={first}"),
    )
    .await;
    assert_eq!(status, 200, "{rule}");
    let image = environment.push_image().await;
    let revision = environment.register(&image, &["serve", "one"]).await;
    let balancers: Vec<Value> = [&first, &second]
        .iter()
        .map(|arn| json!({ "targetGroupArn": arn, "containerName": "mcp-server", "containerPort": 8000 }))
        .collect();
    let request = json!({
        "serviceName": "second", "taskDefinition": revision, "desiredCount": 1,
        "launchType": "FARGATE", "loadBalancers": balancers,
        "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } },
        "healthCheckGracePeriodSeconds": 3600,
    });
    let created = environment.ecs("CreateService", request.clone()).await;
    assert_eq!(created["service"]["status"], "ACTIVE");
    let again = refused(&environment, "CreateService", request).await;
    assert!(again.contains("InvalidParameterException"), "{again}");
    let state = async |group: &str| {
        let form = format!("Action=DescribeTargetHealth&TargetGroupArn={group}");
        elb(&environment, &form).await.1
    };
    eventually("one finds it healthy, the other does not", async || {
        let settled = state(&first).await.contains("<State>healthy</State>")
            && state(&second).await.contains("Target.ResponseCodeMismatch");
        settled.then_some(())
    })
    .await;
    let deployment = &describe(&environment, "second").await["deployments"][0];
    assert_eq!(deployment["rolloutState"], "IN_PROGRESS");
    assert_eq!(environment.get("/other").await.text().await.unwrap(), "one");

    let form = format!("Action=ModifyTargetGroup&TargetGroupArn={second}&Matcher.HttpCode=200-299");
    assert_eq!(elb(&environment, &form).await.0, 200);
    eventually("the deployment completes", async || {
        let service = describe(&environment, "second").await;
        (service["deployments"][0]["rolloutState"] == "COMPLETED").then_some(())
    })
    .await;

    let delete = json!({ "service": "second" });
    let error = refused(&environment, "DeleteService", delete).await;
    assert!(error.contains("InvalidParameterException"), "{error}");
    let delete = json!({ "service": "second", "force": true });
    environment.ecs("DeleteService", delete).await;
    eventually("it is gone", async || {
        (describe(&environment, "second").await["status"] == "INACTIVE").then_some(())
    })
    .await;
    let update = json!({ "service": "second", "desiredCount": 1 });
    let error = refused(&environment, "UpdateService", update).await;
    assert!(error.contains("ServiceNotActiveException"), "{error}");

    let form = format!("Action=DeleteTargetGroup&TargetGroupArn={first}");
    let (status, text) = elb(&environment, &form).await;
    assert!(status == 400 && text.contains("ResourceInUse"), "{text}");
    let rule = between(&rule, "<RuleArn>", "</RuleArn>");
    let delete_rule = format!("Action=DeleteRule&RuleArn={rule}");
    assert_eq!(elb(&environment, &delete_rule).await.0, 200);
    assert_eq!(elb(&environment, &form).await.0, 200);
    assert_eq!(environment.get("/other").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deregistration_delay_is_an_attribute_and_nonsense_is_refused() {
    let environment = common::start().await;
    let group = target_group(&environment, "delayed", "200").await;
    let set = |key: &str, value: &str| {
        format!(
            "Action=ModifyTargetGroupAttributes&TargetGroupArn={group}&Attributes.member.1.Key={key}&Attributes.member.1.Value={value}"
        )
    };
    let delay = "deregistration_delay.timeout_seconds";
    assert_eq!(elb(&environment, &set(delay, "7")).await.0, 200);
    let form = format!("Action=DescribeTargetGroupAttributes&TargetGroupArn={group}");
    let (_, shown) = elb(&environment, &form).await;
    assert!(
        shown.contains(&format!("<Key>{delay}</Key><Value>7</Value>")),
        "{shown}"
    );
    for (form, code) in [
        (set(delay, "3601"), "InvalidConfigurationRequest"),
        (
            set("stickiness.enabled", "true"),
            "InvalidConfigurationRequest",
        ),
        (
            "Action=CreateTargetGroup&Name=x&Port=1".to_owned(),
            "ValidationError",
        ),
        (
            "Action=CreateTargetGroup&Name=x&TargetType=ip&Port=0".to_owned(),
            "ValidationError",
        ),
        (
            "Action=CreateTargetGroup&Name=delayed&TargetType=ip&Port=9".to_owned(),
            "DuplicateTargetGroupName",
        ),
        ("Action=DeleteRule&RuleArn=x".to_owned(), "RuleNotFound"),
        (
            "Action=ModifyTargetGroup&TargetGroupArn=x".to_owned(),
            "TargetGroupNotFound",
        ),
    ] {
        let (status, text) = elb(&environment, &form).await;
        assert!(status == 400 && text.contains(code), "{form}: {text}");
    }
}
