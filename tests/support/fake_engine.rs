//! A Docker engine in this process that misbehaves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, Uri};
use futures::StreamExt;
use tokio::net::TcpListener;

/// How the engine behaves.
#[derive(Clone, Copy, PartialEq)]
pub enum Behaviour {
    /// It speaks an older API.
    Old,
    /// It answers everything with an error.
    Refuses,
    /// It takes connections and says nothing.
    Mute,
    /// It begins to build and says no more.
    Stalls,
    /// It begins to build and breaks the connection.
    Dies,
    /// It ends the build without an image.
    Nothing,
    /// It builds for another platform.
    Arm,
    /// A registry does not let it have the base image.
    Denied,
}

/// The logins that came with each build, as they were sent.
pub type Logins = Arc<Mutex<Vec<Option<String>>>>;

/// Starts the engine and gives its address, as `DOCKER_HOST` has it.
pub async fn start(behaviour: Behaviour) -> String {
    start_noting(behaviour, Logins::default()).await
}

/// Starts the engine, which notes what logins it is sent.
pub async fn start_noting(behaviour: Behaviour, logins: Logins) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    if behaviour == Behaviour::Mute {
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                open.push(connection);
            }
        });
    } else {
        let handler = async move |uri: Uri, headers: HeaderMap, _context: Bytes| {
            if uri.path().ends_with("/build") {
                let sent = headers.get("x-registry-config");
                let sent = sent.map(|value| value.to_str().unwrap().to_owned());
                logins.lock().unwrap().push(sent);
            }
            answer(behaviour, uri.path())
        };
        let router = Router::new()
            .fallback(handler)
            .layer(axum::extract::DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    format!("tcp://{address}")
}

fn answer(behaviour: Behaviour, path: &str) -> Response<Body> {
    if behaviour == Behaviour::Refuses {
        let body = r#"{"message":"permission denied"}"#;
        return Response::builder()
            .status(403)
            .body(Body::from(body))
            .unwrap();
    }
    let api = if behaviour == Behaviour::Old {
        "1.39"
    } else {
        "1.41"
    };
    let body = if path.ends_with("/version") {
        Body::from(format!(r#"{{"ApiVersion":"{api}"}}"#))
    } else if path.ends_with("/build") {
        building(behaviour)
    } else if path.ends_with("/json") {
        Body::from(r#"{"Id":"sha256:77","Os":"linux","Architecture":"arm64"}"#)
    } else {
        panic!("{path}")
    };
    Response::builder()
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

fn building(behaviour: Behaviour) -> Body {
    let line = |text: &str| Ok(Bytes::from(format!("{text}\n")));
    let begin = match behaviour {
        // As the engine repeats our Dockerfile.
        Behaviour::Denied => line(r#"{"stream":"Step 2/27 : FROM ${RUST_IMAGE} AS build\n"}"#),
        _ => line(r#"{"stream":"Step 1/9 : FROM x\n"}"#),
    };
    let end: Option<Result<Bytes, std::io::Error>> = match behaviour {
        Behaviour::Stalls => {
            let begun = futures::stream::iter([begin]);
            return Body::from_stream(begun.chain(futures::stream::pending()));
        }
        Behaviour::Dies => {
            // Only once the first step is on the wire, or nobody would see it.
            let cut = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(std::io::Error::other("cut"))
            };
            let begun = futures::stream::iter([begin]);
            return Body::from_stream(begun.chain(futures::stream::once(cut)));
        }
        Behaviour::Denied => Some(line(
            r#"{"errorDetail":{"message":"pull access denied, may require 'docker login'"}}"#,
        )),
        Behaviour::Arm => Some(line(r#"{"aux":{"ID":"sha256:77"}}"#)),
        _ => None,
    };
    Body::from_stream(futures::stream::iter(
        [Some(begin), end].into_iter().flatten(),
    ))
}
