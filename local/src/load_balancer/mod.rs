//! The Application Load Balancer: one port that forwards by listener rule to healthy targets.
//!
//! Bodies stream in both directions as they come. A request is sent once, on a connection of its
//! own. WebSocket upgrades, stickiness and HTTP/2 are not rehearsed.

mod forward;
pub(crate) mod pattern;
mod routing;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::world::World;
use forward::Forwarder;

#[derive(Clone)]
struct Balancer {
    world: Arc<World>,
    forwarder: Forwarder,
}

/// Serves until the environment's shutdown, and lets the requests under way finish.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) -> io::Result<()> {
    let shutdown = world.shutdown.clone();
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let app = Router::new().fallback(balance).with_state(Balancer {
        world,
        forwarder: Forwarder::new(),
    });
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(shutdown.cancelled_owned())
    .await
}

async fn balance(
    State(balancer): State<Balancer>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    match routing::route(&balancer.world, &path) {
        routing::Route::Fixed {
            status,
            content_type,
            body,
        } => forward::fixed(status, &content_type, body),
        routing::Route::NoTarget => {
            tracing::warn!(path, "no target can take the request: 503");
            forward::failure(http::StatusCode::SERVICE_UNAVAILABLE)
        }
        routing::Route::Target(chosen) => balancer.forwarder.forward(request, client, chosen).await,
    }
}
