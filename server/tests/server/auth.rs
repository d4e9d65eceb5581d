//! Who passes, who does not, and what the registry is asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quilt_demo_registry::{DEMO_TOKEN, Refusal};
use serde_json::{Value, json};

use crate::harness::{Registry, Server, tools_list};

#[tokio::test]
async fn without_a_usable_token_the_answer_is_a_challenge() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let long = format!("Bearer {}", "a".repeat(8 * 1024 + 1));
    for authorization in [
        None,
        Some("Bearer"),
        Some("Basic cXVpbHQ6"),
        Some("Bearer a b"),
        Some(&long),
    ] {
        let mut request = server.post("/mcp", None, &tools_list());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{authorization:?}");
        let challenge = answer.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert_eq!(
            challenge.contains("invalid_token"),
            authorization.is_some(),
            "a client that brought nothing is not told that it was wrong: {challenge}"
        );
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "unauthorized");
    }
    assert_eq!(registry.faults().asked("Me"), 0, "nothing to ask about");
}

#[tokio::test]
async fn a_token_that_the_registry_refuses_is_401_however_it_says_so() {
    for refusal in [Refusal::Unauthorized, Refusal::NullMe] {
        let registry = Registry::start().await;
        registry.faults().refuse_by(refusal);
        let server = Server::start(&registry).await;
        for _ in 0..3 {
            let answer = server.list_tools("qk_other").send().await.unwrap();
            assert_eq!(answer.status(), 401, "{refusal:?}");
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            assert!(
                challenge.contains(r#"error="invalid_token""#),
                "{challenge}"
            );
        }
        assert_eq!(registry.faults().asked("Me"), 1, "a refusal is remembered");
        let answer = server.list_tools(DEMO_TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 200, "it concerns that token alone");
    }
}

#[tokio::test]
async fn a_registry_that_is_down_is_503_and_never_a_pass() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let faults = registry.faults();
    for status in [500, 502, 503, 429, 404, 302] {
        faults.fail_with(Some(status));
        for token in [DEMO_TOKEN, "qk_other"] {
            let answer = server.list_tools(token).send().await.unwrap();
            assert_eq!(answer.status(), 503, "registry {status}");
            assert_eq!(answer.headers()["retry-after"], "5");
            assert_eq!(answer.headers().get("www-authenticate"), None);
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["error"]["code"], "registry_unavailable");
            assert_eq!(body["error"]["retryable"], true);
        }
    }
    faults.fail_with(None);
    let healed = server.list_tools(DEMO_TOKEN).send().await.unwrap();
    assert_eq!(healed.status(), 200, "an outage is not remembered");
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_503() {
    let registry = Registry::start().await;
    let url = registry.url();
    drop(registry);
    let server = Server::start_with(&url, &[]).await;
    let answer = server.list_tools(DEMO_TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(server.health().await, Some(200), "the task itself is well");
    let line = server
        .line(|line| line["message"] == "registry request failed")
        .await;
    let detail = line["detail"].as_str().unwrap();
    assert!(
        detail.contains("refused"),
        "the operator learns why: {detail}"
    );
}

#[tokio::test]
async fn a_known_token_passes_through_an_outage_while_it_is_remembered() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    assert_eq!(
        server.list_tools(DEMO_TOKEN).send().await.unwrap().status(),
        200
    );
    registry.faults().fail_with(Some(503));
    assert_eq!(
        server.list_tools(DEMO_TOKEN).send().await.unwrap().status(),
        200
    );
    let result = server.call("bucket_list", json!({})).await;
    assert_eq!(
        result["structuredContent"]["error"]["code"],
        "registry_unavailable"
    );
}

#[tokio::test]
async fn one_question_is_asked_for_many_requests() {
    let registry = Registry::start().await;
    let vars = [("MCP_MAX_IN_FLIGHT_PER_TOKEN", "64")];
    let server = Server::start_with(&registry.url(), &vars).await;
    let faults = registry.faults();
    let hold = faults.hold("Me");
    let requests: Vec<_> = (0..40)
        .map(|_| tokio::spawn(server.list_tools(DEMO_TOKEN).send()))
        .collect();
    crate::harness::eventually("the registry is asked", || async {
        faults.waiting("Me") > 0
    })
    .await;
    for _ in 0..10 {
        assert_eq!(server.health().await, Some(200));
    }
    drop(hold);
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(faults.asked("Me"), 1);
}

#[tokio::test]
async fn a_question_survives_the_client_that_raised_it() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let faults = registry.faults();
    let hold = faults.hold("Me");
    let first = tokio::spawn(server.list_tools(DEMO_TOKEN).send());
    crate::harness::eventually("the registry is asked", || async {
        faults.waiting("Me") > 0
    })
    .await;
    let second = tokio::spawn(server.list_tools(DEMO_TOKEN).send());
    assert_eq!(server.health().await, Some(200));
    first.abort();
    drop(hold);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_jwt_past_its_exp_is_refused_without_asking() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let claims = URL_SAFE_NO_PAD.encode(r#"{"id":"u1","exp":1000000000}"#);
    let answer = server
        .list_tools(&format!("e30.{claims}.c2ln"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("expired"), "{challenge}");
    assert_eq!(registry.faults().asked("Me"), 0);
}
