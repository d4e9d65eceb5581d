//! The demo registry.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until `shutdown` is cancelled.
pub async fn serve(listener: TcpListener, shutdown: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, axum::Router::new())
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}
