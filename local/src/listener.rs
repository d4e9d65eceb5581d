//! HTTP/1.1 on a listener, for what axum's own server cannot do: end a connection without an answer.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// Between two attempts to accept a connection where the first failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A response that is not sent: the connection ends in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutOff;

impl IntoResponse for CutOff {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Serves until the shutdown, and lets the requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, app.clone(), shutdown.clone()));
                }
                // The client has gone already, or this process has no file left for it now.
                Err(error) => {
                    tracing::debug!(%error, "accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn converse(stream: TcpStream, app: Router, shutdown: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = service_fn(move |request: Request<Incoming>| answer(app.clone(), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut leaving = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            () = shutdown.cancelled(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(mut app: Router, request: Request<Incoming>) -> Result<Response, io::Error> {
    let Ok(response) = app.call(request.map(Body::new)).await as Result<Response, Infallible>;
    match response.extensions().get::<CutOff>() {
        Some(CutOff) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        None => Ok(response),
    }
}
