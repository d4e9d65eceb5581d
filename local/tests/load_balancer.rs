//! The load balancer and the endpoint, by real sockets.

mod common;

use common::{Release, eventually};
use futures::StreamExt;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn rules_default_action_and_no_target() {
    let environment = common::start().await;
    let cases = [
        ("/", 404),
        ("/healthz", 404),
        ("/mcpx", 404),
        ("/MCP", 404),
        ("/mcp", 503),
        ("/mcp/", 503),
        ("/mcp/platform/mcp", 503),
    ];
    for (path, status) in cases {
        let response = environment.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["server"], "awselb/2.0");
    }
    let page = environment.get("/mcp").await.text().await.unwrap();
    assert!(page.contains("<h1>503 Service Temporarily Unavailable</h1>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_streams_and_a_target_that_breaks_off() {
    let environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    environment.settled().await;

    let url = format!("{}/mcp/headers", environment.description.load_balancer_url);
    let request = environment
        .http
        .get(&url)
        .header("x-forwarded-for", "10.0.0.1")
        .header("connection", "x-private")
        .header("x-private", "secret")
        .header("x-amzn-trace-id", "Root=1-2-3");
    let seen = request.send().await.unwrap().text().await.unwrap();
    let seen = seen.to_ascii_lowercase();
    let authority = environment
        .description
        .load_balancer_url
        .strip_prefix("http://")
        .unwrap();
    let port = authority.rsplit(':').next().unwrap();
    for expected in [
        format!("host: {authority}\r\n"),
        "x-forwarded-for: 10.0.0.1, 127.0.0.1\r\n".to_owned(),
        "x-forwarded-proto: http\r\n".to_owned(),
        format!("x-forwarded-port: {port}\r\n"),
    ] {
        assert!(seen.contains(&expected), "{expected}: {seen}");
    }
    assert!(!seen.contains("x-private"), "{seen}");
    assert!(seen.contains(";root=1-2-3"), "{seen}");

    assert_eq!(environment.get("/mcp/break").await.status(), 502);

    // The first event arrives while the answer is still open; closing it reaches the server.
    let response = environment.get("/mcp/events").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.bytes_stream();
    assert_eq!(stream.next().await.unwrap().unwrap(), "data: first\n\n");
    drop(stream);
    eventually("the server sees the client go", async || {
        let input = json!({
            "logGroupName": environment.description.log_group,
            "filterPattern": "\"the client of the stream has gone\"",
        });
        let found = environment.logs("FilterLogEvents", input).await;
        (!found["events"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_the_words_of_aws() {
    let environment = common::start().await;
    let ecs = "AmazonEC2ContainerServiceV20141113";
    let cases = [
        (
            "DescribeServices",
            json!({ "services": ["x"] }),
            "ClusterNotFoundException",
        ),
        (
            "UpdateService",
            json!({ "cluster": "quilt-local", "service": "x" }),
            "ServiceNotFoundException",
        ),
        (
            "UpdateService",
            json!({ "cluster": "quilt-local", "service": "quilt-local-mcp-server", "taskDefinition": "x:1" }),
            "ClientException",
        ),
        (
            "DescribeTaskDefinition",
            json!({ "taskDefinition": "x" }),
            "ClientException",
        ),
        (
            "RegisterTaskDefinition",
            json!({ "family": "f" }),
            "ClientException",
        ),
        ("RunTask", json!({}), "UnknownOperationException"),
    ];
    for (operation, input, code) in cases {
        let response = environment
            .send(&format!("{ecs}.{operation}"), &input)
            .await;
        assert_eq!(response.status(), 400, "{operation}");
        assert!(response.headers().contains_key("x-amzn-requestid"));
        assert!(response.headers().contains_key("date"));
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["__type"], code, "{operation}: {body}");
    }
    let anonymous = environment
        .http
        .post(&environment.description.endpoint_url)
        .header("x-amz-target", format!("{ecs}.ListClusters"))
        .body("{}");
    let body: Value = anonymous.send().await.unwrap().json().await.unwrap();
    assert_eq!(body["__type"], "MissingAuthenticationTokenException");
    let query = environment
        .http
        .post(&environment.description.endpoint_url)
        .header("authorization", "x")
        .body("Action=DescribeTargetHealth&Version=2015-12-01&TargetGroupArn=x");
    let response = query.send().await.unwrap();
    assert_eq!(response.status(), 400);
    let text = response.text().await.unwrap();
    assert!(text.contains("<Code>TargetGroupNotFound</Code>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_can_be_switched_but_not_by_a_web_page() {
    let environment = common::start().await;
    let url = format!("{}/_local/faults", environment.description.endpoint_url);
    let page = environment
        .http
        .put(&url)
        .header("origin", "http://example.com")
        .body(r#"{"fault":"throttle"}"#);
    assert_eq!(page.send().await.unwrap().status(), 403);
    let rebound = environment.http.delete(&url).header("host", "example.com");
    assert_eq!(rebound.send().await.unwrap().status(), 403);
    let unknown = environment.http.put(&url).body(r#"{"fault":"gremlins"}"#);
    assert_eq!(unknown.send().await.unwrap().status(), 400);

    let throttle = r#"{"fault":"throttle","operation":"ecs:List*"}"#;
    let set = environment.http.put(&url).body(throttle);
    assert_eq!(set.send().await.unwrap().status(), 200);
    let target = "AmazonEC2ContainerServiceV20141113";
    let list = environment
        .send(&format!("{target}.ListClusters"), &json!({}))
        .await;
    let body: Value = list.json().await.unwrap();
    assert_eq!(body["__type"], "ThrottlingException");
    let describe = environment
        .send(&format!("{target}.DescribeClusters"), &json!({}))
        .await;
    assert_eq!(describe.status(), 200);
    let clear = environment.http.delete(format!("{url}/throttle"));
    assert_eq!(clear.send().await.unwrap().status(), 204);
    let list = environment
        .send(&format!("{target}.ListClusters"), &json!({}))
        .await;
    assert_eq!(list.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_pulls_fail_a_release() {
    let environment = common::start().await;
    let url = format!("{}/_local/faults", environment.description.endpoint_url);
    let set = environment
        .http
        .put(&url)
        .body(r#"{"fault":"refuse-pulls"}"#);
    assert_eq!(set.send().await.unwrap().status(), 200);
    environment.release(Release::Serve("one")).await;
    eventually("a task fails", async || {
        environment.tasks("STOPPED").await.into_iter().find(|task| {
            task["stoppedReason"]
                .as_str()
                .is_some_and(|reason| reason.starts_with("CannotPullContainerError: "))
        })
    })
    .await;
}
