//! The smoke test against servers that are right and wrong in the ways that servers behind
//! a load balancer are, on real sockets.

mod fleet;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use fleet::{Behaviour, Fleet, ORIGIN, TOKEN, server_of};
use quilt_mcp_deploy::smoke::{
    HANDSHAKES, Handshake, Problem, Smoke, SmokeError, SmokeTest, Step, Token, smoke,
};
use url::Url;

fn test_of(url: &Url) -> SmokeTest {
    SmokeTest {
        patience: Duration::from_secs(30),
        ..SmokeTest::of(url.clone(), Some(Token::new(TOKEN)))
    }
}

async fn run(test: SmokeTest) -> Result<Smoke, SmokeError> {
    let outcome = smoke(&test).await.map(|(smoke, _)| smoke);
    let told = match &outcome {
        Ok(smoke) => serde_json::to_string(smoke).unwrap(),
        Err(error) => format!("{error} {error:?} {}", error.problem.remedy()),
    };
    assert!(!told.contains(TOKEN), "the token is shown: {told}");
    outcome
}

fn good() -> Behaviour {
    Behaviour {
        versions: vec!["1.0.0+3f2a9c1d5e6f"; 2],
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_good_fleet_passes_and_every_request_has_a_connection_of_its_own() {
    for events in [false, true] {
        let fleet = Fleet::start(Behaviour { events, ..good() }).await;
        let smoke = run(test_of(&fleet.url)).await.unwrap();
        let (requests, connections) = fleet.traffic();
        assert_eq!(requests, connections);
        assert_eq!(smoke.guard.www_authenticate.as_deref(), Some("Bearer"));
        assert_eq!(smoke.http, "HTTP/1.1");
        let Handshake::Complete(session) = smoke.handshake else {
            panic!("{smoke:?}");
        };
        assert_eq!(session.tools, ["write", "read"]);
        assert_eq!(session.versions.len(), 1);
        assert_eq!(session.versions[0].answers, HANDSHAKES);
        assert_eq!(session.versions[0].commit.as_deref(), Some("3f2a9c1d5e6f"));
        let call = session.tool_call.unwrap();
        assert_eq!((call.tool.as_str(), call.is_error), ("read", false));
    }
}

#[tokio::test]
async fn sessions_in_the_memory_of_one_task_are_found_whatever_the_number_of_tasks() {
    for tasks in 2..=9 {
        let fleet = Fleet::start(Behaviour {
            versions: vec!["1.0.0"; tasks],
            sessions_in_memory: true,
            ..Behaviour::default()
        })
        .await;
        let error = run(test_of(&fleet.url)).await.unwrap_err();
        assert_eq!(
            error.problem,
            Problem::SessionLost { status: 404 },
            "{tasks} tasks"
        );
        assert!(error.problem.remedy().contains("stateless"), "{error}");
    }
}

#[tokio::test]
async fn sessions_are_all_right_where_one_task_answers() {
    let fleet = Fleet::start(Behaviour {
        versions: vec!["1.0.0"],
        sessions_in_memory: true,
        ..Behaviour::default()
    })
    .await;
    let smoke = run(test_of(&fleet.url)).await.unwrap();
    assert!(matches!(smoke.handshake, Handshake::Complete(session) if session.sessions));
}

#[tokio::test]
async fn one_task_of_another_version_is_found_whatever_the_number_of_tasks() {
    for tasks in 2..=9 {
        let mut versions = vec!["1.0.0+aaaaaaaaa"; tasks];
        versions[tasks - 1] = "1.0.1+bbbbbbbbb";
        let behaviour = Behaviour {
            versions,
            ..Behaviour::default()
        };
        let fleet = Fleet::start(behaviour).await;
        let error = run(test_of(&fleet.url)).await.unwrap_err();
        assert!(
            matches!(&error.problem, Problem::Mixed(seen) if seen.len() == 2),
            "{tasks} tasks: {error}"
        );
        let allowed = SmokeTest {
            allow_mixed: true,
            ..test_of(&fleet.url)
        };
        let smoke = run(allowed).await.unwrap();
        assert!(
            smoke
                .warnings
                .iter()
                .any(|text| text.contains("1.0.1+bbbbbbbbb")),
            "{smoke:?}"
        );
    }
}

#[tokio::test]
async fn another_release_than_the_expected_one_fails() {
    let fleet = Fleet::start(good()).await;
    for (commit, version, passes) in [
        (Some("3f2a9c1"), None, true),
        (Some("3f2a9c1d5e6f"), Some("1.0.0"), true),
        (None, Some("1.0.0+3f2a9c1d5e6f"), true),
        (Some("4444444"), None, false),
        (None, Some("1.0.1"), false),
    ] {
        let outcome = run(SmokeTest {
            expect_commit: commit.map(str::to_owned),
            expect_version: version.map(str::to_owned),
            ..test_of(&fleet.url)
        })
        .await;
        match outcome {
            Ok(_) => assert!(passes, "{commit:?} {version:?}"),
            Err(error) => {
                assert!(!passes, "{commit:?} {version:?}: {error}");
                assert!(
                    matches!(error.problem, Problem::Unexpected { .. }),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_tool_that_fails_is_a_warning() {
    let fleet = Fleet::start(Behaviour {
        tool_fails: true,
        ..good()
    })
    .await;
    let smoke = run(test_of(&fleet.url)).await.unwrap();
    assert!(
        smoke
            .warnings
            .iter()
            .any(|text| text.contains("no bucket for (token)")),
        "{smoke:?}"
    );
}

#[tokio::test]
async fn a_browser_is_let_in_or_the_reason_is_said() {
    let from_catalog = |fleet: &Fleet| SmokeTest {
        origins: vec![ORIGIN.into()],
        ..test_of(&fleet.url)
    };
    let open = Behaviour {
        origin: Some(ORIGIN),
        ..good()
    };
    let fleet = Fleet::start(open.clone()).await;
    let smoke = run(from_catalog(&fleet)).await.unwrap();
    assert_eq!(
        smoke.cors[0].expose_headers,
        ["mcp-session-id", "www-authenticate"]
    );

    let guarded = Behaviour {
        guards_preflight: true,
        ..open
    };
    for (behaviour, why) in [
        (guarded, "the preflight was answered 401"),
        (good(), "Access-Control-Allow-Origin is missing"),
    ] {
        let fleet = Fleet::start(behaviour).await;
        let error = run(from_catalog(&fleet)).await.unwrap_err();
        assert_eq!(error.step, Step::Preflight(ORIGIN.into()));
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn without_a_token_only_the_refusal_is_seen() {
    let fleet = Fleet::start(good()).await;
    let smoke = run(SmokeTest::of(fleet.url.clone(), None)).await.unwrap();
    assert_eq!(smoke.handshake, Handshake::Unauthenticated);
}

#[tokio::test]
async fn a_refused_token_is_named_as_such() {
    let fleet = Fleet::start(good()).await;
    let token = Some(Token::new("qk_of_another_stack"));
    let error = run(SmokeTest::of(fleet.url.clone(), token))
        .await
        .unwrap_err();
    assert_eq!(error.step, Step::Initialize(1, HANDSHAKES));
    assert!(
        error.problem.remedy().contains("QUILT_MCP_TOKEN"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_not_the_server_is_told_by_what_it_is() {
    type Answer = fn() -> axum::response::Response;
    let cases: [(&str, Answer, &str, &str); 6] = [
        (
            "an open server",
            || StatusCode::OK.into_response(),
            "401 was expected",
            "listener's rules",
        ),
        (
            "a WAF",
            || {
                (
                    StatusCode::FORBIDDEN,
                    [("content-type", "text/html")],
                    "<html>403 Forbidden</html>",
                )
                    .into_response()
            },
            "403 was answered: <html>403 Forbidden</html>",
            "WAF",
        ),
        (
            "the server's own refusal of the host",
            || (StatusCode::FORBIDDEN, "Host not allowed").into_response(),
            "403 was answered: Host not allowed",
            "allowed hosts",
        ),
        (
            "the catalog",
            || {
                (
                    StatusCode::METHOD_NOT_ALLOWED,
                    [("content-type", "text/html")],
                    "<html>Quilt</html>",
                )
                    .into_response()
            },
            "405 was answered",
            "catch-all",
        ),
        (
            "no healthy target",
            || StatusCode::SERVICE_UNAVAILABLE.into_response(),
            "503 was answered",
            "status",
        ),
        (
            "a redirect",
            || {
                (
                    StatusCode::MOVED_PERMANENTLY,
                    [("location", "https://elsewhere.example.com/")],
                )
                    .into_response()
            },
            "redirected (301) to https://elsewhere.example.com/",
            "final address",
        ),
    ];
    for (name, respond, says, remedy) in cases {
        let error = run(test_of(&server_of(respond).await)).await.unwrap_err();
        assert_eq!(error.step, Step::NoToken, "{name}");
        assert!(error.to_string().contains(says), "{name}: {error}");
        assert!(error.problem.remedy().contains(remedy), "{name}: {error}");
    }
}

#[tokio::test]
async fn answers_that_are_not_mcp_fail_with_what_they_are() {
    use axum::http::HeaderMap;
    type Answer = fn() -> axum::response::Response;
    let cases: [(&str, Answer, &str); 5] = [
        (
            "a page",
            || ([("content-type", "text/html")], "<html>Quilt</html>").into_response(),
            "text/html, not JSON or an event stream: <html>Quilt</html>",
        ),
        (
            "broken JSON",
            || ([("content-type", "application/json")], "{").into_response(),
            "the answer is not MCP: EOF",
        ),
        (
            "another request's answer",
            || axum::Json(serde_json::json!({"id": 77, "result": {}})).into_response(),
            "it answers request 77, not 1",
        ),
        (
            "a JSON-RPC error",
            || {
                axum::Json(serde_json::json!({
                    "id": 1, "error": {"code": -32603, "message": format!("{TOKEN} is wrong")},
                }))
                .into_response()
            },
            "error -32603: (token) is wrong",
        ),
        (
            "a stream that ends",
            || ([("content-type", "text/event-stream")], ": alive\n\n").into_response(),
            "the event stream ended without the answer",
        ),
    ];
    for (name, respond, says) in cases {
        let app = axum::Router::new().fallback(move |headers: HeaderMap| async move {
            match headers.get("authorization") {
                Some(_) => respond(),
                None => StatusCode::UNAUTHORIZED.into_response(),
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let error = run(test_of(&url.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.step, Step::Initialize(1, HANDSHAKES), "{name}");
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_is_not_there_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/mcp/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let patience = Duration::from_millis(300);
    let hangs = SmokeTest {
        patience,
        ..test_of(&url)
    };
    let error = run(hangs).await.unwrap_err();
    assert_eq!(error.problem, Problem::TimedOut(patience));
    drop(listener);
    let error = run(test_of(&url)).await.unwrap_err();
    assert!(matches!(error.problem, Problem::Unreachable(_)), "{error}");
}
